//! From a file to a picture.

mod truncation;

use std::fs::File;
use std::io::{self, BufRead, BufReader, Cursor, Read, Seek};
use std::path::Path;

use image::metadata::Orientation;
use image::{DynamicImage, ImageDecoder, ImageError, ImageReader, Limits};
use ndarray::{Array2, Array3};

use super::Picture;
use crate::error::{Error, Result};

/// The most pixels that a picture file may have: 2²⁸, which 16,384×16,384 are. Such a picture takes 3 GiB
/// as planes; a header that promises more is refused before memory is taken.
pub const MAX_PIXELS: u64 = 1 << 28;

/// The most memory that a decoder may take, in bytes: the largest picture as 32-bit RGBA.
const MAX_DECODER_MEMORY: u64 = 16 * MAX_PIXELS;

/// The most bytes that are read from a pipe, whose end can't be known.
const MAX_PIPED: u64 = 1 << 30;

/// [`Picture::open`].
pub(super) fn open(path: &Path) -> Result<Picture> {
    read(path).map_err(|failure| match failure {
        Failure::Read(source) => Error::Read { path: path.to_owned(), source },
        Failure::Decode(reason) => Error::Decode { name: path.to_owned(), reason },
    })
}

/// Why there is no picture.
enum Failure {
    Read(io::Error),
    Decode(String),
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        if error.kind() == io::ErrorKind::UnexpectedEof {
            Self::Decode(truncation::REASON.to_owned())
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
            error => Self::Decode(error.to_string()),
        }
    }
}

fn read(path: &Path) -> Result<Picture, Failure> {
    let file = File::open(path)?;
    if file.metadata()?.is_file() {
        return decode(BufReader::new(file));
    }
    // A pipe (`<(…)`, /dev/stdin) can't be rewound, as decoders need. A folder fails to be read here.
    let mut bytes = Vec::new();
    file.take(MAX_PIPED).read_to_end(&mut bytes)?;
    decode(Cursor::new(bytes))
}

fn decode<R: BufRead + Seek>(mut file: R) -> Result<Picture, Failure> {
    if file.fill_buf()?.is_empty() {
        return Err(Failure::Decode("the file is empty".to_owned()));
    }
    let mut reader = ImageReader::new(file).with_guessed_format()?;
    let Some(format) = reader.format() else {
        let reason = "its content is not that of a PNG, JPEG, WebP, TIFF or BMP file";
        return Err(Failure::Decode(reason.to_owned()));
    };
    let mut file = reader.into_inner();
    truncation::check(format, &mut file)?;

    reader = ImageReader::with_format(file, format);
    let mut limits = Limits::default();
    limits.max_alloc = Some(MAX_DECODER_MEMORY);
    reader.limits(limits);
    let mut decoder = reader.into_decoder()?;
    check_pixels(decoder.dimensions())?;
    // Damaged metadata are no reason to refuse a picture.
    let orientation = decoder.orientation().unwrap_or(Orientation::NoTransforms);
    let mut decoded = DynamicImage::from_decoder(decoder)?;
    decoded.apply_orientation(orientation);
    Ok(picture(&decoded))
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

fn picture(decoded: &DynamicImage) -> Picture {
    let size = (decoded.height() as usize, decoded.width() as usize);
    match decoded {
        DynamicImage::ImageLuma8(pixels) => picture_of(pixels, 1, size),
        DynamicImage::ImageLumaA8(pixels) => picture_of(pixels, 2, size),
        DynamicImage::ImageRgb8(pixels) => picture_of(pixels, 3, size),
        DynamicImage::ImageRgba8(pixels) => picture_of(pixels, 4, size),
        DynamicImage::ImageLuma16(pixels) => picture_of(pixels, 1, size),
        DynamicImage::ImageLumaA16(pixels) => picture_of(pixels, 2, size),
        DynamicImage::ImageRgb16(pixels) => picture_of(pixels, 3, size),
        DynamicImage::ImageRgba16(pixels) => picture_of(pixels, 4, size),
        DynamicImage::ImageRgb32F(pixels) => picture_of(pixels, 3, size),
        DynamicImage::ImageRgba32F(pixels) => picture_of(pixels, 4, size),
        // `DynamicImage` may gain kinds.
        other => picture_of(&other.to_rgba32f(), 4, size),
    }
}

/// The picture whose pixels are runs of `channels` samples: grey, grey and alpha, RGB or RGBA.
fn picture_of<S: Sample>(samples: &[S], channels: usize, (height, width): (usize, usize)) -> Picture {
    let plane = |channel: usize| samples.chunks_exact(channels).map(move |pixel| pixel[channel].unit());
    let [red, green, blue] = if channels < 3 { [0, 0, 0] } else { [0, 1, 2] };
    let mut planes = Vec::with_capacity(3 * height * width);
    for channel in [red, green, blue] {
        planes.extend(plane(channel));
    }
    let planes = Array3::from_shape_vec((3, height, width), planes).expect("a sample for each place");
    let alpha = channels.is_multiple_of(2).then(|| {
        let alpha = plane(channels - 1).collect();
        Array2::from_shape_vec((height, width), alpha).expect("a sample for each pixel")
    });
    Picture::from_planes(planes).with_alpha(alpha)
}

/// A sample as decoders give it.
trait Sample: Copy {
    /// The sample as 0–1.
    fn unit(self) -> f32;
}

impl Sample for u8 {
    fn unit(self) -> f32 {
        f32::from(self) / 255.0
    }
}

impl Sample for u16 {
    fn unit(self) -> f32 {
        f32::from(self) / 65535.0
    }
}

impl Sample for f32 {
    fn unit(self) -> f32 {
        if self.is_nan() { 0.0 } else { self.clamp(0.0, 1.0) }
    }
}
