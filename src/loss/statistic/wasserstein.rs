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
use super::principal::PrincipalComponents;

/// τ, as a share of the energy of a channel of the target: along its principal directions with less variance the target counts as
/// constant. There a style has little but its scan's noise, and a picture reaches the same variance with a few specks of a colour
/// that the style does not have. Chosen by how far the colours of pictures are from their styles'.
const LEAST_VARIANCE: f64 = 0.3;

/// δ, in the same unit: what is added to both variances along the principal directions. Without it, the gradient is not finite
/// where the features of a picture lack a dimension that the style's have; and rounding errors, some 1e-6 of the largest
/// eigenvalue, have to be small beside it.
const REGULARIZATION: f64 = 1e-2;

/// N×N matrices of f32 that the statistic keeps, the gradient among them, and a share of its scratch, which all layers use. With a
/// quarter as many principal directions as channels; the two networks' styles have a tenth to two fifths.
pub(super) const MATRICES: u64 = 2 + 1;

/// The Wasserstein statistic of one layer.
///
/// With C = S − μμᵀ and the target's C_a = S_a − μ_a·μ_aᵀ, V (N×R) the eigenvectors of C_a with an eigenvalue above τ,
/// Λ the diagonal matrix of these eigenvalues, each plus δ, and P = VᵀCV + δI:
///
/// ```text
/// value = (‖μ − μ_a‖² + tr C + R·δ + tr Λ − 2 tr (Λ^½PΛ^½)^½) / energy        energy = ‖μ_a‖² + tr C_a = tr S_a
/// T     = V·Λ^½·(Λ^½PΛ^½)^(−½)·Λ^½·Vᵀ
/// dC    = (I − T) / energy        dS = dC        dμ = 2·(μ − μ_a) / energy − 2·dC·μ
/// ```
///
/// But for δ that is the closed form of Olkin and Pukelsheim 1982 for the distance from the normal distribution of the mean μ_a
/// and the covariance VΛVᵀ, and T the matrix of the optimal transport map to it. Its rank is R, so that all but two products are
/// of R×R matrices.
///
/// With P = K·Kᵀ (Cholesky) and the polar decomposition Λ^½K = (Λ^½PΛ^½)^½·U, the root's trace is ⟨U, Λ^½K⟩ and
/// T = V·Λ^½·U·K⁻¹·Vᵀ. So no product with the small eigenvalues of P squared is ever formed, which f32 could not hold.
pub struct Wasserstein {
    isa: Isa,
    /// μ_a.
    target_mean: Array1<f32>,
    /// V, with the diagonal of Λ in units of energy/N as variances.
    target: PrincipalComponents,
    /// V and Vᵀ as right-hand sides.
    basis: PackedMatrix,
    transposed_basis: PackedMatrix,
    /// ‖μ_a‖² + tr C_a, or 1 if that is 0.
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
        let rows = |row| target.covariance_row(row, 0..n).map(|value| value * n as f64 / energy);
        let mut components = PrincipalComponents::above(LEAST_VARIANCE, n, rows);
        components.variances.iter_mut().for_each(|variance| *variance += REGULARIZATION);
        let (r, from) = (components.dimensions(), &components.basis);
        let [mut basis, mut transposed_basis] = [(); 2].map(|()| PackedMatrix::new(isa));
        pack(&mut basis, (n, r), from);
        transposed_basis.pack((r, n), GROUP_DEPTH, |row| move |column| from[column * stride(r) + row]);
        Self {
            isa,
            target_mean: target.mean,
            target: components,
            basis,
            transposed_basis,
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
        let value = self.covariance_term(slope as f32, moments);
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
    fn covariance_term(&mut self, slope: f32, moments: &Moments) -> f64 {
        let (n, r) = (moments.channels(), self.target.dimensions());
        let scale = n as f64 / self.energy;
        scratch::with([n * stride(r), r * stride(r), n * stride(n)], |[tall, transport, whole]| {
            let root = match r {
                // The target counts as constant, and T is 0.
                0 => {
                    whole.fill(0.0);
                    0.0
                }
                _ => {
                    self.project(scale, moments, tall, transport);
                    let root = self.transport(transport);
                    self.expand(transport, tall, whole);
                    root
                }
            };
            let ds = self.ds.as_slice_mut().expect("made contiguous");
            team::for_each_chunk(ds, n.max(1), |row, ds| {
                for (column, ds) in ds.iter_mut().enumerate() {
                    // T is symmetric but for rounding.
                    let t = 0.5 * (whole[row * stride(n) + column] + whole[column * stride(n) + row]);
                    *ds = slope * (f32::from(u8::from(row == column)) - t);
                }
            });
            let variances = (0..n).flat_map(|channel| moments.covariance_row(channel, channel..channel + 1));
            let trace = scale * variances.sum::<f64>() + r as f64 * REGULARIZATION;
            let target_trace: f64 = self.target.variances.iter().sum();
            let value = (trace + target_trace - 2.0 * root) / n as f64;
            // Rounding may leave a little less than 0, where the distributions are equal.
            if value < 0.0 { 0.0 } else { value }
        })
    }

    /// Writes P, R×R, to `projected`. `tall` is N×R.
    fn project(&mut self, scale: f64, moments: &Moments, tall: &mut [f32], projected: &mut [f32]) {
        let (n, r) = (moments.channels(), self.target.dimensions());
        let row = |row: usize, depth: Range<usize>, to: &mut [f32]| {
            let values = moments.covariance_row(row, depth);
            to.iter_mut().zip(values).for_each(|(to, value)| *to = (scale * value) as f32);
        };
        dense::multiply(r, row, &self.basis, Part::Whole, tall);
        pack(&mut self.packed, (n, r), tall);
        let basis = &self.target.basis;
        let row = |row: usize, depth: Range<usize>, to: &mut [f32]| {
            let column = basis[depth.start * stride(r) + row..].iter().step_by(stride(r));
            to.iter_mut().zip(column).for_each(|(to, value)| *to = *value);
        };
        dense::multiply(r, row, &self.packed, Part::Whole, projected);
        (0..r).for_each(|at| projected[at * stride(r) + at] += REGULARIZATION as f32);
    }

    /// Replaces P by Λ^½·U·K⁻¹, R×R, and returns tr (Λ^½PΛ^½)^½.
    fn transport(&mut self, p: &mut [f32]) -> f64 {
        let (isa, r) = (self.isa, self.target.dimensions());
        let deviations = || self.target.variances.iter().map(|variance| variance.sqrt() as f32);
        scratch::with([p.len(); 5], |[k, g, x, next, squares]| {
            k.copy_from_slice(p);
            factorize(isa, k, r, REGULARIZATION);
            scale_rows(deviations(), r, k, g);
            // The singular values of Λ^½K are at least the product of the least ones of Λ^½ and K.
            let u = orthogonal_factor(&mut self.packed, r, g, REGULARIZATION, [x, next], squares);
            let rows = (0..r).map(|row| [&*u, g].map(|matrix| &matrix[row * stride(r)..][..r]));
            let root = rows.map(|[u, g]| reduce::dot(u, g)).sum();
            scale_rows(deviations(), r, u, p);
            solve_rows(isa, k, r, p);
            root
        })
    }

    /// Writes T = V·A·Vᵀ, N×N, of the R×R matrix `a` to `whole`. `tall` is N×R.
    fn expand(&mut self, a: &[f32], tall: &mut [f32], whole: &mut [f32]) {
        let (n, r) = (self.target_mean.len(), self.target.dimensions());
        pack(&mut self.packed, (r, r), a);
        let basis = &self.target.basis;
        let row_of = |matrix: &[f32], row: usize, depth: Range<usize>, to: &mut [f32]| {
            to.copy_from_slice(&matrix[row * stride(r)..][depth]);
        };
        dense::multiply(r, |row, depth, to| row_of(basis, row, depth, to), &self.packed, Part::Whole, tall);
        let tall = &*tall;
        dense::multiply(
            n,
            |row, depth, to| row_of(tall, row, depth, to),
            &self.transposed_basis,
            Part::Whole,
            whole,
        );
    }
}

/// Writes the rows of an R×R matrix, each times its factor, to `to`.
fn scale_rows(factors: impl Iterator<Item = f32>, r: usize, matrix: &[f32], to: &mut [f32]) {
    for ((row, factor), to) in matrix.chunks_exact(stride(r)).zip(factors).zip(to.chunks_exact_mut(stride(r)))
    {
        to[..r].iter_mut().zip(row).for_each(|(to, value)| *to = factor * value);
    }
}

/// Packs a matrix with the [`stride`] of its columns.
fn pack(packed: &mut PackedMatrix, (rows, columns): (usize, usize), matrix: &[f32]) {
    packed.pack_parts((rows, columns), GROUP_DEPTH, |row, columns_of_part, to| {
        to.copy_from_slice(&matrix[row * stride(columns)..][columns_of_part]);
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Independent channels, in which the distance is a sum over them. The target's energy is that of four channels of 1.
    #[test]
    fn where_the_target_hardly_varies_it_counts_as_constant() {
        let of = |variances: [f64; 4], means: [f64; 4]| {
            let mut moments = Moments { count: 10.0, ..Moments::zeros(4) };
            for (channel, (variance, mean)) in variances.into_iter().zip(means).enumerate() {
                moments.mean[channel] = mean as f32;
                moments.second[[channel, channel]] = (variance + mean * mean) as f32;
            }
            moments
        };
        let target = of([0.2, 2.6, 0.0, 0.5], [0.0, 0.7f64.sqrt(), 0.0, 0.0]);
        let found = of([1.0, 0.9, 0.5, 0.8], [0.0; 4]);
        let term = |found: f64, target: f64| {
            ((found + REGULARIZATION).sqrt() - (target + REGULARIZATION).sqrt()).powi(2)
        };
        let expected = (0.7 + 1.0 + term(0.9, 2.6) + 0.5 + term(0.8, 0.5)) / 4.0;
        for isa in Isa::available() {
            let mut wasserstein = Wasserstein::new(isa, target.clone());
            assert_eq!(wasserstein.target.dimensions(), 2);
            let value = wasserstein.evaluate(1.0, &found, &mut Gradient::new(isa));
            assert!((value - expected).abs() < 1e-6, "{isa:?}: {value}, not {expected}");
            // No direction is left: the distance from a constant.
            let mut wasserstein =
                Wasserstein::new(isa, of([0.2, 0.0, 0.1, 0.0], [0.0, 3.7f64.sqrt(), 0.0, 0.0]));
            let value = wasserstein.evaluate(1.0, &found, &mut Gradient::new(isa));
            let expected = (3.7 + 1.0 + 0.9 + 0.5 + 0.8) / 4.0;
            assert!((value - expected).abs() < 1e-6, "{isa:?}: {value}, not {expected}");
        }
    }
}
