//! Pictures: decoding, orientation, alpha, size and encoding.

mod decode;
mod encode;
mod output;
mod resize;

use std::path::Path;

use ndarray::{Array2, Array3, ArrayView2, ArrayView3, Axis, Zip};

pub use self::decode::MAX_PIXELS;
pub use self::encode::OutputFormat;
pub use self::output::Output;
pub use self::resize::fit;
use crate::error::Result;

/// A picture of at least one pixel: colour planes and, where the file had one, an alpha plane.
///
/// Colours are sRGB-encoded, as files have them, not linear light, and not premultiplied by alpha.
#[derive(Clone, Debug, PartialEq)]
pub struct Picture {
    /// 3×H×W, red, green, blue, 0–1.
    planes: Array3<f32>,
    /// H×W, 0 (transparent) to 1 (opaque).
    alpha: Option<Array2<f32>>,
}

impl Picture {
    /// Reads the PNG, JPEG, WebP, TIFF or BMP file `path`. Its content tells the format, not its name.
    ///
    /// Grey, palette and colour files of 1 to 16 bits a sample, with or without alpha, and TIFF's 32-bit
    /// floats (those outside 0–1 are clamped) all become planes of 0–1. The orientation that the file's
    /// EXIF data asks for is applied. Colour profiles are not: colours are taken as sRGB. Of an animation
    /// the first frame is read.
    ///
    /// # Errors
    ///
    /// [`Error::Read`](crate::Error::Read) where the file can't be opened or read;
    /// [`Error::Decode`](crate::Error::Decode) where it is no picture, is damaged or cut short, or has no
    /// pixels or more than [`MAX_PIXELS`], which its header tells before memory is taken.
    pub fn open(path: &Path) -> Result<Self> {
        decode::open(path)
    }

    /// A picture without alpha from its planes: 3×H×W, red, green, blue, sRGB-encoded, 0–1.
    ///
    /// # Panics
    ///
    /// If the first dimension is not 3, or another is 0.
    pub fn from_planes(planes: Array3<f32>) -> Self {
        assert!(
            planes.dim().0 == 3 && !planes.is_empty(),
            "a picture is 3×H×W with H and W at least 1, not {:?}",
            planes.shape()
        );
        Self { planes, alpha: None }
    }

    /// The same colours with another alpha plane (H×W, 0–1), or without any.
    ///
    /// # Panics
    ///
    /// If the alpha plane has another size than the picture.
    pub fn with_alpha(self, alpha: Option<Array2<f32>>) -> Self {
        if let Some(alpha) = &alpha {
            assert_eq!(alpha.dim(), (self.height(), self.width()), "the alpha plane has the picture's size");
        }
        Self { alpha, ..self }
    }

    /// The colours: 3×H×W, red, green, blue, sRGB-encoded, 0–1.
    pub fn planes(&self) -> ArrayView3<'_, f32> {
        self.planes.view()
    }

    /// The alpha plane: H×W, 0 (transparent) to 1 (opaque).
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

    /// This picture as `width`×`height` pixels; unchanged where it has that size already.
    ///
    /// By Catmull–Rom splines, widened when shrinking so that nothing aliases: sharp, with little ringing
    /// where edges are enlarged. The result lies in 0–1. Colours count by their opacity, so that what a
    /// transparent pixel hides doesn't bleed into its neighbours.
    ///
    /// # Panics
    ///
    /// If a side is 0.
    pub fn resized(&self, width: usize, height: usize) -> Self {
        resize::resized(self, width, height)
    }

    /// The picture without alpha: over the mean colour of its opaque part (mid-grey where there is none),
    /// so that the colours that transparent pixels hide have no influence.
    pub fn flattened(&self) -> Self {
        match &self.alpha {
            None => self.clone(),
            Some(alpha) => {
                let plane = |colour| self.planes.index_axis(Axis(0), colour);
                self.over([0, 1, 2].map(|colour| mean_of_opaque(plane(colour), alpha.view())))
            }
        }
    }

    /// The picture laid on an opaque colour (red, green, blue), without alpha.
    fn over(&self, background: [f32; 3]) -> Self {
        let mut planes = self.planes.clone();
        if let Some(alpha) = &self.alpha {
            for (mut plane, behind) in planes.axis_iter_mut(Axis(0)).zip(background) {
                Zip::from(&mut plane).and(alpha).for_each(|colour, &alpha| {
                    *colour = alpha * *colour + (1.0 - alpha) * behind;
                });
            }
        }
        Self { planes, alpha: None }
    }

    /// The picture as a file's bytes. Colours are clamped to 0–1 and rounded to the nearest of 256 levels.
    ///
    /// JPEG has no alpha: the picture is laid on white and written at quality 95. The other formats keep
    /// alpha and lose nothing but what 8 bits can't hold.
    ///
    /// # Errors
    ///
    /// [`Error::TooLarge`](crate::Error::TooLarge) where a side is longer than the format's
    /// [`longest_side`](OutputFormat::longest_side).
    pub fn encode(&self, format: OutputFormat) -> Result<Vec<u8>> {
        encode::encode(self, format)
    }
}

/// The mean of a plane's values, each counting by its opacity; 0.5 where nothing is opaque.
fn mean_of_opaque(plane: ArrayView2<'_, f32>, alpha: ArrayView2<'_, f32>) -> f32 {
    let (sum, opacity) = plane.iter().zip(alpha).fold((0.0, 0.0), |(sum, opacity), (&value, &alpha)| {
        (sum + f64::from(value) * f64::from(alpha), opacity + f64::from(alpha))
    });
    if opacity > 0.0 { (sum / opacity) as f32 } else { 0.5 }
}
