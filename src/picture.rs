//! Pictures: decoding, orientation, alpha, size and encoding.

mod buffers;
mod decode;
mod encode;
mod mask;
mod metadata;
mod numbers;
mod orientation;
mod output;
mod profile;
mod reading;
mod reduce;
mod resize;
mod samples;

use std::borrow::Cow;
use std::path::Path;

use ndarray::{Array2, Array3, ArrayView2, ArrayView3, Axis, Zip};

pub use self::decode::{MAX_PIXELS, is_decoding};
pub use self::encode::{Depth, Encoding, OutputFormat};
pub use self::mask::Mask;
pub use self::metadata::{Density, Exif, Metadata};
pub use self::output::Output;
pub use self::profile::ColourProfile;
pub use self::reading::{Foreseen, Needed, Reading};
pub use self::resize::fit;
use crate::error::{Error, Result};
use crate::memory;

/// A picture of at least one pixel: colour planes and, where its source had one, an alpha plane.
///
/// Colours are sRGB-encoded, as files have them, not linear light, and not premultiplied by alpha. Every value
/// lies in 0–1.
///
/// | from and to | |
/// |---|---|
/// | a file | [`open`](Self::open), [`Output`] |
/// | a file's bytes | [`from_bytes`](Self::from_bytes), [`encode`](Self::encode), [`encode_with`](Self::encode_with) |
/// | 8-bit pixels | [`from_rgb8`](Self::from_rgb8), [`from_rgba8`](Self::from_rgba8), [`to_rgb8`](Self::to_rgb8), [`to_rgba8`](Self::to_rgba8) |
/// | `image` | [`from_image`](Self::from_image), [`to_image`](Self::to_image) |
/// | `ndarray` | [`from_planes`](Self::from_planes), [`planes`](Self::planes), [`into_planes`](Self::into_planes) |
#[derive(Clone, Debug, PartialEq)]
pub struct Picture {
    /// 3×H×W, red, green, blue, 0–1, in standard layout.
    planes: Array3<f32>,
    /// H×W, 0 (transparent) to 1 (opaque), in standard layout.
    alpha: Option<Array2<f32>>,
}

impl Picture {
    /// Reads the PNG, JPEG, WebP, TIFF or BMP file `path`. Its content tells the format, not its name.
    ///
    /// Grey, palette and colour files of 1 to 16 bits a sample, with or without alpha, and TIFF's 32-bit
    /// floats (those outside 0–1 are clamped, NaN becomes 0) all become planes of 0–1. The orientation that
    /// the file's EXIF data asks for is applied. Colours are converted to sRGB where the file has the colour profile
    /// (ICC) of another space, in RGB or grey; a profile that can't be used is passed over, see [`ColourProfile`]. Of an
    /// animation the first frame is read.
    ///
    /// Decoding takes no more memory than is available: [`open_with`](Self::open_with) sets another limit,
    /// and reads large files at a reduced size.
    ///
    /// # Errors
    ///
    /// [`Error::Read`] where the file can't be opened or read; [`Error::Decode`] where it is no picture, is
    /// damaged or cut short, or has no pixels or more than [`MAX_PIXELS`]; [`Error::OutOfMemory`] where
    /// decoding would take more memory than is available. The file's header tells its size, so that large
    /// files are refused before memory is taken.
    ///
    /// A decoder that panics is an [`Error::Decode`] too, unless the program is compiled with
    /// `panic = "abort"`: then such a file ends the process. See [`is_decoding`] for the panic's message.
    pub fn open(path: impl AsRef<Path>) -> Result<Self> {
        Self::open_with(path, &Reading::default())
    }

    /// [`Picture::open`] within a limit of memory, and at the size needed: see [`Reading`].
    ///
    /// # Errors
    ///
    /// Those of [`Picture::open`].
    pub fn open_with(path: impl AsRef<Path>, reading: &Reading) -> Result<Self> {
        Ok(Self::open_with_metadata(path, reading)?.0)
    }

    /// [`Picture::open_with`], and what the file says of itself beside its pixels.
    ///
    /// # Errors
    ///
    /// Those of [`Picture::open`]. Damaged metadata are no error.
    pub fn open_with_metadata(path: impl AsRef<Path>, reading: &Reading) -> Result<(Self, Metadata)> {
        decode::open(path.as_ref(), reading)
    }

