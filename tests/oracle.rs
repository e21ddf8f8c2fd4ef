//! Convolutions at VGG's sizes against the matrixmultiply crate: an independent product of the patch matrix.

#[path = "common/mod.rs"]
mod common;

use common::{EPSILON, Expected, Random, assert_close, f64s};
use impasto::gemm::sgemm::{Matrix, sgemm};
use impasto::layers::Finish;
use impasto::layers::conv::{Conv, Method, Workspace};
use impasto::simd::Isa;
use impasto::tensor::FeatureMap;
use ndarray::{Array1, Array2, Array3, Array4, ArrayView2};

/// A·B.
fn product(a: ArrayView2<f32>, b: ArrayView2<f32>) -> Array2<f32> {
    let matrix = |m: ArrayView2<'_, f32>| {
        let m = m.as_standard_layout().into_owned();
        (m.dim(), m.into_raw_vec_and_offset().0)
    };
    let (((rows, depth), a), ((_, columns), b)) = (matrix(a), matrix(b));
    let mut c = Array2::zeros((rows, columns));
    sgemm(
        Matrix { data: &a, rows, columns: depth, row_stride: depth, column_stride: 1 },
        Matrix { data: &b, rows: depth, columns, row_stride: columns, column_stride: 1 },
        0.0,
        Matrix {
            data: c.as_slice_mut().expect("a new array"),
            rows,
            columns,
            row_stride: columns,
            column_stride: 1,
        },
    );
    c
}

/// Row (c, i, j) has what weight [_, c, i, j] of a 3×3 kernel meets at every position of X, with zero padding.
fn patches(x: &Array3<f32>) -> Array2<f32> {
    let (channels, height, width) = x.dim();
    Array2::from_shape_fn((channels * 9, height * width), |(row, position)| {
        let (c, i, j) = (row / 9, row / 3 % 3, row % 3);
        let (y, x_at) = (position / width + i, position % width + j);
        let inside = (1..=height).contains(&y) && (1..=width).contains(&x_at);
        if inside { x[[c, y - 1, x_at - 1]] } else { 0.0 }
    })
}

/// W∗X + b as a product, and how far from it a sum in another order may be. W is N×C×3×3.
fn convolution(w: &Array4<f32>, x: &Array3<f32>, bias: &Array1<f32>) -> Expected<ndarray::Ix3> {
    let (out, channels, ..) = w.dim();
    let (_, height, width) = x.dim();
    let shape = (out, height, width);
    let rows = w.to_shape((out, channels * 9)).expect("in standard layout");
    let patches = patches(x);
    let bias = f64s(bias);
    let with_bias = |sums: Array2<f32>, bias: &Array1<f64>| {
        let mut sums = f64s(&sums.into_shape_with_order(shape).expect("as many"));
        sums.outer_iter_mut().zip(bias).for_each(|(mut map, bias)| map += *bias);
        sums
    };
    let values = with_bias(product(rows.view(), patches.view()), &bias);
    let magnitudes = product(rows.mapv(f32::abs).view(), patches.mapv(f32::abs).view());
    // Both sides round: of `depth` roundings that partly cancel the root counts.
    let depth = (channels * 9) as f64;
    let bounds = with_bias(magnitudes, &bias.mapv(f64::abs)) * (2.0 * EPSILON * depth.sqrt());
    Expected { values, bounds }
}

/// Winograd's tiles share their rounding, whose growth is the largest factor of the transforms.
fn bounds_of(method: Method, expected: &Expected<ndarray::Ix3>) -> Expected<ndarray::Ix3> {
    let Expected { values, bounds } = expected;
    let bounds = match method {
        Method::Winograd => {
            let largest = bounds.iter().copied().fold(0.0, f64::max);
            Array3::from_elem(bounds.dim(), 8.0 * largest)
        }
        _ => bounds.clone(),
    };
    Expected { values: values.clone(), bounds }
}

#[test]
fn convolutions_at_vggs_sizes_are_the_products_of_their_patch_matrices() {
    // conv3_2 and conv5_1 of a 112×112 and a 224×224 picture, and conv1_1, which has a method of its own.
    for ([out, channels], side) in [([256, 256], 28), ([512, 512], 14), ([64, 3], 56)] {
        let mut random = Random(side as u64);
        let w: Array4<f32> = random.array((out, channels, 3, 3));
        let bias: Array1<f32> = random.array(out);
        let x: Array3<f32> = random.array((channels, side, side));
        let dy: Array3<f32> = random.array((out, side, side));
        let forward = convolution(&w, &x, &bias);
        // Backward the kernels are turned by half and their channels exchanged.
        let turned = Array4::from_shape_fn((channels, out, 3, 3), |(c, n, i, j)| w[[n, c, 2 - i, 2 - j]]);
        let backward = convolution(&turned, &dy, &Array1::zeros(channels));

        let conv = Conv::new(
            [out, channels, 3],
            w.as_slice().expect("a new array").to_vec(),
            bias.as_slice().expect("a new array"),
        );
        let methods = [Method::Im2col, Method::Winograd, Method::Direct].into_iter();
        for method in methods.filter(|method| conv.allows(*method)) {
            for isa in Isa::available() {
                let what = format!("{channels} to {out} at {side}², {method:?}, {isa:?}");
                let mut workspace = Workspace::new(isa);
                let mut y = FeatureMap::zeros(out, side, side);
                conv.forward(&FeatureMap::from_planes(x.view()), &mut y, false, method, &mut workspace);
                assert_close(&what, &y.to_planes(), &bounds_of(method, &forward));
                let mut dx = FeatureMap::zeros(channels, side, side);
                let finish = Finish::default();
                conv.backward(&FeatureMap::from_planes(dy.view()), &mut dx, finish, method, &mut workspace);
                assert_close(format!("{what}, backward"), &dx.to_planes(), &bounds_of(method, &backward));
            }
        }
    }
}
