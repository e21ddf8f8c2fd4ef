//! Product of every position's channels with a matrix, the features read as they lie: a 1×1 convolution.

use std::ops::Range;

use crate::gemm::{GROUP_DEPTH, PackedMatrix};
use crate::simd::{Simd, TileKernel};
use crate::tensor::feature_map::BLOCK;

use super::micro_kernel::{Broadcast, Initial, Panel, RegisterTile, Tiles, cover};

/// Blocks of a group of the matrix's rows.
const GROUP_BLOCKS: usize = GROUP_DEPTH / BLOCK;

/// For the rows `y` of `width` positions each, of which `row(block, y)` has the features: each position's channels times
/// the matrix, written one position after another, as far apart as the matrix has columns. The matrix has a row a
/// channel, packed in groups of [`GROUP_DEPTH`].
pub fn multiply<'f>(
    matrix: &PackedMatrix,
    row: impl Fn(usize, usize) -> &'f [f32],
    y: Range<usize>,
    width: usize,
    to: &mut [f32],
) {
    matrix.isa().run_tiled(MultiplyPositions { matrix, row, y, width, to });
}

struct MultiplyPositions<'a, Row> {
    matrix: &'a PackedMatrix,
    row: Row,
    y: Range<usize>,
    width: usize,
    to: &'a mut [f32],
}

impl<'f, Row: Fn(usize, usize) -> &'f [f32]> TileKernel for MultiplyPositions<'_, Row> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd, const MR: usize, const NV: usize>(self, simd: S) {
        let Self { matrix, row, y, width, to } = self;
        let stride = matrix.columns();
        let (panel, first) = (NV * S::LANES, y.start);
        let mut features: [&[f32]; GROUP_BLOCKS] = [&[]; GROUP_BLOCKS];
        for y in y {
            let to = &mut to[(y - first) * width * stride..][..width * stride];
            for group in matrix.groups() {
                let blocks = group.start / BLOCK..group.end.div_ceil(BLOCK);
                for (features, block) in features.iter_mut().zip(blocks.clone()) {
                    *features = &row(block, y)[..width * BLOCK];
                }
                let features = &features[..blocks.len()];
                let initial = if group.start > 0 { Initial::Sums } else { Initial::Zeros };
                for left in (0..stride).step_by(panel) {
                    let columns = left..(left + panel).min(stride);
                    let narrow = columns.len() < panel;
                    let b = matrix.panels(group.clone(), columns);
                    let to = &mut to[left..];
                    let mut tiles = PositionTiles { features, b, to, stride, initial };
                    cover::<S, MR, NV>(simd, width, narrow, &mut tiles);
                }
            }
        }
    }
}

/// A group's channels of a row's positions times a panel.
struct PositionTiles<'a> {
    /// By block of the group.
    features: &'a [&'a [f32]],
    b: &'a [f32],
    to: &'a mut [f32],
    stride: usize,
    initial: Initial,
}

impl<S: Simd> Tiles<S> for PositionTiles<'_> {
    #[inline(always)]
    fn tile<const MR: usize, const NV: usize>(&mut self, simd: S, x: usize) {
        let to = &mut self.to[x * self.stride..];
        let mut tile = RegisterTile::<S, MR, NV>::begin(simd, self.initial, to, self.stride);
        for (features, b) in self.features.iter().zip(self.b.chunks(BLOCK * NV * S::LANES)) {
            tile.add_product(Broadcast::<BLOCK, 1>(&features[x * BLOCK..(x + MR) * BLOCK]), Panel(b));
        }
        tile.store(to, self.stride);
    }
}
