//! The rows of a picture that a rank computes.

use std::ops::Range;

use ndarray::{ArrayView2, ArrayView3, Axis, s};

use crate::parallel::ranks::{Neighbours, Ranks};

use super::feature_map::FeatureMap;

/// The least multiple of rows at which pictures are cut: the stride of VGG's fifth group.
const LEAST_ALIGNMENT: usize = 16;

/// A band of rows of a picture, one of those that its ranks have from top to bottom. In maps at a stride it has as many fewer
/// rows: bands begin at multiples of the largest stride.
#[derive(Clone, Debug)]
pub struct Band {
    ranks: Ranks,
    height: usize,
    alignment: usize,
    rows: Range<usize>,
}

impl Band {
    /// This rank's band of a picture of `height` rows, of which maps have strides up to `stride`. Where the picture has too few
    /// rows, the last ranks have none.
    pub fn of(ranks: &Ranks, height: usize, stride: usize) -> Self {
        let alignment = stride.max(LEAST_ALIGNMENT);
        let rows = rows_of(ranks.rank(), ranks.count(), height, alignment);
        Self { ranks: ranks.clone(), height, alignment, rows }
    }

    /// All rows of a picture of so many.
    pub fn whole(height: usize) -> Self {
        Self::of(&Ranks::default(), height, LEAST_ALIGNMENT)
    }

    /// The ranks that share the picture.
    pub fn ranks(&self) -> &Ranks {
        &self.ranks
    }

    /// Rows of the whole picture.
    pub fn picture_height(&self) -> usize {
        self.height
    }

    /// This rank's rows of the picture.
    pub fn rows(&self) -> Range<usize> {
        self.rows.clone()
    }

    /// How many these are.
    pub fn height(&self) -> usize {
        self.rows.len()
    }

    /// Whether the band's first and last row are inside the picture: they have neighbours on other ranks.
    pub fn is_cut(&self) -> [bool; 2] {
        [self.rows.start > 0, self.rows.end < self.height].map(|inside| inside && !self.rows.is_empty())
    }

