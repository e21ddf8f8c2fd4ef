//! Some rows of a layer, where a feature map does not hold all of them.

use std::ops::Range;

use crate::parallel::team;

use super::feature_map::FeatureMap;

/// Rows of a layer's features, in a map that has these and perhaps rows around them.
#[derive(Clone)]
pub struct Part<'f> {
    /// The features.
    pub map: &'f FeatureMap,
    /// The rows of the map that are meant.
    pub rows: Range<usize>,
    /// The row of the layer that is the first of these.
    pub first: usize,
    /// Rows of the whole layer.
    pub height: usize,
}

impl<'f> Part<'f> {
    /// All rows of a layer.
    pub fn whole(map: &'f FeatureMap) -> Self {
        Self { map, rows: 0..map.height(), first: 0, height: map.height() }
    }

    /// Whether these are all rows of the layer.
    pub fn is_whole(&self) -> bool {
        self.rows_of_layer() == (0..self.height)
    }

    /// The rows of the layer.
    pub fn rows_of_layer(&self) -> Range<usize> {
        self.first..self.first + self.rows.len()
    }
}

/// Which rows of a layer those of a map are: one after the other, and where the layer repeats, perhaps its first behind its last.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Place {
    /// The row of the layer that is the map's first.
    pub top: usize,
    /// The row of the map that is the layer's first once more, if there is one.
    pub seam: Option<usize>,
}

impl Place {
    /// The row of the layer that is row `y` of the map.
    #[inline(always)]
    pub fn row_of_layer(self, y: usize) -> usize {
        match self.seam {
            Some(seam) if y >= seam => y - seam,
            _ => self.top + y,
        }
    }

    /// The rows of the layer that a map of `height` rows has, in two runs, of which the second may be empty.
    pub fn runs(self, height: usize) -> [Range<usize>; 2] {
        let seam = self.seam.map_or(height, |seam| seam.min(height));
        [self.top..self.top + seam, 0..height - seam]
    }
}

impl FeatureMap {
    /// Fills the map with the rows of the layer `from` that are in its `place`.
    pub fn copy_from_place(&mut self, from: &Self, place: Place) {
        let [first, second] = place.runs(self.height());
        let behind = first.len();
        self.copy_rows(0, from, first);
        self.copy_rows(behind, from, second);
    }

    /// Copies the `rows` of `from`, without their border, to the rows from `to` on. Both have the same channels and width.
    ///
    /// # Panics
    /// If they have not, or one has not these rows.
    pub fn copy_rows(&mut self, to: usize, from: &Self, rows: Range<usize>) {
        assert_eq!((self.channels(), self.width()), (from.channels(), from.width()), "maps of other shapes");
        assert!(rows.end <= from.height() && to + rows.len() <= self.height(), "rows that a map has not");
        let (plane, stride) = (self.plane_len(), self.row_stride());
        team::for_each_chunk(self.data_mut(), plane.max(1), |block, plane| {
            for (at, row) in rows.clone().enumerate() {
                // Behind the border row and the border position.
                let start = (to + at + 1) * stride + stride / (from.width() + 2);
                let row = from.row(block, row);
                plane[start..start + row.len()].copy_from_slice(row);
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use ndarray::{Array3, s};

    use super::*;

    #[test]
    fn a_place_goes_on_with_the_first_rows() {
        let layer =
            FeatureMap::from_planes(Array3::from_shape_fn((3, 5, 2), |(c, y, _)| (c * 10 + y) as f32).view());
        let across = Place { top: 3, seam: Some(2) };
        assert_eq!(across.runs(4), [3..5, 0..2]);
        assert_eq!(Place { top: 1, seam: None }.runs(4), [1..5, 0..0]);
        assert_eq!(Place { top: 1, seam: Some(4) }.runs(4), [1..5, 0..0]);
        let mut map = FeatureMap::zeros(3, 4, 2);
        map.copy_from_place(&layer, across);
        for (y, of_layer) in [3, 4, 0, 1].into_iter().enumerate() {
            assert_eq!(across.row_of_layer(y), of_layer);
            assert_eq!(map.row(0, y), layer.row(0, of_layer));
        }
    }

    #[test]
    fn rows_are_copied_without_the_border() {
        let planes =
            |seed: usize| Array3::from_shape_fn((11, 5, 3), |(c, y, x)| (seed + c * 100 + y * 10 + x) as f32);
        for rows in [0..0, 0..1, 2..5, 0..5] {
            for to in 0..=5 - rows.len() {
                let mut map = FeatureMap::from_planes(planes(1).view());
                let mut from = FeatureMap::from_planes(planes(5000).view());
                from.wrap_border();
                map.copy_rows(to, &from, rows.clone());
                let mut expected = planes(1);
                let copied = s![.., to..to + rows.len(), ..];
                expected.slice_mut(copied).assign(&planes(5000).slice(s![.., rows.clone(), ..]));
                assert_eq!(map.to_planes(), expected, "{rows:?} to {to}");
                assert!(map.bordered_row(0, -1).iter().all(|value| *value == 0.0));
            }
        }
    }
}
