//! Pictures as NumPy's arrays, H×W×3, or H×W×4 with alpha.

use numpy::{IntoPyArray, PyArrayMethods};
use pyo3::prelude::*;

use impasto::Picture;
use impasto::ndarray::{Array3, Axis, concatenate};

use crate::failure::Failure;

/// The samples of an array.
#[derive(Clone, Copy)]
pub(crate) enum Samples {
    U8,
    U16,
    F32,
}

impl Samples {
    /// # Errors
    /// For a name that is none of an array's samples.
    pub(crate) fn named(name: &str) -> Result<Self, Failure> {
        match name {
            "uint8" => Ok(Self::U8),
            "uint16" => Ok(Self::U16),
            "float32" => Ok(Self::F32),
            _ => Err(Failure::argument(
                "output",
                format!("expected uint8, uint16, float32 or pil, found {name:?}"),
            )),
        }
    }
}

/// The picture as an array.
pub(crate) fn array_of<'py>(
    py: Python<'py>,
    picture: &Picture,
    samples: Samples,
) -> PyResult<Bound<'py, PyAny>> {
    let size = |channels| [picture.height(), picture.width(), channels];
    Ok(match samples {
        Samples::U8 => {
            let (levels, channels) = match picture.alpha() {
                Some(_) => (picture.to_rgba8(), 4),
                None => (picture.to_rgb8(), 3),
            };
            levels.into_pyarray(py).reshape(size(channels))?.into_any()
        }
        // As files have them.
        Samples::U16 => interleaved(picture, |value| (f64::from(value) * 65535.0).round() as u16)
            .into_pyarray(py)
            .into_any(),
        Samples::F32 => interleaved(picture, |value| value).into_pyarray(py).into_any(),
    })
}

/// Its values, H×W×C, in standard layout.
fn interleaved<T: Clone>(picture: &Picture, sample: impl Fn(f32) -> T) -> Array3<T> {
    let planes = match picture.alpha() {
        Some(alpha) => concatenate(Axis(0), &[picture.planes(), alpha.insert_axis(Axis(0))])
            .expect("alpha is as large as the colours"),
        None => picture.planes().to_owned(),
    };
    planes.permuted_axes([1, 2, 0]).as_standard_layout().map(|value| sample(*value))
}
