//! An evaluation of the whole loss, of the small network and pictures made up for it.

use std::path::Path;
use std::sync::Arc;

use impasto::loss::{Objective, RegionTarget, StyleTarget, Terms};
use impasto::network::Network;
use impasto::{Edges, Form, Layer, Losses, Pooling, Statistic, Weights};
use ndarray::{Array2, Array3};

use super::Random;

/// The network of VGG-19's shape with few channels.
pub fn tiny_network() -> Weights {
    Weights::open(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/reference/tiny_vgg19.safetensors"))
        .unwrap()
}

/// Layers by their names, with weights.
pub fn layers(weights: &Weights, names: &[(&str, f64)]) -> Vec<(Layer, f64)> {
    names.iter().map(|(name, weight)| (weights.layer(name).unwrap(), *weight)).collect()
}

/// All terms, at layers of all kinds.
pub fn terms(weights: &Weights) -> Terms {
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

/// The losses and the gradient at a picture of this size; where ranks share it, the gradient of this one's rows.
pub fn evaluated(
    network: Network,
    terms: &Terms,
    (height, width): (usize, usize),
    with_regions: bool,
) -> (Losses, Array3<f32>) {
    let network = Arc::new(network);
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
    let band = network.band(height);
    let picture = band.of_planes(picture.view());
    let mut gradient = Array3::from_elem(picture.dim(), f32::NAN);
    for _ in 0..2 {
        // Twice: reusing the buffers must not change the result.
        objective.evaluate(picture, gradient.view_mut()).unwrap();
    }
    (objective.evaluate(picture, gradient.view_mut()).unwrap().clone(), gradient)
}
