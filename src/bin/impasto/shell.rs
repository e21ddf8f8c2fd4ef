//! Command lines as a shell takes them.

/// A word of a command, in quotes where a POSIX shell would read it as something else.
pub(crate) fn quoted(word: &str) -> String {
    let is_plain = |letter: char| letter.is_alphanumeric() || "-_=+./,:@%".contains(letter);
    match !word.is_empty() && word.chars().all(is_plain) {
        true => word.to_owned(),
        false => format!("'{}'", word.replace('\'', r"'\''")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_quoted_where_they_must_be() {
        for plain in ["a.png", "--size", "relu4_2=0.5", "2,1", "größe.jpg", "10%"] {
            assert_eq!(quoted(plain), plain);
        }
        for (word, expected) in [
            ("", "''"),
            ("two words", "'two words'"),
            ("it's", r"'it'\''s'"),
            ("$HOME", "'$HOME'"),
            ("a;b", "'a;b'"),
            ("`x`", "'`x`'"),
            ("*", "'*'"),
            ("~", "'~'"),
            ("#", "'#'"),
            ("\\", "'\\'"),
        ] {
            assert_eq!(quoted(word), expected);
        }
    }
}
