//! The Wasserstein statistic: the squared 2-Wasserstein distance of two normal distributions.

use std::ops::Range;

use ndarray::{Array1, Array2};

use crate::gemm::dense::{self, Part, stride};
use crate::gemm::{GROUP_DEPTH, PackedMatrix};
use crate::layers::moments::{Gradient, Moments};
use crate::parallel::{reduce, scratch, team};
use crate::simd::Isa;

use super::cholesky::{factorize, solve_rows};
use super::polar::orthogonal_factor;

/// δ: what is added to the diagonal of both covariances, as a share of the energy of a channel of the target. Without it, the
/// gradient is not finite where the features of a picture lack a dimension that the style's have; and the second moments'
/// rounding errors, some 1e-6 of the largest eigenvalue, have to be small beside it.
const REGULARIZATION: f64 = 1e-2;

/// N×N matrices that the statistic keeps, the gradient among them, and those in its scratch.
pub(super) const MATRICES: u64 = 4 + 5;

/// The Wasserstein statistic of one layer.
///
/// With C = S − μμᵀ + εI, so for the target C_a, and L·Lᵀ = C_a:
///
/// ```text
/// value = (‖μ − μ_a‖² + tr C + tr C_a − 2 tr (LᵀCL)^½) / energy        energy = ‖μ_a‖² + tr (S_a − μ_a·μ_aᵀ) = tr S_a
/// T     = L·(LᵀCL)^(−½)·Lᵀ, the optimal transport map's matrix from C to C_a
/// dC    = (I − T) / energy        dS = dC        dμ = 2·(μ − μ_a) / energy − 2·dC·μ
/// ```
///
/// That is the closed form of Olkin and Pukelsheim 1982 with a factor L in place of the root C_a^½, which leaves all traces and
/// T as they are. With C = K·Kᵀ (Cholesky) and the polar decomposition LᵀK = (LᵀCL)^½·U, the root's trace is ⟨U, LᵀK⟩ and
/// T = L·U·K⁻¹. So no product with the small eigenvalues of C squared is ever formed, which f32 could not hold.
pub struct Wasserstein {
    isa: Isa,
    /// μ_a.
    target_mean: Array1<f32>,
    /// L, N×N, of C_a in units of energy/N, and its transpose.
    factor: Vec<f32>,
    transposed: Vec<f32>,
    /// tr C_a in these units.
    target_trace: f64,
    /// ‖μ_a‖² + tr (S_a − μ_a·μ_aᵀ), or 1 if that is 0.
    energy: f64,
    packed: PackedMatrix,
    /// dS/n and dμ/n of the last evaluation.
    ds: Array2<f32>,
    dmean: Array1<f32>,
}

impl Wasserstein {
    /// The statistic with a style's moments as target.
    pub(super) fn new(isa: Isa, target: Moments) -> Self {
        let n = target.channels();
        let energy: f64 = target.second.diag().iter().map(|value| *value as f64).sum();
        let energy = if energy > 0.0 { energy } else { 1.0 };
        let mut factor = vec![0.0; n * stride(n)];
        let target_trace = covariance(&target, n as f64 / energy, &mut factor);
        factorize(isa, &mut factor, n, REGULARIZATION);
        let mut transposed = vec![0.0; factor.len()];
        for (row, column) in (0..n).flat_map(|row| (row..n).map(move |column| (row, column))) {
            transposed[row * stride(n) + column] = factor[column * stride(n) + row];
        }
        Self {
            isa,
            target_mean: target.mean,
            factor,
            transposed,
            target_trace,
            energy,
            packed: PackedMatrix::new(isa),
            ds: Array2::zeros((n, n)),
            dmean: Array1::zeros(n),
        }
    }