    /// This rank's rows of planes C×H×W.
    pub fn of_planes<'p>(&self, planes: ArrayView3<'p, f32>) -> ArrayView3<'p, f32> {
        planes.slice_move(s![.., self.rows(), ..])
    }

    /// This rank's rows of a plane H×W.
    pub fn of_plane<'p>(&self, plane: ArrayView2<'p, f32>) -> ArrayView2<'p, f32> {
        plane.slice_move(s![self.rows(), ..])
    }

    /// This rank's rows of a map at `stride`, H×W.
    pub fn of_plane_at<'p>(&self, stride: usize, plane: ArrayView2<'p, f32>) -> ArrayView2<'p, f32> {
        let end = if self.rows.end == self.height { plane.nrows() } else { self.rows.end / stride };
        plane.slice_move(s![(self.rows.start / stride).min(end)..end, ..])
    }

    /// Fills the border of a map's first and last row with the rows of the ranks above and below; if the map `wraps`, those of
    /// the first and the last rank with each other's. The border at the sides comes with them. Where there is no such rank,
    /// the border stays as it is.
    pub fn exchange_border(&self, map: &mut FeatureMap, wraps: bool) {
        if self.ranks.is_alone() || map.height() == 0 {
            return;
        }
        let (stride, last) = (map.row_stride(), map.height() as isize - 1);
        let rows_at = |y: isize| -> Vec<f32> {
            (0..map.blocks()).flat_map(|block| map.bordered_row(block, y)).copied().collect()
        };
        let (up, down) = (rows_at(0), rows_at(last));
        let [above, below] = self.exchange(wraps, [&up, &down]);
        let plane = map.plane_len();
        for (rows, at) in [(above, 0), (below, map.height() + 1)] {
            for (block, row) in rows.iter().flat_map(|rows| rows.chunks_exact(stride)).enumerate() {
                let start = block * plane + at * stride;
                map.data_mut()[start..start + stride].copy_from_slice(row);
            }
        }
    }

    /// The rows that are next to the band in planes C×H×W, of which `planes` has this rank's: C×W above and below. Nothing at
    /// the picture's edges, unless it `wraps`.
    pub fn rows_around(&self, planes: ArrayView3<f32>, wraps: bool) -> [Option<Vec<f32>>; 2] {
        if self.ranks.is_alone() || planes.is_empty() {
            return [None, None];
        }
        let row = |y: usize| -> Vec<f32> { planes.index_axis(Axis(1), y).iter().copied().collect() };
        let (up, down) = (row(0), row(planes.dim().1 - 1));
        self.exchange(wraps, [&up, &down])
    }

    /// Exchanges as many values with the neighbours.
    fn exchange(&self, wraps: bool, sent: [&[f32]; 2]) -> [Option<Vec<f32>>; 2] {
        let neighbours = self.neighbours(wraps);
        if neighbours == [Some(self.ranks.rank()); 2] {
            return [Some(sent[1].to_vec()), Some(sent[0].to_vec())];
        }
        let [mut above, mut below] = neighbours.map(|neighbour| neighbour.map(|_| vec![0.0; sent[0].len()]));
        let received = [&mut above, &mut below].map(|values| values.as_deref_mut().unwrap_or_default());
        self.ranks.exchange(neighbours, sent, received);
        [above, below]
    }

    /// The ranks of the bands above and below.
    fn neighbours(&self, wraps: bool) -> Neighbours {
        let (rank, [above, below]) = (self.ranks.rank(), self.is_cut());
        let with_rows =
            |rank: &usize| !rows_of(*rank, self.ranks.count(), self.height, self.alignment).is_empty();
        let last = (0..self.ranks.count()).rev().find(with_rows).unwrap_or(0);
        [
            if above { Some(rank - 1) } else { wraps.then_some(last) },
            if below { Some(rank + 1) } else { wraps.then_some(0) },
        ]
    }

    /// Shows `visit` on the first rank the whole of planes C×H×W, of which each rank has its rows, `planes`: one or several channels
    /// at a time. All ranks call it.
    pub fn gather(&self, planes: &[f32], channels: usize, width: usize, mut visit: impl FnMut(&[f32])) {
        if self.ranks.is_alone() {
            return visit(planes);
        }
        let count = self.ranks.count();
        let rows = (0..count).map(|rank| rows_of(rank, count, self.height, self.alignment).len());
        let lengths: Vec<_> = rows.map(|rows| rows * width).collect();
        let len = self.height() * width;
        for channel in 0..channels {
            // Of one channel the bands one after the other are the whole.
            if let Some(whole) = self.ranks.gather(&planes[channel * len..][..len], &lengths) {
                visit(&whole);
            }
        }
    }

    /// The whole of such planes, on all ranks.
    pub fn gather_for_all(&self, planes: &[f32], channels: usize, width: usize) -> Vec<f32> {
        let mut whole = Vec::with_capacity(channels * self.height * width);
        self.gather(planes, channels, width, |channels| whole.extend_from_slice(channels));
        whole.resize(channels * self.height * width, 0.0);
        self.ranks.broadcast_values(&mut whole);
        whole
    }
}

/// The rows of one rank of `ranks`, of a picture of `height` rows.
fn rows_of(rank: usize, ranks: usize, height: usize, alignment: usize) -> Range<usize> {
    let units = (height / alignment).max(1);
    let start = |rank: usize| (rank * (units / ranks) + rank.min(units % ranks)).min(units);
    // The rows past the last multiple are the last band's.
    let row = |unit: usize| if unit == units { height } else { unit * alignment };
    row(start(rank))..row(start(rank + 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bands_cover_the_picture_from_top_to_bottom() {
        for height in [0, 1, 15, 16, 17, 31, 32, 100, 512, 1023] {
            for ranks in 1..=9 {
                for alignment in [16, 32] {
                    let bands: Vec<_> =
                        (0..ranks).map(|rank| rows_of(rank, ranks, height, alignment)).collect();
                    assert_eq!((bands[0].start, bands[ranks - 1].end), (0, height));
                    for pair in bands.windows(2) {
                        assert_eq!(pair[0].end, pair[1].start);
                        // Those without rows come last.
                        assert!(!pair[0].is_empty() || pair[1].is_empty());
                    }
                    let cut = bands.iter().filter(|rows| rows.end < height);
                    assert!(cut.clone().all(|rows| rows.end % alignment == 0), "{bands:?}");
                    let units = bands.iter().map(|rows| rows.len() / alignment);
                    let most = units.clone().max().unwrap();
                    assert!(units.min().unwrap() + 1 >= most, "{bands:?}");
                }
            }
        }
    }
}
