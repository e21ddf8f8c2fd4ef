//! How a picture file is read: within which memory, and at which size.

use std::path::Path;

use super::decode;
use super::resize::fit;
use crate::error::Result;

/// How a picture file is read.
///
/// ```
/// use impasto::picture::{Needed, OutputFormat, Picture, Reading};
///
/// let file = Picture::from_rgb8(&[0; 3 * 800 * 600], 800, 600, 3 * 800)?.encode(OutputFormat::Png)?;
/// // A picture for work at 64 pixels, decoded within 10 MB.
/// let reading = Reading::new(Needed::Longest(64)).within(10_000_000);
/// let foreseen = reading.foresee_bytes(&file)?;
/// let picture = Picture::from_bytes_with(&file, &reading)?;
/// assert_eq!((picture.width(), picture.height()), (128, 96));
/// assert_eq!((foreseen.width, foreseen.height), (128, 96));
/// # Ok::<(), impasto::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Reading {
    /// The size at which the picture will be used. Much larger files are read at a reduced size.
    pub needed: Needed,
    /// The most bytes of memory that reading may take, with the picture that it returns; `None`: as many as
    /// are [`available`](crate::memory::available) then.
    pub memory: Option<u64>,
}

/// The size at which a picture will be used. A size of 0 counts as 1.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Needed {
    /// As the file has it: it is never reduced.
    #[default]
    Whole,
    /// With this longest side in pixels, and its own aspect.
    Longest(usize),
    /// With this number of pixels, and its own aspect.
    Pixels(usize),
    /// At this size.
    Size {
        /// In pixels.
        width: usize,
        /// In pixels.
        height: usize,
    },
}

/// What reading a picture file is foreseen to take, and what it will return.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Foreseen {
    /// The width in pixels of the picture returned, which may be reduced.
    pub width: usize,
    /// The height in pixels of the picture returned.
    pub height: usize,
    /// The most bytes that are taken at a time while the file is read, with the picture.
    pub reading: u64,
    /// The bytes of the picture, which stay taken.
    pub kept: u64,
}

/// A picture that is at least this many times as long as needed is reduced…
const REDUCED_FROM: usize = 4;

/// …to this many times what is needed, so that the splines that resize it further still tell the detail apart.
const REDUCED_TO: usize = 2;

impl Reading {
    /// Reading for use at this size, within the memory available.
    pub fn new(needed: Needed) -> Self {
        Self { needed, memory: None }
    }

    /// The same within this many bytes of memory.
    pub fn within(self, memory: u64) -> Self {
        Self { memory: Some(memory), ..self }
    }

    /// What reading the file `path` will take, from its header. The limit of memory doesn't matter here.
    ///
    /// # Errors
    ///
    /// [`Error::Read`](crate::Error::Read) and [`Error::Decode`](crate::Error::Decode) as
    /// [`Picture::open`](super::Picture::open), as far as the header tells; [`Error::Read`](crate::Error::Read)
    /// also where `path` is a pipe, which could not be read again.
    pub fn foresee(&self, path: &Path) -> Result<Foreseen> {
        decode::foresee(path, self)
    }

    /// What [`Picture::from_bytes_with`](super::Picture::from_bytes_with) will take, without the bytes
    /// themselves.
    ///
    /// # Errors
    ///
    /// [`Error::Decode`](crate::Error::Decode) as far as the header tells.
    pub fn foresee_bytes(&self, file: &[u8]) -> Result<Foreseen> {
        decode::foresee_bytes(file, self)
    }

    /// The size at which a file of `width`×`height` pixels, as shown, is read.
    ///
    /// It is exactly twice the size needed where it is not the file's own, so that [`fit`] gives the size needed
    /// for both.
    pub(super) fn size_of(&self, width: usize, height: usize) -> (usize, usize) {
        let longest = match self.needed {
            Needed::Whole => return (width, height),
            Needed::Size { width: used_width, height: used_height } => {
                return (reduced(width, used_width), reduced(height, used_height));
            }
            Needed::Longest(longest) => longest.max(1),
            Needed::Pixels(pixels) => longest_of(pixels, width, height),
        };
        if width.max(height) < longest.saturating_mul(REDUCED_FROM) {
            return (width, height);
        }
        let (used_width, used_height) = fit(width, height, longest);
        // The shorter side of a very long picture may be 1 pixel.
        (width.min(REDUCED_TO * used_width), height.min(REDUCED_TO * used_height))
    }
}

/// A side's length once reduced.
fn reduced(side: usize, used: usize) -> usize {
    let used = used.max(1);
    if side >= used.saturating_mul(REDUCED_FROM) { REDUCED_TO * used } else { side }
}

/// The longest side with which a picture of this aspect has `pixels` pixels, about, and at least 1.
fn longest_of(pixels: usize, width: usize, height: usize) -> usize {
    let aspect = width.max(height) as f64 / width.min(height) as f64;
    (pixels as f64 * aspect).sqrt().round().max(1.0) as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_much_larger_pictures_are_reduced() {
        for (needed, from, to) in [
            (Needed::Whole, (9000, 9000), (9000, 9000)),
            (Needed::Longest(100), (399, 300), (399, 300)),
            (Needed::Longest(100), (400, 300), (200, 150)),
            (Needed::Longest(100), (30_000, 40_000), (150, 200)),
            (Needed::Longest(100), (40_000, 1), (200, 1)),
            (Needed::Longest(0), (8, 8), (2, 2)),
            (Needed::Longest(usize::MAX), (8, 8), (8, 8)),
            (Needed::Pixels(100), (40, 40), (20, 20)),
            (Needed::Pixels(100), (39, 39), (39, 39)),
            (Needed::Pixels(100), (400, 100), (40, 10)),
            (Needed::Pixels(0), (400, 100), (2, 2)),
            (Needed::Size { width: 10, height: 100 }, (100, 100), (20, 100)),
            (Needed::Size { width: 0, height: usize::MAX }, (100, 100), (2, 100)),
        ] {
            assert_eq!(Reading::new(needed).size_of(from.0, from.1), to, "{needed:?} of {from:?}");
        }
    }

    #[test]
    fn a_reduced_picture_fits_to_the_same_size() {
        for longest in [1, 2, 7, 64, 511] {
            for (width, height) in [(5000, 3333), (3331, 5003), (4999, 17), (2048, 2047), (9999, 1)] {
                let (reduced_width, reduced_height) =
                    Reading::new(Needed::Longest(longest)).size_of(width, height);
                assert_eq!(fit(reduced_width, reduced_height, longest), fit(width, height, longest));
            }
        }
    }
}
