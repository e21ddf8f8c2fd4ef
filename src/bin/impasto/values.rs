//! How values of the library are written on the command line.

use std::path::PathBuf;
use std::time::Duration;

use clap::builder::{PossibleValuesParser, TypedValueParser};

use impasto::named::Named;
use impasto::stylize::schedule::Scales;
use impasto::stylize::{LayerWeight, Size};

/// The longest side that `--size` takes, in pixels. A square of it overflows nothing, and fits no memory.
pub(crate) const LONGEST_SIZE: u64 = 1_000_000;

/// The most steps that `--steps` takes.
pub(crate) const MOST_STEPS: u64 = 1_000_000;

/// The most scales that `--scales` takes: as many as there are from one pixel to [`LONGEST_SIZE`].
pub(crate) const MOST_SCALES: usize = 40;

/// Takes a value of an enum by its name.
pub(crate) fn named<T: Named>() -> impl TypedValueParser<Value = T> {
    PossibleValuesParser::new(T::ALL.iter().map(|value| value.name()))
        .map(|name| T::from_name(&name).expect("clap takes no other names"))
}

/// Takes a longest side in pixels, of at least this many.
pub(crate) fn pixels(least: u64) -> impl TypedValueParser<Value = u64> {
    move |text: &str| match text.parse() {
        Ok(pixels) if (least..=LONGEST_SIZE).contains(&pixels) => Ok(pixels),
        _ => Err(format!("a size is a whole number of pixels from {least} to {LONGEST_SIZE}, such as 512")),
    }
}

/// Takes an amount of memory: `4G`, `1500M`, `2.5GiB`, or bytes. K, M and G are powers of 1000, Ki, Mi and Gi of 1024.
pub(crate) fn memory_size(text: &str) -> Result<u64, String> {
    let number = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let unit = text[number.len()..].to_ascii_lowercase();
    let factor = match unit.strip_suffix('b').unwrap_or(&unit) {
        "" => 1,
        "k" => 1_000,
        "m" => 1_000_000,
        "g" => 1_000_000_000,
        "t" => 1_000_000_000_000,
        "ki" => 1 << 10,
        "mi" => 1 << 20,
        "gi" => 1 << 30,
        "ti" => 1u64 << 40,
        _ => 0,
    };
    match number.parse::<f64>() {
        // With f64's rounding still far below the largest u64.
        Ok(number) if factor > 0 && number * (factor as f64) >= 1.0 && number * (factor as f64) < 1e18 => {
            Ok((number * factor as f64) as u64)
        }
        _ => Err("an amount of memory is a number of bytes, or with a unit, such as 4G, 1500M or 2.5GiB"
            .to_owned()),
    }
}

/// `--init`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Init {
    Content,
    Noise,
    File(PathBuf),
}

pub(crate) fn init(text: &str) -> Result<Init, String> {
    Ok(match text {
        "content" => Init::Content,
        "noise" => Init::Noise,
        file => Init::File(file.into()),
    })
}

/// `auto`, or a count.
pub(crate) fn scales(text: &str) -> Result<Scales, String> {
    match (text, text.parse()) {
        ("auto", _) => Ok(Scales::Auto),
        (_, Ok(count @ 1..=MOST_SCALES)) => Ok(Scales::Count(count)),
        _ => Err(format!("expected auto or a number from 1 to {MOST_SCALES}")),
    }
}

/// `relu4_2`, or `relu4_2=0.5`.
pub(crate) fn layer_weight(text: &str) -> Result<LayerWeight, String> {
    match text.split_once('=') {
        None => Ok(LayerWeight::from(text)),
        Some((layer, weight)) => match weight.parse() {
            Ok(weight) => Ok(LayerWeight::from((layer, weight))),
            Err(_) => Err(format!("expected a number behind =, found {weight:?}")),
        },
    }
}

/// `90` or `90s`, `10m`, `1h30m`.
pub(crate) fn time(text: &str) -> Result<Duration, String> {
    let expected = || format!("expected a time such as 90s, 10m or 1h30m, found {text:?}");
    let mut rest = text;
    let mut seconds = 0_u64;
    for (unit, length) in [("h", 3600), ("m", 60), ("s", 1)] {
        let Some((count, after)) = rest.split_once(unit) else { continue };
        seconds = count_of(count)
            .and_then(|count| count.checked_mul(length)?.checked_add(seconds))
            .ok_or_else(expected)?;
        rest = after;
    }
    match rest {
        "" if !text.is_empty() => Ok(Duration::from_secs(seconds)),
        _ if rest == text => count_of(text).map(Duration::from_secs).ok_or_else(expected),
        _ => Err(expected()),
    }
}

/// A number of digits alone.
fn count_of(digits: &str) -> Option<u64> {
    digits.bytes().all(|digit| digit.is_ascii_digit()).then(|| digits.parse().ok())?
}

/// A number of pixels, or 0 for the picture's own size.
pub(crate) fn size(pixels: u64) -> Size {
    match pixels {
        0 => Size::Own,
        // At most LONGEST_SIZE.
        pixels => Size::Longest(pixels as usize),
    }
}

#[cfg(test)]
mod tests {
    use impasto::stylize::schedule::schedule;

    use super::*;

    #[test]
    fn layers_may_have_weights() {
        assert_eq!(layer_weight("relu4_2"), Ok(LayerWeight::from("relu4_2")));
        assert_eq!(layer_weight("relu4_2=0.5"), Ok(LayerWeight::from(("relu4_2", 0.5))));
        for wrong in ["relu4_2=", "relu4_2=x", "relu4_2=1=2"] {
            assert!(layer_weight(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn memory_has_a_unit_or_is_in_bytes() {
        for (text, bytes) in [
            ("123456789", 123_456_789),
            ("4G", 4_000_000_000),
            ("4gb", 4_000_000_000),
            ("1500M", 1_500_000_000),
            ("2.5GiB", 2_684_354_560),
            ("512Ki", 524_288),
            ("0.001T", 1_000_000_000),
        ] {
            assert_eq!(memory_size(text), Ok(bytes), "{text}");
        }
        for wrong in
            ["", "G", "0", "0G", "-1G", "4X", "4GG", "nan", "inf", "1e30", "0.5", "4bb", "4 G", "1e18", "4iB"]
        {
            assert!(memory_size(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn as_many_scales_are_taken_as_the_longest_size_has() {
        let all = schedule(LONGEST_SIZE as usize, 1, Scales::Count(usize::MAX), 0);
        assert_eq!(all.len(), MOST_SCALES);
    }

    #[test]
    fn times_have_units_from_the_largest_on() {
        for (text, seconds) in
            [("90", 90), ("0", 0), ("90s", 90), ("10m", 600), ("1h30m", 5400), ("2h", 7200), ("1h0m5s", 3605)]
        {
            assert_eq!(time(text), Ok(Duration::from_secs(seconds)), "{text}");
        }
        for wrong in [
            "",
            "s",
            "m",
            "1h30",
            "30m1h",
            "1m1m",
            "-5",
            "+5",
            "1.5h",
            "5 m",
            "10min",
            "99999999999999999999",
            "9999999999999999h",
        ] {
            assert!(time(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn scales_are_auto_or_counted() {
        assert_eq!(scales("auto"), Ok(Scales::Auto));
        assert_eq!(scales("3"), Ok(Scales::Count(3)));
        assert_eq!(scales("40"), Ok(Scales::Count(40)));
        for wrong in ["", "0", "-1", "1.5", "all", "41", "99999999999999999999"] {
            assert!(scales(wrong).is_err(), "{wrong}");
        }
    }
}
