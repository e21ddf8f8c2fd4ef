//! Every layer on every instruction set against loops by the definition in f64, and those loops' gradients
//! against differences.

mod common;

use std::cell::RefCell;
use std::collections::HashMap;
use std::fmt::Display;
use std::ops::Range;
use std::sync::Mutex;

use common::*;
use impasto::layers::conv::{Conv, Method, Workspace};
use impasto::layers::pool::Pooling::{self, Average, Max};
use impasto::layers::{Finish, Tap, dense, lrn, moments, pool, relu};
use impasto::simd::Isa;
use impasto::tensor::FeatureMap;
use ndarray::{Array, Array1, Array2, Array3, Array4, Axis, Dimension, Ix0, Ix3, arr0, s};

type Shape = (usize, usize, usize);

/// Sizes of maps at which loops end in every way: empty, one, odd, wide, high, of several tiles.
const SIZES: [(usize, usize); 11] =
    [(0, 0), (0, 5), (3, 0), (1, 1), (1, 5), (2, 3), (7, 5), (13, 11), (81, 61), (5, 600), (300, 2)];

// The harness.

/// Runs a layer on `x` at several thread counts. Y is full of NaN before, so that a place not written shows.
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

/// Runs a layer backward from `dy` over `x` at several thread counts, with every [`Finish`]. What is expected
/// is without one.
#[track_caller]
fn check_backward(
    what: &dyn Display,
    isa: Isa,
    (x, dy): (&Array3<f32>, &Array3<f32>),
    expected: &Expected<Ix3>,
    backward: impl Fn(&FeatureMap, &mut FeatureMap, Finish) + Sync,
) {
    let taps = Taps::random(x.dim());
    let x64 = f64s(x);
    let [x, dy] = [x, dy].map(|planes| FeatureMap::from_planes(planes.view()));
    for (gram, content, relu) in [
        (false, false, false),
        (false, false, true),
        (true, false, false),
        (false, true, true),
        (true, true, false),
        (true, true, true),
    ] {
        let added = taps.expected(gram, content, &x64);
        let sum = naive::finish(&expected.values, &x64, Some(&added.values), false);
        // To add the taps is two more roundings. What the ReLU holds back is exactly 0.
        let rounding = if gram || content { 2.0 * EPSILON } else { 0.0 };
        let bounds = &expected.bounds + &added.bounds + sum.mapv(f64::abs) * rounding;
        let expected = Expected {
            values: naive::finish(&sum, &x64, None, relu),
            bounds: naive::finish(&bounds, &x64, None, relu),
        };
        let what = format!("{what}, backward on {isa:?}, gram {gram}, content {content}, relu {relu}");
        let gradient = taps.gradient(isa);
        let dx = on_any_threads(&what, || {
            let mut dx = x.clone();
            let gram = gram.then_some(&gradient);
            let content = content.then_some((&taps.content_map, taps.slope));
            backward(&dy, &mut dx, Finish { tap: Tap { gram, content }, relu });
            dx
        });
        assert_close(&what, &dx.to_planes(), &expected);
        assert_padding_is_zero(&what, &dx);
    }
}

/// Both kinds of taps for features of one shape.
struct Taps {
    /// Symmetric.
    dg: Array2<f32>,
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
        Self { dg: &dg + &dg.t(), content, content_map, slope: -0.75 }
    }

    fn gradient(&self, isa: Isa) -> moments::Gradient {
        let mut gradient = moments::Gradient::new(isa);
        // What a wider matrix left must not show.
        gradient.set(Array2::from_elem((self.dg.nrows() + 20, self.dg.nrows() + 20), f32::NAN).view());
        gradient.set(self.dg.view());
        gradient
    }

    /// The gradients by the features `x` that the taps add.
    fn expected(&self, gram: bool, content: bool, x: &Array3<f64>) -> Expected<Ix3> {
        let mut sum = Expected::exactly(Array3::zeros(x.dim()));
        if gram {
            let dg = f64s(&self.dg);
            let magnitudes = naive::gram_backward(&x.mapv(f64::abs), &dg.mapv(f64::abs));
            sum.values += &naive::gram_backward(x, &dg);
            sum.bounds += &(magnitudes * (EPSILON * (x.dim().0 as f64).sqrt()));
        }
        if content {
            let difference = (x - &f64s(&self.content)) * f64::from(self.slope);
            sum.bounds += &(difference.mapv(f64::abs) * 2.0 * EPSILON);
            sum.values += &difference;
        }
        sum
    }
}

