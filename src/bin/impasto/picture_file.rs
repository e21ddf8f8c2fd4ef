//! Reading pictures, and naming results after them.

use std::path::Path;
use std::time::Instant;

use crate::failure::Result;
use crate::terminal::Detail;
use impasto::picture::{Picture, fit};

/// Reads a picture.
pub(crate) fn open(path: &Path, detail: Detail) -> Result<Picture> {
    let start = Instant::now();
    let picture = Picture::open(path)?;
    detail.verbose(format_args!(
        "picture: {}, {}×{}{}, read in {:.1} ms",
        path.display(),
        picture.width(),
        picture.height(),
        if picture.alpha().is_some() { " with alpha" } else { "" },
        start.elapsed().as_secs_f64() * 1e3
    ));
    Ok(picture)
}

/// A picture's name without folder and extension.
pub(crate) fn stem(path: &Path) -> String {
    path.file_stem().unwrap_or_default().to_string_lossy().into_owned()
}

/// A picture's width and height once its longest side is `longest` pixels, or else its own.
pub(crate) fn size_of(picture: &Picture, longest: Option<u64>) -> (usize, usize) {
    match longest {
        // At most LONGEST_SIZE.
        Some(longest) => fit(picture.width(), picture.height(), longest as usize),
        None => (picture.width(), picture.height()),
    }
}
