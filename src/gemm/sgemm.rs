//! Products of strided matrices by the matrixmultiply crate, for uses outside of convolutions.

#![expect(unsafe_code, reason = "the matrixmultiply crate takes pointers")]

/// A strided matrix in a slice. Element (row, column) is `data[row · row_stride + column · column_stride]`.
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
    /// Floats from the first element to the end of the last; `None` if that overflows a `usize`.
    fn span(&self) -> Option<usize> {
        let (Some(last_row), Some(last_column)) = (self.rows.checked_sub(1), self.columns.checked_sub(1))
        else {
            return Some(0);
        };
        let down = last_row.checked_mul(self.row_stride)?;
        let right = last_column.checked_mul(self.column_stride)?;
        down.checked_add(right)?.checked_add(1)
    }

    /// The strides as matrixmultiply takes them.
    fn strides(&self) -> [isize; 2] {
        [self.row_stride, self.column_stride].map(|stride| isize::try_from(stride).expect("out of bounds"))
    }
}

/// C = A·B + β·C, on the calling thread.
///
/// # Panics
/// If the shapes do not match each other or exceed their slices, or the elements of `c` overlap.
pub fn sgemm(a: Matrix<&[f32]>, b: Matrix<&[f32]>, beta: f32, c: Matrix<&mut [f32]>) {
    assert_eq!(
        (a.rows, a.columns, b.columns),
        (c.rows, b.rows, c.columns),
        "the matrices' shapes do not match"
    );
    let spans = [(a.span(), a.data.len()), (b.span(), b.data.len()), (c.span(), c.data.len())];
    assert!(spans.iter().all(|(span, len)| span.is_some_and(|span| span <= *len)), "out of bounds");
    let ([a_row, a_column], [b_row, b_column], [c_row, c_column]) = (a.strides(), b.strides(), c.strides());
    assert!(c.column_stride == 1 && c.row_stride >= c.columns, "elements of C overlap");
    // SAFETY: each matrix's last element lies inside its slice, so all do. C is borrowed mutably, so it overlaps neither
    // A nor B, and its own elements do not overlap, by the assert above.
    unsafe {
        matrixmultiply::sgemm(
            a.rows,
            a.columns,
            b.columns,
            1.0,
            a.data.as_ptr(),
            a_row,
            a_column,
            b.data.as_ptr(),
            b_row,
            b_column,
            beta,
            c.data.as_mut_ptr(),
            c_row,
            c_column,
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A column of five elements times one element, with these strides.
    fn multiply(row_stride: usize, column_stride: usize) {
        let data = [1.0; 5];
        let a = Matrix { data: &data[..], rows: 5, columns: 1, row_stride, column_stride };
        let b = Matrix { data: &data[..], rows: 1, columns: 1, row_stride: 1, column_stride: 1 };
        let mut c = [0.0; 5];
        sgemm(a, b, 0.0, Matrix { data: &mut c, rows: 5, columns: 1, row_stride: 1, column_stride: 1 });
        assert_eq!(c, data);
    }

    #[test]
    fn a_stride_that_is_never_taken_may_be_any() {
        multiply(1, 1);
        multiply(1, isize::MAX as usize);
    }

    #[test]
    #[should_panic(expected = "out of bounds")]
    fn a_span_that_would_wrap_is_refused() {
        // Four times it is 0.
        multiply(1 << (usize::BITS - 2), 1);
    }

    #[test]
    #[should_panic(expected = "out of bounds")]
    fn a_stride_that_would_turn_negative_is_refused() {
        multiply(1, usize::MAX);
    }
}
