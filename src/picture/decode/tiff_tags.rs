//! The tags of a TIFF file that matter before it is decoded.
//!
//! The tiff crate prints a debugging line for a tag of text that is longer than its limit, and then fails. A tag
//! that should be numbers can't be text in a sound file, so such files are refused here.

use std::io::{self, BufRead, Read, Seek, SeekFrom};

use super::Failure;

/// The type of a tag that is text.
const TEXT: u16 = 2;

const COMPRESSION: u16 = 259;
const ORIENTATION: u16 = 274;

/// The tags that the decoder reads, all of them numbers: those of size, samples, strips and tiles, JPEG tables and
/// chroma subsampling. Orientation is not among them, as a damaged one doesn't matter.
const NUMBERS: [u16; 19] =
    [256, 257, 258, COMPRESSION, 262, 273, 277, 278, 279, 284, 317, 322, 323, 324, 325, 338, 339, 347, 530];

/// What the tags of a file's first picture tell.
#[derive(Default)]
pub(super) struct Tags {
    /// Whether the samples are JPEG data.
    pub holds_jpeg: bool,
    /// Whether the orientation is text, which the decoder must not be asked for.
    pub orientation_is_text: bool,
}

/// Reads the tags of the TIFF file that begins at `start`.
///
/// # Errors
///
/// [`Failure::Decode`] where one that should be numbers is text, or the file ends too early.
pub(super) fn read<R: BufRead + Seek>(file: &mut R, start: u64) -> Result<Tags, Failure> {
    let mut file = Numbers { big_endian: false, file };
    file.big_endian = file.bytes::<2>()? == *b"MM";
    // BigTIFF has wider numbers. Where it is neither, the decoder says so.
    let is_big = file.short()? == 43;
    let directory = if is_big {
        file.bytes::<4>()?;
        file.long8()?
    } else {
        file.long()?.into()
    };
    file.file.seek(SeekFrom::Start(start.saturating_add(directory)))?;
    let count = if is_big { file.long8()? } else { file.short()?.into() };

    let mut tags = Tags::default();
    for _ in 0..count {
        let [tag, kind] = [file.short()?, file.short()?];
        let value = if is_big {
            file.long8()?;
            file.bytes::<8>()?
        } else {
            file.long()?;
            let [a, b, c, d] = file.bytes()?;
            [a, b, c, d, 0, 0, 0, 0]
        };
        match tag {
            ORIENTATION => tags.orientation_is_text |= kind == TEXT,
            _ if kind == TEXT && NUMBERS.contains(&tag) => {
                return Err(Failure::Decode(format!("its tag {tag} is text in place of numbers")));
            }
            // 6 is the old form, which the decoder doesn't know; a short number comes first in its place.
            COMPRESSION => tags.holds_jpeg |= file.short_of([value[0], value[1]]) == 7,
            _ => {}
        }
    }
    Ok(tags)
}

/// A file's numbers in its own byte order.
struct Numbers<'f, R> {
    big_endian: bool,
    file: &'f mut R,
}

impl<R: Read> Numbers<'_, R> {
    fn bytes<const N: usize>(&mut self) -> io::Result<[u8; N]> {
        let mut bytes = [0; N];
        self.file.read_exact(&mut bytes)?;
        Ok(bytes)
    }

    fn short_of(&self, bytes: [u8; 2]) -> u16 {
        if self.big_endian { u16::from_be_bytes(bytes) } else { u16::from_le_bytes(bytes) }
    }

    fn short(&mut self) -> io::Result<u16> {
        let bytes = self.bytes()?;
        Ok(self.short_of(bytes))
    }

    fn long(&mut self) -> io::Result<u32> {
        let bytes = self.bytes()?;
        Ok(if self.big_endian { u32::from_be_bytes(bytes) } else { u32::from_le_bytes(bytes) })
    }

    fn long8(&mut self) -> io::Result<u64> {
        let bytes = self.bytes()?;
        Ok(if self.big_endian { u64::from_be_bytes(bytes) } else { u64::from_le_bytes(bytes) })
    }
}
