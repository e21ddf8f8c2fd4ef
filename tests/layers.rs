//! Tests every layer on every instruction set against reference implementations in f64, and the gradients of those against
//! finite differences.

mod common;

use std::cell::RefCell;
use std::collections::HashMap;
use std::fmt::Display;

use common::*;
use impasto::layers::conv::{Algorithm, Conv, Workspace};
use impasto::layers::moments::{self, Moments};
use impasto::layers::pool::Pooling::{self, Average, Max};
use impasto::layers::{GradientEpilogue, TapGradient, dense, lrn, pool, relu};
use impasto::simd::Isa;
use impasto::tensor::FeatureMap;
use ndarray::{Array, Array1, Array2, Array3, Array4, ArrayView3, Axis, Dimension, Ix0, Ix3, arr0, s};

type Shape = (usize, usize, usize);

/// Sizes of maps that reach every end of the loops: empty, one position, odd, wide, high, of several tiles.
const SIZES: [(usize, usize); 11] =
    [(0, 0), (0, 5), (3, 0), (1, 1), (1, 5), (2, 3), (7, 5), (13, 11), (81, 61), (5, 600), (300, 2)];

// Helpers.

/// Runs a layer's forward pass on `x` with several numbers of threads. Y is first filled with NaN, to detect positions that
/// are not written.
#[track_caller]
fn check_forward(
    what: &dyn Display,
    x: &Array3<f32>,
    expected: &Expected<Ix3>,
    forward: impl Fn(&FeatureMap, &mut FeatureMap) + Sync,
) {
    let x = FeatureMap::from_planes(x.view());
    let y = on_any_threads(what, || {
        let mut y = FeatureMap::from_planes(Array3::from_elem(expected.values.dim(), f32::NAN).view());
        forward(&x, &mut y);
        y
    });
    assert_close(what, &y.to_planes(), expected);
    assert_padding_is_zero(what, &y);
}

/// Runs a layer's backward pass from `dy` over `x` with several numbers of threads and every [`GradientEpilogue`]. The
/// expected gradient is that without an epilogue.
#[track_caller]
fn check_backward(
    what: &dyn Display,
    isa: Isa,
    (x, dy): (&Array3<f32>, &Array3<f32>),
    expected: &Expected<Ix3>,
    backward: impl Fn(&FeatureMap, &mut FeatureMap, GradientEpilogue) + Sync,
) {
    let taps = Taps::random(x.dim());
    let x64 = f64s(x);
    let [x, dy] = [x, dy].map(|planes| FeatureMap::from_planes(planes.view()));
    for (style, content, relu) in [
        (None, false, false),
        (None, false, true),
        (Some(Style::Second), false, false),
        (Some(Style::SecondAndMean), false, false),
        (None, true, true),
        (Some(Style::Second), true, false),
        (Some(Style::SecondAndMean), true, true),
    ] {
        let added = taps.expected(style, content, &x64);
        let sum = naive::finish(&expected.values, &x64, Some(&added.values), false);
        // Adding the tap's gradient takes two more roundings. Where the ReLU is inactive, dX is exactly 0.
        let rounding = if style.is_some() || content { 2.0 * EPSILON } else { 0.0 };
        let bounds = &expected.bounds + &added.bounds + sum.mapv(f64::abs) * rounding;
        let expected = Expected {
            values: naive::finish(&sum, &x64, None, relu),
            bounds: naive::finish(&bounds, &x64, None, relu),
        };
        let what = format!("{what}, backward on {isa:?}, style {style:?}, content {content}, relu {relu}");
        let gradient = style.map(|style| taps.gradient(isa, style));
        let dx = on_any_threads(&what, || {
            let mut dx = x.clone();
            let style = gradient.as_slice();
            let content = content.then_some((&taps.content_map, taps.slope));
            backward(
                &dy,
                &mut dx,
                GradientEpilogue { tap: TapGradient { style, content, ..TapGradient::default() }, relu },
            );
            dx
        });
        assert_close(&what, &dx.to_planes(), &expected);
        assert_padding_is_zero(&what, &dx);
    }
}

/// The moments on which the style part of the gradient depends.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Style {
    Second,
    SecondAndMean,
}

