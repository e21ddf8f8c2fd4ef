//! JPEG files.

use image::codecs::jpeg::JpegEncoder;
use image::{ImageEncoder, ImageError, ImageResult};

use super::Pixels;
use crate::picture::profile;

/// Of 100: the loss can't be seen, and a file is a fraction of the PNG's size.
const QUALITY: u8 = 95;

pub(super) fn encode(pixels: &Pixels) -> ImageResult<Vec<u8>> {
    let (samples, colour) = pixels.eight();
    let mut bytes = Vec::new();
    let mut encoder = JpegEncoder::new_with_quality(&mut bytes, QUALITY);
    if let Some(profile) = profile::srgb() {
        encoder.set_icc_profile(profile).map_err(ImageError::Unsupported)?;
    }
    encoder.write_image(samples, pixels.width, pixels.height, colour)?;
    Ok(bytes)
}
