//! One strip of rows with the window in which it is computed, and the features that the windows behind it need.

use std::ops::Range;

use crate::tensor::{FeatureMap, Part, Place};

/// A strip: its own rows, and where its window lies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Strip {
    pub(super) own: Range<usize>,
    /// The row of the map that is the window's first.
    pub(super) top: usize,
    /// The row of the window that is the map's first, behind its last, if the window goes across.
    pub(super) seam: Option<usize>,
}

impl Strip {
    /// The strip of a map of `height` rows that repeats, with a window of fewer rows of which at least a `halo` is before the
    /// strip. Its top and the halo are multiples of the `alignment`.
    pub(super) fn repeating(
        own: Range<usize>,
        halo: usize,
        window: usize,
        (height, alignment): (usize, usize),
    ) -> Self {
        let top = match own.start.checked_sub(halo) {
            Some(top) => top,
            None => (height + own.start).saturating_sub(halo) / alignment * alignment,
        };
        let to_end = height - top;
        Self { own, top, seam: (to_end < window).then_some(to_end) }
    }

    /// Where the window lies in a layer of which each row is made of so many of the strip's.
    pub(super) fn place(&self, pooled: usize) -> Place {
        Place { top: self.top / pooled, seam: self.seam.map(|seam| seam / pooled) }
    }

    /// Whether its own rows are behind the seam, and its window begins before the map's end.
    fn is_behind_seam(&self) -> bool {
        self.own.start < self.top
    }

    /// The map's row with which the run of rows that has the strip's own begins, and the window's.
    fn run(&self) -> (usize, usize) {
        match self.seam {
            Some(seam) if self.is_behind_seam() => (0, seam),
            _ => (self.top, 0),
        }
    }

    /// Its own rows in the window.
    pub(super) fn rows(&self) -> Range<usize> {
        let (first, of_window) = self.run();
        self.own.start - first + of_window..self.own.end - first + of_window
    }

    /// Its own rows of a layer of `height` rows, each of which is made of so many of the strip's, in the window's `map`.
    pub(super) fn part<'m>(&self, map: &'m FeatureMap, height: usize, pooled: usize) -> Part<'m> {
        let of_layer = self.own.start / pooled..self.own.end / pooled;
        let (first, of_window) = self.run();
        let start = of_layer.start - first / pooled + of_window / pooled;
        Part { map, rows: start..start + of_layer.len(), first: of_layer.start, height }
    }
}

/// Features of a group's input that its gradient has overwritten.
#[derive(Default)]
pub(super) struct Kept {
    map: FeatureMap,
    rows: Range<usize>,
    /// The map's first rows, for the last windows where it repeats.
    first: FeatureMap,
}

impl Kept {
    /// What is kept of the `input` before the first of the `strips`, whose windows have so many rows.
    pub(super) fn of(input: &FeatureMap, strips: &[Strip], window: usize) -> Self {
        let at_end = strips.iter().filter(|strip| !strip.is_behind_seam());
        let rows = at_end.filter_map(|strip| strip.seam).map(|seam| window - seam).max().unwrap_or(0);
        let mut first = FeatureMap::zeros(input.channels(), rows, input.width());
        first.copy_rows(0, input, 0..rows);
        Self { first, ..Self::default() }
    }

    /// Fills a strip's window with the features of `input`, of which the rows before the strip's own are overwritten.
    pub(super) fn load(&self, input: &FeatureMap, strip: &Strip, x: &mut FeatureMap) {
        let [before, behind] = strip.place(1).runs(x.height());
        let seam = before.len();
        let (with_own, to) = match strip.is_behind_seam() {
            true => {
                x.copy_rows(0, input, before);
                (behind, seam)
            }
            false => {
                x.copy_rows(seam, &self.first, behind);
                (before, 0)
            }
        };
        let overwritten = with_own.start..strip.own.start;
        assert!(
            overwritten.is_empty()
                || self.rows.start <= overwritten.start && overwritten.end <= self.rows.end,
            "features that the window needs are gone"
        );
        if !overwritten.is_empty() {
            let first = overwritten.start - self.rows.start;
            x.copy_rows(to, &self.map, first..first + overwritten.len());
        }
        x.copy_rows(to + overwritten.len(), input, strip.own.start..with_own.end);
    }

    /// Keeps the rows of the strip's window `x` that are overwritten when the `next` one is loaded.
    pub(super) fn keep(&mut self, strip: &Strip, next: Option<&Strip>, x: &FeatureMap) {
        let rows = next.map_or(strip.own.end, |next| next.run().0)..strip.own.end;
        if !rows.is_empty() {
            if self.map.height() < rows.len() {
                self.map = FeatureMap::zeros(x.channels(), rows.len(), x.width());
            }
            let (first, of_window) = strip.run();
            let start = rows.start - first + of_window;
            self.map.copy_rows(0, x, start..start + rows.len());
        }
        self.rows = rows;
    }
}
