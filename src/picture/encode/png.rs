//! PNG files.

use png::{BitDepth, ColorType, Compression, Encoder, EncodingError, Info, SrgbRenderingIntent};

use super::{Pixels, Samples};

pub(super) fn encode(pixels: &Pixels) -> Result<Vec<u8>, EncodingError> {
    let mut info = Info::with_size(pixels.width, pixels.height);
    info.srgb = Some(SrgbRenderingIntent::Perceptual);

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
