//! TIFF files, uncompressed.

use std::io::Cursor;

use tiff::TiffResult;
use tiff::encoder::colortype::{ColorType, RGB8, RGB16, RGBA8, RGBA16};
use tiff::encoder::{TiffEncoder, TiffValue};
use tiff::tags::Tag;

use super::{Pixels, Samples};
use crate::picture::profile;

pub(super) fn encode(pixels: &Pixels) -> TiffResult<Vec<u8>> {
    match (&pixels.samples, pixels.has_alpha) {
        (Samples::Eight(samples), false) => of_kind::<RGB8>(pixels, samples),
        (Samples::Eight(samples), true) => of_kind::<RGBA8>(pixels, samples),
        (Samples::Sixteen(samples), false) => of_kind::<RGB16>(pixels, samples),
        (Samples::Sixteen(samples), true) => of_kind::<RGBA16>(pixels, samples),
    }
}

fn of_kind<C: ColorType>(pixels: &Pixels, samples: &[C::Inner]) -> TiffResult<Vec<u8>>
where
    [C::Inner]: TiffValue,
{
    let mut bytes = Vec::new();
    let mut file = TiffEncoder::new(Cursor::new(&mut bytes))?;
    let mut picture = file.new_image::<C>(pixels.width, pixels.height)?;
    if let Some(profile) = profile::srgb() {
        picture.encoder().write_tag(Tag::IccProfile, &profile[..])?;
    }
    picture.write_data(samples)?;
    Ok(bytes)
}
