//! What ranks compute together, against what one process computes.

mod common;

use common::evaluation::{evaluated, layers, terms, tiny_network};
use common::ranks::on_ranks;
use common::{f64s, norm};
use impasto::loss::Terms;
use impasto::network::{Compute, Convolution, Network};
use impasto::parallel::ranks::Ranks;
use impasto::{Edges, Form, Pooling, Statistic, Weights};
use ndarray::{Array3, Axis, concatenate};

fn load(weights: &Weights, convolution: Convolution, ranks: Ranks) -> Network {
    let compute = Compute { convolution, ..Compute::default() };
    Network::load(weights, compute, *weights.layers().last().unwrap()).unwrap().among(ranks)
}

fn check(what: &str, weights: &Weights, terms: &Terms, size: (usize, usize), with_regions: bool) {
    for convolution in [Convolution::Im2col, Convolution::Auto] {
        let of = |ranks| evaluated(load(weights, convolution, ranks), terms, size, with_regions);
        let (expected, gradient) = of(Ranks::ALONE);
        for count in 1..=4 {
            let what = format!("{what}, {size:?}, {count} ranks, {convolution:?}");
            let found = on_ranks(count, of);
            let bands: Vec<_> = found.iter().map(|(_, gradient)| gradient.view()).collect();
            let of_ranks: Array3<f32> = concatenate(Axis(1), &bands).unwrap();
            let off = norm(&(f64s(&of_ranks) - f64s(&gradient))) / norm(&f64s(&gradient));
            assert!(off < 1e-5, "{what}: gradient off by {off:e}");
            let (losses, _) = &found[0];
            let off = (losses.total - expected.total).abs() / expected.total;
            assert!(off < 1e-6, "{what}: loss {} for {}", losses.total, expected.total);
            assert!(found.iter().all(|(of_rank, _)| of_rank == losses), "{what}: ranks differ");
            let again = on_ranks(count, of);
            assert!(found == again, "{what}: not the same each time");
        }
    }
}

#[test]
fn ranks_have_the_loss_and_gradient_of_one() {
    let weights = tiny_network();
    // Four bands, a last band of another height, and heights at which the last ranks have no rows.
    for size in [(64, 40), (93, 33), (48, 48), (31, 64), (16, 37)] {
        check("the defaults", &weights, &terms(&weights), size, false);
    }
}

#[test]
fn every_kind_of_edges_has_its_ranks() {
    let weights = tiny_network();
    for edges in [Edges::Zero, Edges::Wrap] {
        for size in [(64, 48), (81, 35), (16, 32)] {
            check(&format!("{edges:?}"), &weights, &Terms { edges, ..terms(&weights) }, size, false);
        }
    }
}

#[test]
fn every_statistic_form_and_pooling_has_its_ranks() {
    let weights = tiny_network();
    let (defaults, size) = (terms(&weights), (71, 34));
    let check =
        |what: &str, terms: &Terms, size, with_regions| check(what, &weights, terms, size, with_regions);
    check("gram", &Terms { statistic: Statistic::Gram, ..defaults.clone() }, size, false);
    check("average", &Terms { pooling: Pooling::Average, ..defaults.clone() }, size, false);
    let gatys =
        Terms { form: Form::Gatys, statistic: Statistic::Gram, edges: Edges::Zero, ..defaults.clone() };
    check("gatys", &gatys, size, false);
    check("regions", &defaults, size, true);
    check("regions by gram", &Terms { statistic: Statistic::Gram, ..defaults.clone() }, size, true);
    // A stride of 32: bands of 16 rows would be cut within one of its rows.
    let deep = layers(&weights, &[("relu2_1", 0.5), ("pool5", 0.5)]);
    check("a deeper pool", &Terms { style_layers: deep, ..defaults }, (135, 70), false);
}
