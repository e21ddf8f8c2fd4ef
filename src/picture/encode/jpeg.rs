//! JPEG files.

use image::codecs::jpeg::{JpegEncoder, PixelDensity, PixelDensityUnit};
use image::{ImageEncoder, ImageError, ImageResult};

use super::{Encoding, Pixels};
use crate::picture::metadata::container::{COMMENT, LONGEST_SEGMENT};
use crate::picture::profile;

/// Of 100: the loss can't be seen, and a file is a fraction of the PNG's size.
const QUALITY: u8 = 95;

pub(super) fn encode(pixels: &Pixels, encoding: &Encoding) -> ImageResult<Vec<u8>> {
    let (samples, colour) = pixels.eight();
    let mut bytes = Vec::new();
    let mut encoder = JpegEncoder::new_with_quality(&mut bytes, QUALITY);
    if let Some(profile) = profile::srgb() {
        encoder.set_icc_profile(profile).map_err(ImageError::Unsupported)?;
    }
    if let Some(exif) = encoding.exif_block(false) {
        encoder.set_exif_metadata(exif).map_err(ImageError::Unsupported)?;
    }
    if let Some(density) = encoding.density {
        // The cast saturates.
        let an_inch = |density: f64| density.round().max(1.0) as u16;
        let density = (an_inch(density.x), an_inch(density.y));
        encoder.set_pixel_density(PixelDensity { density, unit: PixelDensityUnit::Inches });
    }
    encoder.write_image(samples, pixels.width, pixels.height, colour)?;
    if let Some(settings) = &encoding.settings {
        add_comment(&mut bytes, &[COMMENT, settings.as_bytes()].concat());
    }
    Ok(bytes)
}

/// Puts a comment behind the file's application segments, where it isn't too long for a segment.
fn add_comment(file: &mut Vec<u8>, comment: &[u8]) {
    if comment.len() > LONGEST_SEGMENT {
        return;
    }
    let mut at = 2;
    while let Some([0xFF, 0xE0..=0xEF, high, low]) = file.get(at..at + 4) {
        at += 2 + usize::from(u16::from_be_bytes([*high, *low]));
    }
    let length = (comment.len() as u16 + 2).to_be_bytes();
    file.splice(at..at, [0xFF, 0xFE].into_iter().chain(length).chain(comment.iter().copied()));
}
