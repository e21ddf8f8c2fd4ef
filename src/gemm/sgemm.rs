//! Products of strided matrices by the matrixmultiply crate: the classifier's dense layers, and what tests compare
//! convolutions with.

/// A matrix in a slice. Element (row, column) is `data[row · row_stride + column · column_stride]`.
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
    /// Floats from the first element to the last, both included. `None` where that can't be counted.
    fn span(&self) -> Option<usize> {
        if self.rows == 0 || self.columns == 0 {
            return Some(0);
        }
        let down = (self.rows - 1).checked_mul(self.row_stride)?;
        let right = (self.columns - 1).checked_mul(self.column_stride)?;
        down.checked_add(right)?.checked_add(1)
    }

    /// Whether every element is in a slice of `len` floats.
    fn fits(&self, len: usize) -> bool {
        self.span().is_some_and(|span| span <= len)
    }
}

/// C = A·B + β·C, on the calling thread.
///
/// # Panics
/// When the shapes do not fit each other or their slices, or when two elements of `c` share a place.
pub fn sgemm(a: Matrix<&[f32]>, b: Matrix<&[f32]>, beta: f32, c: Matrix<&mut [f32]>) {
    assert_eq!((a.rows, a.columns, b.columns), (c.rows, b.rows, c.columns), "shapes do not fit");
    assert!(a.fits(a.data.len()) && b.fits(b.data.len()) && c.fits(c.data.len()), "out of bounds");
    assert!(c.column_stride == 1 && c.row_stride >= c.columns, "elements of C overlap");
    // SAFETY: Each matrix's last element is in its slice, so all are. C is borrowed mutably, so it overlaps neither A
    // nor B. No two elements of C share a place. A stride that matters (of two rows or columns, at least) is at most
    // the length of a slice, which fits an isize; one that doesn't is multiplied by zero.
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn matrices_outside_their_slices_are_refused() {
        let fits = |rows, columns, row_stride, column_stride| {
            Matrix { data: (), rows, columns, row_stride, column_stride }.fits(12)
        };
        assert!(
            fits(3, 4, 4, 1) && fits(4, 3, 1, 4) && fits(0, 9, 9, 9) && fits(1, 1, usize::MAX, usize::MAX)
        );
        assert!(!fits(3, 4, 5, 1) && !fits(4, 4, 4, 1));
        // These would wrap to a small number.
        assert!(
            !fits(3, 1, usize::MAX / 2 + 1, 1)
                && !fits(2, 2, usize::MAX, 1)
                && !fits(2, 2, usize::MAX / 2, usize::MAX / 2)
        );
    }
}
