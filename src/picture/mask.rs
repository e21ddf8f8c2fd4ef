//! Masks: where in a picture something is done.

use ndarray::{Array2, ArrayView2, Zip};

use super::buffers::{dimensions, in_range};
use super::{Picture, resize};
use crate::error::{Error, Result};

/// A mask: how much of each pixel of a picture is meant, from 0, not at all, to 1, entirely. A grey picture is a mask, in
/// which white is where.
///
/// It may have another resolution than the picture that it is for, with the same aspect.
///
/// ```
/// use impasto::Mask;
/// use ndarray::Array2;
///
/// // The left half of a picture, with a soft edge.
/// let mask = Mask::from_plane(Array2::from_shape_fn((48, 64), |(_, x)| (36.0 - x as f32) / 8.0))?;
/// assert_eq!((mask.width(), mask.height()), (64, 48));
/// assert_eq!(mask.plane()[[0, 32]], 0.5);
/// # Ok::<(), impasto::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Mask {
    /// H×W, 0–1, in standard layout.
    plane: Array2<f32>,
}

impl Mask {
    /// A mask from its values, H×W. Values outside 0–1 are clamped.
    ///
    /// # Errors
    /// [`Error::Shape`] if a dimension is 0, or a value is not finite.
    pub fn from_plane(plane: Array2<f32>) -> Result<Self> {
        if plane.is_empty() {
            return Err(Error::shape("a mask of H×W, with H and W at least 1", dimensions(&plane)));
        }
        Ok(Self { plane: in_range(plane)? })
    }

    /// The values: H×W, 0–1.
    pub fn plane(&self) -> ArrayView2<'_, f32> {
        self.plane.view()
    }

    /// The width in pixels, at least 1.
    pub fn width(&self) -> usize {
        self.plane.ncols()
    }

    /// The height in pixels, at least 1.
    pub fn height(&self) -> usize {
        self.plane.nrows()
    }

    /// Bytes of memory that the mask takes.
    pub(crate) fn memory(&self) -> u64 {
        (self.plane.len() * size_of::<f32>()) as u64
    }

    /// The values at another size, resampled as pictures are. What is white stays exactly 1, what is black exactly 0.
    pub(crate) fn at_size(&self, width: usize, height: usize) -> Array2<f32> {
        // Rounding leaves white a little below.
        const WHITE: f32 = 1.0 - 1e-5;
        let plane = resize::resized_plane(self.plane(), width, height);
        plane.mapv_into(|value| if value > WHITE { 1.0 } else { value })
    }
}

/// A picture's mask: the mean of its red, green and blue, times its alpha.
impl From<&Picture> for Mask {
    fn from(picture: &Picture) -> Self {
        let [red, green, blue] = [0, 1, 2].map(|colour| picture.planes.index_axis(ndarray::Axis(0), colour));
        let mut plane =
            Zip::from(red).and(green).and(blue).map_collect(|red, green, blue| (red + green + blue) / 3.0);
        if let Some(alpha) = &picture.alpha {
            plane *= alpha;
        }
        Self { plane }
    }
}

impl From<Picture> for Mask {
    fn from(picture: Picture) -> Self {
        Self::from(&picture)
    }
}
