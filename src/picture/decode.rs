//! From a file to a picture.

mod panics;
mod structure;
mod tiff_tags;

use std::fs::File;
use std::io::{self, BufRead, BufReader, Cursor, Read, Seek};
use std::mem;
use std::path::{Path, PathBuf};

use bytemuck::Pod;
use image::metadata::Orientation;
use image::{ColorType, ImageDecoder, ImageError, ImageFormat, ImageReader, Limits};
use ndarray::ArrayView3;

pub use self::panics::is_decoding;
use self::structure::Structure;
use super::metadata::{Density, Exif, container};
use super::orientation::{oriented, swaps_sides};
use super::profile::{self, ColourProfile, Conversion};
use super::reduce::averaged;
use super::samples::{Sample, picture_of};
use super::{Foreseen, Metadata, Picture, Reading, memory_of};
use crate::error::{Error, Result};
use crate::memory;

/// The most pixels that a picture file may have: 2²⁸, which 16,384×16,384 are. As planes they take 3 GiB.
pub const MAX_PIXELS: u64 = 1 << 28;

/// The most bytes that are read from a pipe, whose end can't be known.
const MAX_PIPED: u64 = 1 << 30;

/// The most bytes that a file's metadata may take, unpacked, beside the memory that is available for its pixels: a
/// thousand times a usual colour profile.
const MAX_METADATA: u64 = 16 << 20;

/// How many of the first bytes tell a file's format.
const MAGIC_LENGTH: u64 = 64;

/// [`Picture::open_with_metadata`].
pub(super) fn open(path: &Path, reading: &Reading) -> Result<(Picture, Metadata)> {
    let picture = || {
        let file = File::open(path)?;
        if file.metadata()?.is_file() {
            return decode(BufReader::new(file), reading);
        }
        // A pipe (`<(…)`, /dev/stdin) can't be rewound, as decoders need. A folder fails to be read here.
        let available = available(reading);
        let bytes = read_pipe(file, available)?;
        decode(Cursor::new(&bytes[..]), &reading.within(available - bytes.len() as u64))
    };
    panics::caught(picture).map_err(|failure| failure.of_file(path))
}

/// [`Picture::from_bytes_with_metadata`].
pub(super) fn from_bytes(file: &[u8], reading: &Reading) -> Result<(Picture, Metadata)> {
    panics::caught(|| decode(Cursor::new(file), reading)).map_err(Failure::of_bytes)
}

/// [`Reading::foresee`].
pub(super) fn foresee(path: &Path, reading: &Reading) -> Result<Foreseen> {
    let foreseen = || {
        let file = File::open(path)?;
        if !file.metadata()?.is_file() {
            let reason = "it is no regular file, which alone can be read twice";
            return Err(io::Error::new(io::ErrorKind::Unsupported, reason).into());
        }
        Ok(Opened::new(BufReader::new(file), reading, u64::MAX)?.foreseen)
    };
    panics::caught(foreseen).map_err(|failure| failure.of_file(path))
}

/// [`Reading::foresee_bytes`].
pub(super) fn foresee_bytes(file: &[u8], reading: &Reading) -> Result<Foreseen> {
    let foreseen = || Ok(Opened::new(Cursor::new(file), reading, u64::MAX)?.foreseen);
    panics::caught(foreseen).map_err(Failure::of_bytes)
}

/// [`Metadata::open`].
pub(super) fn metadata(path: &Path) -> Result<Metadata> {
    let metadata =
        || Ok(Opened::new(BufReader::new(File::open(path)?), &Reading::default(), u64::MAX)?.metadata);
    panics::caught(metadata).map_err(|failure| failure.of_file(path))
}

/// Why there is no picture.
enum Failure {
    Read(io::Error),
    Decode(String),
    OutOfMemory { size: (usize, usize), needed: u64, available: u64 },
}

impl Failure {
    fn of_file(self, path: &Path) -> Error {
        match self {
            Self::Read(source) => Error::Read { path: path.to_owned(), source },
            Self::Decode(reason) => Error::Decode { name: path.to_owned(), reason },
            Self::OutOfMemory { size: (width, height), needed, available } => {
                Error::OutOfMemory { what: path.display().to_string(), width, height, needed, available }
            }
        }
    }

    fn of_bytes(self) -> Error {
        let name = PathBuf::from("the data given");
        match self {
            // Only a file's own reader fails to read.
            Self::Read(error) => Error::Decode { name, reason: error.to_string() },
            Self::Decode(reason) => Error::Decode { name, reason },
            Self::OutOfMemory { size: (width, height), needed, available } => {
                Error::OutOfMemory { what: "a picture".to_owned(), width, height, needed, available }
            }
        }
    }

