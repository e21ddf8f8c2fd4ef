//! The Cholesky factor of a symmetric positive definite matrix, and the solution of equations with it.

use ndarray::NdFloat;

use crate::gemm::dense::stride;
use crate::parallel::team;
use crate::simd::{Isa, Kernel, Simd};

/// Columns of the factor that are computed between two waits of the team.
const COLUMNS: usize = 48;

/// Rows of the solution that one task computes: the factor is read once for all of them.
const ROWS: usize = 8;

/// Replaces the lower triangle of the N×N matrix `k` by its Cholesky factor K, so that K·Kᵀ is the matrix, whose upper triangle
/// is not read. The elements above the diagonal become 0. The matrix's eigenvalues should be `least` or above: pivots that
/// rounding leaves below are raised to it.
///
/// # Panics
/// If `k` is not N×N.
pub fn factorize<F: NdFloat>(isa: Isa, k: &mut [F], n: usize, least: f64) {
    let stride = stride(n);
    assert_eq!(k.len(), n * stride, "the matrix is not {n}×{n}");
    for first in (0..n).step_by(COLUMNS) {
        let after = (first + COLUMNS).min(n);
        let (above, below) = k.split_at_mut(after * stride);
        for row in first..after {
            let (factor, row) = above.split_at_mut(row * stride);
            isa.run(FactorRow { factor, row: &mut row[..stride], first, least: Some(least) });
        }
        let factor = &*above;
        team::for_each_chunk(below, stride, |_, row| isa.run(FactorRow { factor, row, first, least: None }));
    }
    team::for_each_chunk(k, stride, |row, values| values[row + 1..].fill(F::zero()));
}

/// Computes the elements of a row of the factor from column `first` on, as many as there are rows of `factor`, and then, with
/// `least`, the diagonal element.
struct FactorRow<'a, F> {
    /// The factor's first rows.
    factor: &'a [F],
    row: &'a mut [F],
    first: usize,
    least: Option<f64>,
}

impl<F: NdFloat> Kernel for FactorRow<'_, F> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, _simd: S) {
        let Self { factor, row, first, least } = self;
        for (column, factor) in factor.chunks_exact(row.len()).enumerate().skip(first) {
            let value = wide(row[column]) - dot(&row[..column], &factor[..column]);
            row[column] = narrow(value / wide(factor[column]));
        }
        if let Some(least) = least {
            let column = factor.len() / row.len();
            let value = wide(row[column]) - dot(&row[..column], &row[..column]);
            row[column] = narrow(value.max(least).sqrt());
        }
    }
}

/// Σ aᵢ·bᵢ in f64: a factor's elements are small differences of long sums.
#[inline(always)]
fn dot<F: NdFloat>(a: &[F], b: &[F]) -> f64 {
    // Independent sums, so that the compiler can vectorise.
    let mut lanes = [0.0f64; 16];
    let (a_lanes, b_lanes) = (a.as_chunks::<16>(), b.as_chunks::<16>());
    for (a, b) in a_lanes.0.iter().zip(b_lanes.0) {
        for ((lane, a), b) in lanes.iter_mut().zip(a).zip(b) {
            *lane += wide(*a) * wide(*b);
        }
    }
    let remainder: f64 = a_lanes.1.iter().zip(b_lanes.1).map(|(a, b)| wide(*a) * wide(*b)).sum();
    lanes.iter().sum::<f64>() + remainder
}

#[inline(always)]
fn wide<F: NdFloat>(value: F) -> f64 {
    value.to_f64().expect("f32 and f64 have a value in f64")
}

#[inline(always)]
fn narrow<F: NdFloat>(value: f64) -> F {
    F::from(value).expect("f64 has a value in f32 and f64")
}

/// Replaces each row b of `rows` by x with x·K·Kᵀ = b, where K is a factor of [`factorize`].
///
/// # Panics
/// If `k` is not N×N.
pub fn solve_rows_twice<F: NdFloat>(isa: Isa, k: &[F], n: usize, rows: &mut [F]) {
    assert_eq!(k.len(), n * stride(n), "the factor is not {n}×{n}");
    // x·Kᵀ = b is what gives a row of a factor its elements.
    team::for_each_chunk(rows, stride(n), |_, row| {
        isa.run(FactorRow { factor: k, row, first: 0, least: None })
    });
    solve_rows(isa, k, n, rows);
}

/// Replaces each row b of `rows` by x with x·K = b, where K is a factor of [`factorize`].
///
/// # Panics
/// If `k` is not N×N.
pub fn solve_rows<F: NdFloat>(isa: Isa, k: &[F], n: usize, rows: &mut [F]) {
    assert_eq!(k.len(), n * stride(n), "the factor is not {n}×{n}");
    team::for_each_chunk(rows, ROWS * stride(n), |_, rows| isa.run(SolveRows { k, stride: stride(n), rows }));
}