    /// See [`Distance::evaluate`](super::Distance::evaluate).
    pub(super) fn evaluate(&mut self, weight: f64, moments: &Moments, gradient: &mut Gradient) -> f64 {
        let n = moments.channels();
        assert_eq!(n, self.target_mean.len(), "the moments and the target differ in channels");
        let slope = weight / (self.energy * moments.count);
        let value =
            scratch::with([n * stride(n); 5], |buffers| self.transport(slope as f32, moments, buffers));
        let Self { target_mean, ds, dmean, .. } = self;
        let mean = moments.mean.as_slice().expect("made contiguous");
        let mut squares = 0.0;
        for (channel, ds) in ds.outer_iter().enumerate() {
            let product: f64 = ds.iter().zip(mean).map(|(ds, mean)| *ds as f64 * *mean as f64).sum();
            let error = mean[channel] as f64 - target_mean[channel] as f64;
            squares += error * error;
            dmean[channel] = (2.0 * (slope * error - product)) as f32;
        }
        gradient.set(self.ds.view(), Some(self.dmean.view()));
        value + squares / self.energy
    }

    /// The part of the value that depends on the covariances. Sets dS to `slope` · (I − T).
    fn transport(&mut self, slope: f32, moments: &Moments, buffers: [&mut [f32]; 5]) -> f64 {
        let Self { isa, factor, transposed, packed, ds, .. } = self;
        let (n, isa) = (moments.channels(), *isa);
        let stride = stride(n);
        let [k, g, x, next, squares] = buffers;
        let trace = covariance(moments, n as f64 / self.energy, k);
        factorize(isa, k, n, REGULARIZATION);
        multiply(packed, n, transposed, k, g);
        // The singular values of LᵀK are at least the product of the least ones of L and K.
        let u = orthogonal_factor(packed, n, g, REGULARIZATION, [x, next], squares);
        let root = (0..n).map(|row| [&*u, g].map(|matrix| &matrix[row * stride..][..n]));
        let root: f64 = root.map(|[u, g]| reduce::dot(u, g)).sum();
        let transport = g;
        multiply(packed, n, factor, u, transport);
        solve_rows(isa, k, n, transport);
        let transport = &*transport;
        let ds = ds.as_slice_mut().expect("made contiguous");
        team::for_each_chunk(ds, n.max(1), |row, ds| {
            for (column, ds) in ds.iter_mut().enumerate() {
                // T is symmetric but for rounding.
                let t = 0.5 * (transport[row * stride + column] + transport[column * stride + row]);
                *ds = slope * (f32::from(u8::from(row == column)) - t);
            }
        });
        let value = (trace + self.target_trace - 2.0 * root) / n as f64;
        // Rounding may leave a little less than 0, where the covariances are equal.
        if value < 0.0 { 0.0 } else { value }
    }
}

/// Writes the covariance S − μμᵀ, times `scale` and with δ added to its diagonal, to `to`, and returns its trace.
fn covariance(moments: &Moments, scale: f64, to: &mut [f32]) -> f64 {
    let n = moments.channels();
    let element = |row: usize, column: usize| {
        let product = moments.mean[row] as f64 * moments.mean[column] as f64;
        let diagonal = if row == column { REGULARIZATION } else { 0.0 };
        scale * (moments.second[[row, column]] as f64 - product) + diagonal
    };
    team::for_each_chunk(to, stride(n), |row, to| {
        for (column, to) in to[..=row].iter_mut().enumerate() {
            *to = element(row, column) as f32;
        }
    });
    (0..n).map(|channel| element(channel, channel)).sum()
}

/// C = A·B of N×N matrices.
fn multiply(packed: &mut PackedMatrix, n: usize, a: &[f32], b: &[f32], c: &mut [f32]) {
    let stride = stride(n);
    packed.pack_parts((n, n), GROUP_DEPTH, |row, columns, to| {
        to.copy_from_slice(&b[row * stride..][columns]);
    });
    let row = |row: usize, depth: Range<usize>, to: &mut [f32]| to.copy_from_slice(&a[row * stride..][depth]);
    dense::multiply(n, row, packed, Part::Whole, c);
}
