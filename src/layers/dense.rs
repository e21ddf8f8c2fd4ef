//! The fully connected layers of the classifier.

use ndarray::{Array1, ArrayView1, ArrayView2};

/// y = W·x + b. W is N×C, x is C values, b and y are N.
pub fn forward(weight: ArrayView2<f32>, bias: ArrayView1<f32>, x: ArrayView1<f32>) -> Array1<f32> {
    weight.dot(&x) + bias
}

/// dx = Wᵀ·dy. W is N×C, dy is N values, dx is C.
pub fn backward(weight: ArrayView2<f32>, dy: ArrayView1<f32>) -> Array1<f32> {
    weight.t().dot(&dy)
}