    /// A [`Failure::Decode`] for what a decoder says, which may quote the file, in one line.
    fn decode(reason: impl ToString) -> Self {
        Self::Decode(reason.to_string().replace(char::is_control, " "))
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        if error.kind() == io::ErrorKind::UnexpectedEof {
            Self::Decode("the file ends too early".to_owned())
        } else {
            Self::Read(error)
        }
    }
}

impl From<ImageError> for Failure {
    fn from(error: ImageError) -> Self {
        match error {
            // Decoders report damage as I/O errors too; only the system's own have a number.
            ImageError::IoError(error)
                if error.raw_os_error().is_some() || error.kind() == io::ErrorKind::UnexpectedEof =>
            {
                error.into()
            }
            error => Self::decode(error),
        }
    }
}

/// Bytes that reading may take.
fn available(reading: &Reading) -> u64 {
    reading.memory.unwrap_or_else(memory::available)
}

/// All bytes of a pipe, as soon as its first ones are those of a picture.
fn read_pipe(mut pipe: File, available: u64) -> Result<Vec<u8>, Failure> {
    let mut bytes = Vec::new();
    pipe.by_ref().take(MAGIC_LENGTH).read_to_end(&mut bytes)?;
    format_of(&bytes)?;
    let most = available.min(MAX_PIPED);
    pipe.take(most).read_to_end(&mut bytes)?;
    match bytes.len() as u64 > most {
        true => Err(Failure::Decode(format!("it is a pipe of more than {most} bytes"))),
        false => Ok(bytes),
    }
}

/// The format that a file's first bytes tell.
fn format_of(bytes: &[u8]) -> Result<ImageFormat, Failure> {
    if bytes.is_empty() {
        return Err(Failure::Decode("the file is empty".to_owned()));
    }
    image::guess_format(bytes).map_err(|_| {
        Failure::Decode("its content is not that of a PNG, JPEG, WebP, TIFF or BMP file".to_owned())
    })
}

fn decode<R: BufRead + Seek>(file: R, reading: &Reading) -> Result<(Picture, Metadata), Failure> {
    let available = available(reading);
    let mut opened = Opened::new(file, reading, available)?;
    let Foreseen { width, height, reading: needed, .. } = opened.foreseen;
    if needed > available {
        return Err(Failure::OutOfMemory { size: opened.shown, needed, available });
    }
    let size = (width, height);
    let profile = opened.profile.take();
    let metadata = mem::take(&mut opened.metadata);
    let colour = opened.decoder.color_type();
    let picture = match colour {
        ColorType::L8 | ColorType::La8 | ColorType::Rgb8 | ColorType::Rgba8 => read::<u8>(opened, size)?,
        ColorType::L16 | ColorType::La16 | ColorType::Rgb16 | ColorType::Rgba16 => read::<u16>(opened, size)?,
        ColorType::Rgb32F | ColorType::Rgba32F => read::<f32>(opened, size)?,
        // `ColorType` may gain kinds.
        other => return Err(Failure::Decode(format!("pixels of {other:?} are not supported"))),
    };
    let (picture, profile) = in_srgb(picture, profile.as_deref(), !colour.has_color());
    Ok((picture, Metadata { profile, ..metadata }))
}

/// The picture with its colours converted to sRGB from the profile that its file has.
fn in_srgb(picture: Picture, profile: Option<&[u8]>, is_grey: bool) -> (Picture, ColourProfile) {
    let Some(profile) = profile else { return (picture, ColourProfile::None) };
    let damaged = || (ColourProfile::Unusable { reason: "it is damaged".to_owned() }, None);
    match panics::attempted(|| Conversion::of(profile, is_grey)).unwrap_or_else(damaged) {
        (found, Some(conversion)) => (conversion.apply(picture), found),
        (found, None) => (picture, found),
    }
}

/// A file of which the header is read, and the decoder ready for the pixels.
struct Opened<D> {
    decoder: D,
    orientation: Orientation,
    /// The colour profile, not looked at yet.
    profile: Option<Vec<u8>>,
    /// All but what is made of the profile.
    metadata: Metadata,
    /// Width and height as shown.
    shown: (usize, usize),
    foreseen: Foreseen,
}

/// Opens a file, with limits for what its decoder takes beside the pixels.
impl<'r> Opened<Box<dyn ImageDecoder + 'r>> {
    fn new<R: BufRead + Seek + 'r>(mut file: R, reading: &Reading, available: u64) -> Result<Self, Failure> {
        let format = format_of(file.fill_buf()?)?;
        let mut structure = Structure::read(format, &mut file)?;
        let mut metadata = container::read(format, &mut file)?;
        // The JPEG decoder reads the whole file first.
        if format == ImageFormat::Jpeg && structure.fixed > available {
            let size = structure.size.map(usize::from);
            return Err(Failure::OutOfMemory { size: size.into(), needed: structure.fixed, available });
        }

