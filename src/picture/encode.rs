//! From a picture to a file's bytes.

mod jpeg;
mod png;
mod tiff;
mod webp;

use std::borrow::Cow;
use std::path::Path;

use image::ExtendedColorType;

use super::{Density, Exif, Picture};
use crate::error::{Error, Result};
use crate::named::named;

/// A file format that pictures are written in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum OutputFormat {
    /// PNG: lossless, with alpha.
    Png,
    /// JPEG: quality 95, no alpha.
    Jpeg,
    /// WebP in its lossless form, with alpha.
    WebP,
    /// TIFF: uncompressed, with alpha.
    Tiff,
}

named!(OutputFormat { Png => "PNG", Jpeg => "JPEG", WebP => "WebP", Tiff => "TIFF" });

impl OutputFormat {
    /// The format that the extension of `path` asks for: png, jpg, jpeg, webp, tif or tiff, in upper or
    /// lower case.
    ///
    /// # Errors
    ///
    /// [`Error::UnknownFormat`] where it is none of these.
    pub fn of(path: &Path) -> Result<Self> {
        let extension = path.extension().unwrap_or_default().to_string_lossy().to_lowercase();
        match extension.as_str() {
            "png" => Ok(Self::Png),
            "jpg" | "jpeg" => Ok(Self::Jpeg),
            "webp" => Ok(Self::WebP),
            "tif" | "tiff" => Ok(Self::Tiff),
            _ => Err(Error::UnknownFormat { path: path.to_owned() }),
        }
    }

    /// The most pixels that a side may have in this format.
    pub fn longest_side(self) -> usize {
        match self {
            Self::Png => 0x7FFF_FFFF,
            Self::Jpeg => 0xFFFF,
            Self::WebP => 0x3FFF,
            Self::Tiff => 0xFFFF_FFFF,
        }
    }

    /// Checks that the format has samples of this depth.
    ///
    /// # Errors
    ///
    /// [`Error::Depth`] where it hasn't.
    pub fn check_depth(self, depth: Depth) -> Result<()> {
        match (self, depth) {
            (_, Depth::Eight) | (Self::Png | Self::Tiff, Depth::Sixteen) => Ok(()),
            (format, depth) => Err(Error::Depth { format, depth }),
        }
    }

    /// Checks that the format can hold a picture of `width`×`height` pixels. Worth a call before long
    /// work, as soon as the size is known.
    ///
    /// # Errors
    ///
    /// [`Error::TooLarge`] where a side is longer than [`longest_side`](Self::longest_side).
    pub fn check_size(self, width: usize, height: usize) -> Result<()> {
        let longest = self.longest_side();
        if width.max(height) <= longest {
            return Ok(());
        }
        Err(Error::TooLarge { format: self, width, height, longest })
    }
}

/// Bits of each sample of a file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Depth {
    /// 256 levels.
    #[default]
    Eight,
    /// 65536 levels, for further work on the picture. PNG and TIFF have them.
    Sixteen,
}

named!(Depth { Eight => "8", Sixteen => "16" });

/// How a picture is encoded, beside its format.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct Encoding {
    /// Bits of each sample.
    pub depth: Depth,
    /// The resolution. In WebP it is a part of the EXIF data.
    pub density: Option<Density>,
    /// EXIF data, written with the orientation that says that nothing is to be turned. In TIFF they are tags of the file.
    pub exif: Exif,
    /// A text of the settings that made the picture. PNG has it as international text, JPEG as a comment, of at most 65,516
    /// bytes; in the other formats, and where it is longer, it is left out.
    pub settings: Option<String>,
}

impl Encoding {
    /// The same with another depth.
    #[must_use]
    pub fn with_depth(self, depth: Depth) -> Self {
        Self { depth, ..self }
    }

    /// The same with another resolution.
    #[must_use]
    pub fn with_density(self, density: Option<Density>) -> Self {
        Self { density, ..self }
    }

    /// The same with other EXIF data.
    #[must_use]
    pub fn with_exif(self, exif: Exif) -> Self {
        Self { exif, ..self }
    }

    /// The same with another text of settings.
    #[must_use]
    pub fn with_settings(self, settings: Option<String>) -> Self {
        Self { settings, ..self }
    }

