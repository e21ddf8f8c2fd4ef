//! Convolutions at VGG's sizes against an oracle that shares no code with them: an explicit patch matrix, multiplied by the
//! matrixmultiply crate.

mod common;

use common::*;
use impasto::gemm::sgemm::{Matrix, sgemm};
use impasto::layers::conv::{Algorithm, Conv, Workspace};
use impasto::simd::Isa;
use impasto::tensor::FeatureMap;
use ndarray::{Array1, Array3, Array4};

/// W∗X + b with zero padding, N×H×W, and the same of the magnitudes.
fn by_patches(x: &Array3<f32>, w: &Array4<f32>, b: &Array1<f32>) -> [Array3<f32>; 2] {
    let (channels, height, width) = x.dim();
    let (outputs, ..) = w.dim();
    let patches = |x: &Array3<f32>| -> Vec<f32> {
        let at = |c: usize, y: usize, x_at: usize| {
            // One more than the input's row and column: 0 is the padding.
            let inside = y > 0 && x_at > 0 && y <= height && x_at <= width;
            if inside { x[[c, y - 1, x_at - 1]] } else { 0.0 }
        };
        let rows = (0..channels).flat_map(|c| (0..9).map(move |tap| (c, tap / 3, tap % 3)));
        rows.flat_map(|(c, down, right)| {
            (0..height * width).map(move |at| (c, at / width + down, at % width + right))
        })
        .map(|(c, y, x)| at(c, y, x))
        .collect()
    };
    let (depth, positions) = (9 * channels, height * width);
    [false, true].map(|magnitudes| {
        let of = |value: f32| if magnitudes { value.abs() } else { value };
        let (w, x) = (w.mapv(of), x.mapv(of));
        let mut y = Array3::from_shape_fn((outputs, height, width), |(n, ..)| of(b[n]));
        let (rows, columns) = (outputs, positions);
        let weights =
            Matrix { data: w.as_slice().unwrap(), rows, columns: depth, row_stride: depth, column_stride: 1 };
        let patches = patches(&x);
        let patches =
            Matrix { data: &patches[..], rows: depth, columns, row_stride: columns, column_stride: 1 };
        let data = y.as_slice_mut().unwrap();
        sgemm(weights, patches, 1.0, Matrix { data, rows, columns, row_stride: columns, column_stride: 1 });
        y
    })
}

#[test]
fn convolutions_at_sizes_of_vgg_equal_products_with_explicit_patch_matrices() {
    for (outputs, channels, height, width) in
        [(64, 3, 45, 61), (128, 64, 30, 41), (256, 256, 28, 28), (512, 512, 14, 13)]
    {
        let mut random = Random(outputs as u64);
        let (x, b): (Array3<f32>, Array1<f32>) =
            (random.array((channels, height, width)), random.array(outputs));
        let w: Array4<f32> = random.array((outputs, channels, 3, 3));
        let [values, magnitudes] = by_patches(&x, &w, &b).map(|planes| f64s(&planes));
        let conv =
            Conv::new([outputs, channels, 3], w.clone().into_raw_vec_and_offset().0, b.as_slice().unwrap());
        let map = FeatureMap::from_planes(x.view());
        for isa in Isa::available() {
            for algorithm in
                [Algorithm::Im2col, Algorithm::Winograd, Algorithm::WinogradBf16, Algorithm::Direct]
            {
                if !conv.allows(algorithm) {
                    continue;
                }
                let mut y = FeatureMap::zeros(outputs, height, width);
                conv.forward(&map, &mut y, false, algorithm, &mut Workspace::new(isa));
                // Both are rounded; of n roundings that partly cancel, the root counts. Winograd's largest factor is 8, and
                // its tiles share their rounding.
                let rounding = 2.0 * EPSILON * ((9 * channels) as f64).sqrt();
                let largest = magnitudes.iter().copied().fold(0.0, f64::max);
                let bounds = match algorithm {
                    Algorithm::Winograd => magnitudes.mapv(|_| 8.0 * rounding * largest),
                    // Each factor is rounded to eight bits, after one transform and before another, with coefficients up to 10 and 8.
                    Algorithm::WinogradBf16 => {
                        let rounding = 2f64.powi(-8) / ((9 * channels) as f64).sqrt();
                        magnitudes.mapv(|_| 128.0 * rounding * largest)
                    }
                    _ => &magnitudes * rounding,
                };
                if algorithm == Algorithm::WinogradBf16 {
                    let squares =
                        |planes: &Array3<f64>| planes.iter().map(|value| value * value).sum::<f64>();
                    let error = (squares(&(f64s(&y.to_planes()) - &values)) / squares(&values)).sqrt();
                    // Rounding there must be, or it was computed in f32.
                    assert!((1e-3..0.04).contains(&error), "{isa:?}, {channels} to {outputs}: {error}");
                }
                let expected = Expected { values: values.clone(), bounds };
                let what = format!("{channels} to {outputs} at {height}×{width}, {isa:?}, {algorithm:?}");
                assert_close(what, &y.to_planes(), &expected);
            }
        }
    }
}
