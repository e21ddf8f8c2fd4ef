//! Parallel writing to one feature map, divided into disjoint tiles.

#![expect(unsafe_code, reason = "tasks write to different parts of one map")]

use std::marker::PhantomData;
use std::ops::Range;

use crate::parallel::team;
use crate::tensor::feature_map::{BLOCK, FeatureMap};
use crate::tensor::rows::VectorRowMut;

/// The size of the tiles into which a map is divided. Those at its edges may be smaller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TileSize {
    /// Rows of a tile.
    pub height: usize,
    /// Columns of a tile.
    pub width: usize,
    /// Blocks of eight channels of a tile.
    pub blocks: usize,
}

impl TileSize {
    /// Whole rows of two channel blocks, the widest vector: for elementwise operations.
    pub fn strips(map: &FeatureMap) -> Self {
        // About 32 KiB per task: enough work to outweigh the scheduling, and within an L1 cache.
        let width = map.width().max(1);
        Self { height: (512 / width).max(1), width, blocks: 2 }
    }
}

/// A task's exclusive part of a map: a rectangle of positions in a range of channel blocks.
pub struct Tile<'a> {
    // Private: `row_mut` relies on these bounds.
    y: Range<usize>,
    x: Range<usize>,
    blocks: Range<usize>,
    data: *mut f32,
    plane: usize,
    row: usize,
    map: PhantomData<&'a mut FeatureMap>,
}

impl Tile<'_> {
    /// The tile's rows, in the map's coordinates.
    pub fn y(&self) -> Range<usize> {
        self.y.clone()
    }

    /// The tile's columns, in the map's coordinates.
    pub fn x(&self) -> Range<usize> {
        self.x.clone()
    }

    /// The tile's channel blocks.
    pub fn blocks(&self) -> Range<usize> {
        self.blocks.clone()
    }

    /// The tile's part of row `y` of `block`: eight floats per position.
    ///
    /// # Panics
    /// If the row is not in the tile.
    pub fn row(&self, block: usize, y: usize) -> &[f32] {
        let start = self.start(block, y);
        // SAFETY: as in `row_mut`; the tile is borrowed, so that nothing writes while the slice lives.
        unsafe { std::slice::from_raw_parts(self.data.add(start), self.x.len() * BLOCK) }
    }

    /// The tile's part of row `y` of `block`: eight floats per position.
    ///
    /// # Panics
    /// If the row is not in the tile.
    pub fn row_mut(&mut self, block: usize, y: usize) -> &mut [f32] {
        let start = self.start(block, y);
        // SAFETY: the tile is a part of the map, so the run lies inside its memory. The tiles of `for_each_tile` are
        // disjoint and this one is borrowed mutably, so nothing else accesses the run while the slice lives.
        unsafe { std::slice::from_raw_parts_mut(self.data.add(start), self.x.len() * BLOCK) }
    }

    /// Offset in floats, in the map, of the tile's part of row `y` of `block`.
    fn start(&self, block: usize, y: usize) -> usize {
        assert!(self.blocks.contains(&block) && self.y.contains(&y), "row outside the tile");
        block * self.plane + (y + 1) * self.row + (self.x.start + 1) * BLOCK
    }

    /// The tile's parts of the `N` rows from `y` on, as vectors of channels from `block` on. Rows past the tile are empty.
    #[inline(always)]
    pub fn vectors_mut<const N: usize>(&mut self, block: usize, y: usize) -> [VectorRowMut<'_>; N] {
        let second = if self.blocks.contains(&(block + 1)) { block + 1 } else { block };
        std::array::from_fn(|row| {
            let (y, positions) = match y + row < self.y.end {
                true => (y + row, self.x.len()),
                false => (self.y.start, 0),
            };
            // SAFETY: within a row as in `row_mut`; the rows do not overlap, and the tile stays borrowed while they
            // live.
            unsafe {
                let blocks = [block, second].map(|block| self.data.add(self.start(block, y)));
                VectorRowMut::new(blocks, positions)
            }
        })
    }

    /// All (block, row) of the tile at which a vector of `lanes` lanes starts.
    pub fn vectors(&self, lanes: usize) -> impl Iterator<Item = (usize, usize)> + use<> {
        let y = self.y.clone();
        self.blocks.clone().step_by(lanes / BLOCK).flat_map(move |block| y.clone().map(move |y| (block, y)))
    }

    /// All (block, row) of the tile.
    pub fn rows(&self) -> impl Iterator<Item = (usize, usize)> + use<> {
        let y = self.y.clone();
        self.blocks.clone().flat_map(move |block| y.clone().map(move |y| (block, y)))
    }

    /// Positions in the tile.
    pub fn positions(&self) -> usize {
        self.y.len() * self.x.len()
    }
}