    /// The block of EXIF data, with the resolution: where there are some, or else, in `with_density`, where there is that.
    fn exif_block(&self, with_density: bool) -> Option<Vec<u8>> {
        let is_needed = !self.exif.is_empty() || with_density && self.density.is_some();
        is_needed.then(|| self.exif.to_block(self.density))
    }
}

/// [`Picture::encode_with`].
pub(super) fn encode(picture: &Picture, format: OutputFormat, encoding: &Encoding) -> Result<Vec<u8>> {
    format.check_size(picture.width(), picture.height())?;
    format.check_depth(encoding.depth)?;
    let opaque = match format {
        OutputFormat::Jpeg if picture.alpha.is_some() => Cow::Owned(picture.clone().over([1.0; 3])),
        _ => Cow::Borrowed(picture),
    };
    let pixels = Pixels::of(&opaque, encoding.depth);
    let encoded = match format {
        OutputFormat::Png => png::encode(&pixels, encoding).map_err(|error| error.to_string()),
        OutputFormat::Jpeg => jpeg::encode(&pixels, encoding).map_err(|error| error.to_string()),
        OutputFormat::WebP => webp::encode(&pixels, encoding).map_err(|error| error.to_string()),
        OutputFormat::Tiff => tiff::encode(&pixels, encoding).map_err(|error| error.to_string()),
    };
    encoded.map_err(|reason| Error::Encode { format, reason })
}

/// A picture's samples, pixel by pixel, as encoders take them.
struct Pixels {
    /// No side is longer than the format's `longest_side`.
    width: u32,
    height: u32,
    has_alpha: bool,
    samples: Samples,
}

/// Samples of a depth.
enum Samples {
    Eight(Vec<u8>),
    Sixteen(Vec<u16>),
}

impl Pixels {
    fn of(picture: &Picture, depth: Depth) -> Self {
        let alpha = picture.alpha.as_ref().map(|alpha| alpha.iter().copied());
        Self {
            width: picture.width() as u32,
            height: picture.height() as u32,
            has_alpha: alpha.is_some(),
            samples: match depth {
                Depth::Eight => Samples::Eight(interleaved(picture, alpha)),
                Depth::Sixteen => Samples::Sixteen(interleaved(picture, alpha)),
            },
        }
    }

    /// The bytes of samples of 8 bits, and what `image` calls them: for formats without 16 bits.
    fn eight(&self) -> (&[u8], ExtendedColorType) {
        let colour = if self.has_alpha { ExtendedColorType::Rgba8 } else { ExtendedColorType::Rgb8 };
        match &self.samples {
            Samples::Eight(samples) => (samples, colour),
            Samples::Sixteen(_) => unreachable!("the depth is checked before"),
        }
    }
}

/// A sample of a file.
pub(super) trait Level: Copy + Default {
    /// The level nearest to a value of 0–1.
    fn of(value: f32) -> Self;
}

impl Level for u8 {
    /// The cast saturates, and makes 0 of NaN.
    fn of(value: f32) -> Self {
        (value * 255.0).round() as u8
    }
}

impl Level for u16 {
    /// In f64: the product has more digits than f32.
    fn of(value: f32) -> Self {
        (f64::from(value) * 65535.0).round() as u16
    }
}

/// The colours' levels, pixel by pixel, each followed by that of the next of `alpha` where there is one.
pub(super) fn interleaved<L: Level>(picture: &Picture, alpha: Option<impl Iterator<Item = f32>>) -> Vec<L> {
    let channels = if alpha.is_some() { 4 } else { 3 };
    let mut samples = vec![L::default(); channels * picture.width() * picture.height()];
    for (channel, plane) in picture.planes.outer_iter().enumerate() {
        let channel = samples.iter_mut().skip(channel).step_by(channels);
        channel.zip(plane).for_each(|(sample, value)| *sample = L::of(*value));
    }
    if let Some(alpha) = alpha {
        let channel = samples.iter_mut().skip(3).step_by(channels);
        channel.zip(alpha).for_each(|(sample, value)| *sample = L::of(value));
    }
    samples
}
