//! Products of dense matrices, for the style statistics: strips of rows of the result, in parallel.
//!
//! A matrix is row-major, with [`stride`] floats from one row to the next.

use std::ops::Range;

use crate::parallel::{scratch, team};
use crate::tensor::aligned::LINE;

use super::packed::{GROUP_DEPTH, PackedMatrix, TILE_ROWS_MULTIPLE, geometry};

/// Floats from one row to the next of a matrix of `n` columns: a cache line more than they take, so that a column's elements
/// lie in different sets of the cache where N is a power of two.
pub const fn stride(n: usize) -> usize {
    n.next_multiple_of(LINE) + LINE
}

/// Rows of the result that one task computes. With the greatest depth of one product their part of A takes 41 KiB, which
/// stays in the L2 cache beside a panel of B.
const STRIP: usize = 3 * TILE_ROWS_MULTIPLE;

/// The elements of a product that are computed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// All.
    Whole,
    /// Those on and above the diagonal, as is enough for a symmetric product; those below are unspecified.
    Upper,
}

/// C = A·B, where C has N columns. `row_of_a(row, depth, to)` writes the elements `depth` of a row of A to `to`.
///
/// # Panics
/// If B does not have N columns, or C is not made of rows of [`stride`] floats.
pub fn multiply(
    n: usize,
    row_of_a: impl Fn(usize, Range<usize>, &mut [f32]) + Sync,
    b: &PackedMatrix,
    part: Part,
    c: &mut [f32],
) {
    let panel = geometry(b.isa()).panel;
    assert!(n <= b.columns() && b.columns() < n + panel, "B does not have {n} columns");
    assert!(c.len().is_multiple_of(stride(n)), "C is not made of rows of {n} columns");
    team::for_each_chunk(c, STRIP * stride(n), |strip, c| {
        let (top, rows) = (strip * STRIP, c.len() / stride(n));
        let left = if part == Part::Upper { top / panel * panel } else { 0 };
        let (padded_rows, width) = (rows.next_multiple_of(b.tile_rows()), b.columns() - left);
        scratch::with([padded_rows * GROUP_DEPTH, padded_rows * width], |[a, products]| {
            for depth in b.groups() {
                for (row, a) in a.chunks_exact_mut(GROUP_DEPTH).enumerate() {
                    match row < rows {
                        true => row_of_a(top + row, depth.clone(), &mut a[..depth.len()]),
                        false => a.fill(0.0),
                    }
                }
                let accumulate = depth.start > 0;
                b.multiply(a, depth, left..b.columns(), products, accumulate);
            }
            for (c, products) in c.chunks_exact_mut(stride(n)).zip(products.chunks_exact(width)) {
                c[left..n].copy_from_slice(&products[..n - left]);
            }
        });
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::simd::Isa;

    #[test]
    fn products_equal_their_definition() {
        let squares = [0, 1, 5, 16, 31, 33, 47, 48, 49, 100, 288, 300].map(|n| [n; 3]);
        let others = [[1, 300, 33], [50, 1, 16], [97, 48, 1], [0, 4, 7]];
        for isa in Isa::available() {
            for [rows, depth, n] in squares.into_iter().chain(others) {
                check_product(isa, [rows, depth, n], Part::Whole);
                if rows == n {
                    check_product(isa, [rows, depth, n], Part::Upper);
                }
            }
        }
    }

    fn check_product(isa: Isa, [rows, depth, n]: [usize; 3], part: Part) {
        let value = |i: usize| ((i * 7919 + 13) % 2003) as f32 / 1001.0 - 1.0;
        let mut b = PackedMatrix::new(isa);
        b.pack((depth, n), GROUP_DEPTH, |k| move |column| value(k * 31 + column * 5));
        let row_of_a = |row: usize, depth: Range<usize>, to: &mut [f32]| {
            to.iter_mut().zip(depth).for_each(|(to, k)| *to = value(row * 17 + k));
        };
        let mut c = vec![f32::NAN; rows * stride(n)];
        multiply(n, row_of_a, &b, part, &mut c);
        for (row, column) in (0..rows * n).map(|at| (at / n, at % n)) {
            if part == Part::Upper && column < row {
                continue;
            }
            let found = c[row * stride(n) + column] as f64;
            let term = |k: usize| value(row * 17 + k) as f64 * value(k * 31 + column * 5) as f64;
            let expected: f64 = (0..depth).map(term).sum();
            let bound = (0..depth).map(|k| term(k).abs()).sum::<f64>() * 2e-6;
            assert!((found - expected).abs() <= bound, "{isa:?} {rows}×{depth}×{n} ({row}, {column})");
        }
    }
}