/// A map's memory, shared by tasks that each access only their own tile.
#[derive(Clone, Copy)]
struct Shared(*mut f32);

// SAFETY: the pointer is only used through tiles, which do not overlap.
unsafe impl Send for Shared {}
// SAFETY: as above.
unsafe impl Sync for Shared {}

impl FeatureMap {
    /// Divides the map into a grid of tiles and runs `task` on each, in parallel.
    pub fn for_each_tile(&mut self, tile_size: TileSize, task: impl Fn(Tile) + Sync) {
        self.for_each_tile_of(0..self.height(), 0..self.width(), tile_size, task);
    }

    /// Like [`FeatureMap::for_each_tile`], for the positions `y` × `x` only.
    ///
    /// # Panics
    /// If these are not inside the map.
    pub fn for_each_tile_of(
        &mut self,
        y: Range<usize>,
        x: Range<usize>,
        tile_size: TileSize,
        task: impl Fn(Tile) + Sync,
    ) {
        assert!(y.end <= self.height() && x.end <= self.width(), "positions outside the map");
        let blocks = self.blocks();
        let (rows, columns) = (y.len().div_ceil(tile_size.height), x.len().div_ceil(tile_size.width));
        let (row, plane) = (self.row_stride(), (self.height() + 2) * self.row_stride());
        let shared = Shared(self.data_mut().as_mut_ptr());
        let range = |index: usize, step: usize, within: &Range<usize>| {
            // `step` may be as large as `usize::MAX`, but then `index` is 0, so only the addition can overflow.
            let start = within.start + index * step;
            start..start.saturating_add(step).min(within.end)
        };
        // Channel blocks vary fastest, so that a thread's share of the tasks is about the same rows in every layer.
        let runs = blocks.div_ceil(tile_size.blocks);
        team::for_each(rows * columns * runs, |index| {
            let Shared(data) = { shared };
            task(Tile {
                y: range(index / runs / columns, tile_size.height, &y),
                x: range(index / runs % columns, tile_size.width, &x),
                blocks: range(index % runs, tile_size.blocks, &(0..blocks)),
                data,
                plane,
                row,
                map: PhantomData,
            })
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tiles_cover_every_position_once() {
        for (c, h, w) in [(1, 1, 1), (20, 7, 5), (9, 1, 13), (8, 0, 4)] {
            for tile_size in [
                TileSize { height: 1, width: 1, blocks: 1 },
                TileSize { height: 3, width: 2, blocks: 2 },
                TileSize { height: 99, width: 99, blocks: 99 },
                TileSize { height: usize::MAX, width: usize::MAX, blocks: usize::MAX },
            ] {
                let mut map = FeatureMap::zeros(c, h, w);
                map.for_each_tile(tile_size, |mut tile| {
                    for block in tile.blocks.clone() {
                        for y in tile.y.clone() {
                            tile.row_mut(block, y).iter_mut().for_each(|v| *v += 1.0);
                        }
                    }
                });
                assert!(map.to_planes().iter().all(|v| *v == 1.0));
                assert!(map.data_mut().iter().sum::<f32>() as usize == c.div_ceil(8) * 8 * h * w);
            }
        }
    }

    #[test]
    fn tiles_of_a_region_cover_it_and_nothing_else() {
        for tile_size in [
            TileSize { height: 2, width: 3, blocks: 2 },
            TileSize { height: usize::MAX, width: usize::MAX, blocks: 3 },
        ] {
            let mut map = FeatureMap::zeros(17, 7, 9);
            map.for_each_tile_of(2..5, 1..8, tile_size, |mut tile| {
                for (block, y) in tile.rows() {
                    tile.row_mut(block, y).iter_mut().for_each(|v| *v += 1.0);
                    assert!(tile.row(block, y).iter().all(|v| *v == 1.0));
                }
            });
            for ((_, y, x), value) in map.to_planes().indexed_iter() {
                assert_eq!(*value, ((2..5).contains(&y) && (1..8).contains(&x)) as u8 as f32);
            }
        }
    }

    #[test]
    #[should_panic(expected = "outside the tile")]
    fn a_tile_gives_no_row_of_another() {
        FeatureMap::zeros(8, 2, 2).for_each_tile(TileSize { height: 1, width: 2, blocks: 1 }, |mut tile| {
            tile.row_mut(0, tile.y.end);
        });
    }
}
