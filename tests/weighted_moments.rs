//! Moments with weights of the positions, and the gradient of several regions', on every instruction set against their
//! definitions in f64, and those against finite differences.

mod common;

use common::*;
use impasto::layers::conv::{Algorithm, Conv, Workspace};
use impasto::layers::moments::{self, Gradient, Moments, PositionWeights};
use impasto::layers::pool::{self, Pooling};
use impasto::layers::{GradientEpilogue, TapGradient, relu};
use impasto::simd::Isa;
use impasto::tensor::FeatureMap;
use ndarray::{Array1, Array2, Array3, Array4, Axis, Ix0, arr0};

/// Weights in 0–1 of which about a third are 0, and whole rows too.
fn weights(random: &mut Random, (height, width): (usize, usize)) -> Array2<f32> {
    let mut plane: Array2<f32> = random.array((height, width));
    plane.mapv_inplace(|t| if t < -0.3 { 0.0 } else { (t + 0.3) / 1.3 });
    for mut row in plane.axis_iter_mut(Axis(0)).skip(1).step_by(3) {
        row.fill(0.0);
    }
    plane
}

/// Each position times its weight.
fn weighted(f: &Array3<f64>, t: &Array2<f64>) -> Array3<f64> {
    f * &t.view().insert_axis(Axis(0))
}

/// Σ t_p f_p f_pᵀ.
fn weighted_gram(f: &Array3<f64>, t: &Array2<f64>) -> Array2<f64> {
    let (weighted, channels) = (weighted(f, t), f.dim().0);
    Array2::from_shape_fn((channels, channels), |(i, j)| {
        weighted.index_axis(Axis(0), i).iter().zip(f.index_axis(Axis(0), j)).map(|(a, b)| a * b).sum()
    })
}

/// Σ_p t_p·((dG + dGᵀ) f_p + dμ) at each position.
fn weighted_backward(f: &Array3<f64>, t: &Array2<f64>, dg: &Array2<f64>, dmean: &Array1<f64>) -> Array3<f64> {
    let mean = dmean.view().insert_axis(Axis(1)).insert_axis(Axis(2));
    weighted(&(naive::gram_backward(f, dg) + mean), t)
}

fn moments_of(isa: Isa, map: &FeatureMap, weights: &PositionWeights) -> Moments {
    let mut moments = Moments::zeros(map.channels());
    moments.second.fill(f32::NAN);
    moments.mean.fill(f32::NAN);
    moments::forward_weighted(isa, map, weights, &mut moments);
    moments
}

#[test]
fn weighted_moments_equal_their_definition() {
    for shape @ (channels, height, width) in [
        (1, 1, 1),
        (3, 1, 5),
        (7, 127, 1),
        (8, 8, 16),
        (9, 3, 43),
        (17, 1, 129),
        (40, 2, 3),
        (65, 13, 11),
        (130, 2, 127),
        // Several slices, and rows longer than a chunk.
        (9, 50, 100),
        (65, 2500, 1),
        (9, 2, 2500),
        (2, 290, 320),
    ] {
        let mut random = Random(channels as u64);
        let f: Array3<f32> = random.array(shape);
        let mut plane = weights(&mut random, (height, width));
        plane[[0, 0]] = 0.7;
        let weights = PositionWeights::new(plane.clone());
        let (map, f, t) = (map_in_used_memory(&f), f64s(&f), f64s(&plane));
        let n = t.sum();
        assert!((weights.sum() - n).abs() <= 1e-12 * n);
        let rounding = EPSILON * ((height * width) as f64).min(5000.0).sqrt().max(2.0) / n;
        let magnitudes = f.mapv(f64::abs);
        let second =
            Expected { values: weighted_gram(&f, &t) / n, bounds: weighted_gram(&magnitudes, &t) * rounding };
        let mean = Expected {
            values: naive::channel_sums(&weighted(&f, &t)) / n,
            bounds: naive::channel_sums(&weighted(&magnitudes, &t)) * rounding,
        };
        for isa in Isa::available() {
            let what = format!("{shape:?}, {isa:?}");
            let found = on_any_threads(&what, || moments_of(isa, &map, &weights));
            assert_eq!(found.count, weights.sum());
            assert_close(format!("{what}, mean"), &found.mean, &mean);
            assert_close(&what, &found.second, &second);
            assert!(found.second == found.second.t(), "{what}: not symmetric");
        }
    }
}

