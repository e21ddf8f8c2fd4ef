//! PNG files.

use std::borrow::Cow;

use png::text_metadata::ITXtChunk;
use png::{
    BitDepth, ColorType, Compression, Encoder, EncodingError, Info, PixelDimensions, SrgbRenderingIntent,
    Unit,
};

use super::{Encoding, Pixels, Samples};
use crate::picture::metadata::container::KEYWORD;

pub(super) fn encode(pixels: &Pixels, encoding: &Encoding) -> Result<Vec<u8>, EncodingError> {
    let mut info = Info::with_size(pixels.width, pixels.height);
    info.srgb = Some(SrgbRenderingIntent::Perceptual);
    info.exif_metadata = encoding.exif_block(false).map(Cow::Owned);
    // Pixels an inch become pixels a metre.
    let a_metre = |density: f64| (density / 0.0254).round().max(1.0) as u32;
    info.pixel_dims = encoding.density.map(|density| PixelDimensions {
        xppu: a_metre(density.x),
        yppu: a_metre(density.y),
        unit: Unit::Meter,
    });
    info.utf8_text =
        encoding.settings.iter().map(|settings| ITXtChunk::new(KEYWORD, settings.as_str())).collect();

    let mut bytes = Vec::new();
    let mut encoder = Encoder::with_info(&mut bytes, info)?;
    encoder.set_color(if pixels.has_alpha { ColorType::Rgba } else { ColorType::Rgb });
    // Fast compression: the slow one takes six times as long to save a tenth.
    encoder.set_compression(Compression::Fast);
    match &pixels.samples {
        Samples::Eight(samples) => {
            encoder.set_depth(BitDepth::Eight);
            encoder.write_header()?.write_image_data(samples)?;
        }
        Samples::Sixteen(samples) => {
            encoder.set_depth(BitDepth::Sixteen);
            let samples: Vec<u8> = samples.iter().flat_map(|sample| sample.to_be_bytes()).collect();
            encoder.write_header()?.write_image_data(&samples)?;
        }
    }
    Ok(bytes)
}
