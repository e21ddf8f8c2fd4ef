//! The orthogonal factor of a matrix's polar decomposition.

use std::ops::Range;

use crate::gemm::dense::{self, Part, stride};
use crate::gemm::{GROUP_DEPTH, PackedMatrix};
use crate::parallel::reduce;

/// The iteration ends when all singular values are known to lie within this distance of 1: a few times f32's rounding error.
const TOLERANCE: f64 = 1e-6;

/// More iterations than singular values need that are 1e-20 of the largest. Only values that are not finite reach it.
const MAX_ITERATIONS: usize = 60;

/// Returns the orthogonal factor U of the polar decomposition G = (G·Gᵀ)^½ · U of the N×N matrix `g`, in one of the two N×N
/// buffers. No singular value of G may be below `least`, which is above 0. `squares` is a third N×N buffer.
///
/// This is the Newton–Schulz iteration X ← ½·(3·I − X·Xᵀ)·X, which moves all singular values towards 1 and needs only products
/// of matrices. Far from 1 it multiplies small singular values by no more than 1.5. So X is first multiplied by the α that is
/// best for singular values from ℓ to 1, with which they grow by up to 2.6 (Chen and Chow 2014, "A stable scaling of
/// Newton–Schulz for improving the sign function computation of a Hermitian matrix"). As ℓ is known before each iteration, the
/// number of iterations follows from `least` and the norm of G.
///
/// # Panics
/// If a buffer is not N×N.
pub fn orthogonal_factor<'b>(
    packed: &mut PackedMatrix,
    n: usize,
    g: &[f32],
    least: f64,
    [mut x, mut next]: [&'b mut [f32]; 2],
    squares: &mut [f32],
) -> &'b [f32] {
    x.copy_from_slice(g);
    let (mut lowest, mut scale) = (None, 1.0);
    for _ in 0..MAX_ITERATIONS {
        multiply_by_transpose(packed, n, x, squares);
        let low = *lowest.get_or_insert_with(|| {
            // All singular values of G are at most the root of the Frobenius norm of G·Gᵀ.
            let norm = frobenius_of_upper(n, squares).sqrt();
            scale = 1.0 / norm;
            least / norm
        });
        let alpha = (3.0 / (1.0 + low + low * low)).sqrt();
        let (linear, cubic) = (1.5 * alpha * scale, -0.5 * (alpha * scale).powi(3));
        multiply_by_polynomial(packed, n, x, squares, [linear, cubic].map(|factor| factor as f32), next);
        (x, next) = (next, x);
        let low = 0.5 * alpha * low * (3.0 - alpha * alpha * low * low);
        if low > 1.0 - TOLERANCE {
            break;
        }
        (lowest, scale) = (Some(low), 1.0);
    }
    x
}

/// Computes the upper triangle of X·Xᵀ.
fn multiply_by_transpose(packed: &mut PackedMatrix, n: usize, x: &[f32], squares: &mut [f32]) {
    let stride = stride(n);
    packed.pack_parts((n, n), GROUP_DEPTH, |column, rows, to| {
        let from = x[rows.start * stride + column..].iter().step_by(stride);
        to.iter_mut().zip(from).for_each(|(to, x)| *to = *x);
    });
    let row = |row: usize, depth: Range<usize>, to: &mut [f32]| to.copy_from_slice(&x[row * stride..][depth]);
    dense::multiply(n, row, packed, Part::Upper, squares);
}

/// Computes (linear·I + cubic·X·Xᵀ)·X from the upper triangle of X·Xᵀ.
fn multiply_by_polynomial(
    packed: &mut PackedMatrix,
    n: usize,
    x: &[f32],
    squares: &[f32],
    [linear, cubic]: [f32; 2],
    product: &mut [f32],
) {
    let stride = stride(n);
    packed.pack_parts((n, n), GROUP_DEPTH, |row, columns, to| {
        to.copy_from_slice(&x[row * stride..][columns]);
    });
    let row = |row: usize, depth: Range<usize>, to: &mut [f32]| {
        // Below the diagonal, the row's elements are the column's above it.
        let (below, above) = to.split_at_mut(row.clamp(depth.start, depth.end) - depth.start);
        let column = squares[depth.start * stride + row..].iter().step_by(stride);
        below.iter_mut().zip(column).for_each(|(to, square)| *to = cubic * square);
        let row_squares = &squares[row * stride..][depth.end - above.len()..depth.end];
        above.iter_mut().zip(row_squares).for_each(|(to, square)| *to = cubic * square);
        if depth.contains(&row) {
            above[0] += linear;
        }
    };
    dense::multiply(n, row, packed, Part::Whole, product);
}

/// The Frobenius norm of a symmetric matrix, from its upper triangle.
fn frobenius_of_upper(n: usize, matrix: &[f32]) -> f64 {
    let of_row = |row: usize| {
        let values = &matrix[row * stride(n)..][row..n];
        2.0 * reduce::dot(values, values) - (values[0] as f64).powi(2)
    };
    reduce::sum_of(0..n, of_row).sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::simd::Isa;

    /// U is orthogonal, and G·Uᵀ is symmetric and has no negative eigenvalue: then it is (G·Gᵀ)^½.
    #[test]
    fn the_factor_is_orthogonal_and_leaves_a_symmetric_matrix() {
        let value = |i: usize| ((i * 7919 + 13) % 2003) as f32 / 1001.0 - 1.0;
        for isa in Isa::available() {
            for n in [1, 2, 7, 48, 50, 97] {
                // Its rows fall by powers of ten, from 1 to 1e-3.
                let row_scale = |row: usize| 10f32.powf(-3.0 * row as f32 / n as f32);
                let stride = stride(n);
                let noise = |at: usize| 0.3 * value(at) * row_scale(at / stride);
                let mut g: Vec<f32> = (0..n * stride).map(noise).collect();
                (0..n).for_each(|i| g[i * stride + i] += row_scale(i) * 2.0 * (n as f32).sqrt());
                let mut buffers = [(); 3].map(|()| vec![f32::NAN; n * stride]);
                let [x, next, squares] = &mut buffers;
                let u = orthogonal_factor(&mut PackedMatrix::new(isa), n, &g, 1e-4, [x, next], squares);
                let dot = |a: &[f32], i: usize, b: &[f32], j: usize| -> f64 {
                    (0..n).map(|k| a[i * stride + k] as f64 * b[j * stride + k] as f64).sum()
                };
                for (i, j) in (0..n * n).map(|at| (at / n, at % n)) {
                    let expected = f64::from(u8::from(i == j));
                    assert!((dot(u, i, u, j) - expected).abs() < 1e-5, "{isa:?} {n} {i} {j}");
                    let asymmetry = dot(&g, i, u, j) - dot(&g, j, u, i);
                    assert!(asymmetry.abs() < 2e-5 * (n as f64).sqrt(), "{isa:?} {n} {i} {j}: {asymmetry}");
                }
                // The diagonal dominates, so G·Uᵀ has no negative eigenvalue.
                let trace: f64 = (0..n).map(|i| dot(&g, i, u, i)).sum();
                assert!(trace > 0.0);
            }
        }
    }

    #[test]
    fn values_that_are_not_finite_end_too() {
        for value in [f32::NAN, f32::INFINITY] {
            let mut buffers = [(); 3].map(|()| vec![0.0; 2 * stride(2)]);
            let [x, next, squares] = &mut buffers;
            let g = vec![value; 2 * stride(2)];
            let u = orthogonal_factor(&mut PackedMatrix::new(Isa::best()), 2, &g, 1e-4, [x, next], squares);
            assert!(u.iter().any(|value| value.is_nan()));
        }
    }
}