#[test]
fn weights_of_one_change_no_bit_and_without_weight_there_are_no_moments() {
    for shape @ (channels, height, width) in
        [(3, 1, 5), (17, 1, 129), (65, 130, 31), (9, 50, 100), (2, 290, 520)]
    {
        let f: Array3<f32> = Random(5).array(shape);
        let map = map_in_used_memory(&f);
        for isa in Isa::available() {
            let mut expected = Moments::zeros(channels);
            moments::forward(isa, &map, &mut expected);
            let ones = PositionWeights::new(Array2::ones((height, width)));
            assert!(moments_of(isa, &map, &ones) == expected, "{shape:?}, {isa:?}");
            let zeros = PositionWeights::new(Array2::zeros((height, width)));
            assert_eq!(moments_of(isa, &map, &zeros), Moments::zeros(channels), "{shape:?}, {isa:?}");
        }
    }
}

#[test]
fn the_moments_of_a_partition_add_up_to_those_of_the_whole() {
    let f: Array3<f32> = Random(1).array((17, 40, 13));
    let map = FeatureMap::from_planes(f.view());
    let part = weights(&mut Random(2), (40, 13));
    let regions = [part.clone(), 1.0 - part].map(PositionWeights::new);
    let [one, other] = regions.each_ref().map(|weights| moments_of(Isa::best(), &map, weights));
    let found = Moments::mean_of(&[(one.count, &one), (other.count, &other)]);
    let mut whole = Moments::zeros(17);
    moments::forward(Isa::best(), &map, &mut whole);
    for (found, expected) in
        found.second.iter().chain(&found.mean).zip(whole.second.iter().chain(&whole.mean))
    {
        assert!((found - expected).abs() <= 8.0 * f32::EPSILON, "{found} for {expected}");
    }
}

#[test]
#[should_panic(expected = "not negative")]
fn negative_weights_are_refused() {
    PositionWeights::new(Array2::from_elem((2, 2), -0.1));
}

/// Regions with random gradients, whose weights overlap, leave places out, and are 0 in all of a tile.
struct Regions {
    planes: Vec<Array2<f32>>,
    /// Symmetric.
    ds: Vec<Array2<f32>>,
    dmean: Vec<Array1<f32>>,
}

impl Regions {
    fn random(count: usize, (channels, height, width): (usize, usize, usize)) -> Self {
        let mut random = Random(11);
        let mut planes: Vec<_> = (0..count).map(|_| weights(&mut random, (height, width))).collect();
        // Of the last one, only the top left corner.
        planes[count - 1]
            .indexed_iter_mut()
            .filter(|((y, x), _)| *y > 2 || *x > 2)
            .for_each(|(_, t)| *t = 0.0);
        let mut symmetric = || {
            let half: Array2<f32> = random.array((channels, channels));
            &half + &half.t()
        };
        let ds = (0..count).map(|_| symmetric()).collect();
        Self { planes, ds, dmean: (0..count).map(|_| random.array(channels)).collect() }
    }

    /// The gradients, the first without dμ.
    fn gradients(&self, isa: Isa) -> Vec<Gradient> {
        let of_region = |(region, plane): (usize, &Array2<f32>)| {
            let mut gradient = Gradient::weighted(isa, PositionWeights::new(plane.clone()));
            gradient.set(self.ds[region].view(), (region > 0).then(|| self.dmean[region].view()));
            gradient
        };
        self.planes.iter().enumerate().map(of_region).collect()
    }

    /// Their sum at the features `x`.
    fn expected(&self, x: &Array3<f64>) -> Expected<ndarray::Ix3> {
        let mut sum = Expected::exactly(Array3::zeros(x.dim()));
        let rounding = EPSILON * (x.dim().0 as f64 + 3.0).sqrt();
        for (region, plane) in self.planes.iter().enumerate() {
            let dmean = f64s(&self.dmean[region]) * f64::from(region > 0);
            let (t, ds) = (f64s(plane), f64s(&self.ds[region]));
            sum.values += &weighted_backward(x, &t, &ds, &dmean);
            let (x, ds, dmean) = (x.mapv(f64::abs), ds.mapv(f64::abs), dmean.mapv(f64::abs));
            sum.bounds += &(weighted_backward(&x, &t, &ds, &dmean) * rounding);
        }
        sum
    }
}

