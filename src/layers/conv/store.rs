//! What is done to a convolution's sums while they are in cache or registers, on their way into the map.

use std::ops::Range;

use crate::kernels::feature_map::BLOCK;
use crate::kernels::tiles::Tile;
use crate::layers::{Finish, Taps};

/// Takes a run of sums to its place.
pub trait Store: Sync {
    /// Writes the sums of the positions `x` of row `y` of `block`, each a block of channels, into the tile.
    fn write<'p>(
        &self,
        tile: &mut Tile,
        block: usize,
        y: usize,
        x: Range<usize>,
        sums: impl Iterator<Item = &'p [f32; BLOCK]>,
    );
}

/// Adds the bias and applies the ReLU.
pub struct Forward<'a> {
    /// By channel block.
    pub bias: &'a [[f32; BLOCK]],
    /// Whether there is a ReLU.
    pub relu: bool,
}

impl Store for Forward<'_> {
    #[inline(always)]
    fn write<'p>(
        &self,
        tile: &mut Tile,
        block: usize,
        y: usize,
        x: Range<usize>,
        sums: impl Iterator<Item = &'p [f32; BLOCK]>,
    ) {
        let floor = if self.relu { 0.0 } else { f32::NEG_INFINITY };
        let bias = &self.bias[block];
        for (to, sums) in positions(tile, block, y, x).iter_mut().zip(sums) {
            for ((to, sum), bias) in to.iter_mut().zip(sums).zip(bias) {
                let value = sum + bias;
                // Not `max`, which would turn NaN into 0 and hide it.
                *to = if value < floor { floor } else { value };
            }
        }
    }
}

/// Finishes the gradient and writes it over the features.
pub struct Backward<'a> {
    /// What else is done to it.
    pub finish: Finish<'a>,
}

impl Store for Backward<'_> {
    #[inline(always)]
    fn write<'p>(
        &self,
        tile: &mut Tile,
        block: usize,
        y: usize,
        x: Range<usize>,
        sums: impl Iterator<Item = &'p [f32; BLOCK]>,
    ) {
        let mut taps = Taps::of_row(self.finish, block, y, x.clone());
        for (x, sums) in positions(tile, block, y, x).iter_mut().zip(sums) {
            self.finish.write(x, sums, taps.next());
        }
    }
}

/// The positions `x` of row `y` of `block` in the tile's map.
#[inline(always)]
fn positions<'t>(tile: &'t mut Tile, block: usize, y: usize, x: Range<usize>) -> &'t mut [[f32; BLOCK]] {
    let first = tile.x().start;
    &mut tile.row_mut(block, y).as_chunks_mut().0[x.start - first..x.end - first]
}
