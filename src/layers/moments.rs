//! The moments of a layer's features over its positions, from which every style statistic is computed.
//!
//! With F the features as an N×M matrix, N channels by M positions, f_p its columns, and t_p ≥ 0 the positions' weights,
//! which are 1 unless a region is given:
//!
//! ```text
//! n = Σ t_p        μ = Σ t_p f_p / n        S = Σ t_p f_p f_pᵀ / n
//! ```
//!
//! Without weights n is M, and S is the Gram matrix G = F·Fᵀ of Gatys, Ecker and Bethge 2015, equation 3, divided by the
//! number of positions. All three are sums over positions, so the moments of a whole are the weighted mean of those of its
//! parts.

mod sum;

use std::ops::Range;

use ndarray::{Array1, Array2, ArrayView1, ArrayView2, s};

use crate::gemm::pointwise;
use crate::gemm::syrk;
use crate::gemm::weighted;
use crate::gemm::{GROUP_DEPTH, PackedMatrix};
use crate::parallel::scratch;
use crate::parallel::team;
use crate::simd::Isa;
use crate::tensor::feature_map::BLOCK;
use crate::tensor::{FeatureMap, Part, Place};

pub use sum::Sum;

/// Channel blocks whose rows of S one task computes. A task skips the columns before its band, so smaller bands save more
/// of the symmetric half, and larger ones read the features fewer times.
const BAND: usize = 8;

/// About how many positions are summed in f32 before the partial sums are added in f64: few enough for f32's precision.
const SLICE: usize = 2048;

/// The moments of N channels.
#[derive(Clone, Debug, PartialEq)]
pub struct Moments {
    /// n: the number of positions, or the sum of their weights.
    pub count: f64,
    /// μ: N means.
    pub mean: Array1<f32>,
    /// S: the second moment, N×N, symmetric.
    pub second: Array2<f32>,
}

impl Moments {
    /// All zero: the moments of no positions.
    pub fn zeros(channels: usize) -> Self {
        Self { count: 0.0, mean: Array1::zeros(channels), second: Array2::zeros((channels, channels)) }
    }

    /// Channels, N.
    pub fn channels(&self) -> usize {
        self.mean.len()
    }

    /// The elements `columns` of a row of the covariance C = S − μμᵀ.
    pub fn covariance_row(&self, row: usize, columns: Range<usize>) -> impl Iterator<Item = f64> {
        let mean = f64::from(self.mean[row]);
        let (second, others) = (self.second.slice(s![row, columns.clone()]), self.mean.slice(s![columns]));
        let element = move |(second, other): (&f32, &f32)| f64::from(*second) - mean * f64::from(*other);
        second.into_iter().zip(others).map(element)
    }

    /// The weighted mean of several moments of the same channels. With the parts' counts as weights these are the moments
    /// of the whole (but for `count`, which is averaged too); with the shares of styles, their blend.
    ///
    /// # Panics
    /// If there are no parts, their numbers of channels differ, or the sum of the weights is not positive and finite.
    pub fn mean_of(parts: &[(f64, &Self)]) -> Self {
        let total: f64 = parts.iter().map(|(weight, _)| weight).sum();
        assert!(total > 0.0 && total.is_finite(), "the weights sum to {total}");
        let mut mean = Self::zeros(parts[0].1.channels());
        for (weight, part) in parts {
            mean.count += weight / total * part.count;
            mean.mean.scaled_add((weight / total) as f32, &part.mean);
            mean.second.scaled_add((weight / total) as f32, &part.second);
        }
        mean
    }
}

/// The weights t of a layer's positions: a region of the picture, seen at the layer.
#[derive(Clone, Debug, PartialEq)]
pub struct PositionWeights {
    /// H×W, in standard layout.
    plane: Array2<f32>,
    sum: f64,
}

impl PositionWeights {
    /// The weights of H×W positions.
    ///
    /// # Panics
    /// If one is negative or not finite.
    pub fn new(plane: Array2<f32>) -> Self {
        assert!(plane.iter().all(|t| *t >= 0.0 && t.is_finite()), "weights are finite and not negative");
        let plane = if plane.is_standard_layout() { plane } else { plane.as_standard_layout().into_owned() };
        Self { sum: plane.iter().map(|t| f64::from(*t)).sum(), plane }
    }

    /// H×W.
    pub fn plane(&self) -> ArrayView2<'_, f32> {
        self.plane.view()
    }

    /// n = Σ t_p: how many whole positions they amount to.
    pub fn sum(&self) -> f64 {
        self.sum
    }

    /// The weights of the positions `x` in the rows `y` of a map in this place.
    fn of_rows(&self, place: Place, y: Range<usize>, x: Range<usize>) -> impl Iterator<Item = &f32> {
        y.flat_map(move |y| self.plane.slice(s![place.row_of_layer(y), x.clone()]))
    }
}