/// Random content and style gradients of a tap, for features of one shape.
struct Taps {
    /// Symmetric.
    dg: Array2<f32>,
    dmean: Array1<f32>,
    content: Array3<f32>,
    content_map: FeatureMap,
    slope: f32,
}

impl Taps {
    fn random(shape: Shape) -> Self {
        let mut random = Random(7);
        let dg: Array2<f32> = random.array((shape.0, shape.0));
        let content = random.array(shape);
        let content_map = map_in_used_memory(&content);
        Self { dg: &dg + &dg.t(), dmean: random.array(shape.0), content, content_map, slope: -0.75 }
    }

    fn gradient(&self, isa: Isa, style: Style) -> moments::Gradient {
        let mut gradient = moments::Gradient::new(isa);
        // A larger matrix first: its values must not remain.
        let wider = self.dg.nrows() + 20;
        let nan = (Array2::from_elem((wider, wider), f32::NAN), Array1::from_elem(wider, f32::NAN));
        gradient.set(nan.0.view(), Some(nan.1.view()));
        let dmean = (style == Style::SecondAndMean).then(|| self.dmean.view());
        gradient.set(self.dg.view(), dmean);
        gradient
    }

    /// The gradient with respect to the features `x` that the tap adds.
    fn expected(&self, style: Option<Style>, content: bool, x: &Array3<f64>) -> Expected<Ix3> {
        let mut sum = Expected::exactly(Array3::zeros(x.dim()));
        if let Some(style) = style {
            let dg = f64s(&self.dg);
            let magnitudes = naive::gram_backward(&x.mapv(f64::abs), &dg.mapv(f64::abs));
            sum.values += &naive::gram_backward(x, &dg);
            sum.bounds += &(magnitudes * (EPSILON * (x.dim().0 as f64).sqrt()));
            if style == Style::SecondAndMean {
                let dmean = f64s(&self.dmean).insert_axis(Axis(1)).insert_axis(Axis(2));
                sum.values += &dmean;
                sum.bounds += &(dmean.mapv(f64::abs) * (EPSILON * (x.dim().0 as f64 + 1.0).sqrt()));
            }
        }
        if content {
            let difference = (x - &f64s(&self.content)) * f64::from(self.slope);
            sum.bounds += &(difference.mapv(f64::abs) * 2.0 * EPSILON);
            sum.values += &difference;
        }
        sum
    }
}

/// Asserts ⟨Ax, y⟩ = ⟨x, Aᵀy⟩, where each element of Ax is a sum of `terms[0]` products and each of Aᵀy one of `terms[1]`.
/// The errors of n roundings partly cancel, so the bound grows as √n, within an element and between elements.
#[track_caller]
fn assert_adjoint<D: Dimension, E: Dimension>(
    what: impl Display,
    terms: [f64; 2],
    (x, ax): (&Array<f32, D>, &Array<f32, E>),
    (y, aty): (&Array<f32, E>, &Array<f32, D>),
) {
    let ((x, ax), (y, aty)) = ((f64s(x), f64s(ax)), (f64s(y), f64s(aty)));
    let bound = EPSILON * (terms[0] / y.len() as f64).sqrt() * norm(&ax) * norm(&y)
        + EPSILON * (terms[1] / x.len() as f64).sqrt() * norm(&aty) * norm(&x);
    let expected = Expected::<Ix0> { values: arr0(dot(&ax, &y)), bounds: arr0(bound) };
    assert_close(what, &arr0(dot(&x, &aty)), &expected);
}

// Convolution.

/// Whether a case whose reference takes this many multiplications is tested. Always, unless `IMPASTO_MOST_PRODUCTS` sets a
/// limit, for emulated CPUs, which are ten times as slow. A limit of 30 million leaves out the maps of several Winograd
/// batches, which take six sevenths of the time.
fn affordable(products: usize) -> bool {
    let most = std::env::var("IMPASTO_MOST_PRODUCTS").ok();
    let most = most.map(|most| most.parse().expect("IMPASTO_MOST_PRODUCTS is a number"));
    most.is_none_or(|most: usize| products <= most)
}

/// The accuracy of a convolution algorithm.
trait Exactness {
    /// The factor by which the rounding error may exceed that of direct summation.
    fn growth(self) -> f64;

    /// The expected result with the algorithm's error bounds, from that with the bounds of direct summation.
    fn expected(self, expected: &Expected<Ix3>) -> Expected<Ix3>;
}