/// Asserts ⟨Ax, y⟩ = ⟨x, Aᵀy⟩ where an element of Ax is a sum of `terms[0]` products and one of Aᵀy of
/// `terms[1]`: of n roundings that partly cancel, the root counts, within an element and between them.
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

/// How exact a way to compute a convolution is.
trait Exactness {
    /// How many times the definition's rounding there may be.
    fn growth(self) -> f64;

    /// What is expected of it where `expected` is of the definition.
    fn expected(self, expected: &Expected<Ix3>) -> Expected<Ix3>;
}

impl Exactness for Method {
    // The largest factor of Winograd's transforms.
    fn growth(self) -> f64 {
        match self {
            Self::Im2col | Self::Direct => 1.0,
            Self::Winograd => 8.0,
        }
    }

    // Winograd's tiles share their rounding, so it is by the map's largest.
    fn expected(self, expected: &Expected<Ix3>) -> Expected<Ix3> {
        let Expected { values, bounds } = expected;
        let largest = bounds.iter().copied().fold(0.0, f64::max);
        let bounds = match self {
            Self::Im2col | Self::Direct => bounds.clone(),
            Self::Winograd => Array3::from_elem(bounds.dim(), largest * self.growth()),
        };
        Expected { values: values.clone(), bounds }
    }
}

/// A convolution's weights.
struct Kernels {
    weight: Array4<f32>,
    bias: Array1<f32>,
}

/// Every way to compute a convolution here.
fn ways(conv: &Conv) -> Vec<(Isa, Method)> {
    let methods = [Method::Im2col, Method::Winograd, Method::Direct].into_iter();
    let methods: Vec<_> = methods.filter(|method| conv.allows(*method)).collect();
    let three = conv.kernel() == 3;
    assert_eq!(methods.len(), 1 + usize::from(three) + usize::from(three && conv.in_channels() <= 3));
    let of_isa = |isa| methods.iter().map(move |method| (isa, *method));
    Isa::available().into_iter().flat_map(of_isa).collect()
}

/// Calls `work` with a workspace. What a thread leaves in it serves for the next layer, as in a network.
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

    fn layer(&self) -> Conv<'_> {
        let (out, channels, k, _) = self.weight.dim();
        let weight = self.weight.as_slice().expect("a new array");
        Conv::new([out, channels, k], weight, self.bias.as_slice().expect("a new array"))
    }

    /// Y and dX. The roundings of a sum of `depth` products partly cancel: their number counts by its root.
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
fn convolution_is_the_sum_by_its_definition() {
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
        // … and more than 32 (of Winograd 288), the depth multiplied in one go;
        ([33, 32, 3], (7, 5)),
        ([32, 33, 3], (13, 11)),
        ([64, 65, 3], (2, 3)),
        ([65, 64, 3], (13, 11)),
        ([17, 297, 3], (5, 6)),
        ([297, 17, 3], (4, 4)),
        ([3, 64, 3], (37, 53)),
        ([40, 3, 3], (37, 53)),
        // more channel blocks than a task takes;
        ([136, 9, 3], (2, 3)),
        ([9, 136, 3], (2, 3)),
        // so many that a panel's filters are transformed by its task, in one batch of tiles and in several;
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
        // of 1×1 kernels 288 channels fit in one go.
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
    for (seed, (shape @ [out, channels, _], (height, width))) in cases.into_iter().enumerate() {
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
            check_backward(&what, isa, (&x, &dy), &dx, |dy, dx, finish| {
                with_workspace(isa, |workspace| conv.backward(dy, dx, finish, by, workspace));
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
            let finish = Finish::default();
            with_workspace(isa, |workspace| conv.backward(&dy_map, &mut dx, finish, by, workspace));
            let what = format!("{shape:?}, {isa:?}, {by:?}");
            let terms = [channels, out].map(|channels| (channels * k * k) as f64 * by.growth().powi(2));
            assert_adjoint(what, terms, (&x, &y.to_planes()), (&dy, &dx.to_planes()));
        }
    }
}

#[test]
fn convolution_shows_nan_through_its_relu() {
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
                // A tile of Winograd's shows it everywhere.
                let shown = if by == Method::Winograd { y.is_nan() || !near } else { y.is_nan() == near };
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
            check_backward(&what, isa, (&x, &dy), &dx, |dy, dx, finish| relu::backward(isa, dy, dx, finish));
        }
    });
}

