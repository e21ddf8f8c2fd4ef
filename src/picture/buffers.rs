//! Pictures from and to what other programs hold in memory: 8-bit pixels, `image`'s pictures, planes.

use std::iter;

use image::{DynamicImage, RgbImage, RgbaImage};
use ndarray::{Array2, Array3, ArrayBase, ArrayView3, Data, Dimension, ShapeBuilder};

use super::Picture;
use super::encode::interleaved;
use super::samples::{Sample, picture_of};
use crate::error::{Error, Result};

impl Picture {
    /// An opaque picture from planes: 3×H×W, red, green, blue, sRGB-encoded, 0–1. Values outside 0–1 are clamped.
    ///
    /// ```
    /// use impasto::Picture;
    /// use ndarray::Array3;
    ///
    /// let grey = Picture::from_planes(Array3::from_elem((3, 48, 64), 0.5))?;
    /// assert_eq!((grey.width(), grey.height()), (64, 48));
    /// assert!(Picture::from_planes(Array3::zeros((1, 48, 64))).is_err());
    /// # Ok::<(), impasto::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`Error::Shape`] where the first dimension is not 3, another is 0, or a value is not finite.
    pub fn from_planes(planes: Array3<f32>) -> Result<Self> {
        if planes.dim().0 != 3 || planes.is_empty() {
            return Err(Error::shape("planes of 3×H×W, with H and W at least 1", dimensions(&planes)));
        }
        Ok(Self::of_planes(in_range(planes)?))
    }

    /// The same colours with this alpha plane (H×W, 0, transparent, to 1, opaque), or opaque with `None`. Values
    /// outside 0–1 are clamped.
    ///
    /// # Errors
    ///
    /// [`Error::Shape`] where the alpha plane has another size than the picture, or a value is not finite.
    pub fn with_alpha(self, alpha: Option<Array2<f32>>) -> Result<Self> {
        let size = (self.height(), self.width());
        let alpha = match alpha {
            Some(alpha) if alpha.dim() != size => {
                let expected = format!("an alpha plane of {}×{}, as the picture", size.0, size.1);
                return Err(Error::shape(expected, dimensions(&alpha)));
            }
            Some(alpha) => Some(in_range(alpha)?),
            None => None,
        };
        Ok(Self { alpha, ..self })
    }

    /// An opaque picture from rows of 8-bit pixels, red, green, blue, from top to bottom. A row begins `stride`
    /// bytes after the one before, at least 3·`width`; what is behind its pixels is not looked at, and the last
    /// row may end with its pixels.
    ///
    /// ```
    /// use impasto::Picture;
    ///
    /// // Two rows of one pixel, each padded to 4 bytes.
    /// let picture = Picture::from_rgb8(&[255, 0, 0, 99, 0, 0, 255, 99], 1, 2, 4)?;
    /// assert_eq!(picture.to_rgb8(), [255, 0, 0, 0, 0, 255]);
    /// # Ok::<(), impasto::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`Error::Shape`] where a side is 0, the stride is shorter than a row, or there are fewer bytes than rows
    /// of this stride need.
    pub fn from_rgb8(pixels: &[u8], width: usize, height: usize, stride: usize) -> Result<Self> {
        from_rows(pixels, [width, height, 3], stride)
    }

    /// A picture with alpha from rows of 8-bit pixels, red, green, blue, alpha (not premultiplied), from top to
    /// bottom. A row begins `stride` bytes after the one before, at least 4·`width`; what is behind its pixels is
    /// not looked at, and the last row may end with its pixels.
    ///
    /// # Errors
    ///
    /// Those of [`Picture::from_rgb8`].
    pub fn from_rgba8(pixels: &[u8], width: usize, height: usize, stride: usize) -> Result<Self> {
        from_rows(pixels, [width, height, 4], stride)
    }

    /// The colours as 8-bit pixels, red, green, blue, from top to bottom, 3·width bytes a row. Alpha is left out:
    /// [`flattened`](Self::flattened) applies it.
    pub fn to_rgb8(&self) -> Vec<u8> {
        interleaved(self, None::<iter::Empty<f32>>)
    }

    /// The picture as 8-bit pixels, red, green, blue, alpha, from top to bottom, 4·width bytes a row. An opaque
    /// picture's alpha is 255.
    pub fn to_rgba8(&self) -> Vec<u8> {
        match &self.alpha {
            Some(alpha) => interleaved(self, Some(alpha.iter().copied())),
            None => interleaved(self, Some(iter::repeat(1.0))),
        }
    }