struct SolveRows<'a, F> {
    k: &'a [F],
    stride: usize,
    rows: &'a mut [F],
}

impl<F: NdFloat> Kernel for SolveRows<'_, F> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, _simd: S) {
        let Self { k, stride, rows } = self;
        for (column, k) in k.chunks_exact(stride).enumerate().rev() {
            for row in rows.chunks_exact_mut(stride) {
                let x = row[column] / k[column];
                row[column] = x;
                for (b, k) in row[..column].iter_mut().zip(k) {
                    *b -= x * *k;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(i: usize) -> f32 {
        ((i * 7919 + 13) % 2003) as f32 / 1001.0 - 1.0
    }

    /// A·Aᵀ + I/4 for some A, with NaN above the diagonal.
    fn positive_definite(n: usize) -> Vec<f32> {
        let element = |i: usize, j: usize| {
            let products = (0..n).map(|k| value(i * n + k) as f64 * value(j * n + k) as f64);
            (products.sum::<f64>() / n as f64 + if i == j { 0.25 } else { 0.0 }) as f32
        };
        let at = |at: usize| (at / stride(n), at % stride(n));
        (0..n * stride(n)).map(at).map(|(i, j)| if j > i { f32::NAN } else { element(i, j) }).collect()
    }

    #[test]
    fn the_factor_times_its_transpose_is_the_matrix_and_equations_are_solved() {
        for isa in Isa::available() {
            for n in [0, 1, 2, 15, 16, 17, 47, 48, 49, 100] {
                let (matrix, stride) = (positive_definite(n), stride(n));
                let mut k = matrix.clone();
                factorize(isa, &mut k, n, 1e-6);
                let rows = n.min(11);
                let b: Vec<f32> = (0..rows * stride).map(value).collect();
                let mut x = b.clone();
                solve_rows(isa, &k, n, &mut x);
                for (i, j) in (0..n * n).map(|at| (at / n, at % n)) {
                    let [row, column] = [i, j].map(|row| &k[row * stride..][..n]);
                    let dot = |a: &[f32], b: &[f32]| -> f64 {
                        a.iter().zip(b).map(|(a, b)| *a as f64 * *b as f64).sum()
                    };
                    if j <= i {
                        let expected = matrix[i * stride + j] as f64;
                        assert!((dot(row, column) - expected).abs() < 1e-6, "{isa:?} {n} {i} {j}");
                    } else {
                        assert_eq!(row[j], 0.0, "{isa:?} {n} {i} {j}");
                    }
                    if i < rows {
                        let column: Vec<_> = (0..n).map(|row| k[row * stride + j]).collect();
                        let found = dot(&x[i * stride..], &column);
                        assert!(
                            (found - b[i * stride + j] as f64).abs() < 1e-5,
                            "{isa:?} {n} {i} {j}: {found}"
                        );
                    }
                }
            }
        }
    }

    #[test]
    fn equations_with_the_matrix_are_solved_in_f64() {
        for isa in Isa::available() {
            for n in [1, 2, 15, 17, 48, 49, 100] {
                let (matrix, stride) = (positive_definite(n), stride(n));
                let element = |i: usize, j: usize| f64::from(matrix[i.max(j) * stride + i.min(j)]);
                let mut k: Vec<f64> = matrix.iter().copied().map(f64::from).collect();
                factorize(isa, &mut k, n, 1e-9);
                let b: Vec<f64> = (0..n * stride).map(value).map(f64::from).collect();
                let mut x = b.clone();
                solve_rows_twice(isa, &k, n, &mut x);
                for (i, j) in (0..n * n).map(|at| (at / n, at % n)) {
                    let found: f64 = (0..n).map(|at| x[i * stride + at] * element(at, j)).sum();
                    assert!((found - b[i * stride + j]).abs() < 1e-12, "{isa:?} {n} {i} {j}: {found}");
                }
            }
        }
    }

    #[test]
    fn a_singular_matrix_has_a_factor_all_the_same() {
        let stride = stride(3);
        let mut k = vec![1.0; 3 * stride];
        factorize(Isa::best(), &mut k, 3, 0.25);
        let rows: Vec<_> = k.chunks(stride).flat_map(|row| row[..3].to_vec()).collect();
        assert_eq!(rows, [1.0, 0.0, 0.0, 1.0, 0.5, 0.0, 1.0, 0.0, 0.5]);
    }
}
