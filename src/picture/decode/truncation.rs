//! Whether a file ends before its picture does, for the formats whose decoders would fill in grey.

use std::io::{self, BufRead, Read, Seek, SeekFrom};

use image::ImageFormat;

/// What to say of such a file.
pub(super) const REASON: &str = "the file ends too early";

/// Checks that `file` isn't cut short, as far as its format tells without decoding. `file` is read from
/// where it stands, and stands there again afterwards.
///
/// # Errors
///
/// [`io::ErrorKind::UnexpectedEof`] where it is cut short.
pub(super) fn check<R: BufRead + Seek>(format: ImageFormat, file: &mut R) -> io::Result<()> {
    let start = file.stream_position()?;
    match format {
        ImageFormat::Jpeg => find_jpeg_end(file)?,
        ImageFormat::WebP => check_webp_length(file)?,
        _ => {}
    }
    file.seek(SeekFrom::Start(start))?;
    Ok(())
}

/// Goes from marker to marker until the end-of-image marker, past the thumbnails in metadata, which have
/// one of their own.
fn find_jpeg_end(file: &mut impl BufRead) -> io::Result<()> {
    loop {
        // Entropy-coded data, in which 0xFF is followed by 0x00, or nothing.
        file.skip_until(0xFF)?;
        let mut marker = read_byte(file)?;
        while marker == 0xFF {
            marker = read_byte(file)?;
        }
        match marker {
            0xD9 => return Ok(()),
            // A stuffed 0x00, TEM, RST0–7 and SOI stand alone; a length follows every other marker.
            0x00 | 0x01 | 0xD0..=0xD8 => {}
            _ => {
                let length = u64::from(u16::from_be_bytes([read_byte(file)?, read_byte(file)?]));
                io::copy(&mut file.take(length.saturating_sub(2)), &mut io::sink())?;
            }
        }
    }
}

fn read_byte(file: &mut impl Read) -> io::Result<u8> {
    let mut byte = [0];
    file.read_exact(&mut byte)?;
    Ok(byte[0])
}

/// A WebP file is one RIFF chunk: four letters, the number of the bytes after it, these bytes.
fn check_webp_length<R: Read + Seek>(file: &mut R) -> io::Result<()> {
    let start = file.stream_position()?;
    let mut header = [0; 8];
    file.read_exact(&mut header)?;
    let [.., a, b, c, d] = header;
    let end = start + 8 + u64::from(u32::from_le_bytes([a, b, c, d]));
    if file.seek(SeekFrom::End(0))? < end { Err(io::ErrorKind::UnexpectedEof.into()) } else { Ok(()) }
}
