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
    /// The row of the layer that is the map's first.
    pub top: usize,
    /// Rows of the whole layer.
    pub height: usize,
}

impl<'f> Part<'f> {
    /// All rows of a layer.
    pub fn whole(map: &'f FeatureMap) -> Self {
        Self { map, rows: 0..map.height(), top: 0, height: map.height() }
    }

    /// Whether these are all rows of the layer.
    pub fn is_whole(&self) -> bool {
        self.rows_of_layer() == (0..self.height)
    }

    /// The rows of the layer.
    pub fn rows_of_layer(&self) -> Range<usize> {
        self.top + self.rows.start..self.top + self.rows.end
    }
}

impl FeatureMap {
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
