//! The Cholesky factor of a symmetric positive definite matrix, and the solution of equations with it.

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
pub fn factorize(isa: Isa, k: &mut [f32], n: usize, least: f64) {
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
    team::for_each_chunk(k, stride, |row, values| values[row + 1..].fill(0.0));
}

/// Computes the elements of a row of the factor from column `first` on, as many as there are rows of `factor`, and then, with
/// `least`, the diagonal element.
struct FactorRow<'a> {
    /// The factor's first rows.
    factor: &'a [f32],
    row: &'a mut [f32],
    first: usize,
    least: Option<f64>,
}

impl Kernel for FactorRow<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, _simd: S) {
        let Self { factor, row, first, least } = self;
        for (column, factor) in factor.chunks_exact(row.len()).enumerate().skip(first) {
            let value = row[column] as f64 - dot(&row[..column], &factor[..column]);
            row[column] = (value / factor[column] as f64) as f32;
        }
        if let Some(least) = least {
            let column = factor.len() / row.len();
            let value = row[column] as f64 - dot(&row[..column], &row[..column]);
            row[column] = value.max(least).sqrt() as f32;
        }
    }
}

/// Σ aᵢ·bᵢ in f64: a factor's elements are small differences of long sums.
#[inline(always)]
fn dot(a: &[f32], b: &[f32]) -> f64 {
    // Independent sums, so that the compiler can vectorise.
    let mut lanes = [0.0f64; 16];
    let (a_lanes, b_lanes) = (a.as_chunks::<16>(), b.as_chunks::<16>());
    for (a, b) in a_lanes.0.iter().zip(b_lanes.0) {
        for ((lane, a), b) in lanes.iter_mut().zip(a).zip(b) {
            *lane += *a as f64 * *b as f64;
        }
    }
    let remainder: f64 = a_lanes.1.iter().zip(b_lanes.1).map(|(a, b)| *a as f64 * *b as f64).sum();
    lanes.iter().sum::<f64>() + remainder
}

/// Replaces each row b of `rows` by x with x·K = b, where K is a factor of [`factorize`].
///
/// # Panics
/// If `k` is not N×N.
pub fn solve_rows(isa: Isa, k: &[f32], n: usize, rows: &mut [f32]) {
    assert_eq!(k.len(), n * stride(n), "the factor is not {n}×{n}");
    team::for_each_chunk(rows, ROWS * stride(n), |_, rows| isa.run(SolveRows { k, stride: stride(n), rows }));
}

struct SolveRows<'a> {
    k: &'a [f32],
    stride: usize,
    rows: &'a mut [f32],
}

impl Kernel for SolveRows<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, _simd: S) {
        let Self { k, stride, rows } = self;
        for (column, k) in k.chunks_exact(stride).enumerate().rev() {
            for row in rows.chunks_exact_mut(stride) {
                let x = row[column] / k[column];
                row[column] = x;
                for (b, k) in row[..column].iter_mut().zip(k) {
                    *b -= x * k;
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
    fn a_singular_matrix_has_a_factor_all_the_same() {
        let stride = stride(3);
        let mut k = vec![1.0; 3 * stride];
        factorize(Isa::best(), &mut k, 3, 0.25);
        let rows: Vec<_> = k.chunks(stride).flat_map(|row| row[..3].to_vec()).collect();
        assert_eq!(rows, [1.0, 0.0, 0.0, 1.0, 0.5, 0.0, 1.0, 0.0, 0.5]);
    }
}