    /// The picture that a file's bytes encode: [`Picture::open`] without a file.
    ///
    /// ```
    /// use impasto::picture::{OutputFormat, Picture};
    ///
    /// let red = Picture::from_rgb8(&[255, 0, 0], 1, 1, 3)?;
    /// let file: Vec<u8> = red.encode(OutputFormat::Png)?;
    /// assert_eq!(Picture::from_bytes(&file)?, red);
    /// # Ok::<(), impasto::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// Those of [`Picture::open`], except for [`Error::Read`].
    pub fn from_bytes(file: &[u8]) -> Result<Self> {
        Self::from_bytes_with(file, &Reading::default())
    }

    /// [`Picture::from_bytes`] within a limit of memory, and at the size needed: see [`Reading`].
    ///
    /// # Errors
    ///
    /// Those of [`Picture::from_bytes`].
    pub fn from_bytes_with(file: &[u8], reading: &Reading) -> Result<Self> {
        Ok(Self::from_bytes_with_metadata(file, reading)?.0)
    }

    /// [`Picture::from_bytes_with`], and what the file says of itself beside its pixels.
    ///
    /// # Errors
    ///
    /// Those of [`Picture::from_bytes`]. Damaged metadata are no error.
    pub fn from_bytes_with_metadata(file: &[u8], reading: &Reading) -> Result<(Self, Metadata)> {
        decode::from_bytes(file, reading)
    }

    /// A picture without alpha whose planes, 3×H×W, are known to be finite, in 0–1 and not empty.
    pub(crate) fn of_planes(planes: Array3<f32>) -> Self {
        Self::of_parts(planes, None)
    }

    /// [`Picture::of_planes`], with an alpha plane, H×W, of which the same is known.
    pub(crate) fn of_parts(planes: Array3<f32>, alpha: Option<Array2<f32>>) -> Self {
        debug_assert!(planes.dim().0 == 3 && !planes.is_empty(), "{:?}", planes.shape());
        debug_assert!(alpha.as_ref().is_none_or(|alpha| alpha.shape() == &planes.shape()[1..]));
        Self { planes, alpha }
    }

