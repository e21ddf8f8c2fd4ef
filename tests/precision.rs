//! An evaluation with products in bfloat16, against that in f32.

mod common;

use common::evaluation::{evaluated, terms, tiny_network};
use common::{f64s, norm};
use impasto::network::{Compute, Convolution, Network, Precision};
use impasto::simd::Isa;
use impasto::{Losses, Weights};
use ndarray::Array3;

fn by(weights: &Weights, isa: Isa, convolution: Convolution, precision: Precision) -> (Losses, Array3<f64>) {
    let compute = Compute { isa, convolution, precision };
    let network = Network::load(weights, compute, *weights.layers().last().unwrap()).unwrap();
    let (losses, gradient) = evaluated(network, &terms(weights), (64, 48), false);
    (losses, f64s(&gradient))
}

#[test]
fn products_in_bfloat16_change_the_loss_and_the_gradient_little() {
    let weights = tiny_network();
    for isa in Isa::available() {
        for convolution in [Convolution::Auto, Convolution::Winograd] {
            let (expected, gradient) = by(&weights, isa, convolution, Precision::F32);
            let (found, rounded) = by(&weights, isa, convolution, Precision::Bf16);
            let loss = (found.total - expected.total).abs() / expected.total;
            let cosine = (&rounded * &gradient).sum() / norm(&rounded) / norm(&gradient);
            // Not 0, or the products would be in f32.
            assert!(loss > 1e-7 && loss < 1e-2, "{isa:?} {convolution:?}: loss off by {loss:e}");
            // Rounding makes ReLUs and pools choose otherwise, and this network of random filters has many layers: its gradient
            // turns by some 30 degrees, that of the real VGG-19 by 7.
            assert!(cosine > 0.75 && cosine < 0.9999, "{isa:?} {convolution:?}: cosine {cosine}");
        }
        // im2col has no products in bfloat16.
        let [(a, _), (b, _)] = [Precision::F32, Precision::Bf16]
            .map(|precision| by(&weights, isa, Convolution::Im2col, precision));
        assert_eq!(a.total, b.total);
    }
}
