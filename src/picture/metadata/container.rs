//! What the containers PNG and JPEG say of a picture, from their parts before its pixels: resolution, and the settings that
//! made it.

use std::io::{self, BufRead, Read, Seek, SeekFrom};

use image::ImageFormat;

use super::exif::Exif;
use super::{Density, Metadata};

/// The keyword of a PNG's text of settings.
pub(in crate::picture) const KEYWORD: &str = "impasto";

/// How a JPEG's comment of settings begins.
pub(in crate::picture) const COMMENT: &[u8] = b"impasto settings\n";

/// The most bytes that a JPEG's segment holds, without its length.
pub(in crate::picture) const LONGEST_SEGMENT: usize = 65_533;

/// The most bytes of a text that are looked at.
const LONGEST_TEXT: u32 = 1 << 20;

/// The most parts of a file that are looked at before its pixels.
const MOST_PARTS: usize = 1000;

const INCH: f64 = 0.0254;

/// Reads what a file says from where it stands, and leaves it there. What can't be read is left out.
pub(in crate::picture) fn read<R: BufRead + Seek>(format: ImageFormat, file: &mut R) -> io::Result<Metadata> {
    let start = file.stream_position()?;
    let mut metadata = Metadata::default();
    // Damaged metadata are no reason to refuse a picture.
    let _ = match format {
        ImageFormat::Png => png(file, &mut metadata),
        ImageFormat::Jpeg => jpeg(file, &mut metadata),
        ImageFormat::Tiff => {
            (metadata.exif, metadata.density) = Exif::read(file, start);
            Ok(())
        }
        _ => Ok(()),
    };
    file.seek(SeekFrom::Start(start))?;
    Ok(metadata)
}

/// A PNG file is a signature and chunks: a length, four letters, data, a checksum.
fn png<R: BufRead + Seek>(file: &mut R, metadata: &mut Metadata) -> io::Result<()> {
    file.seek(SeekFrom::Current(8))?;
    for _ in 0..MOST_PARTS {
        let length = u32::from_be_bytes(bytes(file)?);
        let mut read = 0;
        match &bytes::<4>(file)? {
            b"IDAT" | b"IEND" => return Ok(()),
            b"pHYs" if length == 9 => {
                let [x, y] = [u32::from_be_bytes(bytes(file)?), u32::from_be_bytes(bytes(file)?)];
                // A unit of 1 is metres, of 0 none.
                if bytes(file)? == [1] {
                    metadata.density = Density::of(f64::from(x) * INCH, f64::from(y) * INCH);
                }
                read = length;
            }
            b"iTXt" if length <= LONGEST_TEXT => {
                let mut data = Vec::new();
                file.by_ref().take(length.into()).read_to_end(&mut data)?;
                metadata.settings = metadata.settings.take().or_else(|| settings_of_png(&data));
                read = length;
            }
            _ => {}
        }
        file.seek(SeekFrom::Current(i64::from(length - read) + 4))?;
    }
    Ok(())
}

/// International text: keyword, 0, whether it is compressed and how, language, 0, keyword translated, 0, text.
fn settings_of_png(data: &[u8]) -> Option<String> {
    let data = data.strip_prefix(KEYWORD.as_bytes())?.strip_prefix(&[0, 0, 0])?;
    let text = data.splitn(3, |byte| *byte == 0).nth(2)?;
    String::from_utf8(text.to_vec()).ok()
}

/// A JPEG file is segments: 0xFF, a marker, a length that counts itself, data.
fn jpeg(file: &mut impl BufRead, metadata: &mut Metadata) -> io::Result<()> {
    bytes::<2>(file)?;
    for _ in 0..MOST_PARTS {
        let [mut fill, mut marker] = bytes(file)?;
        while (fill, marker) == (0xFF, 0xFF) {
            [fill, marker] = [marker, bytes::<1>(file)?[0]];
        }
        // The end, or the pixels.
        if fill != 0xFF || matches!(marker, 0xD9 | 0xDA) {
            return Ok(());
        }
        let length = u16::from_be_bytes(bytes(file)?).saturating_sub(2);
        let mut data = Vec::new();
        file.by_ref().take(length.into()).read_to_end(&mut data)?;
        match (marker, &data[..]) {
            (0xE0, [b'J', b'F', b'I', b'F', 0, _, _, unit @ (1 | 2), a, b, c, d, ..]) => {
                let an_inch = if *unit == 1 { 1.0 } else { 2.54 };
                let [x, y] = [[*a, *b], [*c, *d]].map(|bytes| f64::from(u16::from_be_bytes(bytes)) * an_inch);
                metadata.density = Density::of(x, y);
            }
            (0xFE, comment) => {
                let text = comment.strip_prefix(COMMENT).map(<[u8]>::to_vec);
                let text = text.and_then(|text| String::from_utf8(text).ok());
                metadata.settings = metadata.settings.take().or(text);
            }
            _ => {}
        }
    }
    Ok(())
}

fn bytes<const N: usize>(file: &mut impl Read) -> io::Result<[u8; N]> {
    let mut bytes = [0; N];
    file.read_exact(&mut bytes)?;
    Ok(bytes)
}
