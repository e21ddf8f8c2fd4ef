//! Pictures from and to files.

use std::path::PathBuf;

use pyo3::prelude::*;

use impasto::picture::Output;
use impasto::{Cancel, Depth, Encoding, Metadata, Needed};

use crate::arrays::{Samples, array_of};
use crate::failure::Result;
use crate::job::warn;
use crate::source::Source;
use crate::watch::watched;

/// The picture in a file or its bytes, as an array.
#[pyfunction]
pub(crate) fn read<'py>(
    py: Python<'py>,
    picture: &Bound<'py, PyAny>,
    longest: Option<usize>,
    output: &str,
) -> PyResult<Bound<'py, PyAny>> {
    let samples = Samples::named(output).map_err(|failure| failure.into_py(py))?;
    let source = Source::of("picture", picture)?;
    let needed = longest.map_or(Needed::Whole, Needed::Longest);
    let work = move |_| {
        let mut notes = Vec::new();
        Ok((source.open(needed, &mut notes)?, notes))
    };
    let opened: Result<_> = watched(py, &Cancel::new(), work, |(): ()| Ok(()))?;
    let (picture, notes) = opened.map_err(|failure| failure.into_py(py))?;
    warn(py, &notes)?;
    array_of(py, &picture, samples)
}

/// Writes a picture to a file, which is replaced only by a whole one, with EXIF data and resolution of another file where one is
/// given.
#[pyfunction]
pub(crate) fn write(
    py: Python<'_>,
    picture: &Bound<'_, PyAny>,
    path: PathBuf,
    depth: u8,
    metadata_of: Option<PathBuf>,
    keep_location: bool,
) -> PyResult<()> {
    let source = Source::of("picture", picture)?;
    let depth = if depth == 16 { Depth::Sixteen } else { Depth::Eight };
    let work = move |_| {
        let mut encoding = Encoding::default().with_depth(depth);
        if let Some(file) = metadata_of {
            let Metadata { exif, density, .. } = Metadata::open(file)?;
            let exif = if keep_location { exif } else { exif.without_location() };
            encoding = encoding.with_exif(exif).with_density(density);
        }
        let output = Output::new(&path)?.with_encoding(encoding)?;
        let mut notes = Vec::new();
        output.write(&source.open(Needed::Whole, &mut notes)?)?;
        Ok(notes)
    };
    let written: Result<Vec<String>> = watched(py, &Cancel::new(), work, |(): ()| Ok(()))?;
    warn(py, &written.map_err(|failure| failure.into_py(py))?)
}
