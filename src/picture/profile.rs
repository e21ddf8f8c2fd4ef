//! Colour profiles (ICC): from a file's colours to sRGB.

use std::ops::Range;
use std::sync::Arc;

use moxcms::{ColorProfile, DataColorSpace, Layout, ProfileText, TransformExecutor, TransformOptions};
use ndarray::{Array3, Axis};
use rayon::prelude::*;

use super::Picture;

/// What was made of the colour profile of a file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum ColourProfile {
    /// The file has none: its colours are taken as sRGB.
    #[default]
    None,
    /// It is sRGB's, within half a level of 8 bits: nothing was to be done.
    Srgb,
    /// The colours were converted to sRGB. Those that sRGB doesn't hold became its nearest ones, channel by channel.
    #[non_exhaustive]
    Converted {
        /// The profile's own name, which may be empty.
        name: String,
    },
    /// It is damaged, or of a kind that isn't supported, such as CMYK: the colours are taken as sRGB.
    #[non_exhaustive]
    Unusable {
        /// Why, in a few words.
        reason: String,
    },
}

/// Where a profile has the time of its making: year, month, day, hour, minute, second. Results have the first day of 2000,
/// in place of now.
const DATE: Range<usize> = 24..36;

/// Bytes that converting colours takes, beside the picture and the profile: tables of tones, or a grid of colours.
const TABLES: u64 = 4 << 20;

/// Bytes for each byte of a profile, while it is parsed.
const PARSED: u64 = 5;

/// Colours of a profile that differ from sRGB by less than this are sRGB's: half a level of 8 bits.
const NEAR: f32 = 0.5 / 255.0;

/// The longest name of a profile that is kept, in characters.
const LONGEST_NAME: usize = 80;

/// Bytes that [`Conversion::of`] and [`Conversion::apply`] take for a profile of this many bytes.
pub(super) fn memory(profile: usize) -> u64 {
    TABLES.saturating_add((profile as u64).saturating_mul(PARSED))
}

/// The profile that results have in formats that can't just say sRGB. Always the same bytes.
pub(super) fn srgb() -> Option<Vec<u8>> {
    let mut profile = ColorProfile::new_srgb().encode().ok()?;
    profile.get_mut(DATE)?.copy_from_slice(&[7, 208, 0, 1, 0, 1, 0, 0, 0, 0, 0, 0]);
    Some(profile)
}

/// A conversion from a profile's colours to sRGB.
pub(super) struct Conversion {
    transform: Arc<dyn TransformExecutor<f32> + Send + Sync>,
    /// Samples of a pixel that it takes: 1 for grey, or 3.
    channels: usize,
}

impl Conversion {
    /// What the profile `icc` of a picture in grey or colour asks for. It may panic on damaged ones.
    pub(super) fn of(icc: &[u8], is_grey: bool) -> (ColourProfile, Option<Self>) {
        match Self::try_of(icc, is_grey) {
            Err(reason) => (ColourProfile::Unusable { reason }, None),
            Ok((_, conversion)) if conversion.changes_nothing() => (ColourProfile::Srgb, None),
            Ok((name, conversion)) => (ColourProfile::Converted { name }, Some(conversion)),
        }
    }

    fn try_of(icc: &[u8], is_grey: bool) -> Result<(String, Self), String> {
        let profile = ColorProfile::new_from_slice(icc).map_err(|_| "it is damaged".to_owned())?;
        let (layout, channels) = match profile.color_space {
            DataColorSpace::Rgb => (Layout::Rgb, 3),
            DataColorSpace::Gray if is_grey => (Layout::Gray, 1),
            DataColorSpace::Gray => return Err("it is for grey pictures".to_owned()),
            DataColorSpace::Cmyk => return Err("it is for CMYK, which is not supported".to_owned()),
            other => return Err(format!("it is for {other:?}, which is not supported")),
        };
        let transform = profile
            .create_transform_f32(layout, &ColorProfile::new_srgb(), Layout::Rgb, TransformOptions::default())
            .map_err(|_| "it is damaged, or of a kind that is not supported".to_owned())?;
        let conversion = Self { transform, channels };
        match conversion.probe().iter().all(|(_, to)| to.iter().all(|value| value.is_finite())) {
            true => Ok((name(&profile), conversion)),
            false => Err("its colours are not numbers".to_owned()),
        }
    }

    /// Colours from all over the cube, and what becomes of them.
    fn probe(&self) -> Vec<([f32; 3], [f32; 3])> {
        const SIDE: usize = 9;
        let value = |at: usize| (at % SIDE) as f32 / (SIDE - 1) as f32;
        let from: Vec<[f32; 3]> = match self.channels {
            1 => (0..=255).map(|level| [level as f32 / 255.0; 3]).collect(),
            _ => (0..SIDE.pow(3)).map(|at| [value(at), value(at / SIDE), value(at / SIDE / SIDE)]).collect(),
        };
        let samples: Vec<f32> = from.iter().flat_map(|colour| &colour[..self.channels]).copied().collect();
        let mut to = vec![[f32::NAN; 3]; from.len()];
        // Where it fails the colours stay NaN.
        let _ = self.transform.transform(&samples, to.as_flattened_mut());
        from.into_iter().zip(to).collect()
    }

    fn changes_nothing(&self) -> bool {
        self.probe().iter().all(|(from, to)| from.iter().zip(to).all(|(from, to)| (from - to).abs() < NEAR))
    }

    /// The picture with its colours in sRGB.
    pub(super) fn apply(&self, picture: Picture) -> Picture {
        let Picture { mut planes, alpha } = picture;
        let width = planes.dim().2;
        let mut rows: Vec<_> = planes.axis_iter_mut(Axis(1)).collect();
        rows.par_iter_mut().for_each_init(
            || (vec![0.0; width * self.channels], Array3::<f32>::zeros((1, width, 3))),
            |(from, to), row| {
                for (channel, plane) in row.outer_iter().take(self.channels).enumerate() {
                    let samples = from.iter_mut().skip(channel).step_by(self.channels);
                    samples.zip(plane).for_each(|(sample, value)| *sample = *value);
                }
                let to = to.as_slice_mut().expect("in standard layout");
                // As many samples as pixels need, which is all that it refuses.
                if self.transform.transform(from, to).is_ok() {
                    for (channel, mut plane) in row.outer_iter_mut().enumerate() {
                        let samples = to.iter().skip(channel).step_by(3);
                        plane.iter_mut().zip(samples).for_each(|(value, sample)| {
                            *value = if sample.is_nan() { 0.0 } else { sample.clamp(0.0, 1.0) };
                        });
                    }
                }
            },
        );
        Picture { planes, alpha }
    }
}

/// The name that a profile has for people.
fn name(profile: &ColorProfile) -> String {
    let name = match &profile.description {
        None => "",
        Some(ProfileText::PlainString(text)) => text,
        Some(ProfileText::Localizable(texts)) => texts.first().map_or("", |text| &text.value),
        Some(ProfileText::Description(text)) => &text.ascii_string,
    };
    let is_kept = |letter: &char| !letter.is_control();
    name.trim_end_matches('\0').chars().filter(is_kept).take(LONGEST_NAME).collect()
}
