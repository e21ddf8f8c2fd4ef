//! The Wasserstein statistic: the squared 2-Wasserstein distance of two normal distributions.

use std::ops::Range;

use ndarray::{Array1, Array2};

use crate::gemm::dense::{self, Part, stride};
use crate::gemm::{GROUP_DEPTH, PackedMatrix};
use crate::layers::moments::{Gradient, Moments};
use crate::parallel::{reduce, scratch, team};
use crate::simd::Isa;

use super::cholesky::{factorize, solve_rows, solve_rows_twice};
use super::polar::orthogonal_factor;

/// δ: what is added to the diagonal of both covariances, as a share of the energy of a channel of the target. Without it, the
/// gradient is not finite where the features of a picture lack a dimension that the style's have; and the second moments'
/// rounding errors, some 1e-6 of the largest eigenvalue, have to be small beside it.
const REGULARIZATION: f64 = 1e-2;

/// τ, in the same unit: a direction of feature space in which the target's variance is b gets b³/(b² + τ²) in its place, so that
/// below τ it hardly varies. There the style has little but its scan's noise, and a picture reaches the same variance with a few
/// specks of a colour that the style does not have. Chosen by how far the colours of pictures are from their styles'.
const SHRINKAGE: f64 = 0.3;

/// N×N matrices of f32 that the statistic keeps, the gradient among them, and those in its scratch: the most of these, as four
/// in f64, while a target is made.
pub(super) const MATRICES: u64 = 4 + 8;

/// The Wasserstein statistic of one layer.
///
/// With C = S − μμᵀ + εI, for the target C_a = B³·(B² + τ²·I)⁻¹ + εI of its B = S_a − μ_a·μ_aᵀ, and L·Lᵀ = C_a:
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
        let target_trace = shrunk_covariance(isa, &target, n as f64 / energy, &mut factor);
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
    let element = |row, column| regularized(row, column, scale * moments.covariance(row, column));
    team::for_each_chunk(to, stride(n), |row, to| {
        for (column, to) in to[..=row].iter_mut().enumerate() {
            *to = element(row, column) as f32;
        }
    });
    (0..n).map(|channel| element(channel, channel)).sum()
}

/// Writes the [`covariance`] B of a target, shrunk to B³·(B² + τ²·I)⁻¹, and returns its trace. In f64, since B² has the squares of
/// B's eigenvalues.
fn shrunk_covariance(isa: Isa, moments: &Moments, scale: f64, to: &mut [f32]) -> f64 {
    let (n, stride) = (moments.channels(), stride(moments.channels()));
    let b = Array2::from_shape_fn((n, n), |(row, column)| scale * moments.covariance(row, column));
    let tau_squared = SHRINKAGE * SHRINKAGE;
    let rows_of = |matrix: &Array2<f64>| {
        let mut rows = vec![0.0; n * stride];
        for (to, row) in rows.chunks_exact_mut(stride).zip(matrix.outer_iter()) {
            to.iter_mut().zip(row).for_each(|(to, value)| *to = *value);
        }
        rows
    };
    let mut k = rows_of(&b.dot(&b));
    (0..n).for_each(|row| k[row * stride + row] += tau_squared);
    factorize(isa, &mut k, n, tau_squared);
    // B³·(B² + τ²·I)⁻¹ = B − τ²·X, where X = B·(B² + τ²·I)⁻¹.
    let mut x = rows_of(&b);
    solve_rows_twice(isa, &k, n, &mut x);
    let element = |row: usize, column: usize| {
        regularized(row, column, b[[row, column]] - tau_squared * x[row * stride + column])
    };
    for (row, to) in to.chunks_exact_mut(stride).enumerate() {
        to[..=row].iter_mut().enumerate().for_each(|(column, to)| *to = element(row, column) as f32);
    }
    (0..n).map(|channel| element(channel, channel)).sum()
}

/// An element of a covariance, with δ added to the diagonal.
fn regularized(row: usize, column: usize, covariance: f64) -> f64 {
    covariance + if row == column { REGULARIZATION } else { 0.0 }
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

#[cfg(test)]
mod tests {
    use super::*;

    /// The variances of independent channels, one of them with a mean, and of two channels of which one follows the other.
    #[test]
    fn small_variances_of_a_target_are_shrunk() {
        let mut moments = Moments::zeros(5);
        let variances = [10.0, 0.3, 0.01, 0.0];
        for (channel, variance) in variances.into_iter().enumerate() {
            moments.second[[channel, channel]] = variance;
        }
        moments.mean[1] = 2.0;
        moments.second[[1, 1]] += 4.0;
        // (1, −1)/√2 has the variance 4, (1, 1)/√2 has 0.
        [(3, 3, 2.0), (4, 4, 2.0), (3, 4, -2.0), (4, 3, -2.0)]
            .into_iter()
            .for_each(|(row, column, value)| moments.second[[row, column]] = value);
        let shrunk = |b: f64| b.powi(3) / (b * b + SHRINKAGE * SHRINKAGE);
        let expected = [
            (0, 0, shrunk(10.0) + REGULARIZATION),
            (1, 1, shrunk(0.3) + REGULARIZATION),
            (2, 2, shrunk(0.01) + REGULARIZATION),
            (3, 3, shrunk(4.0) / 2.0 + REGULARIZATION),
            (4, 3, -shrunk(4.0) / 2.0),
            (1, 0, 0.0),
        ];
        for isa in Isa::available() {
            let mut found = vec![0.0; 5 * stride(5)];
            let trace = shrunk_covariance(isa, &moments, 1.0, &mut found);
            for (row, column, expected) in expected {
                let found = found[row * stride(5) + column] as f64;
                assert!((found - expected).abs() < 1e-6, "{isa:?} {row} {column}: {found}, not {expected}");
            }
            let diagonal: f64 = (0..5).map(|channel| found[channel * stride(5) + channel] as f64).sum();
            assert!((trace - diagonal).abs() < 1e-6);
        }
    }
}
