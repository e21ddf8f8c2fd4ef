//! An evaluation in strips of rows, for less memory, against that of the whole picture.

mod common;

use std::path::Path;
use std::sync::Arc;

use common::{Random, f64s, norm};
use impasto::loss::{Objective, RegionTarget, StyleTarget, Terms};
use impasto::network::{Compute, Convolution, Network, Passes};
use impasto::{Edges, Form, Layer, Losses, Pooling, Statistic, Weights};
use ndarray::{Array2, Array3};

fn tiny_network() -> Weights {
    Weights::open(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/reference/tiny_vgg19.safetensors"))
        .unwrap()
}

fn layers(weights: &Weights, names: &[(&str, f64)]) -> Vec<(Layer, f64)> {
    names.iter().map(|(name, weight)| (weights.layer(name).unwrap(), *weight)).collect()
}

fn terms(weights: &Weights) -> Terms {
    Terms {
        form: Form::Relative,
        content_weight: 1.0,
        content_layers: layers(weights, &[("relu2_1", 0.5), ("relu4_2", 1.0)]),
        style_weight: 10.0,
        statistic: Statistic::Wasserstein,
        style_layers: layers(
            weights,
            &[("relu1_1", 0.4), ("conv2_1", 0.2), ("pool2", 0.2), ("relu4_1", 0.1), ("relu5_1", 0.1)],
        ),
        tv_weight: 1.0,
        laplacian_weight: 1.0,
        pooling: Pooling::Max,
        edges: Edges::Replicate,
    }
}

/// The losses and the gradient at a picture of this size, with maps in `room` bytes; and whether strips were needed.
fn evaluated(
    network: Network,
    terms: &Terms,
    (height, width): (usize, usize),
    with_regions: bool,
    room: u64,
) -> (Losses, Array3<f64>, bool) {
    let network = Arc::new(network.within(room));
    let mut random = Random(7);
    // Smooth, so that two values under a pool are rarely equal, and of all brightnesses.
    let mut picture = || {
        let noise: Array3<f32> = random.array((3, height, width));
        Array3::from_shape_fn((3, height, width), |(c, y, x)| {
            let wave = ((y * (c + 2)) as f32 / 9.0).sin() * (x as f32 / 7.0).cos();
            0.5 + 0.3 * wave + 0.15 * noise[[c, y, x]]
        })
    };
    let [content, style, picture] = [picture(), picture(), picture()];
    let (size, layers, mode) = ((height, width), terms.style_taps(), terms.mode());
    let content = Some(content.view());
    let mut objective = match with_regions {
        false => {
            let style = StyleTarget::of_picture(&network, style.view(), &layers, mode).unwrap();
            Objective::new(&network, terms.clone(), size, content, Some(style)).unwrap()
        }
        true => {
            let left = Array2::from_shape_fn(size, |(y, x)| (x + y) as f32 / (height + width) as f32);
            let of_style = [left.clone(), left.mapv(|t| 1.0 - t)];
            let low = Array2::from_shape_fn(size, |(y, _)| if y < height / 2 { 0.0 } else { 0.75 });
            let styles = StyleTarget::of_regions(&network, style.view(), &layers, mode, &of_style).unwrap();
            let target = |(weights, style)| RegionTarget { weights, style };
            let regions = [left, low].into_iter().zip(styles).map(target).collect();
            Objective::with_regions(&network, terms.clone(), size, content, regions).unwrap()
        }
    };
    let mut gradient = Array3::from_elem(picture.dim(), f32::NAN);
    for _ in 0..2 {
        // Twice: reusing the buffers must not change the result.
        objective.evaluate(picture.view(), gradient.view_mut()).unwrap();
    }
    let is_cut = network.cut(&terms.taps(), mode, size, Passes::Both, room).is_cut();
    (objective.evaluate(picture.view(), gradient.view_mut()).unwrap().clone(), f64s(&gradient), is_cut)
}

fn check(what: &str, terms: &Terms, size: (usize, usize), with_regions: bool) {
    for convolution in [Convolution::Im2col, Convolution::Auto] {
        check_by(&tiny_network(), convolution, what, terms, size, with_regions);
    }
}

fn check_by(
    weights: &Weights,
    convolution: Convolution,
    what: &str,
    terms: &Terms,
    size: (usize, usize),
    with_regions: bool,
) {
    let load = || {
        let compute = Compute { convolution, ..Compute::default() };
        Network::load(weights, compute, *weights.layers().last().unwrap()).unwrap()
    };
    let network = load();
    let whole = network.cut(&terms.taps(), terms.mode(), size, Passes::Both, u64::MAX).bytes(Passes::Both);
    let least = network.cut(&terms.taps(), terms.mode(), size, Passes::Both, 0).bytes(Passes::Both);
    assert!(least < whole, "{what}: {least} of {whole}");
    let (expected, gradient, is_cut) = evaluated(load(), terms, size, with_regions, u64::MAX);
    assert!(!is_cut);
    for share in [0.0, 0.1, 0.35, 0.7, 1.0] {
        let room = least + (share * (whole - 1 - least) as f64) as u64;
        let cut = network.cut(&terms.taps(), terms.mode(), size, Passes::Both, room);
        assert!(cut.bytes(Passes::Both) <= room, "{what}: {} in {room}", cut.bytes(Passes::Both));
        let (found, of_strips, is_cut) = evaluated(load(), terms, size, with_regions, room);
        let what = format!("{what}, {size:?}, in {room} of {whole} bytes, {convolution:?}");
        assert!(is_cut, "{what}: not cut");
        let off = (found.total - expected.total).abs() / expected.total;
        // Of so few positions, a sum in other parts differs by some 1e-7 in the moments, and the distance by more.
        assert!(off < 4e-6, "{what}: loss {} for {}", found.total, expected.total);
        let off = norm(&(&of_strips - &gradient)) / norm(&gradient);
        assert!(off < 1e-4, "{what}: gradient off by {off:e}");
        for (layers, expected) in
            [(&found.style_layers, &expected.style_layers), (&found.content_layers, &expected.content_layers)]
        {
            for (layer, value) in layers {
                // Small terms are differences of large moments, in f32.
                let bound = 1e-6 + 1e-5 * expected[layer];
                assert!((value - expected[layer]).abs() <= bound, "{what}: {layer} {value}");
            }
        }
    }
}

#[test]
fn strips_have_the_loss_and_gradient_of_the_whole() {
    let weights = tiny_network();
    // Heights at which the last strips of the shallow and the deep groups have a few rows, or one.
    for size in [(96, 40), (97, 33), (131, 48), (161, 37), (200, 64), (255, 32), (150, 33)] {
        check("the defaults", &terms(&weights), size, false);
    }
}

#[test]
fn every_statistic_form_and_pooling_has_its_strips() {
    let weights = tiny_network();
    let defaults = terms(&weights);
    let size = (149, 35);
    check("gram", &Terms { statistic: Statistic::Gram, ..defaults.clone() }, size, false);
    check(
        "average",
        &Terms { pooling: Pooling::Average, edges: Edges::Zero, ..defaults.clone() },
        size,
        false,
    );
    let gatys =
        Terms { form: Form::Gatys, statistic: Statistic::Gram, edges: Edges::Zero, ..defaults.clone() };
    check("gatys", &gatys, size, false);
    check("regions", &defaults, size, true);
    check("regions by gram", &Terms { statistic: Statistic::Gram, ..defaults }, size, true);
}

/// Local response normalisation, and 1×1 convolutions.
#[test]
fn every_layer_has_its_strips() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/reference");
    for (name, content) in [("tiny_a_lrn", "relu4_2"), ("tiny_c", "relu4_3")] {
        let weights = Weights::open(folder.join(format!("{name}.safetensors"))).unwrap();
        let names =
            [("relu1_1", 0.4), ("relu2_1", 0.2), ("relu3_1", 0.2), ("relu4_1", 0.1), ("relu5_1", 0.1)];
        let terms = Terms {
            content_layers: layers(&weights, &[(content, 1.0)]),
            style_layers: layers(&weights, &names),
            ..terms(&tiny_network())
        };
        check_by(&weights, Convolution::Im2col, name, &terms, (134, 37), false);
    }
}

/// Where a picture repeats, rows at both its ends depend on each other.
#[test]
fn a_picture_that_wraps_is_not_cut() {
    let weights = tiny_network();
    let network = Network::load(&weights, Compute::default(), *weights.layers().last().unwrap()).unwrap();
    let terms = Terms { edges: Edges::Wrap, ..terms(&weights) };
    assert!(!network.cut(&terms.taps(), terms.mode(), (200, 64), Passes::Both, 0).is_cut());
}