#[test]
fn a_finish_alone_has_no_gradient_from_above() {
    for_each_shape(|shape, random| {
        let (x, nothing) = (random.array_with_zeros(shape), Array3::zeros(shape));
        let dx = Expected::exactly(f64s(&nothing));
        for isa in Isa::available() {
            let what = format!("{shape:?}");
            check_backward(&what, isa, (&x, &nothing), &dx, |_, x, finish| finish.alone(isa, x));
        }
    });
}

#[test]
fn pools_and_their_gradients() {
    for_each_shape(|shape @ (channels, height, width), random| {
        let dy: Array3<f32> = random.array((channels, height / 2, width / 2));
        let x: Array3<f32> = random.array(shape);
        // Of five values, so that windows often have two largest; both zeros are among them.
        let coarse = x.mapv(|v| (2.0 * v).round());
        for (pooling, x) in [(Max, &x), (Max, &coarse), (Average, &x)] {
            let what = format!("{pooling:?} {shape:?}");
            let values = naive::pool(pooling, &f64s(x));
            // Of a mean three sums are rounded; the maximum and the quarter of a gradient are exact.
            let three_sums = naive::pool(Average, &f64s(x).mapv(f64::abs)) * 2.0 * EPSILON;
            let y = match pooling {
                Max => Expected::exactly(values),
                _ => Expected { values, bounds: three_sums },
            };
            let dx = Expected::exactly(naive::pool_backward(pooling, &f64s(&dy), &f64s(x)));
            for isa in Isa::available() {
                check_forward(&what, x, &y, |x, y| pool::forward(isa, pooling, x, y));
                check_backward(&what, isa, (x, &dy), &dx, |dy, dx, finish| {
                    pool::backward(isa, pooling, dy, dx, finish);
                });
            }
        }
    });
}

#[test]
fn average_pool_backward_is_the_adjoint() {
    let (x, dy): (Array3<f32>, Array3<f32>) = (Random(1).array((9, 13, 11)), Random(2).array((9, 6, 5)));
    let mut y = FeatureMap::zeros(9, 6, 5);
    pool::forward(Isa::best(), Average, &FeatureMap::from_planes(x.view()), &mut y);
    let mut dx = FeatureMap::zeros(9, 13, 11);
    pool::backward(Isa::best(), Average, &FeatureMap::from_planes(dy.view()), &mut dx, Finish::default());
    assert_adjoint("average", [4.0, 1.0], (&x, &y.to_planes()), (&dy, &dx.to_planes()));
}

