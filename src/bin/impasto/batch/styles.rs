//! The styles, opened once for all photographs that need them at the same size.

use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

use crate::failure::Result;
use crate::paint::PaintOptions;
use crate::picture_file;
use crate::terminal::Detail;
use impasto::picture::Reading;
use impasto::stylize::Style;

/// The most styles that are kept, each with its targets. There are several only of styles that are so large that they are
/// reduced as they are read, by the size of each result.
const MOST_KEPT: usize = 4;

/// Width and height of each picture of a style as it is read.
type Sizes = Vec<(usize, usize)>;

pub(super) struct Styles<'o> {
    paths: &'o [PathBuf],
    paint: &'o PaintOptions,
    detail: Detail,
    kept: Mutex<Vec<(Sizes, Style)>>,
}

impl<'o> Styles<'o> {
    pub(super) fn new(paths: &'o [PathBuf], paint: &'o PaintOptions, detail: Detail) -> Self {
        Self { paths, paint, detail, kept: Mutex::default() }
    }

    /// The style for a result of this width and height, with the targets of results before it.
    pub(super) fn of_size(&self, size: (usize, usize)) -> Result<Style> {
        let needed = self.paint.needed_of_styles(self.paths.len(), size);
        let with_needed = || self.paths.iter().zip(&needed);
        let sizes = with_needed()
            .map(|(path, needed)| {
                let foreseen = Reading::new(*needed).foresee(path)?;
                Ok((foreseen.width, foreseen.height))
            })
            .collect::<Result<Sizes>>()?;
        // Held while they are read, so that each is read once.
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, style)) = kept.iter().find(|(known, _)| *known == sizes) {
            return Ok(style.clone());
        }
        let pictures = with_needed().map(|(path, needed)| picture_file::open(path, *needed, self.detail));
        let style = self.paint.style(pictures.collect::<Result<_>>()?)?;
        if kept.len() == MOST_KEPT {
            kept.remove(0);
        }
        kept.push((sizes, style.clone()));
        Ok(style)
    }
}
