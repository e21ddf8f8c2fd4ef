//! The fully connected layers of the classifier, for a batch of pictures.

use std::borrow::Cow;
use std::ops::Range;

use ndarray::{Array2, ArrayView2, s};
use rayon::prelude::*;

use crate::gemm::sgemm::{Matrix, sgemm};

/// Outputs that one task computes: fc6's 4096 make enough tasks for any CPU, and the task's rows of W take 6 MB where
/// they must be widened.
const OUTPUTS: usize = 64;

/// Y = X·Wᵀ + b for P pictures: W is N×C, b has N values, X is P×C and Y is P×N. `weight` gives some rows of W, and is
/// asked for each row once: in a large layer, reading W takes longer than the arithmetic for one picture.
///
/// # Panics
/// When `weight` gives another number of values than the rows asked for have.
pub fn forward<'w>(
    weight: impl Fn(Range<usize>) -> Cow<'w, [f32]> + Sync,
    bias: &[f32],
    x: ArrayView2<f32>,
) -> Array2<f32> {
    let (pictures, inputs) = x.dim();
    let x = x.as_standard_layout();
    let x = x.as_slice().expect("in standard layout");
    let chunks: Vec<Vec<f32>> = bias
        .par_chunks(OUTPUTS)
        .enumerate()
        .map(|(chunk, bias)| {
            let (start, outputs) = (chunk * OUTPUTS, bias.len());
            let rows = weight(start..start + outputs);
            assert_eq!(rows.len(), outputs * inputs, "rows of another length");
            let mut y = bias.repeat(pictures);
            sgemm(
                Matrix { data: x, rows: pictures, columns: inputs, row_stride: inputs, column_stride: 1 },
                Matrix { data: &rows, rows: inputs, columns: outputs, row_stride: 1, column_stride: inputs },
                1.0,
                Matrix {
                    data: &mut y,
                    rows: pictures,
                    columns: outputs,
                    row_stride: outputs,
                    column_stride: 1,
                },
            );
            y
        })
        .collect();
    let mut y = Array2::zeros((pictures, bias.len()));
    for (chunk, values) in chunks.iter().enumerate() {
        let outputs = values.len() / pictures.max(1);
        let values = ArrayView2::from_shape((pictures, outputs), values).expect("outputs of every picture");
        y.slice_mut(s![.., chunk * OUTPUTS..chunk * OUTPUTS + outputs]).assign(&values);
    }
    y
}