/// Computes the moments of the features `f`, N×H×W. Of the symmetric S only the upper half is summed, then mirrored.
///
/// # Panics
/// If `moments` does not have N channels.
pub fn forward(isa: Isa, f: &FeatureMap, moments: &mut Moments) {
    forward_part(isa, &Part::whole(f), None, moments);
}

/// Computes the moments of the features `f`, N×H×W, with weights of their positions. With weights of 1 these are those of
/// [`forward`], to the bit; without a weight above 0, all are 0. Rows of positions without weight take no time.
///
/// # Panics
/// If `moments` does not have N channels, or there are not H×W weights.
pub fn forward_weighted(isa: Isa, f: &FeatureMap, weights: &PositionWeights, moments: &mut Moments) {
    assert_eq!(weights.plane.nrows(), f.height(), "the weights and the map differ in size");
    forward_part(isa, &Part::whole(f), Some(weights), moments);
}

/// Computes the moments of a part of a layer, with weights of the layer's positions if there are such.
///
/// # Panics
/// If `moments` has other channels, or the layer fewer weights than the part has positions.
pub fn forward_part(isa: Isa, part: &Part, weights: Option<&PositionWeights>, moments: &mut Moments) {
    let f = part.map;
    let count = match weights {
        None => (part.rows.len() * f.width()) as f64,
        Some(weights) if part.is_whole() => weights.sum,
        Some(weights) => {
            weights.plane.slice(s![part.rows_of_layer(), ..]).iter().map(|t| f64::from(*t)).sum()
        }
    };
    // So little is nothing in f32.
    if count < f64::from(f32::MIN_POSITIVE) {
        moments.count = 0.0;
        moments.mean.fill(0.0);
        moments.second.fill(0.0);
        return;
    }
    let Some(weights) = weights else {
        return sum_slices(isa, part, count, moments, |blocks, y, products, sums| {
            syrk::update(isa, f, |block, y| f.row(block, y), blocks.clone(), y.clone(), products);
            syrk::channel_sums(isa, f, blocks, y, sums);
        });
    };
    // In Σ (t_p f_p) f_pᵀ only the left factors are multiplied by the weights: the band's channels, at a few rows at a time.
    let row_len = f.width() * BLOCK;
    let of_part = weights.plane.slice(s![part.rows_of_layer(), ..]);
    sum_slices(isa, part, count, moments, |blocks, y, products, sums| {
        for top in y.clone().step_by(syrk::chunk_rows(f)) {
            let y = top..(top + syrk::chunk_rows(f)).min(y.end);
            let of_rows = of_part.slice(s![y.start - part.rows.start..y.end - part.rows.start, ..]);
            if of_rows.iter().all(|t| *t == 0.0) {
                continue;
            }
            scratch::with([blocks.len() * y.len() * row_len], |[left]| {
                weighted::weigh(isa, f, of_rows, blocks.clone(), y.clone(), left, sums);
                let row = |block: usize, row: usize| {
                    &left[((block - blocks.start) * y.len() + row - y.start) * row_len..][..row_len]
                };
                syrk::update(isa, f, row, blocks.clone(), y.clone(), products);
            });
        }
    });
}

/// Sets `moments` to the sums over the positions of `part` divided by `count`. `add(blocks, y, products, sums)` adds those of
/// the rows `y`: to `products` the products of the channels of `blocks` with all channels, as [`syrk::update`] has them,
/// and to `sums` the channels themselves.
fn sum_slices(
    isa: Isa,
    part: &Part,
    count: f64,
    moments: &mut Moments,
    add: impl Fn(Range<usize>, Range<usize>, &mut [f32], &mut [f32]) + Sync,
) {
    let Part { map: f, rows: all_rows, .. } = part;
    let n = f.channels();
    assert_eq!(moments.channels(), n, "the moments and the features differ in channels");
    // Each slice of positions is summed on its own, and the slices' sums are added in order: the result does not depend on
    // the number of threads.
    let slices = (all_rows.len() * f.width() / SLICE).clamp(1, 64);
    let rows = all_rows.len().div_ceil(slices).max(1);
    let slices = all_rows.len().div_ceil(rows);
    let stride = syrk::row_stride(isa, f);
    // The partial sums of one task: the band's rows of S, followed by the sums of the band's channels.
    let products = BAND * BLOCK * stride;
    let band = products + BAND * BLOCK;
    scratch::with([f.blocks().div_ceil(BAND) * slices * band], |[partials]| {
        team::for_each_chunk(partials, band, |task, partial| {
            let (first, top) = (task / slices * BAND, all_rows.start + task % slices * rows);
            partial.fill(0.0);
            let (partial, sums) = partial.split_at_mut(products);
            let blocks = first..(first + BAND).min(f.blocks());
            let y = top..(top + rows).min(all_rows.end);
            let sums = &mut sums[..blocks.len() * BLOCK];
            add(blocks, y, partial, sums);
        });
        // The sum over all slices of the element `at` of the partial sums of the channel's band.
        let sum = |channel: usize, at: usize| {
            let of_band = &partials[channel / (BAND * BLOCK) * slices * band..];
            (0..slices).map(|slice| of_band[slice * band + at] as f64).sum::<f64>()
        };
        let scale = 1.0 / count as f32;
        moments.count = count;
        for (channel, mean) in moments.mean.iter_mut().enumerate() {
            *mean = sum(channel, products + channel % (BAND * BLOCK)) as f32 * scale;
        }
        let second = moments.second.as_slice_mut().expect("moments are made contiguous");
        // Only elements on and above the diagonal were summed.
        team::for_each_chunk(second, n.max(1), |i, row| {
            for (j, value) in row.iter_mut().enumerate() {
                let (row, column) = (i.min(j), i.max(j));
                *value = sum(row, row % (BAND * BLOCK) * stride + column) as f32 * scale;
            }
        });
    });
}

