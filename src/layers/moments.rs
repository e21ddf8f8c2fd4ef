//! A layer's moments over the positions of its features: what a style is made of.
//!
//! With F the features as an N×M matrix, N channels by M positions, and f_p its columns:
//!
//! ```text
//! n = M        μ = Σ f_p / n        S = Σ f_p f_pᵀ / n
//! ```
//!
//! S is the Gram matrix G = F·Fᵀ of Gatys, Ecker and Bethge 2015, equation 3, over the number of positions. All three
//! are sums over positions, so that the moments of a whole are the weighted mean of those of its parts.

use std::ops::Range;

use ndarray::{Array1, Array2, ArrayView1, ArrayView2};

use crate::gemm::pointwise;
use crate::gemm::syrk;
use crate::gemm::{GROUP_DEPTH, PackedMatrix};
use crate::parallel::scratch;
use crate::parallel::team;
use crate::simd::Isa;
use crate::tensor::FeatureMap;
use crate::tensor::feature_map::BLOCK;

/// Channel blocks whose rows of S one task makes: the unit in which its symmetry saves work.
const BAND: usize = 8;

/// Positions of a slice, about: few enough to be summed in f32.
const SLICE: usize = 2048;

/// The moments of N channels.
#[derive(Clone, Debug, PartialEq)]
pub struct Moments {
    /// n: the number of positions, or the sum of their weights.
    pub count: f64,
    /// μ: N means.
    pub mean: Array1<f32>,
    /// S: the N×N means of products, symmetric.
    pub second: Array2<f32>,
}

impl Moments {
    /// The moments of no position.
    pub fn zeros(channels: usize) -> Self {
        Self { count: 0.0, mean: Array1::zeros(channels), second: Array2::zeros((channels, channels)) }
    }

    /// N.
    pub fn channels(&self) -> usize {
        self.mean.len()
    }

    /// The weighted mean of several moments of as many channels: those of a whole, where the weights are the parts'
    /// counts; a blend of styles, where they are shares.
    ///
    /// # Panics
    /// Where there are none, they differ in their channels, or the weights do not sum to a number above 0.
    pub fn mean_of(parts: &[(f64, &Self)]) -> Self {
        let total: f64 = parts.iter().map(|(weight, _)| weight).sum();
        assert!(total > 0.0 && total.is_finite(), "weights that sum to {total}");
        let mut mean = Self::zeros(parts[0].1.channels());
        for (weight, part) in parts {
            mean.count += weight / total * part.count;
            mean.mean.scaled_add((weight / total) as f32, &part.mean);
            mean.second.scaled_add((weight / total) as f32, &part.second);
        }
        mean
    }
}

/// The moments of the features `f`, N×H×W, written to `moments`, of as many channels. Of S half is computed.
pub fn forward(isa: Isa, f: &FeatureMap, moments: &mut Moments) {
    let n = f.channels();
    assert_eq!(moments.channels(), n, "moments of {n} channels");
    // Positions are cut into slices, each summed on its own and then all in order, so that the sum is the same
    // whatever the number of threads.
    let slices = (f.positions() / SLICE).clamp(1, 64);
    let rows = f.height().div_ceil(slices).max(1);
    let slices = f.height().div_ceil(rows);
    let stride = syrk::row_stride(isa, f);
    // A task's part: the band's rows of S, and the sums of its channels behind them.
    let products = BAND * BLOCK * stride;
    let band = products + BAND * BLOCK;
    scratch::with([f.blocks().div_ceil(BAND) * slices * band], |[partials]| {
        team::for_each_chunk(partials, band, |task, partial| {
            let (first, top) = (task / slices * BAND, task % slices * rows);
            partial.fill(0.0);
            let (partial, sums) = partial.split_at_mut(products);
            let blocks = first..(first + BAND).min(f.blocks());
            let y = top..(top + rows).min(f.height());
            syrk::update(isa, f, blocks.clone(), y.clone(), partial);
            let sums = &mut sums[..blocks.len() * BLOCK];
            syrk::channel_sums(isa, f, blocks, y, sums);
        });
        // The sum over all slices of what is at `at` in the band of channel `channel`.
        let sum = |channel: usize, at: usize| {
            let of_band = &partials[channel / (BAND * BLOCK) * slices * band..];
            (0..slices).map(|slice| of_band[slice * band + at] as f64).sum::<f64>()
        };
        let scale = 1.0 / f.positions() as f32;
        moments.count = f.positions() as f64;
        for (channel, mean) in moments.mean.iter_mut().enumerate() {
            *mean = sum(channel, products + channel % (BAND * BLOCK)) as f32 * scale;
        }
        let second = moments.second.as_slice_mut().expect("moments are made contiguous");
        // A band has what is on the diagonal and above it.
        team::for_each_chunk(second, n.max(1), |i, row| {
            for (j, value) in row.iter_mut().enumerate() {
                let (row, column) = (i.min(j), i.max(j));
                *value = sum(row, row % (BAND * BLOCK) * stride + column) as f32 * scale;
            }
        });
    });
}

/// A loss's gradient by the moments of a layer, as the features' own gradient needs it.
pub struct Gradient {
    channels: usize,
    /// 2·dS/n.
    matrix: PackedMatrix,
    /// dμ/n, padded with zeros to the matrix's columns. Empty where the loss does not look at μ.
    vector: Vec<f32>,
}

impl Gradient {
    /// Of no channel.
    pub fn new(isa: Isa) -> Self {
        Self { channels: 0, matrix: PackedMatrix::new(isa), vector: Vec::new() }
    }

    /// Takes dS/n, N×N and symmetric, and dμ/n, N, where the loss looks at μ, in place of what there was. Allocates only
    /// to grow.
    pub fn set(&mut self, ds: ArrayView2<f32>, dmean: Option<ArrayView1<f32>>) {
        self.channels = ds.nrows();
        self.matrix.pack(ds.dim(), GROUP_DEPTH, |row| move |column| 2.0 * ds[[row, column]]);
        self.vector.clear();
        if let Some(dmean) = dmean {
            self.vector.extend(dmean);
            self.vector.resize(self.matrix.columns(), 0.0);
        }
    }

    /// Channels, N.
    pub fn channels(&self) -> usize {
        self.channels
    }

    /// Floats from one position's gradient to the next's.
    pub(super) fn stride(&self) -> usize {
        self.matrix.columns()
    }
}

/// df_p = (2·dS·f_p + dμ)/n: each entry of S has two factors in F. For the rows `y` of `width` positions of which
/// `row(block, y)` has the features F; written to `df`, the channels of a position after another. With the gradient of
/// the Gram statistic it is equation 6 of the paper, without its case F < 0, which is the ReLU's own derivative and applied
/// with it.
pub(super) fn backward<'f>(
    gradient: &Gradient,
    row: impl Fn(usize, usize) -> &'f [f32],
    y: Range<usize>,
    width: usize,
    df: &mut [f32],
) {
    let vector = (!gradient.vector.is_empty()).then_some(&gradient.vector[..]);
    pointwise::multiply(&gradient.matrix, vector, row, y, width, df);
}
