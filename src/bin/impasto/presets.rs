//! Presets: values of flags under a name. What the command line or a file of settings says comes before them.

use clap::Arg;
use clap::builder::{PossibleValue, PossibleValuesParser};

/// Flags' values under a name.
pub(crate) struct Preset {
    pub(crate) name: &'static str,
    /// What it is for, in the help.
    about: &'static str,
    /// Flags, each with its value or, where it may be given several times, its values.
    pub(crate) values: &'static [(&'static str, &'static [&'static str])],
}

/// All presets, each with what makes it different from the defaults.
pub(crate) const PRESETS: [Preset; 6] = [
    Preset {
        name: "draft",
        about: "small and soon done, to try out styles",
        values: &[("size", &["256"]), ("steps", &["100"])],
    },
    Preset {
        name: "print",
        about: "large, with more steps at full size",
        values: &[("size", &["2048"]), ("steps", &["300"])],
    },
    Preset {
        name: "sketch",
        about: "the content's drawing, the style's strokes and colours lightly",
        values: &[("style-weight", &["2"]), ("content-layer", &["relu3_1", "relu4_2"])],
    },
    Preset {
        name: "painting",
        about: "plainly painted, with broad strokes",
        values: &[("style-weight", &["14"]), ("style-scale", &["1.4"])],
    },
    Preset {
        name: "strong",
        about: "more style than content",
        values: &[("style-weight", &["30"]), ("steps", &["300"])],
    },
    Preset { name: "portrait", about: "faces stay whom they show", values: &[("laplacian-weight", &["2"])] },
];

/// `--preset`.
pub(crate) fn arg() -> Arg {
    let names = PRESETS.iter().map(|preset| PossibleValue::new(preset.name).help(preset.about));
    Arg::new("preset")
        .long("preset")
        .value_name("NAME")
        .value_parser(PossibleValuesParser::new(names))
        .help_heading("Settings")
        .help("Settings for a purpose; flags and --config change single ones")
}

/// The preset of this name.
pub(crate) fn named(name: &str) -> Option<&'static Preset> {
    PRESETS.iter().find(|preset| preset.name == name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::Value;
    use crate::{arguments, config};

    #[test]
    fn presets_have_flags_and_values_that_there_are() {
        let command = arguments::command();
        let stylize = command.find_subcommand("stylize").unwrap();
        let stylize = stylize.clone().mut_args(|arg| arg.required(false));
        for Preset { name, values, .. } in PRESETS {
            for (flag, values) in values {
                let value = match values {
                    [only] => Value::One((*only).to_owned()),
                    _ => Value::Several(values.iter().copied().map(str::to_owned).collect()),
                };
                assert_eq!(config::check(&stylize, flag, &value), Ok(()), "{name}: {flag}");
            }
        }
    }
}
