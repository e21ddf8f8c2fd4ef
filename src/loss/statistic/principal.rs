//! The principal components of a covariance.

use nalgebra::{DMatrix, SymmetricEigen};

use crate::gemm::dense::stride;

/// Iterations of the eigenvalue algorithm, times N, after which it is given up. It needs about two, and more only where values
/// are not finite.
const MAX_ITERATIONS: usize = 30;

/// The R directions of an N-dimensional space in which a distribution varies most.
pub struct PrincipalComponents {
    /// The variances along the directions, from the greatest.
    pub variances: Vec<f64>,
    /// N×R, row-major with the [`stride`] of R columns: the directions, which are orthonormal.
    pub basis: Vec<f32>,
}

impl PrincipalComponents {
    /// Those with a variance above `least` of the N×N covariance with these rows. None if elements are not finite.
    pub fn above<Row: Iterator<Item = f64>>(least: f64, n: usize, row: impl FnMut(usize) -> Row) -> Self {
        let covariance = DMatrix::from_row_iterator(n, n, (0..n).flat_map(row));
        let eigen = match n {
            0 => None, // which nalgebra does not take
            _ => SymmetricEigen::try_new(covariance, f64::EPSILON, MAX_ITERATIONS * n),
        };
        let Some(SymmetricEigen { eigenvalues, eigenvectors }) = eigen else {
            return Self { variances: Vec::new(), basis: vec![0.0; n * stride(0)] };
        };
        let mut kept: Vec<usize> = (0..n).filter(|at| eigenvalues[*at] > least).collect();
        kept.sort_by(|a, b| eigenvalues[*b].total_cmp(&eigenvalues[*a]));
        let stride = stride(kept.len());
        let mut basis = vec![0.0; n * stride];
        for (row, to) in basis.chunks_exact_mut(stride).enumerate() {
            to.iter_mut().zip(&kept).for_each(|(to, at)| *to = eigenvectors[(row, *at)] as f32);
        }
        Self { variances: kept.iter().map(|at| eigenvalues[*at]).collect(), basis }
    }

    /// R.
    pub fn dimensions(&self) -> usize {
        self.variances.len()
    }
}

#[cfg(test)]
mod tests {
    use std::iter;

    use super::*;

    /// The covariance with the given variances along the columns of the Householder reflection I − 2vvᵀ/(vᵀv).
    fn covariance(variances: &[f64]) -> (DMatrix<f64>, DMatrix<f64>) {
        let n = variances.len();
        let v = DMatrix::from_fn(n, 1, |row, _| 1.0 + (row * 7 % 5) as f64);
        let directions = DMatrix::identity(n, n) - &v * v.transpose() * (2.0 / v.norm_squared());
        let diagonal = DMatrix::from_diagonal(&nalgebra::DVector::from_row_slice(variances));
        (&directions * diagonal * directions.transpose(), directions)
    }

    #[test]
    fn directions_come_from_the_greatest_variance_down_to_the_least() {
        let variances = [0.0, 2.0, 0.4, 100.0, 0.6, 1e-9, 3.0];
        let (covariance, directions) = covariance(&variances);
        let found =
            PrincipalComponents::above(0.5, variances.len(), |row| covariance.row(row).into_iter().copied());
        assert_eq!(found.dimensions(), 4);
        for (at, direction) in [3, 6, 1, 4].into_iter().enumerate() {
            assert!((found.variances[at] - variances[direction]).abs() < 1e-12);
            // The sign of an eigenvector is free.
            let of = |row: usize| (found.basis[row * stride(4) + at] as f64, directions[(row, direction)]);
            let cosine: f64 = (0..variances.len()).map(of).map(|(found, expected)| found * expected).sum();
            assert!((cosine.abs() - 1.0).abs() < 1e-6, "{direction}: {cosine}");
        }
    }

    #[test]
    fn equal_variances_have_orthonormal_directions_all_the_same() {
        let found = PrincipalComponents::above(0.5, 50, |row| {
            (0..50).map(move |column| f64::from(u8::from(row == column)))
        });
        assert_eq!(found.variances, [1.0; 50]);
        let row = |row: usize| &found.basis[row * stride(50)..][..50];
        for (i, j) in (0..2500).map(|at| (at / 50, at % 50)) {
            let dot: f32 = row(i).iter().zip(row(j)).map(|(a, b)| a * b).sum();
            assert!((dot - f32::from(u8::from(i == j))).abs() < 1e-6);
        }
    }

    #[test]
    fn nothing_varies_and_values_that_are_not_finite_end_too() {
        for (n, value) in [(0, 0.0), (1, 0.0), (40, 0.0), (1, f64::NAN), (40, f64::NAN), (40, f64::INFINITY)]
        {
            let found = PrincipalComponents::above(0.5, n, |_| iter::repeat_n(value, n));
            assert_eq!(found.dimensions(), 0, "{n} {value}");
            assert_eq!(found.basis.len(), n * stride(0));
        }
        assert_eq!(PrincipalComponents::above(0.5, 1, |_| iter::once(4.0)).variances, [4.0]);
    }
}