        let mut limits = Limits::default();
        limits.max_alloc = Some(match format {
            // Its decoder's limit is of all but the pixels.
            ImageFormat::Png => MAX_METADATA + structure.rows,
            _ => available.saturating_add(MAX_METADATA),
        });
        let mut reader = ImageReader::with_format(file, format);
        reader.limits(limits);
        let mut decoder = reader.into_decoder()?;
        check_pixels(decoder.dimensions())?;
        // Damaged metadata are no reason to refuse a picture.
        let orientation = match structure.has_orientation {
            true => decoder.orientation().unwrap_or(Orientation::NoTransforms),
            false => Orientation::NoTransforms,
        };
        let profile = match structure.has_profile {
            true => decoder.icc_profile().ok().flatten(),
            false => structure.profile.take(),
        };
        let profile = profile.filter(|profile| profile.len() as u64 <= MAX_METADATA);
        // A TIFF file's tags are read already.
        let exif = match structure.has_orientation {
            true => decoder.exif_metadata().ok().flatten(),
            false => None,
        };
        if let Some(exif) = exif {
            let exif = exif.strip_prefix(b"Exif\0\0").unwrap_or(&exif);
            let (exif, density) = Exif::read(&mut Cursor::new(exif), 0);
            metadata.exif = exif;
            metadata.density = metadata.density.or(density);
        }
        if swaps_sides(orientation) {
            metadata.density = metadata.density.and_then(|density| Density::of(density.y, density.x));
        }
        let (width, height) = decoder.dimensions();
        let size = (width as usize, height as usize);
        let shown = if swaps_sides(orientation) { (size.1, size.0) } else { size };
        let mut foreseen = foreseen(&decoder, &structure, reading.size_of(shown.0, shown.1), shown);
        if let Some(profile) = &profile {
            // It is used when the decoder and the samples are gone.
            let converting = foreseen.kept.saturating_add(profile::memory(profile.len()));
            foreseen.reading = foreseen.reading.saturating_add(profile.len() as u64).max(converting);
        }
        Ok(Self { decoder: Box::new(decoder), orientation, profile, metadata, shown, foreseen })
    }
}

/// Checks the size that a file's header gives.
fn check_pixels((width, height): (u32, u32)) -> Result<(), Failure> {
    match u64::from(width) * u64::from(height) {
        0 => Err(Failure::Decode(format!("it has no pixels ({width}×{height})"))),
        1..=MAX_PIXELS => Ok(()),
        _ => Err(Failure::Decode(format!(
            "it has {width}×{height} pixels, and at most {MAX_PIXELS} in all are read"
        ))),
    }
}

/// What it takes to read a file, of which the decoder knows the header, as a picture of `size`.
fn foreseen(
    decoder: &impl ImageDecoder,
    structure: &Structure,
    size: (usize, usize),
    shown: (usize, usize),
) -> Foreseen {
    let color = decoder.color_type();
    let samples = decoder.total_bytes();
    let kept = memory_of(size.0, size.1, color.has_alpha());
    // The decoder is gone when the planes are made; the samples are gone when the means are.
    let means = match size == shown {
        true => 0,
        false => size.0 as u64 * size.1 as u64 * u64::from(color.channel_count()) * size_of::<f32>() as u64,
    };
    let planes = if size == shown { samples + kept } else { means + samples.max(kept) };
    let decoding = samples + structure.held_by_decoder(decoder.dimensions(), decoder.original_color_type());
    Foreseen { width: size.0, height: size.1, reading: decoding.max(planes), kept }
}

/// Decodes the pixels to a picture of this width and height.
fn read<S: Sample + Pod>(
    opened: Opened<impl ImageDecoder>,
    (width, height): (usize, usize),
) -> Result<Picture, Failure> {
    let Opened { decoder, orientation, shown, .. } = opened;
    let channels = usize::from(decoder.color_type().channel_count());
    let in_file = (decoder.dimensions().0 as usize, decoder.dimensions().1 as usize);
    let mut samples = vec![S::zeroed(); in_file.0 * in_file.1 * channels];
    decoder.read_image(bytemuck::cast_slice_mut(&mut samples))?;
    if (width, height) == shown {
        return Ok(shown_as(&samples, in_file, channels, orientation));
    }
    let reduced = if swaps_sides(orientation) { (height, width) } else { (width, height) };
    let means = averaged(&samples, channels, in_file, reduced);
    drop(samples);
    Ok(shown_as(&means, reduced, channels, orientation))
}

/// The picture that these samples of `width`×`height` pixels are, as it is shown.
fn shown_as<S: Sample>(
    samples: &[S],
    (width, height): (usize, usize),
    channels: usize,
    orientation: Orientation,
) -> Picture {
    let view = ArrayView3::from_shape((height, width, channels), samples).expect("a sample for each place");
    picture_of(oriented(view, orientation))
}