/// The gradient of the loss with respect to the moments of a layer, or of a region of it, packed for computing that with
/// respect to the features.
pub struct Gradient {
    channels: usize,
    /// 2·dS/n.
    matrix: PackedMatrix,
    /// dμ/n, zero-padded to the matrix's columns. Empty if the loss does not depend on μ.
    vector: Vec<f32>,
    /// The positions' weights in the moments; `None` if all are 1.
    weights: Option<PositionWeights>,
}

impl Gradient {
    /// An empty gradient, of no channels.
    pub fn new(isa: Isa) -> Self {
        Self { channels: 0, matrix: PackedMatrix::new(isa), vector: Vec::new(), weights: None }
    }

    /// An empty gradient, of no channels, with respect to the moments with these weights.
    pub fn weighted(isa: Isa, weights: PositionWeights) -> Self {
        Self { weights: Some(weights), ..Self::new(isa) }
    }

    /// Replaces the gradient by dS/n, N×N and symmetric, and dμ/n, N values, or `None` if the loss does not depend on μ.
    /// Allocates only to grow.
    pub fn set(&mut self, ds: ArrayView2<f32>, dmean: Option<ArrayView1<f32>>) {
        self.set_elements(ds.nrows(), |row| move |column| ds[[row, column]], dmean);
    }

    /// [`Gradient::set`] with the dS/n whose element (row, column) is `ds(row)(column)`.
    pub fn set_elements<Row: Fn(usize) -> f32>(
        &mut self,
        channels: usize,
        ds: impl Fn(usize) -> Row + Sync,
        dmean: Option<ArrayView1<f32>>,
    ) {
        self.channels = channels;
        self.matrix.pack((channels, channels), GROUP_DEPTH, |row| {
            let ds = ds(row);
            move |column| 2.0 * ds(column)
        });
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

    /// The positions' weights in the moments; `None` if all are 1.
    pub fn weights(&self) -> Option<&PositionWeights> {
        self.weights.as_ref()
    }

    /// Floats from one position to the next in the output of [`backward`].
    pub(super) fn stride(&self) -> usize {
        self.matrix.columns()
    }

    /// Whether it may be other than 0 at the positions `y` × `x` of a map in this place.
    pub(super) fn acts_on(&self, place: Place, y: Range<usize>, x: Range<usize>) -> bool {
        self.weights.as_ref().is_none_or(|weights| weights.of_rows(place, y, x).any(|t| *t > 0.0))
    }
}

/// Computes df_p = t_p·(2·dS·f_p + dμ)/n for the positions `y` × `x`, whose features are `row(block, y)`, in
/// a map in this `place` of the layer. In `df` each position's channels are contiguous, [`Gradient::stride`] floats apart. The factor 2 is there because S is quadratic in F.
/// With the Gram statistic this is equation 6 of Gatys et al. 2015 without its case F < 0, which is the derivative of the
/// ReLU and is applied by the epilogue.
pub(super) fn backward<'f>(
    gradient: &Gradient,
    row: impl Fn(usize, usize) -> &'f [f32],
    y: Range<usize>,
    x: Range<usize>,
    place: Place,
    df: &mut [f32],
) {
    let vector = (!gradient.vector.is_empty()).then_some(&gradient.vector[..]);
    pointwise::multiply(&gradient.matrix, vector, row, y.clone(), x.len(), df);
    if let Some(weights) = &gradient.weights {
        let weights = weights.of_rows(place, y, x);
        for (df, weight) in df.chunks_exact_mut(gradient.stride().max(1)).zip(weights) {
            df.iter_mut().for_each(|df| *df *= weight);
        }
    }
}
