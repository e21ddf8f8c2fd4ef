//! Names of results: `{stem}-{style}.png`.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::str::FromStr;

use crate::picture_file::stem;

/// What stands in a pattern for a part of the name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Field {
    /// The photograph's name without its extension.
    Stem,
    /// All of its name.
    Name,
    /// Its extension.
    Extension,
    /// The styles' names without their extensions.
    Style,
    /// Its number.
    Number,
}

const FIELDS: [(&str, Field); 5] = [
    ("stem", Field::Stem),
    ("name", Field::Name),
    ("ext", Field::Extension),
    ("style", Field::Style),
    ("n", Field::Number),
];

#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    Text(String),
    Field(Field),
}

/// How results are named.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Pattern(Vec<Part>);

impl FromStr for Pattern {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mut parts = Vec::new();
        let mut rest = text;
        while let Some(at) = rest.find(['{', '}']) {
            let (before, behind) = rest.split_at(at);
            let (brace, after) = behind.split_at(1);
            if let Some(after) = after.strip_prefix(brace) {
                // Doubled, it stands for itself.
                parts.push(Part::Text(format!("{before}{brace}")));
                rest = after;
                continue;
            }
            let (name, after) = match brace {
                "{" => after.split_once('}').ok_or("a { without }: {{ is a brace of the name")?,
                _ => return Err("a } without {: }} is a brace of the name".to_owned()),
            };
            let field = FIELDS.iter().find(|(known, _)| *known == name).ok_or_else(|| {
                let known: Vec<_> = FIELDS.iter().map(|(known, _)| format!("{{{known}}}")).collect();
                format!("there is no {{{name}}}, but {}", known.join(", "))
            })?;
            parts.extend([Part::Text(before.to_owned()), Part::Field(field.1)]);
            rest = after;
        }
        parts.push(Part::Text(rest.to_owned()));
        parts.retain(|part| *part != Part::Text(String::new()));
        if text.contains(['/', '\\']) {
            return Err("a name has no folder: that is --output, with --recursive those below it".to_owned());
        }
        if parts.is_empty() {
            return Err("a name is not empty".to_owned());
        }
        Ok(Self(parts))
    }
}

impl Pattern {
    /// The name of the result of the photograph with this number, counted from 1.
    pub(super) fn name(&self, photograph: &Path, styles: &[PathBuf], number: usize) -> OsString {
        let of_styles = || styles.iter().map(|style| stem(style)).collect::<Vec<_>>().join("-and-");
        let own = |part: Option<&OsStr>| part.unwrap_or_default().to_owned();
        self.0
            .iter()
            .map(|part| match part {
                Part::Text(text) => text.into(),
                Part::Field(Field::Stem) => own(photograph.file_stem()),
                Part::Field(Field::Name) => own(photograph.file_name()),
                Part::Field(Field::Extension) => own(photograph.extension()),
                Part::Field(Field::Style) => of_styles().into(),
                Part::Field(Field::Number) => format!("{number:04}").into(),
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(pattern: &str) -> OsString {
        let styles = ["s/night.jpg".into(), "day.png".into()];
        pattern.parse::<Pattern>().unwrap().name(Path::new("p/a.b.JPG"), &styles, 7)
    }

    #[test]
    fn fields_stand_for_parts_of_names() {
        for (pattern, expected) in [
            ("{stem}.png", "a.b.png"),
            ("{stem}-{style}.{ext}", "a.b-night-and-day.JPG"),
            ("{n}-{name}.tiff", "0007-a.b.JPG.tiff"),
            ("{{{n}}}.png", "{0007}.png"),
            ("x.png", "x.png"),
        ] {
            assert_eq!(name(pattern), expected, "{pattern}");
        }
    }

    #[test]
    fn patterns_that_cannot_be() {
        for (pattern, reason) in [
            ("{stam}.png", "{stem}, {name}, {ext}, {style}, {n}"),
            ("{stem.png", "without }"),
            ("stem}.png", "without {"),
            ("a/{stem}.png", "no folder"),
            ("..\\{stem}.png", "no folder"),
            ("", "not empty"),
        ] {
            let error = pattern.parse::<Pattern>().unwrap_err();
            assert!(error.contains(reason), "{pattern}: {error}");
        }
    }

    #[cfg(unix)]
    #[test]
    fn names_that_are_not_unicode_stay_as_they_are() {
        use std::os::unix::ffi::OsStrExt;
        let photograph = Path::new(OsStr::from_bytes(b"p/\xFF a.jpg"));
        let pattern: Pattern = "{stem}.png".parse().unwrap();
        assert_eq!(pattern.name(photograph, &[], 1).as_bytes(), b"\xFF a.png");
    }
}
