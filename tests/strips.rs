//! An evaluation in strips of rows, for less memory, against that of the whole picture.

mod common;

use std::path::Path;

use common::evaluation::{self, layers, terms, tiny_network};
use common::{f64s, norm};
use impasto::loss::Terms;
use impasto::network::{Compute, Convolution, Network, Passes};
use impasto::{Edges, Form, Losses, Pooling, Statistic, Weights};
use ndarray::Array3;

/// The losses and the gradient at a picture of this size, with maps in `room` bytes; and whether strips were needed.
fn evaluated(
    network: Network,
    terms: &Terms,
    size: (usize, usize),
    with_regions: bool,
    room: u64,
) -> (Losses, Array3<f64>, bool) {
    let network = network.within(room);
    let is_cut = network.cut(&terms.taps(), terms.mode(), size, Passes::Both, room).is_cut();
    let (losses, gradient) = evaluation::evaluated(network, terms, size, with_regions);
    (losses, f64s(&gradient), is_cut)
}

/// Returns how many pools the first groups had.
fn check(what: &str, terms: &Terms, size: (usize, usize), with_regions: bool) -> Vec<usize> {
    [Convolution::Im2col, Convolution::Auto]
        .into_iter()
        .flat_map(|convolution| check_by(&tiny_network(), convolution, what, terms, size, with_regions))
        .collect()
}

fn check_by(
    weights: &Weights,
    convolution: Convolution,
    what: &str,
    terms: &Terms,
    size: (usize, usize),
    with_regions: bool,
) -> Vec<usize> {
    let mut pools = Vec::new();
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
        pools.push(cut.pools()[0]);
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
    pools
}

#[test]
fn strips_have_the_loss_and_gradient_of_the_whole() {
    let weights = tiny_network();
    // Heights at which the last strips of the shallow and the deep groups have a few rows, or one.
    for size in [(96, 40), (97, 33), (131, 48), (161, 37), (200, 64), (255, 32), (150, 33)] {
        check("the defaults", &terms(&weights), size, false);
    }
}

/// Where the first pool's output is too large to be kept, the steps before and behind it are one group. At these heights the last
/// strips have one row to eight, and a row is left over at each pool or at none.
#[test]
fn groups_of_several_pools_have_the_loss_and_gradient_of_the_whole() {
    let weights = tiny_network();
    // Averages, as rounding may make a maximum be another of two nearly equal values.
    let average = Terms { pooling: Pooling::Average, ..terms(&weights) };
    let sizes = (1025..=1032).map(|height| (height, 20)).chain([(4100, 20)]);
    let pools: Vec<_> = sizes.flat_map(|size| check("averages", &average, size, false)).collect();
    assert!(pools.contains(&2) && pools.contains(&3), "{pools:?}");
    for with_regions in [false, true] {
        let pools = check("maxima", &terms(&weights), (1031, 20), with_regions);
        assert!(pools.contains(&2), "{pools:?}");
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

/// Where a picture repeats, windows go across from its end to its start. At some of these heights a row is left over at one pool, at
/// several or at none, and the last strips have few rows, or one.
#[test]
fn a_picture_that_wraps_has_its_strips() {
    let weights = tiny_network();
    let wraps = Terms { edges: Edges::Wrap, ..terms(&weights) };
    // Averages, as rounding may make a maximum be another of two nearly equal values.
    let average = Terms { pooling: Pooling::Average, ..wraps.clone() };
    for size in [(160, 48), (161, 40), (162, 33), (163, 48), (167, 37), (255, 32), (257, 33)] {
        check("a tile", &average, size, false);
        check("a tile with regions", &average, size, true);
    }
    for size in [(160, 48), (173, 35)] {
        check("a tile by maxima", &wraps, size, false);
        let gram = Terms { statistic: Statistic::Gram, ..wraps.clone() };
        check("a tile by gram", &gram, size, false);
        check("a tile with regions by gram", &gram, size, true);
    }
}

#[test]
fn groups_of_several_pools_wrap() {
    let weights = tiny_network();
    let terms = Terms { edges: Edges::Wrap, pooling: Pooling::Average, ..terms(&weights) };
    let mut pools = Vec::new();
    for height in (1025..=1032).chain([4100, 4103]) {
        // By Winograd's filtering, the tiles behind the seam lie otherwise in the picture than those of the whole where four such
        // tiles do not fill the height. In these many positions the rounding then takes a value or two to the other side of a
        // ReLU, and the gradient differs in one receptive field; without it the sums are the same.
        let convolutions = match height % 4 {
            0 => &[Convolution::Im2col, Convolution::Auto][..],
            _ => &[Convolution::Im2col],
        };
        for convolution in convolutions {
            pools.extend(check_by(&weights, *convolution, "a tall tile", &terms, (height, 20), false));
        }
    }
    assert!(pools.contains(&2), "{pools:?}");
    check_by(&weights, Convolution::Im2col, "a tall tile with regions", &terms, (1031, 20), true);
}