    /// The colours: 3×H×W, red, green, blue, sRGB-encoded, 0–1.
    pub fn planes(&self) -> ArrayView3<'_, f32> {
        self.planes.view()
    }

    /// The colours as [`planes`](Self::planes) has them, without a copy. Alpha is left out.
    pub fn into_planes(self) -> Array3<f32> {
        self.planes
    }

    /// The alpha plane: H×W, 0 (transparent) to 1 (opaque). `None`: the picture is opaque.
    pub fn alpha(&self) -> Option<ArrayView2<'_, f32>> {
        self.alpha.as_ref().map(|alpha| alpha.view())
    }

    /// The width in pixels, at least 1.
    pub fn width(&self) -> usize {
        self.planes.dim().2
    }

    /// The height in pixels, at least 1.
    pub fn height(&self) -> usize {
        self.planes.dim().1
    }

    /// Bytes of memory that the picture takes.
    pub fn memory(&self) -> u64 {
        memory_of(self.width(), self.height(), self.alpha.is_some())
    }

    /// This picture as `width`×`height` pixels; a copy where it has that size already.
    ///
    /// By Catmull–Rom splines, widened when shrinking so that nothing aliases: sharp, with little ringing
    /// where edges are enlarged. The result lies in 0–1. Colours count by their opacity, so that what a
    /// transparent pixel hides doesn't bleed into its neighbours.
    ///
    /// # Errors
    ///
    /// [`Error::Shape`] where a side is 0; [`Error::OutOfMemory`] where the result would take more memory
    /// than is available.
    pub fn resized(&self, width: usize, height: usize) -> Result<Self> {
        self.check_new_size(width, height)?;
        Ok(self.at_size(width, height).into_owned())
    }

    /// [`Picture::resized`], without a copy where it has that size already.
    ///
    /// # Errors
    ///
    /// Those of [`Picture::resized`].
    pub fn into_resized(self, width: usize, height: usize) -> Result<Self> {
        if (width, height) == (self.width(), self.height()) {
            return Ok(self);
        }
        self.check_new_size(width, height)?;
        Ok(resize::resized(&self, width, height))
    }

    /// [`Picture::resized`] to sides that are known not to be 0, without a copy where it has that size already.
    pub(crate) fn at_size(&self, width: usize, height: usize) -> Cow<'_, Self> {
        match (width, height) == (self.width(), self.height()) {
            true => Cow::Borrowed(self),
            false => Cow::Owned(resize::resized(self, width, height)),
        }
    }

    fn check_new_size(&self, width: usize, height: usize) -> Result<()> {
        if width.min(height) == 0 {
            return Err(Error::shape("a picture of at least 1×1 pixels", format!("{width}×{height}")));
        }
        let kept = memory_of(width, height, self.alpha.is_some());
        let weights = (width as u64).saturating_add(height as u64).saturating_mul(resize::WEIGHTS_BYTES);
        memory::require("a resized picture", kept.saturating_add(weights), width, height)
    }

    /// The picture without alpha: over the mean colour of its opaque part (mid-grey where there is none),
    /// so that the colours that transparent pixels hide have no influence. Borrowed where it has no alpha.
    pub fn flattened(&self) -> Cow<'_, Self> {
        match &self.alpha {
            None => Cow::Borrowed(self),
            Some(_) => Cow::Owned(self.clone().into_flattened()),
        }
    }

    /// [`Picture::flattened`] in place.
    pub fn into_flattened(self) -> Self {
        match &self.alpha {
            None => self,
            Some(alpha) => {
                let plane = |colour| self.planes.index_axis(Axis(0), colour);
                let background = [0, 1, 2].map(|colour| mean_of_opaque(plane(colour), alpha.view()));
                self.over(background)
            }
        }
    }

    /// The picture laid on an opaque colour (red, green, blue), without alpha.
    fn over(self, background: [f32; 3]) -> Self {
        let Self { mut planes, alpha } = self;
        if let Some(alpha) = &alpha {
            for (mut plane, behind) in planes.axis_iter_mut(Axis(0)).zip(background) {
                Zip::from(&mut plane).and(alpha).for_each(|colour, &alpha| {
                    *colour = alpha * *colour + (1.0 - alpha) * behind;
                });
            }
        }
        Self { planes, alpha: None }
    }

    /// The picture as a file's bytes. Colours are rounded to the nearest of 256 levels. The file says that they are sRGB: by
    /// a colour profile (ICC), or in PNG by its sRGB chunk.
    ///
    /// JPEG has no alpha: the picture is laid on white and written at quality 95. The other formats keep
    /// alpha and lose nothing but what 8 bits can't hold.
    ///
    /// # Errors
    ///
    /// [`Error::TooLarge`] where a side is longer than the format's
    /// [`longest_side`](OutputFormat::longest_side); [`Error::Encode`] where the encoder fails otherwise.
    pub fn encode(&self, format: OutputFormat) -> Result<Vec<u8>> {
        self.encode_with(format, &Encoding::default())
    }

    /// [`Picture::encode`] with another [depth](Encoding::depth).
    ///
    /// ```
    /// use impasto::{Depth, Encoding, OutputFormat, Picture};
    /// use ndarray::Array3;
    ///
    /// let grey = Picture::from_planes(Array3::from_elem((3, 2, 2), 0.3333))?;
    /// let file = grey.encode_with(OutputFormat::Png, &Encoding::default().with_depth(Depth::Sixteen))?;
    /// let read = Picture::from_bytes(&file)?;
    /// assert!((read.planes()[[0, 0, 0]] - 0.3333).abs() < 0.5 / 65535.0);
    /// # Ok::<(), impasto::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// Those of [`Picture::encode`]; [`Error::Depth`] where the format has no samples of this depth.
    pub fn encode_with(&self, format: OutputFormat, encoding: &Encoding) -> Result<Vec<u8>> {
        encode::encode(self, format, encoding)
    }
}

/// Bytes of memory that a picture takes.
fn memory_of(width: usize, height: usize, has_alpha: bool) -> u64 {
    let planes = if has_alpha { 4 } else { 3 };
    let sample = size_of::<f32>() as u64;
    (width as u64).saturating_mul(height as u64).saturating_mul(planes * sample)
}

/// The mean of a plane's values, weighted by opacity; 0.5 where nothing is opaque.
fn mean_of_opaque(plane: ArrayView2<'_, f32>, alpha: ArrayView2<'_, f32>) -> f32 {
    let (sum, opacity) = plane.iter().zip(alpha).fold((0.0, 0.0), |(sum, opacity), (&value, &alpha)| {
        (sum + f64::from(value) * f64::from(alpha), opacity + f64::from(alpha))
    });
    if opacity > 0.0 { (sum / opacity) as f32 } else { 0.5 }
}
