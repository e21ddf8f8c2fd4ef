//! Compares features, loss terms and the loss's gradient with those of PyTorch's autograd in f64, from the files written by
//! `scripts/make_reference.py`. The tests with the real VGG-19 need its file in `IMPASTO_VGG19`.

#[path = "common/tensors.rs"]
mod tensors;

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use impasto::layers::conv::edges::Edges;
use impasto::layers::pool::Pooling;
use impasto::loss::{Form, Objective, RegionTarget, Statistic, StyleTarget, Terms};
use impasto::named::Named;
use impasto::network::{Compute, Convolution, Network};
use impasto::simd::Isa;
use impasto::stylize::Size;
use impasto::stylize::schedule::Scales;
use impasto::vgg::Layer;
use impasto::{Picture, Stylize, Weights};
use ndarray::{Array2, Array3, Axis};
use tensors::{Tensors, relative_error};

/// Relative error of a loss term, and of a feature map in the L2 norm.
const VALUE_TOLERANCE: f64 = 1e-4;
/// Relative error of a gradient in the L2 norm.
const GRADIENT_TOLERANCE: f64 = 1e-3;

/// A reference file.
struct Reference(Tensors);

impl Reference {
    fn read(name: &str) -> Self {
        Self(Tensors::read(&folder().join(name)))
    }

    fn metadata(&self, name: &str) -> &str {
        &self.0.metadata[name]
    }

    fn values(&self, name: &str) -> &[f64] {
        self.0.values(name)
    }

    /// The picture named by this metadata entry: the case's own, or one of those shared by all cases.
    fn picture(&self, name: &str) -> Array3<f32> {
        let name = self.metadata(name);
        let own = format!("picture.{name}");
        match self.0.tensors.contains_key(&own) {
            true => self.0.planes(&own),
            false => Tensors::read(&folder().join("pictures.safetensors")).planes(name),
        }
    }

    /// The weights of the pixels of each region, if the case has regions.
    fn regions(&self, name: &str) -> Vec<Array2<f32>> {
        let names = (0..).map(|number| format!("{name}.{number}"));
        let names = names.take_while(|name| self.0.tensors.contains_key(name));
        names.map(|name| self.0.planes(&name).index_axis_move(Axis(0), 0)).collect()
    }

    fn number(&self, name: &str) -> f64 {
        self.metadata(name).parse().unwrap()
    }

    fn pooling(&self) -> Pooling {
        match self.metadata("pooling") {
            "max" => Pooling::Max,
            "average" => Pooling::Average,
            other => panic!("pooling {other}"),
        }
    }

    /// The layers and weights of a metadata entry such as `relu1_1=0.5,pool1=0.5`.
    fn layers(&self, name: &str, weights: &Weights) -> Vec<(Layer, f64)> {
        let one = |text: &str| {
            let (layer, weight) = text.split_once('=').unwrap();
            (weights.layer(layer).unwrap(), weight.parse().unwrap())
        };
        self.metadata(name).split(',').map(one).collect()
    }

    /// A choice that not every case makes.
    fn named<T: Named>(&self, name: &str) -> Option<T> {
        self.0.metadata.get(name).map(|value| T::from_name(value).unwrap())
    }

    fn terms(&self, weights: &Weights) -> Terms {
        Terms {
            form: if self.metadata("loss") == "gatys" { Form::Gatys } else { Form::Relative },
            content_weight: self.number("alpha"),
            content_layers: self.layers("content_layers", weights),
            style_weight: self.number("beta"),
            statistic: self.named("statistic").unwrap_or(Statistic::Gram),
            style_layers: self.layers("style_layers", weights),
            tv_weight: self.number("gamma"),
            laplacian_weight: self.0.metadata.get("laplacian_weight").map_or(0.0, |w| w.parse().unwrap()),
            pooling: self.pooling(),
            edges: self.named("edges").unwrap_or(Edges::Zero),
        }
    }
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/reference")
}

#[track_caller]
fn assert_near(what: &str, found: &[f64], expected: &[f64], tolerance: f64) {
    let error = relative_error(found, expected);
    assert!(error <= tolerance, "{what}: relative error {error:.3e}, at most {tolerance:.0e} expected");
}

/// ⟨a, b⟩ / (‖a‖ ‖b‖).
fn cosine(a: &[f64], b: &[f64]) -> f64 {
    let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
    dot(a, b) / (dot(a, a) * dot(b, b)).sqrt()
}

/// Compares the features at every layer in the case's file. Of some layers the file has only every n-th value.
fn check_features(
    case: &str,
    reference: &Reference,
    network: &Network,
    weights: &Weights,
    image: &Array3<f32>,
) {
    let names: Vec<_> =
        reference.0.tensors.keys().filter_map(|name| name.strip_prefix("features.")).collect();
    let taps: Vec<_> = names.iter().map(|name| weights.layer(name).unwrap()).collect();
    if taps.is_empty() {
        return;
    }
    let features = network.features(image.view(), &taps, reference.pooling()).unwrap();
    assert_eq!(features.len(), taps.len());
    for (layer, map) in features {
        let stride = reference.0.metadata.get(&format!("stride.{layer}")).map_or(1, |s| s.parse().unwrap());
        let values: Vec<_> = map.to_planes().into_iter().step_by(stride).map(f64::from).collect();
        let expected = reference.values(&format!("features.{layer}"));
        assert_near(&format!("{case}, features {layer}"), &values, expected, VALUE_TOLERANCE);
    }
}

