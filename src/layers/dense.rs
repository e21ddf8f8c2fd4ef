//! The fully connected layers of the classifier, over a batch of pictures, by the matrixmultiply crate.

use ndarray::{Array2, ArrayView1, ArrayView2};

use crate::gemm::sgemm::{Matrix, sgemm};

/// Y = X·Wᵀ + b. W is N×C, b is N values, X is B×C, Y is B×N: a row a picture.
///
/// # Panics
/// Where the shapes do not fit, or a matrix is not in row-major order.
pub fn forward(weight: ArrayView2<f32>, bias: ArrayView1<f32>, x: ArrayView2<f32>) -> Array2<f32> {
    let mut y = Array2::zeros((x.nrows(), weight.nrows()));
    y.assign(&bias);
    let transposed = Matrix {
        rows: weight.ncols(),
        columns: weight.nrows(),
        row_stride: 1,
        column_stride: weight.ncols(),
        ..row_major(&weight)
    };
    add_product(row_major(&x), transposed, &mut y);
    y
}

/// dX = dY·W. W is N×C, dY is B×N, dX is B×C.
///
/// # Panics
/// As [`forward`].
pub fn backward(weight: ArrayView2<f32>, dy: ArrayView2<f32>) -> Array2<f32> {
    let mut dx = Array2::zeros((dy.nrows(), weight.ncols()));
    add_product(row_major(&dy), row_major(&weight), &mut dx);
    dx
}

/// Adds A·B to `c`.
fn add_product(a: Matrix<&[f32]>, b: Matrix<&[f32]>, c: &mut Array2<f32>) {
    let (rows, columns) = c.dim();
    let data = c.as_slice_mut().expect("made in row-major order");
    sgemm(a, b, 1.0, Matrix { data, rows, columns, row_stride: columns, column_stride: 1 });
}

/// A matrix in row-major order.
fn row_major<'a>(matrix: &'a ArrayView2<f32>) -> Matrix<&'a [f32]> {
    let (rows, columns) = matrix.dim();
    let data = matrix.as_slice().expect("a matrix in row-major order");
    Matrix { data, rows, columns, row_stride: columns, column_stride: 1 }
}
