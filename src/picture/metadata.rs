//! What a picture file says of itself beside its pixels.

pub(super) mod container;
pub(super) mod exif;
pub(super) mod exif_writing;

use std::path::Path;

use super::{ColourProfile, decode};
use crate::error::Result;
pub use exif::Exif;

/// What a picture file says of itself beside its pixels.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct Metadata {
    /// What was made of its colour profile.
    pub profile: ColourProfile,
    /// Its resolution: that of PNG's pHYs chunk, of JPEG's JFIF header, of a TIFF file, or else of EXIF data.
    pub density: Option<Density>,
    /// What is kept of its EXIF data. Of a TIFF file, that of its own directories.
    pub exif: Exif,
    /// The settings that made it, where a program wrote them by [`Encoding::settings`](super::Encoding::settings): in PNG and
    /// JPEG.
    pub settings: Option<String>,
}

impl Metadata {
    /// What the picture file `path` says of itself, as far as it comes before its pixels. Its colour profile isn't looked at.
    ///
    /// # Errors
    ///
    /// [`Error::Read`](crate::Error::Read) and [`Error::Decode`](crate::Error::Decode) as
    /// [`Picture::open`](super::Picture::open), as far as the header tells.
    pub fn open(path: impl AsRef<Path>) -> Result<Self> {
        decode::metadata(path.as_ref())
    }
}

/// How many pixels there are to an inch on paper, from 0.01 to a million each way.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct Density {
    /// From left to right.
    pub x: f64,
    /// From top to bottom.
    pub y: f64,
}

impl Density {
    /// This many pixels an inch; `None` where one is no resolution.
    pub fn of(x: f64, y: f64) -> Option<Self> {
        let is_one = |value: &f64| (0.01..=1e6).contains(value);
        [x, y].iter().all(is_one).then_some(Self { x, y })
    }
}
