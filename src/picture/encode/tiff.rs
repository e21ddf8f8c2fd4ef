//! TIFF files, uncompressed. EXIF data are tags of the file, in its directory and in those of the photograph and the place.

use std::io::{Cursor, Seek, Write};

use tiff::encoder::colortype::{ColorType, RGB8, RGB16, RGBA8, RGBA16};
use tiff::encoder::{DirectoryEncoder, Rational, TiffEncoder, TiffKind, TiffValue};
use tiff::tags::{ResolutionUnit, Tag, Type};
use tiff::{Directory, TiffResult};

use super::{Encoding, Pixels, Samples};
use crate::picture::metadata::exif::{self, Field, LOCATION_AT, PHOTOGRAPH_AT};
use crate::picture::metadata::exif_writing::rational;
use crate::picture::profile;

pub(super) fn encode(pixels: &Pixels, encoding: &Encoding) -> TiffResult<Vec<u8>> {
    match (&pixels.samples, pixels.has_alpha) {
        (Samples::Eight(samples), false) => of_kind::<RGB8>(pixels, samples, encoding),
        (Samples::Eight(samples), true) => of_kind::<RGBA8>(pixels, samples, encoding),
        (Samples::Sixteen(samples), false) => of_kind::<RGB16>(pixels, samples, encoding),
        (Samples::Sixteen(samples), true) => of_kind::<RGBA16>(pixels, samples, encoding),
    }
}

fn of_kind<C: ColorType>(pixels: &Pixels, samples: &[C::Inner], encoding: &Encoding) -> TiffResult<Vec<u8>>
where
    [C::Inner]: TiffValue,
{
    let mut bytes = Vec::new();
    let mut file = TiffEncoder::new(Cursor::new(&mut bytes))?;
    let of = |directory| encoding.exif.fields.iter().filter(move |field| field.directory == directory);
    let mut offsets = Vec::new();
    let directories = [
        (PHOTOGRAPH_AT, encoding.exif.photograph()),
        (LOCATION_AT, of(exif::Directory::Location).cloned().collect()),
    ];
    for (tag, fields) in directories {
        if !fields.is_empty() {
            let mut directory = file.extra_directory()?;
            write_fields(&mut directory, &fields)?;
            offsets.push((tag, directory.finish_with_offsets()?.pointer));
        }
    }
    let mut picture = file.new_image::<C>(pixels.width, pixels.height)?;
    for (tag, offset) in offsets {
        // A file of this kind has offsets of 32 bits.
        picture.encoder().write_tag(Tag::from_u16_exhaustive(tag), offset.0 as u32)?;
    }
    write_fields(picture.encoder(), of(exif::Directory::Main))?;
    if let Some(density) = encoding.density {
        let [x, y] = [density.x, density.y].map(rational).map(|[n, d]| Rational { n, d });
        picture.resolution_unit(ResolutionUnit::Inch);
        picture.x_resolution(x);
        picture.y_resolution(y);
    }
    if let Some(profile) = profile::srgb() {
        picture.encoder().write_tag(Tag::IccProfile, &profile[..])?;
    }
    picture.write_data(samples)?;
    Ok(bytes)
}

/// Adds fields to a directory.
fn write_fields<'f, W: Write + Seek, K: TiffKind>(
    directory: &mut DirectoryEncoder<W, K>,
    fields: impl IntoIterator<Item = &'f Field>,
) -> TiffResult<()> {
    let mut entries = Directory::empty();
    for Field { tag, value, .. } in fields {
        // The file is in the machine's order of bytes.
        let (kind, _, data) = value.encoded(u16::to_ne_bytes, u32::to_ne_bytes);
        let Some(kind) = Type::from_u16(kind) else { continue };
        entries.extend([(Tag::from_u16_exhaustive(*tag), directory.write_entry_bytes(kind, &data)?)]);
    }
    directory.extend_from(&entries);
    Ok(())
}
