//! The direct 3×3 convolution of a map of one channel block: of a picture, in VGG's first layer.
//!
//! Its patch matrix would be nine times the map, and Winograd's transforms would outweigh three channels' products. Here
//! the patches are read where they lie.

use std::ops::Range;

use crate::gemm::PackedMatrix;
use crate::gemm::micro_kernel::{Broadcast, Initial, Panel, RegisterTile, Tiles, cover};
use crate::simd::{Simd, TileKernel};
use crate::tensor::feature_map::{BLOCK, FeatureMap};

/// The sums of the positions `x` of row `y`, for the output channels `columns`, a panel: one position after another.
/// `matrix` has a row for each tap and channel, packed in one group.
pub fn multiply(
    matrix: &PackedMatrix,
    map: &FeatureMap,
    y: usize,
    x: Range<usize>,
    columns: Range<usize>,
    sums: &mut [f32],
) {
    matrix.isa().run_tiled(MultiplyPatches { matrix, map, y, x, columns, sums });
}

struct MultiplyPatches<'a> {
    matrix: &'a PackedMatrix,
    map: &'a FeatureMap,
    y: usize,
    x: Range<usize>,
    columns: Range<usize>,
    sums: &'a mut [f32],
}

impl TileKernel for MultiplyPatches<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd, const MR: usize, const NV: usize>(self, simd: S) {
        let Self { matrix, map, y, x, columns, sums } = self;
        let (width, channels) = (columns.len(), map.channels());
        let b = matrix.panels(0..9 * channels, columns);
        // From the position left of the first to that right of the last.
        let rows: [&[f32]; 3] = std::array::from_fn(|row| {
            let row = map.bordered_row(0, (y + row) as isize - 1);
            &row[x.start * BLOCK..(x.end + 2) * BLOCK]
        });
        let narrow = width < NV * S::LANES;
        cover::<S, MR, NV>(simd, x.len(), narrow, &mut PatchTiles { rows, channels, b, sums });
    }
}

/// The patches of a row's positions times a panel.
struct PatchTiles<'a> {
    /// The rows above, at and below, with a position more on either side.
    rows: [&'a [f32]; 3],
    channels: usize,
    b: &'a [f32],
    sums: &'a mut [f32],
}

impl<S: Simd> Tiles<S> for PatchTiles<'_> {
    #[inline(always)]
    fn tile<const MR: usize, const NV: usize>(&mut self, simd: S, x: usize) {
        let width = NV * S::LANES;
        let sums = &mut self.sums[x * width..];
        let mut tile = RegisterTile::<S, MR, NV>::begin(simd, Initial::Zeros, sums, width);
        let per_tap = self.channels * width;
        for tap in 0..9 {
            let from = x + tap % 3;
            let a = &self.rows[tap / 3][from * BLOCK..(from + MR) * BLOCK];
            tile.add_product(Broadcast::<BLOCK, 1>(a), Panel(&self.b[tap * per_tap..][..per_tap]));
        }
        tile.store(sums, width);
    }
}