fn check_case(case: &str, weights: &Weights, isa: Isa, convolution: Convolution) {
    let reference = Reference::read(&format!("{case}.safetensors"));
    let [image, content, style] = ["image", "content", "style"].map(|name| reference.picture(name));
    let terms = reference.terms(weights);
    let deepest = *weights.layers().last().unwrap();
    let network = Arc::new(Network::load(weights, Compute { convolution, ..isa.into() }, deepest).unwrap());
    check_features(case, &reference, &network, weights, &image);

    let (layers, mode) = (terms.style_taps(), terms.mode());
    let (_, height, width) = image.dim();
    let (size, content) = ((height, width), Some(content.view()));
    let regions = reference.regions("region");
    let mut objective = match regions.is_empty() {
        true => {
            let style = StyleTarget::of_picture(&network, style.view(), &layers, mode).unwrap();
            Objective::new(&network, terms, size, content, Some(style)).unwrap()
        }
        false => {
            let of_style = reference.regions("style_region");
            let styles = StyleTarget::of_regions(&network, style.view(), &layers, mode, &of_style).unwrap();
            let target = |(weights, style)| RegionTarget { weights, style };
            let regions = regions.into_iter().zip(styles).map(target).collect();
            Objective::with_regions(&network, terms, size, content, regions).unwrap()
        }
    };
    // Twice: reusing the buffers must not change the result.
    let mut gradient = Array3::from_elem(image.dim(), f32::NAN);
    for _ in 0..2 {
        let losses = objective.evaluate(image.view(), gradient.view_mut()).unwrap();
        let near = |what: &str, found: f64| {
            let what_of_case = format!("{case}, {what}, {isa:?}, {convolution:?}");
            assert_near(&what_of_case, &[found], reference.values(what), VALUE_TOLERANCE);
        };
        near("loss", losses.total);
        near("tv", losses.tv);
        assert_eq!(losses.laplacian.is_some(), reference.0.tensors.contains_key("laplacian"));
        losses.laplacian.iter().for_each(|value| near("laplacian", *value));
        losses.content_layers.iter().for_each(|(layer, value)| near(&format!("content.{layer}"), *value));
        losses.style_layers.iter().for_each(|(layer, value)| near(&format!("style.{layer}"), *value));
        let what = format!("{case}, gradient, {isa:?}, {convolution:?}");
        let (found, expected) =
            (gradient.mapv(f64::from).into_iter().collect::<Vec<_>>(), reference.values("gradient"));
        assert_near(&what, &found, expected, GRADIENT_TOLERANCE);
        let cosine = cosine(&found, expected);
        assert!(cosine > 0.99999, "{what}: cosine {cosine}");
    }
}

#[test]
fn small_networks() {
    for case in [
        "case_max_relative",
        "case_max_gatys",
        "case_average_relative",
        "case_average_gatys",
        "case_same_size",
        "case_conv_taps",
        "case_wasserstein",
        "case_wasserstein_constant",
        "case_replicate",
        "case_wrap",
        "case_laplacian",
        "case_mask",
        "case_regions_gram",
        "case_regions_wasserstein",
        "case_lrn",
    ] {
        let file = Reference::read(&format!("{case}.safetensors")).metadata("weights").to_owned();
        let weights = Weights::open(folder().join(file)).unwrap();
        for isa in Isa::available() {
            for convolution in [Convolution::Im2col, Convolution::Winograd] {
                check_case(case, &weights, isa, convolution);
            }
        }
    }
}

#[test]
#[ignore = "needs the real VGG-19: IMPASTO_VGG19=vgg19.safetensors"]
fn real_vgg19() {
    let weights = Weights::open(std::env::var_os("IMPASTO_VGG19").expect("IMPASTO_VGG19 is set")).unwrap();
    for case in [
        "real_max_relative",
        "real_max_gatys",
        "real_average_relative",
        "real_average_gatys",
        "real_wasserstein",
        "real_photograph_1",
        "real_photograph_2",
        "real_photograph_3",
    ] {
        for isa in Isa::available() {
            for convolution in [Convolution::Im2col, Convolution::Winograd] {
                check_case(case, &weights, isa, convolution);
            }
        }
    }
}

/// Winograd and im2col round differently, so their optimisations diverge, but they reach the same loss.
#[test]
#[ignore = "needs the real VGG-19: IMPASTO_VGG19=vgg19.safetensors"]
fn optimisations_with_either_convolution_reach_the_same_loss() {
    let weights = Weights::open(std::env::var_os("IMPASTO_VGG19").expect("IMPASTO_VGG19 is set")).unwrap();
    let reference = Reference::read("real_photograph_1.safetensors");
    let [content, style] = ["content", "style"].map(|name| reference.picture(name));
    let losses = [Convolution::Im2col, Convolution::Winograd].map(|convolution| {
        let job = Stylize::new(&weights)
            .compute(Compute { convolution, ..Compute::default() })
            .content(Picture::from_planes(content.clone()).unwrap())
            .style(Picture::from_planes(style.clone()).unwrap())
            .size(Size::Own)
            .scales(Scales::Count(1))
            .steps(100);
        let mut loss = f64::INFINITY;
        job.run(|progress| {
            loss = loss.min(progress.losses.total);
            ControlFlow::Continue(())
        })
        .unwrap();
        loss
    });
    assert!((losses[1] / losses[0] - 1.0).abs() < 0.01, "{losses:?}");
}

/// The checks above rely on this: an error of the size of the tolerance is detected.
#[test]
fn relative_error_detects_an_error() {
    let expected = [3.0, 4.0];
    assert_eq!(relative_error(&expected, &expected), 0.0);
    assert!((relative_error(&[3.0, 4.005], &expected) - 1e-3).abs() < 1e-9);
}
