//! Features, loss terms and the loss's gradient against PyTorch's autograd in f64: the files that
//! `scripts/make_reference.py` wrote. The tests with the real VGG-19 take its file from `IMPASTO_VGG19`.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use impasto::kernels::Isa;
use impasto::layers::pool::Pooling;
use impasto::loss::{Form, StyleTarget};
use impasto::network::{Compute, Convolution, Network};
use impasto::objective::{Objective, Terms};
use impasto::vgg::Layer;
use impasto::weights::Weights;
use ndarray::Array3;
use safetensors::SafeTensors;

/// Relative error of a loss term, and of a feature map in the L2 norm.
const VALUE_TOLERANCE: f64 = 1e-4;
/// Relative error of a gradient in the L2 norm.
const GRADIENT_TOLERANCE: f64 = 1e-3;

/// A reference file, in memory.
struct Reference {
    metadata: HashMap<String, String>,
    tensors: HashMap<String, (Vec<usize>, Vec<f64>)>,
}

impl Reference {
    fn read(name: &str) -> Self {
        let bytes = std::fs::read(folder().join(name)).unwrap();
        let (_, header) = SafeTensors::read_metadata(&bytes).unwrap();
        let tensors = SafeTensors::deserialize(&bytes).unwrap();
        let value = |(name, view): (String, safetensors::tensor::TensorView)| {
            let values = match view.dtype() {
                safetensors::Dtype::F32 => {
                    view.data().as_chunks().0.iter().map(|b| f32::from_le_bytes(*b) as f64).collect()
                }
                safetensors::Dtype::F64 => {
                    view.data().as_chunks().0.iter().map(|b| f64::from_le_bytes(*b)).collect()
                }
                other => panic!("{name} is {other:?}"),
            };
            (name, (view.shape().to_vec(), values))
        };
        Self {
            metadata: header.metadata().clone().unwrap_or_default(),
            tensors: tensors.tensors().into_iter().map(value).collect(),
        }
    }

    fn values(&self, name: &str) -> &[f64] {
        &self.tensors[name].1
    }

    fn planes(&self, name: &str) -> Array3<f32> {
        let (shape, values) = &self.tensors[name];
        let values = values.iter().map(|v| *v as f32).collect();
        Array3::from_shape_vec([shape[0], shape[1], shape[2]], values).unwrap()
    }

    fn number(&self, name: &str) -> f64 {
        self.metadata[name].parse().unwrap()
    }

    fn pooling(&self) -> Pooling {
        match &*self.metadata["pooling"] {
            "max" => Pooling::Max,
            "average" => Pooling::Average,
            other => panic!("pooling {other}"),
        }
    }

    /// `relu1_1=0.5,pool1=0.5`.
    fn layers(&self, name: &str, weights: &Weights) -> Vec<(Layer, f64)> {
        let one = |text: &str| {
            let (layer, weight) = text.split_once('=').unwrap();
            (weights.layer(layer).unwrap(), weight.parse().unwrap())
        };
        self.metadata[name].split(',').map(one).collect()
    }

    fn terms(&self, weights: &Weights) -> Terms {
        Terms {
            form: if self.metadata["loss"] == "gatys" { Form::Gatys } else { Form::Relative },
            content_weight: self.number("alpha"),
            content_layers: self.layers("content_layers", weights),
            style_weight: self.number("beta"),
            style_layers: self.layers("style_layers", weights),
            tv_weight: self.number("gamma"),
            pooling: self.pooling(),
        }
    }
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/reference")
}

/// ‖found − expected‖ / ‖expected‖.
fn relative_error(found: impl IntoIterator<Item = f64>, expected: &[f64]) -> f64 {
    let found: Vec<f64> = found.into_iter().collect();
    assert_eq!(found.len(), expected.len(), "lengths differ");
    let error: f64 = found.iter().zip(expected).map(|(f, e)| (f - e) * (f - e)).sum();
    let norm: f64 = expected.iter().map(|e| e * e).sum();
    assert!(norm > 0.0, "nothing to compare with");
    (error / norm).sqrt()
}

