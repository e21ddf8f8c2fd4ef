//! From a picture to a file's bytes.

use std::io::Cursor;
use std::path::Path;

use image::codecs::jpeg::JpegEncoder;
use image::codecs::png::PngEncoder;
use image::codecs::tiff::TiffEncoder;
use image::codecs::webp::WebPEncoder;
use image::{ExtendedColorType, ImageEncoder};

use super::Picture;
use crate::error::{Error, Result};
use crate::named::named;

/// Of 100: the loss can't be seen, and a file is a fraction of the PNG's size.
const JPEG_QUALITY: u8 = 95;

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

/// [`Picture::encode`].
pub(super) fn encode(picture: &Picture, format: OutputFormat) -> Result<Vec<u8>> {
    format.check_size(picture.width(), picture.height())?;
    let has_alpha = picture.alpha.is_some();
    let (pixels, colour) = match format {
        OutputFormat::Jpeg if has_alpha => {
            (picture.clone().over([1.0; 3]).to_rgb8(), ExtendedColorType::Rgb8)
        }
        _ if has_alpha => (picture.to_rgba8(), ExtendedColorType::Rgba8),
        _ => (picture.to_rgb8(), ExtendedColorType::Rgb8),
    };
    // No side is longer than `longest_side`.
    let (width, height) = (picture.width() as u32, picture.height() as u32);

    let mut bytes = Vec::new();
    let encoded = match format {
        // Its default, fast compression: the slow one takes six times as long to save a tenth.
        OutputFormat::Png => PngEncoder::new(&mut bytes).write_image(&pixels, width, height, colour),
        OutputFormat::Jpeg => JpegEncoder::new_with_quality(&mut bytes, JPEG_QUALITY)
            .write_image(&pixels, width, height, colour),
        OutputFormat::WebP => {
            WebPEncoder::new_lossless(&mut bytes).write_image(&pixels, width, height, colour)
        }
        OutputFormat::Tiff => {
            TiffEncoder::new(Cursor::new(&mut bytes)).write_image(&pixels, width, height, colour)
        }
    };
    encoded.map_err(|error| Error::Encode { format, reason: error.to_string() })?;
    Ok(bytes)
}

/// The colours' levels, pixel by pixel, each followed by the next of `alpha` where there is one.
pub(super) fn interleaved(picture: &Picture, alpha: Option<&mut dyn Iterator<Item = u8>>) -> Vec<u8> {
    let channels = if alpha.is_some() { 4 } else { 3 };
    let mut samples = vec![0; channels * picture.width() * picture.height()];
    for (channel, plane) in picture.planes.outer_iter().enumerate() {
        let channel = samples.iter_mut().skip(channel).step_by(channels);
        channel.zip(plane).for_each(|(sample, value)| *sample = level(*value));
    }
    if let Some(alpha) = alpha {
        samples.iter_mut().skip(3).step_by(channels).zip(alpha).for_each(|(sample, alpha)| *sample = alpha);
    }
    samples
}

/// The nearest of the 256 levels. The cast saturates, and makes 0 of NaN.
pub(super) fn level(value: f32) -> u8 {
    (value * 255.0).round() as u8
}