/// In every backward pass that has an epilogue, at sizes of several tiles.
#[test]
fn the_gradients_of_regions_add_up_in_every_backward_pass() {
    for (channels, height, width) in [(3, 1, 5), (8, 7, 5), (17, 13, 11), (33, 61, 45), (130, 9, 70)] {
        for count in [1, 2, 4] {
            let shape = (channels, height, width);
            let regions = Regions::random(count, shape);
            let x: Array3<f32> = Random(3).array_with_zeros(shape);
            let added = regions.expected(&f64s(&x));
            let map = FeatureMap::from_planes(x.view());
            let nothing = FeatureMap::zeros(channels, height, width);
            let pooled = FeatureMap::zeros(channels, height / 2, width / 2);
            let conv = |out: usize, kernel: usize| {
                let weights: Array4<f32> = Random(4).array((out, channels, kernel, kernel));
                let weights = weights.into_raw_vec_and_offset().0;
                (
                    Conv::new([out, channels, kernel], weights, &vec![0.0; out]),
                    FeatureMap::zeros(out, height, width),
                )
            };
            let convolutions = [conv(9, 3), conv(130, 3), conv(5, 1)];
            for isa in Isa::available() {
                let gradients = regions.gradients(isa);
                let tap = TapGradient { style: &gradients, ..TapGradient::default() };
                for rectified in [false, true] {
                    let epilogue = GradientEpilogue { tap, relu: rectified };
                    let x64 = f64s(&x);
                    let expected = Expected {
                        values: naive::finish(&added.values, &x64, None, rectified),
                        bounds: naive::finish(&added.bounds, &x64, None, rectified),
                    };
                    let check = |what: &str, backward: &(dyn Fn(&mut FeatureMap) + Sync)| {
                        let what = format!("{what}, {shape:?}, {count} regions, {isa:?}, relu {rectified}");
                        let dx = on_any_threads(&what, || {
                            let mut dx = map.clone();
                            backward(&mut dx);
                            dx
                        });
                        assert_close(&what, &dx.to_planes(), &expected);
                        assert_padding_is_zero(&what, &dx);
                    };
                    // No gradient comes from the layers behind: what is written is the regions' alone.
                    check("deepest", &|dx| epilogue.write_deepest(isa, dx));
                    check("relu", &|dx| relu::backward(isa, &nothing, dx, epilogue));
                    check("pool", &|dx| pool::backward(isa, Pooling::Average, None, &pooled, dx, epilogue));
                    for (conv, dy) in &convolutions {
                        let ways = [Algorithm::Im2col, Algorithm::Winograd, Algorithm::Direct];
                        for algorithm in ways.into_iter().filter(|way| conv.allows(*way)) {
                            check(&format!("{algorithm:?}"), &|dx| {
                                conv.backward(dy, dx, epilogue, algorithm, &mut Workspace::new(isa));
                            });
                        }
                    }
                }
            }
        }
    }
}

#[test]
#[should_panic(expected = "a region of another size")]
fn a_region_of_another_size_is_refused() {
    let mut gradient = Gradient::weighted(Isa::best(), PositionWeights::new(Array2::ones((4, 5))));
    gradient.set(Array2::zeros((8, 8)).view(), None);
    let tap = TapGradient { style: &[gradient], ..TapGradient::default() };
    GradientEpilogue { tap, relu: false }.write_deepest(Isa::best(), &mut FeatureMap::zeros(8, 5, 4));
}

/// The definitions above: the derivative of ⟨dS, S⟩ + ⟨dμ, μ⟩ along a direction, which both are sums over the weights.
#[test]
fn the_reference_gradient_matches_finite_differences() {
    for seed in 0..4 {
        let mut random = Random(seed);
        let f = f64s(&random.array((9, 7, 5)));
        let t = f64s(&weights(&mut random, (7, 5)));
        let direction = f64s(&random.array(f.dim()));
        let half = f64s(&random.array((9, 9)));
        let (ds, dmean) = (&half + &half.t(), f64s(&random.array(9)));
        let n = t.sum();
        let loss = |at: f64| {
            let f = &f + &(&direction * at);
            dot(&(weighted_gram(&f, &t) / n), &ds)
                + dot(&(naive::channel_sums(&weighted(&f, &t)) / n), &dmean)
        };
        let step = 1e-4;
        let slope = (loss(step) - loss(-step)) / (2.0 * step);
        let derivative = dot(&(weighted_backward(&f, &t, &ds, &dmean) / n), &direction);
        let bound = 1e-9 * norm(&ds);
        let expected = Expected::<Ix0> { values: arr0(slope), bounds: arr0(bound) };
        assert_close(format!("seed {seed}"), &arr0(derivative), &expected);
    }
}