fn assert_near(what: &str, found: impl IntoIterator<Item = f64>, expected: &[f64], tolerance: f64) {
    let error = relative_error(found, expected);
    assert!(error <= tolerance, "{what}: relative error {error:.3e}, at most {tolerance:.0e} expected");
}

/// The features at every layer that the case has, some only in part.
fn check_features(
    case: &str,
    reference: &Reference,
    network: &Network,
    weights: &Weights,
    image: &Array3<f32>,
) {
    let names: Vec<_> = reference.tensors.keys().filter_map(|name| name.strip_prefix("features.")).collect();
    let taps: Vec<_> = names.iter().map(|name| weights.layer(name).unwrap()).collect();
    if taps.is_empty() {
        return;
    }
    let features = network.features(image.view(), &taps, reference.pooling()).unwrap();
    assert_eq!(features.len(), taps.len());
    for (layer, map) in features {
        let stride = reference.metadata.get(&format!("stride.{layer}")).map_or(1, |s| s.parse().unwrap());
        let values = map.to_planes().into_iter().step_by(stride).map(f64::from);
        let expected = reference.values(&format!("features.{layer}"));
        assert_near(&format!("{case}, features {layer}"), values, expected, VALUE_TOLERANCE);
    }
}

fn check_case(case: &str, weights: &Weights, isa: Isa, convolution: Convolution) {
    let reference = Reference::read(&format!("{case}.safetensors"));
    let pictures = Reference::read("pictures.safetensors");
    let [image, content, style] =
        ["image", "content", "style"].map(|name| pictures.planes(&reference.metadata[name]));
    let terms = reference.terms(weights);
    let deepest = *weights.layers().last().unwrap();
    let network = Network::load(weights, Compute { isa, convolution }, deepest).unwrap();
    check_features(case, &reference, &network, weights, &image);

    let style = StyleTarget::of_picture(&network, style.view(), &terms.style_taps(), terms.pooling).unwrap();
    let (_, height, width) = image.dim();
    let mut objective =
        Objective::new(&network, terms, (height, width), Some(content.view()), Some(style)).unwrap();
    // Twice: buffers that are used again must not change anything.
    let mut gradient = Array3::from_elem(image.dim(), f32::NAN);
    for _ in 0..2 {
        let losses = objective.evaluate(image.view(), gradient.view_mut());
        let near = |what: &str, found: f64| {
            let what_of_case = format!("{case}, {what}, {isa:?}, {convolution:?}");
            assert_near(&what_of_case, [found], reference.values(what), VALUE_TOLERANCE);
        };
        near("loss", losses.total);
        near("tv", losses.tv);
        losses.content.iter().for_each(|(layer, value)| near(&format!("content.{layer}"), *value));
        losses.style.iter().for_each(|(layer, value)| near(&format!("style.{layer}"), *value));
        assert_near(
            &format!("{case}, gradient, {isa:?}, {convolution:?}"),
            gradient.iter().map(|v| *v as f64),
            reference.values("gradient"),
            GRADIENT_TOLERANCE,
        );
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
        "case_lrn",
    ] {
        let file = &Reference::read(&format!("{case}.safetensors")).metadata["weights"];
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
    for case in ["real_max_relative", "real_max_gatys", "real_average_relative", "real_average_gatys"] {
        for isa in Isa::available() {
            for convolution in [Convolution::Im2col, Convolution::Winograd] {
                check_case(case, &weights, isa, convolution);
            }
        }
    }
}

/// What the checks above stand on: an error of the size of the tolerance is seen.
#[test]
fn relative_error_sees_an_error() {
    let expected = [3.0, 4.0];
    assert_eq!(relative_error(expected, &expected), 0.0);
    assert!((relative_error([3.0, 4.005], &expected) - 1e-3).abs() < 1e-9);
}
