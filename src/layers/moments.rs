//! Gram matrices: the products of every two channels, summed over the positions.
//!
//! Gatys, Ecker and Bethge 2015, equation 3: G = F·Fᵀ, with F the layer's features as an N×M matrix, N channels
//! by M positions.

use std::ops::Range;

use ndarray::{Array2, ArrayView2};

use crate::gemm::pointwise;
use crate::gemm::syrk;
use crate::gemm::{GROUP_DEPTH, PackedMatrix};
use crate::parallel::scratch;
use crate::parallel::team;
use crate::simd::Isa;
use crate::tensor::FeatureMap;
use crate::tensor::feature_map::BLOCK;

/// Channel blocks whose rows of G one task makes: the unit in which its symmetry saves work.
const BAND: usize = 8;

/// G = F·Fᵀ of the features `f`, N×H×W, times `scale`, written to `g`: N×N, symmetric. Half of it is computed.
pub fn forward(isa: Isa, f: &FeatureMap, scale: f32, g: &mut Array2<f32>) {
    let n = f.channels();
    assert_eq!(g.dim(), (n, n), "a Gram matrix of {n} channels");
    // Positions are cut into slices, each summed on its own and then all in order, so that the sum is the same
    // whatever the number of threads, and short enough for f32.
    let slices = (f.positions() / 2048).clamp(1, 64);
    let rows = f.height().div_ceil(slices).max(1);
    let slices = f.height().div_ceil(rows);
    let stride = syrk::row_stride(isa, f);
    let band = BAND * BLOCK * stride;
    scratch::with([f.blocks().div_ceil(BAND) * slices * band], |[partials]| {
        team::for_each_chunk(partials, band, |task, partial| {
            let (first, top) = (task / slices * BAND, task % slices * rows);
            partial.fill(0.0);
            let blocks = first..(first + BAND).min(f.blocks());
            syrk::update(isa, f, blocks, top..(top + rows).min(f.height()), partial);
        });
        // A band has what is on the diagonal and above it.
        let sum = |i: usize, j: usize| {
            let of_band = &partials[i / (BAND * BLOCK) * slices * band..];
            let at = i % (BAND * BLOCK) * stride + j;
            (0..slices).map(|slice| of_band[slice * band + at] as f64).sum::<f64>()
        };
        let g = g.as_slice_mut().expect("Gram matrices are made contiguous");
        team::for_each_chunk(g, n.max(1), |i, row| {
            for (j, g) in row.iter_mut().enumerate() {
                *g = sum(i.min(j), i.max(j)) as f32 * scale;
            }
        });
    });
}

/// A loss's gradient by a Gram matrix, dG, as the features' own gradient needs it.
pub struct Gradient {
    channels: usize,
    /// 2·dG.
    twice: PackedMatrix,
}

impl Gradient {
    /// Of no channel.
    pub fn new(isa: Isa) -> Self {
        Self { channels: 0, twice: PackedMatrix::new(isa) }
    }

    /// Takes the symmetric `dg`, N×N, in place of what there was. Allocates only to grow.
    pub fn set(&mut self, dg: ArrayView2<f32>) {
        self.channels = dg.nrows();
        self.twice.pack(dg.dim(), GROUP_DEPTH, |row| move |column| 2.0 * dg[[row, column]]);
    }

    /// Channels, N.
    pub fn channels(&self) -> usize {
        self.channels
    }

    /// Floats from one position's gradient to the next's.
    pub(super) fn stride(&self) -> usize {
        self.twice.columns()
    }
}

/// dF = 2·dG·F: each entry of G has two factors in F. For the rows `y` of `width` positions of which `row(block, y)` has
/// the features F; written to `df`, the channels of a position after another. With the gradient of the style loss
/// it is equation 6, without its case F < 0, which is the ReLU's own derivative and applied with it.
pub(super) fn backward<'f>(
    dg: &Gradient,
    row: impl Fn(usize, usize) -> &'f [f32],
    y: Range<usize>,
    width: usize,
    df: &mut [f32],
) {
    pointwise::multiply(&dg.twice, None, row, y, width, df);
}