    /// The picture that `image` holds: any of its pixel formats, as in files: grey becomes three equal planes,
    /// floats outside 0–1 are clamped, NaN becomes 0. Colours are taken as sRGB.
    ///
    /// # Errors
    ///
    /// [`Error::Shape`] where it has no pixels.
    pub fn from_image(image: &DynamicImage) -> Result<Self> {
        let size = (image.height() as usize, image.width() as usize);
        if size.0.min(size.1) == 0 {
            return Err(Error::shape("a picture of at least 1×1 pixels", format!("{}×{}", size.1, size.0)));
        }
        Ok(match image {
            DynamicImage::ImageLuma8(pixels) => of_pixels(pixels, size, 1),
            DynamicImage::ImageLumaA8(pixels) => of_pixels(pixels, size, 2),
            DynamicImage::ImageRgb8(pixels) => of_pixels(pixels, size, 3),
            DynamicImage::ImageRgba8(pixels) => of_pixels(pixels, size, 4),
            DynamicImage::ImageLuma16(pixels) => of_pixels(pixels, size, 1),
            DynamicImage::ImageLumaA16(pixels) => of_pixels(pixels, size, 2),
            DynamicImage::ImageRgb16(pixels) => of_pixels(pixels, size, 3),
            DynamicImage::ImageRgba16(pixels) => of_pixels(pixels, size, 4),
            DynamicImage::ImageRgb32F(pixels) => of_pixels(pixels, size, 3),
            DynamicImage::ImageRgba32F(pixels) => of_pixels(pixels, size, 4),
            // `DynamicImage` may gain kinds.
            other => of_pixels(&other.to_rgba32f(), size, 4),
        })
    }

    /// The picture for `image`, in 8 bits: RGB, or RGBA where it has alpha.
    ///
    /// # Panics
    ///
    /// If a side is longer than `u32::MAX`, the longest that `image` can hold.
    pub fn to_image(&self) -> DynamicImage {
        let side = |side: usize| u32::try_from(side).expect("a side that `image` can hold");
        let (width, height) = (side(self.width()), side(self.height()));
        let held = "as many samples as pixels need";
        match self.alpha {
            Some(_) => RgbaImage::from_raw(width, height, self.to_rgba8()).expect(held).into(),
            None => RgbImage::from_raw(width, height, self.to_rgb8()).expect(held).into(),
        }
    }
}

/// [`Picture::from_rgb8`] and [`Picture::from_rgba8`], for a number of channels.
fn from_rows(pixels: &[u8], [width, height, channels]: [usize; 3], stride: usize) -> Result<Picture> {
    if width.min(height) == 0 {
        return Err(Error::shape("a picture of at least 1×1 pixels", format!("{width}×{height}")));
    }
    let row = width.checked_mul(channels).filter(|row| *row <= stride);
    let Some(row) = row else {
        let expected = format!("a stride of at least {channels} bytes for each of {width} pixels");
        return Err(Error::shape(expected, format!("{stride} bytes")));
    };
    let needed = stride.checked_mul(height - 1).and_then(|rows| rows.checked_add(row));
    if needed.is_none_or(|needed| needed > pixels.len()) {
        let expected = format!("{height} rows of {row} bytes, {stride} bytes apart");
        return Err(Error::shape(expected, format!("{} bytes", pixels.len())));
    }
    let shape = (height, width, channels).strides((stride, channels, 1));
    Ok(picture_of(ArrayView3::from_shape(shape, pixels).expect("strides within the bytes")))
}

/// The picture of samples that lie row by row without gaps.
fn of_pixels<S: Sample>(samples: &[S], (height, width): (usize, usize), channels: usize) -> Picture {
    let samples = &samples[..height * width * channels];
    picture_of(ArrayView3::from_shape((height, width, channels), samples).expect("a sample for each place"))
}

/// The array in standard layout, clamped to 0–1.
pub(super) fn in_range<D: Dimension>(array: ndarray::Array<f32, D>) -> Result<ndarray::Array<f32, D>> {
    if let Some(value) = array.iter().find(|value| !value.is_finite()) {
        return Err(Error::shape("finite values", value.to_string()));
    }
    let mut array = if array.is_standard_layout() { array } else { array.as_standard_layout().into_owned() };
    array.mapv_inplace(|value| value.clamp(0.0, 1.0));
    Ok(array)
}

/// An array's shape as text: `3×4×5`.
pub(super) fn dimensions<S: Data, D: Dimension>(array: &ArrayBase<S, D>) -> String {
    array.shape().iter().map(usize::to_string).collect::<Vec<_>>().join("×")
}