impl Exactness for Algorithm {
    // The largest factor in Winograd's transforms.
    fn growth(self) -> f64 {
        match self {
            Self::Im2col | Self::Direct => 1.0,
            Self::Winograd | Self::WinogradBf16 => 8.0,
        }
    }

    // The outputs of a Winograd tile share rounding errors, so each has the largest bound of the map.
    fn expected(self, expected: &Expected<Ix3>) -> Expected<Ix3> {
        let Expected { values, bounds } = expected;
        let largest = bounds.iter().copied().fold(0.0, f64::max);
        let bounds = match self {
            Self::Im2col | Self::Direct => bounds.clone(),
            Self::Winograd | Self::WinogradBf16 => Array3::from_elem(bounds.dim(), largest * self.growth()),
        };
        Expected { values: values.clone(), bounds }
    }
}

/// A convolution's weights.
struct Kernels {
    weight: Array4<f32>,
    bias: Array1<f32>,
}

/// Every combination of instruction set and algorithm that can compute the convolution on this CPU.
fn ways(conv: &Conv) -> Vec<(Isa, Algorithm)> {
    let methods = [Algorithm::Im2col, Algorithm::Winograd, Algorithm::Direct].into_iter();
    let methods: Vec<_> = methods.filter(|method| conv.allows(*method)).collect();
    let three = conv.kernel() == 3;
    assert_eq!(methods.len(), 1 + usize::from(three) + usize::from(three && conv.in_channels() <= 3));
    let of_isa = |isa| methods.iter().map(move |method| (isa, *method));
    Isa::available().into_iter().flat_map(of_isa).collect()
}

