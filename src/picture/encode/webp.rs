//! WebP files, lossless.

use image::codecs::webp::WebPEncoder;
use image::{ImageEncoder, ImageError, ImageResult};

use super::{Encoding, Pixels};
use crate::picture::profile;

pub(super) fn encode(pixels: &Pixels, encoding: &Encoding) -> ImageResult<Vec<u8>> {
    let (samples, colour) = pixels.eight();
    let mut bytes = Vec::new();
    let mut encoder = WebPEncoder::new_lossless(&mut bytes);
    if let Some(profile) = profile::srgb() {
        encoder.set_icc_profile(profile).map_err(ImageError::Unsupported)?;
    }
    if let Some(exif) = encoding.exif_block(true) {
        encoder.set_exif_metadata(exif).map_err(ImageError::Unsupported)?;
    }
    encoder.write_image(samples, pixels.width, pixels.height, colour)?;
    Ok(bytes)
}
