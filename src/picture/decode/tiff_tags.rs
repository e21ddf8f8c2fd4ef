//! The tags of a TIFF file that matter before it is decoded.
//!
//! The tiff crate prints a debugging line for a tag of text that is longer than its limit, and then fails. A tag
//! that should be numbers can't be text in a sound file, so such files are refused here.

use std::io::{BufRead, Read, Seek, SeekFrom};

use super::super::numbers::Numbers;
use super::{Failure, MAX_METADATA};

/// The type of a tag that is text.
const TEXT: u16 = 2;

/// The types of a tag that is bytes.
const BYTES: u16 = 1;
const UNDEFINED: u16 = 7;

const COMPRESSION: u16 = 259;
const ORIENTATION: u16 = 274;
const PROFILE: u16 = 34675;

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
    /// The colour profile. The decoder would take 32 bytes for each of its own.
    pub profile: Option<Vec<u8>>,
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
    let mut profile = None;
    for _ in 0..count {
        let [tag, kind] = [file.short()?, file.short()?];
        let (length, value) = if is_big {
            (file.long8()?, file.bytes::<8>()?)
        } else {
            let length = file.long()?.into();
            let [a, b, c, d] = file.bytes()?;
            (length, [a, b, c, d, 0, 0, 0, 0])
        };
        match tag {
            ORIENTATION => tags.orientation_is_text |= kind == TEXT,
            PROFILE if [BYTES, UNDEFINED].contains(&kind) && (128..=MAX_METADATA).contains(&length) => {
                profile = Some((offset_of(&file, value, is_big), length));
            }
            _ if kind == TEXT && NUMBERS.contains(&tag) => {
                return Err(Failure::Decode(format!("its tag {tag} is text in place of numbers")));
            }
            // 6 is the old form, which the decoder doesn't know; a short number comes first in its place.
            COMPRESSION => tags.holds_jpeg |= file.short_of([value[0], value[1]]) == 7,
            _ => {}
        }
    }
    if let Some((offset, length)) = profile {
        file.file.seek(SeekFrom::Start(start.saturating_add(offset)))?;
        let mut bytes = Vec::new();
        file.file.take(length).read_to_end(&mut bytes)?;
        tags.profile = Some(bytes);
    }
    Ok(tags)
}

/// Where a value is that is longer than its entry.
fn offset_of<R: Read>(file: &Numbers<R>, value: [u8; 8], is_big: bool) -> u64 {
    match is_big {
        true => file.long8_of(value),
        false => file.long_of([value[0], value[1], value[2], value[3]]).into(),
    }
}
