//! Hints for who knows other programs of this kind, by the names that these have for their flags.

use std::ffi::OsString;
use std::path::Path;

use clap::Command;
use clap::builder::StyledStr;
use clap::error::{ContextKind, ContextValue, Error, ErrorKind};

use crate::shell::quoted;

/// What to say of other programs' flags, without the dashes before them and with dashes for underscores: the flag here, if it
/// is one, and the hint.
const OTHERS: [(&[&str], &str, &str); 14] = [
    (
        &["preserve-color", "preserve-colors", "original-colors", "original-color"],
        "colors",
        "`--colors content` keeps the content's colours",
    ),
    (&["style-scale-fac", "style-scale-factor"], "style-scale", "the size of strokes is `--style-scale K`"),
    (
        &["image-size", "img-size", "imsize", "max-size", "end-scale"],
        "size",
        "the longest side in pixels is `--size N`",
    ),
    (
        &["num-iterations", "iterations", "num-steps", "niter", "max-iter"],
        "steps",
        "the number of steps is `--steps N`",
    ),
    (&["content-image", "content-img", "content"], "", CONTENT_AND_STYLE),
    (&["style-image", "style-img", "style-images", "styles", "style"], "", CONTENT_AND_STYLE),
    (&["output-image", "output-img", "out"], "output", "the result's file is `--output FILE`, or `-o FILE`"),
    (&["style-blend-weights", "style-weights"], "blend", "the shares of several styles are `--blend W,W,…`"),
    (&["content-layers"], "content-layer", "layers are given one by one: `--content-layer L[=W]`"),
    (&["style-layers"], "style-layer", "layers are given one by one: `--style-layer L[=W]`"),
    (&["init-image"], "init", "the picture to start from is `--init FILE`"),
    (&["model", "model-file"], "weights", "the network is `--weights FILE|NAME`"),
    (&["save-iter"], "save-every", "pictures on the way are written by `--save-every N`"),
    (&["gpu", "device", "devices", "backend"], "", "there is nothing to choose: the work is done on the CPU"),
];

const CONTENT_AND_STYLE: &str = "pictures are given without flags: `impasto stylize CONTENT STYLE...`";

/// Extensions of the pictures that are read.
pub(crate) const PICTURES: [&str; 7] = ["png", "jpg", "jpeg", "webp", "tif", "tiff", "bmp"];

/// Finds another program's flag of one dash, which would be read as several short ones, or as a value of `-o`.
pub(crate) fn check(command: &mut Command, arguments: &[OsString]) -> Result<(), Error> {
    let flags = flags(arguments).filter(|(flag, _)| !flag.starts_with("--") && flag.len() > 2);
    for (flag, name) in flags {
        if let Some(hint) = of(command, arguments, (&flag, &name)) {
            command.build();
            let subcommand = arguments.get(1).and_then(|name| command.find_subcommand(name));
            let mut error = Error::new(ErrorKind::UnknownArgument).with_cmd(subcommand.unwrap_or(command));
            error.insert(ContextKind::InvalidArg, ContextValue::String(flag));
            return Err(with_hint(error, hint));
        }
    }
    Ok(())
}

/// The error with a hint, where there is one.
pub(crate) fn added(error: Error, command: &Command, arguments: &[OsString]) -> Error {
    match error.kind() {
        ErrorKind::UnknownArgument => {
            let hint = flags(arguments).find_map(|(flag, name)| of(command, arguments, (&flag, &name)));
            match hint {
                Some(hint) => with_hint(error, hint),
                None => error,
            }
        }
        ErrorKind::InvalidSubcommand if is_picture(arguments.get(1)) => {
            let words: Vec<_> = arguments[1..].iter().map(|word| quoted(&word.to_string_lossy())).collect();
            let command = format!("impasto stylize {}", words.join(" "));
            with_hint(error, format!("to paint the first picture in the style of the others: `{command}`"))
        }
        _ => error,
    }
}

fn with_hint(mut error: Error, hint: impl Into<String>) -> Error {
    error.insert(ContextKind::Suggested, ContextValue::StyledStrs(vec![StyledStr::from(hint.into())]));
    error
}

/// Whether an argument is a picture rather than a subcommand.
fn is_picture(argument: Option<&OsString>) -> bool {
    argument.is_some_and(|argument| {
        let path = Path::new(argument);
        let extension = path.extension().unwrap_or_default().to_string_lossy().to_lowercase();
        PICTURES.contains(&&*extension) || path.is_file()
    })
}

/// The arguments that are flags, as they are and by their names as in [`OTHERS`].
fn flags(arguments: &[OsString]) -> impl Iterator<Item = (String, String)> {
    let arguments = arguments.iter().skip(1).map(|argument| argument.to_string_lossy());
    arguments.take_while(|argument| argument != "--").filter(|argument| argument.starts_with('-')).map(
        |argument| {
            let flag = argument.split('=').next().unwrap_or_default().to_owned();
            let name = flag.trim_start_matches('-').replace('_', "-").to_lowercase();
            (flag, name)
        },
    )
}

/// The hint for a flag of this name: how it is written here, or what is like it here, where there is that.
fn of(command: &Command, arguments: &[OsString], (flag, name): (&str, &str)) -> Option<String> {
    let subcommand = command.find_subcommand(arguments.get(1)?)?;
    let has = |flag: &str| subcommand.get_arguments().any(|arg| arg.get_long() == Some(flag));
    if has(name) {
        return (flag != format!("--{name}")).then(|| format!("it is written `--{name}`"));
    }
    let (_, alike, hint) = OTHERS.iter().find(|(names, ..)| names.contains(&name))?;
    (alike.is_empty() || has(alike)).then(|| (*hint).to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_there_once_and_in_the_form_that_is_looked_for() {
        let mut names: Vec<_> = OTHERS.iter().flat_map(|(names, ..)| names.iter()).collect();
        assert!(
            names.iter().all(|name| name.chars().all(|letter| letter.is_ascii_lowercase() || letter == '-'))
        );
        let count = names.len();
        names.sort();
        names.dedup();
        assert_eq!(names.len(), count);
    }
}