#[test]
fn relu_and_pools_show_nan() {
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
                pool::forward(isa, pooling, &x, &mut y);
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
        // In the hundreds, as VGG's features are: with 1e-4 before the sum, smaller ones would not show it.
        let (x, dy) = (random.array_with_zeros(shape) * 200.0, random.array(shape));
        let (what, x64, dy64) = (format!("{shape:?}"), f64s(&x), f64s(&dy));
        let abs = |a: &Array3<f64>| a.mapv(f64::abs);
        // The scale s is a sum of at most five squares and 2: 4 ε with its power; 2 ε for the products around.
        let values = naive::lrn(&x64);
        let y = Expected { bounds: abs(&values) * 6.0 * EPSILON, values };
        check_forward(&what, &x, &y, lrn::forward);
        // With the power 1.75 and another sum of five terms it is 12 ε of the terms' magnitudes.
        let terms = naive::lrn_direct(&abs(&dy64), &x64) + naive::lrn_spread(&abs(&dy64), &abs(&x64));
        let dx = Expected { values: naive::lrn_backward(&dy64, &x64), bounds: terms * 12.0 * EPSILON };
        for isa in Isa::available() {
            check_backward(&what, isa, (&x, &dy), &dx, |dy, dx, finish| lrn::backward(isa, dy, dx, finish));
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

// Gram matrices.

#[test]
fn gram_is_every_pair_of_channels_summed_over_the_positions() {
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
        // Several slices, rows longer than a chunk.
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
            // Summed in f32 over a slice, which has fewer than 5000 positions here.
            let depth = (height * width).min(5000) as f64;
            let bounds = naive::gram(&f.mapv(f64::abs)) * (0.5 * EPSILON * depth.sqrt());
            let expected = Expected { values: naive::gram(&f) * 0.5, bounds };
            for isa in Isa::available() {
                let what = format!("{sign} {shape:?}, {isa:?}");
                let found = on_any_threads(&what, || {
                    let mut g = Array2::from_elem((channels, channels), f32::NAN);
                    moments::forward(isa, &map, 0.5, &mut g);
                    g
                });
                assert_close(&what, &found, &expected);
                assert!(found == found.t(), "{what}: not symmetric");
            }
        }
    }
}

// Fully connected layers.

#[test]
fn dense_is_the_sum_by_its_definition() {
    for (pictures, n, c) in
        [(1, 1, 1), (0, 3, 4), (2, 1, 9), (3, 10, 7), (1, 64, 33), (9, 65, 100), (8, 200, 31)]
    {
        let mut random = Random(n as u64);
        let (weight, bias): (Array2<f32>, Array1<f32>) = (random.array((n, c)), random.array(n));
        let x: Array2<f32> = random.array((pictures, c));
        let naive = |w: Array2<f64>, x: &Array2<f64>, b: Array1<f64>| {
            Array2::from_shape_fn((pictures, n), |(p, n)| {
                b[n] + (0..c).map(|c| w[[n, c]] * x[[p, c]]).sum::<f64>()
            })
        };
        let (w, x64, b) = (f64s(&weight), f64s(&x), f64s(&bias));
        let magnitudes = naive(w.mapv(f64::abs), &x64.mapv(f64::abs), b.mapv(f64::abs));
        let bounds = magnitudes * (EPSILON * (c as f64).sqrt());
        let expected = Expected { values: naive(w, &x64, b), bounds };
        let asked = Mutex::new(vec![0; n]);
        let rows = |rows: Range<usize>| {
            asked.lock().unwrap()[rows.clone()].iter_mut().for_each(|times| *times += 1);
            weight.slice(s![rows, ..]).iter().copied().collect::<Vec<_>>().into()
        };
        let bias = bias.as_slice().unwrap();
        // Transposed: rows need not be contiguous.
        let transposed = x.t().as_standard_layout().reversed_axes().into_owned();
        for x in [x.view(), transposed.view()] {
            asked.lock().unwrap().fill(0);
            let y = dense::forward(rows, bias, x);
            assert_close(format!("{pictures}, {n}×{c}"), &y, &expected);
            assert!(asked.lock().unwrap().iter().all(|times| *times == 1), "rows were not read once");
        }
    }
}

// The references.

#[test]
fn the_references_gradients_are_their_slopes() {
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
            // Large for LRN's sake.
            let x = f64s(&random.array((9, 7, 5))) * 100.0;
            let direction = f64s(&random.array(x.dim()));
            let dy = f64s(&random.array(forward(&x).dim()));
            // So short that no ReLU and no maximum changes sides.
            let step = 1e-4;
            let loss = |at: f64| dot(&forward(&(&x + &(&direction * at))), &dy);
            let slope = (loss(step) - loss(-step)) / (2.0 * step);
            let derivative = dot(&backward(&dy, &x), &direction);
            // The losses are f64 sums, of which the step magnifies the rounding.
            let rounding = norm(&forward(&x)) * norm(&dy) * f64::EPSILON / step;
            let expected = Expected::<Ix0> { values: arr0(slope), bounds: arr0(rounding) };
            assert_close(format!("{name}, seed {seed}"), &arr0(derivative), &expected);
        }
    }
}
