//! `impasto --version --verbose`: what a report of a fault should say of the program.

use std::ffi::OsString;
use std::fmt::Write;

use impasto::simd::Isa;
#[cfg(feature = "embedded")]
use impasto::weights::{EMBEDDED, Weights};

pub(crate) const VERSION: &str = env!("CARGO_PKG_VERSION");
/// What it was compiled for.
pub(crate) const TARGET: &str = env!("IMPASTO_TARGET");
const COMPILER: &str = env!("IMPASTO_COMPILER");
/// The commit that it was compiled from, where build.rs knew.
pub(crate) const COMMIT: Option<&str> = option_env!("IMPASTO_BUILT_FROM");

/// The cargo features that change what the command does.
const FEATURES: [(&str, bool); 2] =
    [("embedded", cfg!(feature = "embedded")), ("fetch", cfg!(feature = "fetch"))];

/// Whether arguments with `--version` ask for all of it.
pub(crate) fn is_detailed(arguments: &[OsString]) -> bool {
    arguments.iter().skip(1).filter_map(|argument| argument.to_str()).any(|argument| {
        argument == "--verbose"
            || (argument.starts_with('-') && !argument.starts_with("--") && argument.contains('v'))
    })
}

/// All of it, a line each.
pub(crate) fn details() -> String {
    let features = FEATURES.iter().filter(|(_, on)| *on).map(|(name, _)| *name);
    let features: Vec<_> = ["cli"].into_iter().chain(features).collect();
    let mut text = format!("impasto {VERSION}\n");
    for (name, value) in [
        ("commit", COMMIT.unwrap_or("unknown").to_owned()),
        ("features", features.join(", ")),
        ("instruction set", Isa::best().name().to_owned()),
        ("network inside", network_inside()),
        ("target", TARGET.to_owned()),
        ("compiler", COMPILER.to_owned()),
    ] {
        let _ = writeln!(text, "{name:<16} {value}");
    }
    text
}

/// Its name, what it is, and its hash.
#[cfg(feature = "embedded")]
fn network_inside() -> String {
    let weights = Weights::embedded();
    format!("{EMBEDDED}, a {} with other widths, SHA-256 {}", weights.architecture(), weights.checksum())
}

#[cfg(not(feature = "embedded"))]
fn network_inside() -> String {
    "none".to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_and_long_flags_ask_for_details_in_any_order() {
        let asked = |arguments: &str| {
            let arguments: Vec<OsString> = arguments.split(' ').map(OsString::from).collect();
            is_detailed(&arguments)
        };
        for arguments in ["x --version -v", "x -V -v", "x -v -V", "x -Vv", "x --verbose --version"] {
            assert!(asked(arguments), "{arguments}");
        }
        for arguments in ["x --version", "x -V", "v -V"] {
            assert!(!asked(arguments), "{arguments}");
        }
    }
}
