//! Pictures that come from Python: arrays, files and their bytes.

use std::path::PathBuf;

use numpy::PyReadonlyArrayDyn;
use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use impasto::ndarray::{Array2, Array3, ArrayView3, ArrayViewD, Axis, Zip};
use impasto::picture::{ColourProfile, Metadata};
use impasto::{Needed, Picture, Reading};

use crate::failure::{Failure, Result};

/// A picture, and what the argument that holds it is called.
pub(crate) struct Source {
    argument: String,
    kind: Kind,
}

enum Kind {
    Picture(Picture),
    Bytes(Vec<u8>),
    File(PathBuf),
}

impl Source {
    /// Takes an array, bytes, or a path. An array's values are copied.
    pub(crate) fn of(argument: &str, value: &Bound<'_, PyAny>) -> PyResult<Self> {
        let kind = if let Ok(array) = value.extract::<PyReadonlyArrayDyn<'_, u8>>() {
            Kind::Picture(of_array(value.py(), argument, array.as_array(), |level| f32::from(level) / 255.0)?)
        } else if let Ok(array) = value.extract::<PyReadonlyArrayDyn<'_, u16>>() {
            Kind::Picture(of_array(value.py(), argument, array.as_array(), |level| {
                f32::from(level) / 65535.0
            })?)
        } else if let Ok(array) = value.extract::<PyReadonlyArrayDyn<'_, f32>>() {
            Kind::Picture(of_array(value.py(), argument, array.as_array(), |value| value)?)
        } else if let Ok(bytes) = value.cast::<PyBytes>() {
            Kind::Bytes(bytes.as_bytes().to_vec())
        } else if let Ok(path) = value.extract::<PathBuf>() {
            Kind::File(path)
        } else {
            let message = format!("{argument}: not a picture: {}", value.get_type().name()?);
            return Err(PyTypeError::new_err(message));
        };
        Ok(Self { argument: argument.to_owned(), kind })
    }

    /// Takes a sequence of pictures; each is called by its index, where there are several.
    pub(crate) fn several(argument: &str, values: &Bound<'_, PyAny>) -> PyResult<Vec<Self>> {
        let values = values.try_iter()?.collect::<PyResult<Vec<_>>>()?;
        let name = |index: usize| match values.len() {
            1 => argument.to_owned(),
            _ => format!("{argument}[{index}]"),
        };
        values.iter().enumerate().map(|(index, value)| Self::of(&name(index), value)).collect()
    }

    /// The picture, where it comes from a file at a reduced size if it is much larger than needed. What is to be told of
    /// it goes to `notes`.
    pub(crate) fn open(self, needed: Needed, notes: &mut Vec<String>) -> Result<Picture> {
        let reading = Reading::new(needed);
        let (name, (picture, metadata)) = match self.kind {
            Kind::Picture(picture) => return Ok(picture),
            Kind::File(path) => (path.display().to_string(), Picture::open_with_metadata(&path, &reading)?),
            Kind::Bytes(bytes) => match Picture::from_bytes_with_metadata(&bytes, &reading) {
                Ok(read) => (self.argument, read),
                Err(error) => return Err(Failure::Of { argument: self.argument, error }),
            },
        };
        notes.extend(note_of(&name, &metadata));
        Ok(picture)
    }
}

fn note_of(name: &str, metadata: &Metadata) -> Option<String> {
    match &metadata.profile {
        ColourProfile::Unusable { reason, .. } => {
            Some(format!("{name}: its colours are taken as sRGB: its colour profile is not used: {reason}"))
        }
        _ => None,
    }
}

/// The picture of an array H×W, or H×W×C with C from 1 to 4: grey, grey and alpha, RGB, RGBA.
fn of_array<T: Copy>(
    py: Python<'_>,
    argument: &str,
    array: ArrayViewD<'_, T>,
    unit: impl Fn(T) -> f32,
) -> PyResult<Picture> {
    let refused = |reason: String| Failure::argument(argument, reason).into_py(py);
    let shape = array.shape().to_vec();
    let view: ArrayView3<'_, T> = match shape.len() {
        2 => array.insert_axis(Axis(2)).into_dimensionality(),
        _ => array.into_dimensionality(),
    }
    .ok()
    .filter(|view: &ArrayView3<'_, T>| !view.is_empty() && (1..=4).contains(&view.dim().2))
    .ok_or_else(|| {
        refused(format!("expected an array of H×W, H×W×3 or H×W×4, at least 1×1 pixels, found {shape:?}"))
    })?;
    let (height, width, channels) = view.dim();
    let plane = |channel: usize| view.index_axis(Axis(2), channel);
    let mut planes = Array3::zeros((3, height, width));
    for (mut plane_of, channel) in planes.outer_iter_mut().zip(if channels < 3 { [0; 3] } else { [0, 1, 2] })
    {
        Zip::from(&mut plane_of).and(plane(channel)).for_each(|value, sample| *value = unit(*sample));
    }
    let alpha = channels.is_multiple_of(2).then(|| {
        let mut alpha = Array2::zeros((height, width));
        Zip::from(&mut alpha).and(plane(channels - 1)).for_each(|value, sample| *value = unit(*sample));
        alpha
    });
    let picture = Picture::from_planes(planes).and_then(|picture| picture.with_alpha(alpha));
    picture.map_err(|error| refused(error.to_string()))
}
