//! Products of strided matrices by the matrixmultiply crate: what is neither a convolution nor fused with one.

/// A matrix somewhere in a slice. Element (row, column) is `data[row · row_stride + column · column_stride]`.
#[derive(Clone, Copy)]
pub struct Matrix<T> {
    /// The slice.
    pub data: T,
    /// Rows.
    pub rows: usize,
    /// Columns.
    pub columns: usize,
    /// Floats from one row to the next.
    pub row_stride: usize,
    /// Floats from one column to the next.
    pub column_stride: usize,
}

impl<T> Matrix<T> {
    /// Floats that the matrix reaches over.
    fn span(&self) -> usize {
        if self.rows == 0 || self.columns == 0 {
            return 0;
        }
        (self.rows - 1) * self.row_stride + (self.columns - 1) * self.column_stride + 1
    }
}

/// C = A·B + β·C, on the calling thread.
///
/// # Panics
/// When the shapes do not fit each other or their slices, or when two elements of `c` share a place.
pub fn sgemm(a: Matrix<&[f32]>, b: Matrix<&[f32]>, beta: f32, c: Matrix<&mut [f32]>) {
    assert_eq!((a.rows, a.columns, b.columns), (c.rows, b.rows, c.columns), "shapes do not fit");
    assert!(
        a.span() <= a.data.len() && b.span() <= b.data.len() && c.span() <= c.data.len(),
        "out of bounds"
    );
    assert!(c.column_stride == 1 && c.row_stride >= c.columns, "elements of C overlap");
    // SAFETY: each matrix's last element lies inside its slice, so all do; C is borrowed mutably, so it
    // overlaps neither A nor B; and C's elements have a place each.
    unsafe {
        matrixmultiply::sgemm(
            a.rows,
            a.columns,
            b.columns,
            1.0,
            a.data.as_ptr(),
            a.row_stride as isize,
            a.column_stride as isize,
            b.data.as_ptr(),
            b.row_stride as isize,
            b.column_stride as isize,
            beta,
            c.data.as_mut_ptr(),
            c.row_stride as isize,
            c.column_stride as isize,
        );
    }
}