/// Calls `work` with the thread's workspace, which is reused for the next layer, as in a network.
fn with_workspace<R>(isa: Isa, work: impl FnOnce(&mut Workspace) -> R) -> R {
    thread_local!(static WORKSPACES: RefCell<HashMap<&'static str, Workspace>> = RefCell::default());
    let kept = WORKSPACES.with_borrow_mut(|kept| kept.remove(isa.name()));
    let mut workspace = kept.unwrap_or_else(|| Workspace::new(isa));
    let result = work(&mut workspace);
    WORKSPACES.with_borrow_mut(|kept| kept.insert(isa.name(), workspace));
    result
}

impl Kernels {
    fn random(random: &mut Random, [out, channels, k]: [usize; 3]) -> Self {
        Self { weight: random.array((out, channels, k, k)), bias: random.array(out) }
    }

    fn layer(&self) -> Conv {
        let (out, channels, k, _) = self.weight.dim();
        let weight = self.weight.as_slice().expect("a new array").to_vec();
        Conv::new([out, channels, k], weight, self.bias.as_slice().expect("a new array"))
    }

    /// Y and dX. The rounding errors of a sum of `depth` products partly cancel, so the bound grows as its square root.
    fn expected(&self, x: &Array3<f32>, dy: &Array3<f32>) -> [Expected<Ix3>; 2] {
        let (out, channels, k, _) = self.weight.dim();
        let bound = |depth: usize| EPSILON * ((depth * k * k) as f64).sqrt();
        let (x, dy, w, b) = (f64s(x), f64s(dy), f64s(&self.weight), f64s(&self.bias));
        let abs = |a: &Array3<f64>| a.mapv(f64::abs);
        let abs_w = w.mapv(f64::abs);
        [
            Expected {
                values: naive::conv(&x, &w, &b),
                bounds: naive::conv(&abs(&x), &abs_w, &b.mapv(f64::abs)) * bound(channels),
            },
            Expected {
                values: naive::conv_backward(&dy, &w),
                bounds: naive::conv_backward(&abs(&dy), &abs_w) * bound(out),
            },
        ]
    }
}

#[test]
fn convolution_equals_direct_summation() {
    let cases = [
        // [N, C, k], (H, W): channels below, at and above the blocks of 8, 16 and 32 …
        ([1, 1, 3], (1, 1)),
        ([3, 1, 3], (1, 5)),
        ([1, 3, 3], (2, 3)),
        ([8, 7, 3], (7, 5)),
        ([7, 8, 3], (13, 11)),
        ([9, 16, 3], (7, 5)),
        ([17, 9, 3], (5, 7)),
        ([16, 31, 3], (8, 12)),
        ([31, 17, 3], (13, 11)),
        ([32, 40, 3], (1, 5)),
        // … and above 32 (Winograd: 288) channels, the depth of one product;
        ([33, 32, 3], (7, 5)),
        ([32, 33, 3], (13, 11)),
        ([64, 65, 3], (2, 3)),
        ([65, 64, 3], (13, 11)),
        ([17, 297, 3], (5, 6)),
        ([297, 17, 3], (4, 4)),
        ([3, 64, 3], (37, 53)),
        ([40, 3, 3], (37, 53)),
        // more channel blocks than one task computes;
        ([136, 9, 3], (2, 3)),
        ([9, 136, 3], (2, 3)),
        // enough channels that Winograd goes by panels, in one batch of tiles and in several;
        ([130, 136, 3], (13, 11)),
        ([129, 128, 3], (2, 3)),
        ([130, 127, 3], (2, 540)),
        ([127, 130, 3], (540, 2)),
        // rows longer than a tile, and no rows;
        ([9, 7, 3], (3, 150)),
        ([7, 9, 3], (150, 3)),
        ([8, 9, 3], (0, 0)),
        ([8, 9, 3], (0, 5)),
        ([8, 9, 3], (4, 0)),
        // 1×1 kernels, around the 288 channels of one product.
        ([1, 1, 1], (1, 1)),
        ([7, 3, 1], (2, 3)),
        ([8, 9, 1], (7, 5)),
        ([16, 17, 1], (13, 11)),
        ([33, 31, 1], (1, 5)),
        ([288, 289, 1], (2, 3)),
        ([9, 297, 1], (5, 3)),
        ([64, 65, 1], (37, 53)),
        ([32, 40, 1], (2, 150)),
        ([32, 40, 1], (0, 3)),
    ];
    for (seed, (shape @ [out, channels, k], (height, width))) in cases.into_iter().enumerate() {
        if !affordable(out * channels * k * k * height * width) {
            continue;
        }
        let mut random = Random(seed as u64);
        let kernels = Kernels::random(&mut random, shape);
        let x = random.array_with_zeros((channels, height, width));
        let dy = random.array((out, height, width));
        let [y, dx] = kernels.expected(&x, &dy);
        let rectified = Expected { values: naive::relu(&y.values), bounds: y.bounds.clone() };
        let conv = kernels.layer();
        for (isa, by) in ways(&conv) {
            let [y, rectified, dx] = [&y, &rectified, &dx].map(|expected| by.expected(expected));
            let what = format!("{shape:?} on {height}×{width}, {isa:?}, {by:?}");
            for (relu, y) in [(false, &y), (true, &rectified)] {
                check_forward(&format!("{what}, relu {relu}"), &x, y, |x, y| {
                    with_workspace(isa, |workspace| conv.forward(x, y, relu, by, workspace));
                });
            }
            check_backward(&what, isa, (&x, &dy), &dx, |dy, dx, epilogue| {
                with_workspace(isa, |workspace| conv.backward(dy, dx, epilogue, by, workspace));
            });
        }
    }
}

#[test]
fn convolution_backward_is_the_adjoint_at_sizes_of_vgg() {
    for (shape @ [out, channels, k], (height, width)) in [
        ([64, 3, 3], (112, 150)),
        ([128, 64, 3], (37, 53)),
        ([256, 256, 3], (28, 28)),
        ([512, 512, 3], (7, 9)),
        ([512, 512, 1], (14, 13)),
    ] {
        let mut random = Random(1);
        let kernels = Kernels { bias: Array1::zeros(out), ..Kernels::random(&mut random, shape) };
        let (x, dy) = (random.array((channels, height, width)), random.array((out, height, width)));
        let conv = kernels.layer();
        for (isa, by) in ways(&conv) {
            let mut y = FeatureMap::zeros(out, height, width);
            let x_map = FeatureMap::from_planes(x.view());
            with_workspace(isa, |workspace| conv.forward(&x_map, &mut y, false, by, workspace));
            let mut dx = FeatureMap::zeros(channels, height, width);
            let dy_map = FeatureMap::from_planes(dy.view());
            let epilogue = GradientEpilogue::default();
            with_workspace(isa, |workspace| conv.backward(&dy_map, &mut dx, epilogue, by, workspace));
            let what = format!("{shape:?}, {isa:?}, {by:?}");
            let terms = [channels, out].map(|channels| (channels * k * k) as f64 * by.growth().powi(2));
            assert_adjoint(what, terms, (&x, &y.to_planes()), (&dy, &dx.to_planes()));
        }
    }
}

#[test]
fn convolution_propagates_nan_through_its_relu() {
    let here = [1, 2, 4];
    for (channels, k) in [(5, 1), (5, 3), (3, 3)] {
        let mut random = Random(1);
        let kernels = Kernels::random(&mut random, [8, channels, k]);
        let conv = kernels.layer();
        let mut x = random.array((channels, 6, 7));
        x[here] = f32::NAN;
        let x = FeatureMap::from_planes(x.view());
        for (isa, by) in ways(&conv) {
            let mut y = FeatureMap::zeros(8, 6, 7);
            with_workspace(isa, |workspace| conv.forward(&x, &mut y, true, by, workspace));
            for ((n, row, column), y) in y.to_planes().indexed_iter() {
                let near = row.abs_diff(here[1]) <= k / 2 && column.abs_diff(here[2]) <= k / 2;
                // With Winograd, NaN spreads to the whole tile.
                let shown = if by == Algorithm::Winograd { y.is_nan() || !near } else { y.is_nan() == near };
                assert!(shown, "{k}×{k}, {isa:?}, {by:?}: {y} at {:?}", (n, row, column));
            }
        }
    }
}

// The layers without weights.

#[test]
fn relu_and_its_gradient() {
    for_each_shape(|shape, random| {
        let (what, x, dy) = (format!("{shape:?}"), random.array_with_zeros(shape), random.array(shape));
        let y = Expected::exactly(naive::relu(&f64s(&x)));
        let dx = Expected::exactly(naive::relu_backward(&f64s(&dy), &f64s(&x)));
        for isa in Isa::available() {
            check_forward(&what, &x, &y, |x, y| relu::forward(isa, x, y));
            check_backward(&what, isa, (&x, &dy), &dx, |dy, dx, epilogue| {
                relu::backward(isa, dy, dx, epilogue)
            });
        }
    });
}

#[test]
fn the_deepest_tap_gets_only_the_gradient_of_the_loss() {
    for_each_shape(|shape, random| {
        let (x, nothing) = (random.array_with_zeros(shape), Array3::zeros(shape));
        let dx = Expected::exactly(f64s(&nothing));
        for isa in Isa::available() {
            let what = format!("{shape:?}");
            check_backward(&what, isa, (&x, &nothing), &dx, |_, x, epilogue| epilogue.write_deepest(isa, x));
        }
    });
}

#[test]
fn pools_and_their_gradients() {
    for_each_shape(|shape @ (channels, height, width), random| {
        let dy: Array3<f32> = random.array((channels, height / 2, width / 2));
        let x: Array3<f32> = random.array(shape);
        // Only five different values, including +0 and −0, so that windows often have two maxima.
        let coarse = x.mapv(|v| (2.0 * v).round());
        for (pooling, x) in [(Max, &x), (Max, &coarse), (Average, &x)] {
            let what = format!("{pooling:?} {shape:?}");
            let values = naive::pool(pooling, &f64s(x));
            // A mean has three rounded additions; a maximum and a quarter of a gradient are exact.
            let three_sums = naive::pool(Average, &f64s(x).mapv(f64::abs)) * 2.0 * EPSILON;
            let y = match pooling {
                Max => Expected::exactly(values),
                _ => Expected { values, bounds: three_sums },
            };
            let dx = Expected::exactly(naive::pool_backward(pooling, &f64s(&dy), &f64s(x)));
            for isa in Isa::available() {
                check_forward(&what, x, &y, |x, y| pool::forward(isa, pooling, None, x, y));
                check_backward(&what, isa, (x, &dy), &dx, |dy, dx, epilogue| {
                    pool::backward(isa, pooling, None, dy, dx, epilogue);
                });
            }
        }
    });
}

/// Where a map goes on with a layer's first rows, each side of the seam is pooled as if it were alone.
#[test]
fn no_window_of_a_pool_has_rows_on_both_sides_of_a_seam() {
    let (height, isa) = (12, Isa::best());
    let (x, dy): (Array3<f32>, Array3<f32>) = (Random(3).array((9, height, 7)), Random(4).array((9, 6, 3)));
    for seam in 0..=height {
        for pooling in [Max, Average] {
            let mut y = FeatureMap::zeros(9, height / 2, 3);
            pool::forward(isa, pooling, Some(seam), &FeatureMap::from_planes(x.view()), &mut y);
            let mut dx = FeatureMap::from_planes(x.view());
            let dy_map = FeatureMap::from_planes(dy.view());
            pool::backward(isa, pooling, Some(seam), &dy_map, &mut dx, GradientEpilogue::default());
            for rows in [0..seam, seam..height] {
                let windows = rows.start / 2..rows.start / 2 + rows.len() / 2;
                let side = f64s(&x.slice(s![.., rows.clone(), ..]).to_owned());
                let off =
                    naive::pool(pooling, &side) - f64s(&y.to_planes()).slice(s![.., windows.clone(), ..]);
                assert!(norm(&off) < 1e-5, "{pooling:?}, a seam at {seam}");
                let of_side = f64s(&dy.slice(s![.., windows, ..]).to_owned());
                let off = naive::pool_backward(pooling, &of_side, &side)
                    - f64s(&dx.to_planes()).slice(s![.., rows, ..]);
                assert_eq!(norm(&off), 0.0, "{pooling:?}, a seam at {seam}");
            }
        }
    }
}

#[test]
fn average_pool_backward_is_the_adjoint() {
    let (x, dy): (Array3<f32>, Array3<f32>) = (Random(1).array((9, 13, 11)), Random(2).array((9, 6, 5)));
    let mut y = FeatureMap::zeros(9, 6, 5);
    pool::forward(Isa::best(), Average, None, &FeatureMap::from_planes(x.view()), &mut y);
    let mut dx = FeatureMap::zeros(9, 13, 11);
    pool::backward(
        Isa::best(),
        Average,
        None,
        &FeatureMap::from_planes(dy.view()),
        &mut dx,
        GradientEpilogue::default(),
    );
    assert_adjoint("average", [4.0, 1.0], (&x, &y.to_planes()), (&dy, &dx.to_planes()));
}

#[test]
fn relu_and_pools_propagate_nan() {
    for place in naive::window((1, 1, 0)) {
        let mut x = Array3::from_elem((3, 5, 4), 1.0);
        x[place] = f32::NAN;
        let x = FeatureMap::from_planes(x.view());
        let mut y = FeatureMap::zeros(3, 5, 4);
        for isa in Isa::available() {
            relu::forward(isa, &x, &mut y);
            assert!(y.to_planes()[place].is_nan(), "relu {place:?} {isa:?}");
            for pooling in [Max, Average] {
                let what = format!("{pooling:?} on {isa:?} with NaN at {place:?}");
                let mut y = FeatureMap::zeros(3, 2, 2);
                pool::forward(isa, pooling, None, &x, &mut y);
                for (at, y) in y.to_planes().indexed_iter() {
                    assert_eq!(y.is_nan(), at == (1, 1, 0), "{what}: {y} at {at:?}");
                }
            }
        }
    }
}

#[test]
fn lrn_and_its_gradient() {
    for_each_shape(|shape, random| {
        // Values in the hundreds, as VGG's features: with α = 1e-4 the sum would not matter for smaller ones.
        let (x, dy) = (random.array_with_zeros(shape) * 200.0, random.array(shape));
        let (what, x64, dy64) = (format!("{shape:?}"), f64s(&x), f64s(&dy));
        let abs = |a: &Array3<f64>| a.mapv(f64::abs);
        // 4 ε for s, a sum of five squares and 2, and its power; 2 ε for the other products.
        let values = naive::lrn(&x64);
        let y = Expected { bounds: abs(&values) * 6.0 * EPSILON, values };
        check_forward(&what, &x, &y, lrn::forward);
        // With the power 1.75 and another sum of five terms: 12 ε of the terms' magnitudes.
        let terms = naive::lrn_direct(&abs(&dy64), &x64) + naive::lrn_spread(&abs(&dy64), &abs(&x64));
        let dx = Expected { values: naive::lrn_backward(&dy64, &x64), bounds: terms * 12.0 * EPSILON };
        for isa in Isa::available() {
            check_backward(&what, isa, (&x, &dy), &dx, |dy, dx, epilogue| {
                lrn::backward(isa, dy, dx, epilogue)
            });
        }
    });
}

/// Calls `check` with maps of few and of many channels at each of [`SIZES`].
fn for_each_shape(check: impl Fn(Shape, &mut Random)) {
    for (at, (height, width)) in SIZES.into_iter().enumerate() {
        for channels in [1, 3, 8, 17] {
            check((channels, height, width), &mut Random((100 * at + channels) as u64));
        }
    }
}

// Moments.

#[test]
fn moments_equal_their_definition() {
    let cases = [
        (1, 1, 1),
        (3, 1, 5),
        (7, 127, 1),
        (8, 8, 16),
        (9, 3, 43),
        (17, 1, 129),
        (40, 2, 3),
        (64, 1, 5),
        (65, 13, 11),
        (130, 1, 127),
        (200, 7, 5),
        // Several slices, and rows longer than a chunk.
        (9, 50, 100),
        (65, 5000, 1),
        (9, 1, 5000),
        (2, 290, 520),
        (9, 0, 3),
        (9, 3, 0),
    ];
    for shape @ (channels, height, width) in cases {
        let mut random = Random(channels as u64);
        let f: Array3<f32> = random.array(shape);
        for (sign, f) in [("any", &f), ("positive", &f.mapv(f32::abs))] {
            let (map, f) = (map_in_used_memory(f), f64s(f));
            // Slices are summed in f32; here they have fewer than 5000 positions.
            let positions = (height * width) as f64;
            let rounding = EPSILON * positions.min(5000.0).sqrt() / positions;
            let of_sums = |sums: fn(&Array3<f64>) -> Array1<f64>| Expected {
                values: sums(&f) / positions,
                bounds: sums(&f.mapv(f64::abs)) * rounding,
            };
            let (second, mean) = (of_sums(naive::gram_entries), of_sums(naive::channel_sums));
            for isa in Isa::available() {
                let what = format!("{sign} {shape:?}, {isa:?}");
                let found = on_any_threads(&what, || {
                    let mut moments = Moments::zeros(channels);
                    moments.second.fill(f32::NAN);
                    moments.mean.fill(f32::NAN);
                    moments::forward(isa, &map, &mut moments);
                    moments
                });
                assert_eq!(found.count, positions);
                if positions > 0.0 {
                    assert_close(format!("{what}, mean"), &found.mean, &mean);
                    assert_close(&what, &found.second.flatten().to_owned(), &second);
                    assert!(found.second == found.second.t(), "{what}: not symmetric");
                }
            }
        }
    }
}

#[test]
fn moments_of_a_whole_are_the_weighted_mean_of_its_parts() {
    let whole: Array3<f32> = Random(1).array((17, 40, 13));
    let of = |planes: ArrayView3<f32>| {
        let mut moments = Moments::zeros(17);
        moments::forward(Isa::best(), &FeatureMap::from_planes(planes), &mut moments);
        moments
    };
    let (top, bottom) = whole.view().split_at(Axis(1), 7);
    let [top, bottom] = [of(top), of(bottom)];
    let found = Moments::mean_of(&[(top.count, &top), (bottom.count, &bottom)]);
    let expected = of(whole.view());
    let near = |expected: f64| (expected, 8.0 * EPSILON);
    for (found, expected) in
        found.second.iter().chain(&found.mean).zip(expected.second.iter().chain(&expected.mean))
    {
        let (expected, bound) = near(f64::from(*expected));
        assert!((f64::from(*found) - expected).abs() <= bound, "{found} for {expected}");
    }
}

// Fully connected layers.

#[test]
fn dense_equals_its_definition_and_backward_is_the_adjoint() {
    for (n, c) in [(1, 1), (1, 9), (10, 7), (33, 64), (65, 1000), (1000, 31)] {
        for batch in [0, 1, 3, 17] {
            let mut random = Random((n + batch) as u64);
            let (weight, bias): (Array2<f32>, Array1<f32>) = (random.array((n, c)), random.array(n));
            let (x, dy): (Array2<f32>, Array2<f32>) = (random.array((batch, c)), random.array((batch, n)));
            let naive = |w: &Array2<f64>, x: &Array2<f64>, b: &Array1<f64>| {
                Array2::from_shape_fn((x.nrows(), w.nrows()), |(row, n)| {
                    b[n] + (0..w.ncols()).map(|c| w[[n, c]] * x[[row, c]]).sum::<f64>()
                })
            };
            let bounded = |w: Array2<f64>, x: Array2<f64>, b: Array1<f64>| {
                let abs = |a: &Array2<f64>| a.mapv(f64::abs);
                let magnitudes = naive(&abs(&w), &abs(&x), &b.mapv(f64::abs));
                let bounds = magnitudes * (EPSILON * (x.ncols() as f64).sqrt());
                Expected { values: naive(&w, &x, &b), bounds }
            };
            let what = format!("{n}×{c}, {batch} pictures");
            let y = dense::forward(weight.view(), bias.view(), x.view());
            assert_close(&what, &y, &bounded(f64s(&weight), f64s(&x), f64s(&bias)));
            let dx = dense::backward(weight.view(), dy.view());
            let expected = bounded(f64s(&weight).reversed_axes(), f64s(&dy), Array1::zeros(c));
            assert_close(format!("{what}, backward"), &dx, &expected);
            if batch > 0 {
                let linear = dense::forward(weight.view(), Array1::zeros(n).view(), x.view());
                let what = format!("{what}, adjoint");
                assert_adjoint(what, [c as f64, n as f64], (&x, &linear), (&dy, &dx));
            }
        }
    }
}

// The reference implementations.

#[test]
fn the_reference_gradients_match_finite_differences() {
    type Forward<'a> = &'a dyn Fn(&Array3<f64>) -> Array3<f64>;
    type Backward<'a> = &'a dyn Fn(&Array3<f64>, &Array3<f64>) -> Array3<f64>;
    let kernels = [1, 3].map(|k| f64s(&Random(k as u64).array((4, 9, k, k))));
    let conv = |w| move |x: &Array3<f64>| naive::conv(x, w, &Array1::ones(4));
    let conv_backward = |w| move |dy: &Array3<f64>, _: &Array3<f64>| naive::conv_backward(dy, w);
    let pool = |pooling: Pooling| move |x: &Array3<f64>| naive::pool(pooling, x);
    let pool_backward =
        |pooling| move |dy: &Array3<f64>, x: &Array3<f64>| naive::pool_backward(pooling, dy, x);
    let gram = |f: &Array3<f64>| naive::gram(f).insert_axis(Axis(0));
    let gram_backward =
        |dg: &Array3<f64>, f: &Array3<f64>| naive::gram_backward(f, &dg.index_axis(Axis(0), 0).to_owned());
    let layers: [(&str, Forward, Backward); 7] = [
        ("1×1 convolution", &conv(&kernels[0]), &conv_backward(&kernels[0])),
        ("3×3 convolution", &conv(&kernels[1]), &conv_backward(&kernels[1])),
        ("relu", &naive::relu, &naive::relu_backward),
        ("max-pool", &pool(Max), &pool_backward(Max)),
        ("average-pool", &pool(Average), &pool_backward(Average)),
        ("lrn", &naive::lrn, &naive::lrn_backward),
        ("gram", &gram, &gram_backward),
    ];
    for (name, forward, backward) in layers {
        for seed in 0..4 {
            let mut random = Random(seed);
            // Large values, for which LRN has an effect.
            let x = f64s(&random.array((9, 7, 5))) * 100.0;
            let direction = f64s(&random.array(x.dim()));
            let dy = f64s(&random.array(forward(&x).dim()));
            // A step so small that no ReLU and no maximum switches.
            let step = 1e-4;
            let loss = |at: f64| dot(&forward(&(&x + &(&direction * at))), &dy);
            let slope = (loss(step) - loss(-step)) / (2.0 * step);
            let derivative = dot(&backward(&dy, &x), &direction);
            // Dividing by the step magnifies the rounding errors of the f64 losses.
            let rounding = norm(&forward(&x)) * norm(&dy) * f64::EPSILON / step;
            let expected = Expected::<Ix0> { values: arr0(slope), bounds: arr0(rounding) };
            assert_close(format!("{name}, seed {seed}"), &arr0(derivative), &expected);
        }
    }
}
