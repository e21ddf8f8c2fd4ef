//! Weights files: which are read, as what, and which are refused with what message.

use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::path::PathBuf;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use half::{bf16, f16};
use impasto::Error;
use impasto::vgg::{Architecture, ConvSpec, Preprocessing};
use impasto::weights::{Dtype, Naming, Places, Source, Weights};
use safetensors::Dtype as Stored;
use safetensors::tensor::TensorView;
use tempfile::TempDir;

/// What a test file holds: tensors by name, and metadata.
#[derive(Clone, Default)]
struct Content {
    tensors: BTreeMap<String, (Stored, Vec<usize>, Vec<u8>)>,
    metadata: HashMap<String, String>,
}

impl Content {
    /// The network's convolutions with a width of 2 and more, under the names that a file of this kind
    /// has.
    fn vgg(architecture: Architecture, naming: Naming) -> Self {
        let mut content = Self::default();
        let mut inputs = 3;
        for (conv, stem) in architecture.convolutions().iter().zip(stems(architecture, naming)) {
            let outputs = width(conv);
            content.layer(&stem, vec![outputs, inputs, conv.kernel, conv.kernel]);
            inputs = outputs;
        }
        content
    }

    /// The same with a classifier of ten classes.
    fn with_classifier(mut self, naming: Naming) -> Self {
        let [fc6, fc7, fc8] = match naming {
            Naming::Layers => ["fc6", "fc7", "fc8"],
            Naming::Torchvision => ["classifier.0", "classifier.3", "classifier.6"],
            Naming::Timm => ["pre_logits.fc1", "pre_logits.fc2", "head.fc"],
            other => panic!("unknown naming {other}"),
        };
        if naming == Naming::Timm {
            self.layer(fc6, vec![5, 6, 7, 7]);
            self.layer(fc7, vec![4, 5, 1, 1]);
        } else {
            self.layer(fc6, vec![5, 6 * 7 * 7]);
            self.layer(fc7, vec![4, 5]);
        }
        self.layer(fc8, vec![10, 4]);
        self
    }

    fn layer(&mut self, stem: &str, shape: Vec<usize>) {
        self.tensor(&format!("{stem}.bias"), Stored::F32, vec![shape[0]]);
        self.tensor(&format!("{stem}.weight"), Stored::F32, shape);
    }

    /// Puts a tensor of the values 0.25, 0.5, 0.75 … in place of what has this name.
    fn tensor(&mut self, name: &str, dtype: Stored, shape: Vec<usize>) {
        let values = (1..=shape.iter().product()).map(|i: usize| (i % 1000) as f32 / 4.0);
        let data = match dtype {
            Stored::F32 => values.flat_map(f32::to_le_bytes).collect(),
            Stored::F16 => values.flat_map(|v| f16::from_f32(v).to_le_bytes()).collect(),
            Stored::BF16 => values.flat_map(|v| bf16::from_f32(v).to_le_bytes()).collect(),
            _ => vec![0; shape.iter().product::<usize>() * dtype.bitsize() / 8],
        };
        self.tensors.insert(name.to_owned(), (dtype, shape, data));
    }

    fn store_as(&mut self, dtype: Stored) {
        for (name, (_, shape, _)) in self.tensors.clone() {
            self.tensor(&name, dtype, shape);
        }
    }

    fn without(mut self, tensors: &[&str]) -> Self {
        self.tensors.retain(|name, _| !tensors.iter().any(|stem| name.starts_with(stem)));
        self
    }

    fn with_metadata(mut self, key: &str, value: &str) -> Self {
        self.metadata.insert(key.to_owned(), value.to_owned());
        self
    }

    fn bytes(&self) -> Vec<u8> {
        let views = self.tensors.iter().map(|(name, (dtype, shape, data))| {
            (name, TensorView::new(*dtype, shape.clone(), data).expect("data of the shape's length"))
        });
        let metadata = (!self.metadata.is_empty()).then(|| self.metadata.clone());
        safetensors::serialize(views, metadata).expect("a valid file")
    }

    fn open(&self) -> impasto::Result<Weights> {
        open(&self.bytes())
    }
}

/// Widths that differ from layer to layer, 6 for the last convolution of every network.
fn width(conv: &ConvSpec) -> usize {
    1 + conv.group
}

/// Stems of the convolutions' names, the numbers written down from torchvision's networks.
fn stems(architecture: Architecture, naming: Naming) -> Vec<String> {
    if naming == Naming::Layers {
        return architecture.convolutions().iter().map(|conv| conv.layer().to_string()).collect();
    }
    let indices: &[usize] = match architecture {
        Architecture::A => &[0, 3, 6, 8, 11, 13, 16, 18],
        Architecture::ALrn => &[0, 4, 7, 9, 12, 14, 17, 19],
        Architecture::B => &[0, 2, 5, 7, 10, 12, 15, 17, 20, 22],
        Architecture::C | Architecture::D => &[0, 2, 5, 7, 10, 12, 14, 17, 19, 21, 24, 26, 28],
        Architecture::E => &[0, 2, 5, 7, 10, 12, 14, 16, 19, 21, 23, 25, 28, 30, 32, 34],
        other => panic!("unknown network {other}"),
    };
    indices.iter().map(|index| format!("features.{index}")).collect()
}

fn open(bytes: &[u8]) -> impasto::Result<Weights> {
    let folder = TempDir::new().expect("a temporary folder");
    let path = folder.path().join("net.safetensors");
    fs::write(&path, bytes).expect("a writable temporary folder");
    Weights::open(path)
}

const NAMINGS: [Naming; 3] = [Naming::Layers, Naming::Torchvision, Naming::Timm];

#[test]
fn every_network_is_recognised_in_every_naming() {
    for architecture in Architecture::ALL {
        for naming in NAMINGS {
            let content = Content::vgg(architecture, naming).with_classifier(naming);
            let weights = content.open().unwrap();
            // By its layers' names alone A-LRN is A.
            let expected = match (architecture, naming) {
                (Architecture::ALrn, Naming::Layers) => Architecture::A,
                _ => architecture,
            };
            assert_eq!(weights.architecture(), expected, "{architecture} {naming}");
            assert_eq!(weights.naming(), naming);
            assert_eq!(weights.convolutions().collect::<Vec<_>>(), expected.convolutions());
            assert_eq!(weights.layers(), expected.layers());
            let widths: Vec<_> = architecture.convolutions().iter().map(width).collect();
            assert_eq!(weights.widths(), widths);
        }
    }
}

#[test]
fn tensors_are_where_their_layers_names_say() {
    for naming in NAMINGS {
        let weights = Content::vgg(Architecture::C, naming).with_classifier(naming).open().unwrap();
        for (conv, stem) in Architecture::C.convolutions().iter().zip(stems(Architecture::C, naming)) {
            let found = weights.convolution(conv).unwrap();
            assert_eq!(found.weight.name, format!("{stem}.weight"));
            assert_eq!(found.bias.name, format!("{stem}.bias"));
            assert_eq!(found.weight.shape[0], width(conv));
            assert_eq!(found.weight.shape[2..], [conv.kernel; 2]);
            assert_eq!(found.bias.shape, [width(conv)]);
            assert_eq!(found.weight.len(), found.weight.shape.iter().product::<usize>());
        }
        // timm's 5×6×7×7 and 4×5×1×1 are seen as matrices too.
        let shapes = [6, 7, 8].map(|number| weights.dense(number).unwrap().weight.shape);
        assert_eq!(shapes, [[5, 6 * 49], [4, 5], [10, 4]]);
        assert_eq!([6, 7, 8].map(|number| weights.dense(number).unwrap().bias.len()), [5, 4, 10]);
        assert!(weights.dense(5).is_none() && weights.dense(9).is_none());
    }
}

#[test]
fn a_file_may_stop_after_any_layer() {
    for architecture in [Architecture::A, Architecture::B, Architecture::C, Architecture::D, Architecture::E]
    {
        let whole = Content::vgg(architecture, Naming::Layers).with_classifier(Naming::Layers);
        let mut stems = stems(architecture, Naming::Layers);
        stems.extend(["fc6", "fc7", "fc8"].map(str::to_owned));
        for depth in 1..=stems.len() {
            let behind: Vec<_> = stems[depth..].iter().map(String::as_str).collect();
            let content = whole.clone().without(&behind);
            let weights = content.open().unwrap();
            let convolutions = weights.convolutions().count();
            assert_eq!(convolutions, depth.min(architecture.convolutions().len()));
            let dense = (6..=8).filter(|&number| weights.dense(number).is_some()).count();
            assert_eq!(convolutions + dense, depth, "{architecture} to {}", stems[depth - 1]);

            let stated = content.with_metadata("network", architecture.name()).open().unwrap();
            assert_eq!(stated.architecture(), architecture);
        }
    }
}

#[test]
fn a_file_that_fits_several_networks_is_taken_for_the_deepest() {
    let recognised = |architecture, behind: &[&str]| {
        Content::vgg(architecture, Naming::Layers).without(behind).open().unwrap().architecture()
    };
    assert_eq!(recognised(Architecture::A, &["conv2", "conv3", "conv4", "conv5"]), Architecture::E);
    assert_eq!(recognised(Architecture::A, &["conv3", "conv4", "conv5"]), Architecture::A);
    assert_eq!(recognised(Architecture::B, &["conv3", "conv4", "conv5"]), Architecture::E);
    assert_eq!(recognised(Architecture::B, &["conv5"]), Architecture::B);
    assert_eq!(recognised(Architecture::D, &["conv4", "conv5"]), Architecture::E);
    assert_eq!(recognised(Architecture::D, &["conv5"]), Architecture::D);
    assert_eq!(recognised(Architecture::C, &["conv3_3", "conv4", "conv5"]), Architecture::E);
    assert_eq!(recognised(Architecture::C, &["conv4", "conv5"]), Architecture::C);
    let torchvision = Content::vgg(Architecture::ALrn, Naming::Torchvision).without(&["features.1"]);
    assert_eq!(torchvision.open().unwrap().architecture(), Architecture::ALrn);
}

#[test]
fn layers_end_where_the_file_does() {
    let weights = Content::vgg(Architecture::E, Naming::Layers)
        .without(&["conv5_2", "conv5_3", "conv5_4"])
        .open()
        .unwrap();
    assert_eq!(weights.layers().last().unwrap().to_string(), "relu5_1");
    assert_eq!(weights.layer("pool4").unwrap().to_string(), "pool4");
    assert_eq!(weights.layer("relu5_1").unwrap().to_string(), "relu5_1");
    for name in ["conv5_2", "pool5"] {
        let message = weights.layer(name).unwrap_err().to_string();
        assert!(
            message.contains(&format!("layer {name} is not in this file, which stops after relu5_1")),
            "{message}"
        );
    }
    assert!(matches!(weights.layer("conv5_5"), Err(Error::UnknownLayer { .. })));
}

#[test]
fn preprocessing_comes_from_the_metadata_or_else_the_naming() {
    let found = |naming, stated: Option<&str>| {
        let mut content = Content::vgg(Architecture::A, naming);
        if let Some(stated) = stated {
            content = content.with_metadata("preprocessing", stated);
        }
        content.open().unwrap().preprocessing()
    };
    assert_eq!(found(Naming::Layers, None), Preprocessing::Caffe);
    assert_eq!(found(Naming::Torchvision, None), Preprocessing::Torchvision);
    assert_eq!(found(Naming::Timm, None), Preprocessing::Torchvision);
    for naming in NAMINGS {
        assert_eq!(found(naming, Some("caffe-bgr")), Preprocessing::Caffe);
        assert_eq!(found(naming, Some("caffe")), Preprocessing::Caffe);
        assert_eq!(found(naming, Some("torchvision-rgb")), Preprocessing::Torchvision);
        assert_eq!(found(naming, Some("torchvision")), Preprocessing::Torchvision);
    }
    let weights = Content::vgg(Architecture::A, Naming::Layers).open().unwrap();
    let overridden = weights.with_preprocessing(Preprocessing::Torchvision);
    assert_eq!(overridden.preprocessing(), Preprocessing::Torchvision);
}

#[test]
fn metadata_is_kept() {
    let weights = Content::vgg(Architecture::A, Naming::Layers)
        .with_metadata("network", "vgg11-lrn")
        .with_metadata("credits", "Ünïcode \"quoted\"")
        .open()
        .unwrap();
    assert_eq!(weights.architecture(), Architecture::ALrn);
    assert_eq!(weights.metadata()["credits"], "Ünïcode \"quoted\"");
}

#[test]
fn every_type_is_widened_exactly() {
    for (stored, dtype) in [(Stored::F32, Dtype::F32), (Stored::F16, Dtype::F16), (Stored::BF16, Dtype::BF16)]
    {
        let mut content = Content::vgg(Architecture::A, Naming::Layers);
        content.store_as(stored);
        let weights = content.open().unwrap();
        let tensor = weights.convolution(&Architecture::A.convolutions()[0]).unwrap().weight;
        assert_eq!((tensor.dtype, tensor.len()), (dtype, 2 * 3 * 9));
        // Quarters up to 13.5 need six bits of precision, which all three types have.
        let expected: Vec<_> = (1..=54).map(|i| i as f32 / 4.0).collect();
        for range in [0..54, 0..0, 54..54, 53..54, 5..22] {
            let mut values = vec![f32::NAN; range.len()];
            tensor.widen_into(range.clone(), &mut values);
            assert_eq!(values, expected[range]);
        }
        assert_eq!(tensor.as_f32().is_some(), stored == Stored::F32);
    }
}

/// A header of a length that is no multiple of 4 puts every tensor at an odd place.
#[test]
fn data_may_lie_at_any_alignment() {
    for padding in 0..8 {
        let bytes = edited(&Content::vgg(Architecture::A, Naming::Layers).bytes(), |header| {
            header.push_str(&" ".repeat(padding));
        });
        for weights in [open(&bytes).unwrap(), Weights::from_static("embedded", bytes.leak()).unwrap()] {
            let tensor = weights.convolution(&Architecture::A.convolutions()[0]).unwrap().weight;
            let expected: Vec<_> = (1..=54).map(|i| i as f32 / 4.0).collect();
            let mut values = vec![0.0; 54];
            tensor.widen_into(0..54, &mut values);
            assert_eq!(values, expected);
            if let Some(in_place) = tensor.as_f32() {
                assert_eq!(in_place, expected);
            }
        }
    }
}

#[test]
fn tensors_may_lie_in_any_order() {
    let mut content = Content::vgg(Architecture::A, Naming::Layers);
    // The library writes wider types first, so these biases go behind all weights.
    for conv in Architecture::A.convolutions() {
        content.tensor(&format!("{}.bias", conv.layer()), Stored::F16, vec![width(&conv)]);
    }
    let weights = content.open().unwrap();
    let last = weights.convolution(Architecture::A.convolutions().last().unwrap()).unwrap();
    assert_eq!((last.weight.dtype, last.bias.dtype), (Dtype::F32, Dtype::F16));
}

#[test]
fn other_tensors_are_left_alone() {
    let mut content = Content::vgg(Architecture::D, Naming::Layers);
    content.tensor("mean", Stored::F64, vec![3]);
    content.tensor("head.note", Stored::U8, vec![]);
    assert_eq!(content.open().unwrap().architecture(), Architecture::D);
}

#[test]
fn tensors_that_do_not_make_a_network_are_refused() {
    use Stored::{F32, F64, I8};
    type Change = fn(&mut Content);
    let changes: &[(Change, &str)] = &[
        (
            |c| c.tensor("conv3_2.weight", F64, vec![4, 4, 3, 3]),
            "conv3_2.weight: expected F32, F16 or BF16, found F64",
        ),
        (|c| c.tensor("conv1_1.bias", I8, vec![2]), "conv1_1.bias: expected F32, F16 or BF16, found I8"),
        (
            |c| c.tensor("conv2_2.weight", F32, vec![3, 27]),
            "conv2_2.weight: expected shape [out, 3, 3, 3], found [3, 27]",
        ),
        (
            |c| c.tensor("conv2_2.weight", F32, vec![]),
            "conv2_2.weight: expected shape [out, 3, 3, 3], found []",
        ),
        (
            |c| c.tensor("conv4_2.weight", F32, vec![5, 5, 5, 5]),
            "conv4_2.weight: expected shape [out, 5, 3, 3], found [5, 5, 5, 5]",
        ),
        (
            |c| c.tensor("conv4_2.weight", F32, vec![5, 5, 3, 1]),
            "conv4_2.weight: expected shape [out, 5, 3, 3], found [5, 5, 3, 1]",
        ),
        (
            |c| c.tensor("conv4_2.weight", F32, vec![5, 5, 1, 1]),
            "conv4_2.weight: expected shape [out, 5, 3, 3], found [5, 5, 1, 1]",
        ),
        (
            |c| c.tensor("conv1_1.weight", F32, vec![2, 1, 3, 3]),
            "conv1_1.weight: expected shape [out, 3, 3, 3], found [2, 1, 3, 3]",
        ),
        (
            |c| c.tensor("conv3_1.weight", F32, vec![4, 7, 3, 3]),
            "conv3_1.weight: expected shape [out, 3, 3, 3], found [4, 7, 3, 3]",
        ),
        (
            |c| c.tensor("conv3_1.weight", F32, vec![0, 3, 3, 3]),
            "conv3_1.weight: expected shape [out, 3, 3, 3], found [0, 3, 3, 3]",
        ),
        (|c| c.tensor("conv3_1.bias", F32, vec![5]), "conv3_1.bias: expected shape [4], found [5]"),
        (|c| c.tensor("conv3_1.bias", F32, vec![4, 1]), "conv3_1.bias: expected shape [4], found [4, 1]"),
        (
            |c| *c = c.clone().without(&["conv3_2.bias"]),
            "conv3_2.bias: expected shape [4], found no such tensor",
        ),
        (
            |c| *c = c.clone().without(&["conv3_2.weight"]),
            "conv3_2.weight: expected shape [out, 4, 3, 3], found no such tensor",
        ),
        (
            |c| *c = c.clone().without(&["conv3_2."]),
            "conv3_2.weight: expected shape [out, 4, 3, 3], found no such tensor",
        ),
        (
            |c| *c = c.clone().without(&["conv1_1."]),
            "conv1_1.weight: expected shape [out, 3, 3, 3], found no such tensor",
        ),
        (
            |c| *c = c.clone().without(&["conv5_4."]),
            "conv5_4.weight: expected shape [out, 6, 3, 3], found no such tensor",
        ),
        (
            |c| *c = c.clone().without(&["fc6."]),
            "fc6.weight: expected shape [out, 6·7·7], found no such tensor",
        ),
        (
            |c| c.tensor("fc6.weight", F32, vec![5, 6]),
            "fc6.weight: expected shape [out, 6·7·7], found [5, 6]",
        ),
        (
            |c| c.tensor("fc6.weight", F32, vec![5, 6, 1, 49]),
            "fc6.weight: expected shape [out, 6·7·7], found [5, 6, 1, 49]",
        ),
        (
            |c| c.tensor("fc7.weight", F32, vec![4, 6]),
            "fc7.weight: expected shape [out, 5·1·1], found [4, 6]",
        ),
        (|c| c.tensor("fc8.bias", F32, vec![9]), "fc8.bias: expected shape [10], found [9]"),
        (|c| c.layer("conv3_5", vec![4, 4, 3, 3]), "conv3_5.bias: expected no such layer in vgg19, found it"),
        (|c| c.layer("conv6_1", vec![4, 4, 3, 3]), "conv6_1.bias: expected no such layer in vgg19, found it"),
    ];
    for (change, expected) in changes {
        let mut content = Content::vgg(Architecture::E, Naming::Layers).with_classifier(Naming::Layers);
        change(&mut content);
        assert_refused(content.open(), &format!("{expected} (vgg19 by its tensors)"));
        assert_refused(
            content.with_metadata("network", "vgg19").open(),
            &format!("{expected} (vgg19 by its metadata)"),
        );
    }
}

#[test]
fn refusals_name_the_layer_and_the_tensor() {
    let mut content = Content::vgg(Architecture::E, Naming::Torchvision);
    content.tensor("features.12.weight", Stored::F32, vec![4, 9, 3, 3]);
    assert_refused(
        content.open(),
        "conv3_2 (features.12.weight): expected shape [out, 4, 3, 3], found [4, 9, 3, 3] (vgg19 by its tensors)",
    );
    let content = Content::vgg(Architecture::B, Naming::Timm)
        .with_classifier(Naming::Timm)
        .without(&["pre_logits.fc2"]);
    assert_refused(
        content.open(),
        "fc7 (pre_logits.fc2.weight): expected shape [out, 5·1·1], found no such tensor (vgg13 by its tensors)",
    );
}

#[test]
fn metadata_and_tensors_must_agree() {
    let stated =
        |architecture, name| Content::vgg(architecture, Naming::Layers).with_metadata("network", name).open();
    assert_refused(
        stated(Architecture::E, "vgg16"),
        "conv3_4.bias: expected no such layer in vgg16, found it (vgg16 by its metadata)",
    );
    assert_refused(
        stated(Architecture::D, "vgg19"),
        "conv3_4.weight: expected shape [out, 4, 3, 3], found no such tensor (vgg19 by its metadata)",
    );
    assert_refused(
        stated(Architecture::C, "vgg16"),
        "conv3_3.weight: expected shape [out, 4, 3, 3], found [4, 4, 1, 1] (vgg16 by its metadata)",
    );
    assert_refused(
        stated(Architecture::E, "resnet50"),
        "metadata network: expected one of vgg11, vgg11-lrn, vgg13, vgg16-c, vgg16, vgg19, found \"resnet50\"",
    );
    assert_refused(
        Content::vgg(Architecture::E, Naming::Layers).with_metadata("preprocessing", "rgb").open(),
        "metadata preprocessing: expected one of caffe, torchvision, found \"rgb\"",
    );
}

#[test]
fn other_networks_are_refused() {
    let mut resnet = Content::default();
    resnet.layer("conv1", vec![64, 3, 7, 7]);
    resnet.layer("layer1.0.conv1", vec![64, 64, 3, 3]);
    assert_refused(
        resnet.open(),
        "expected a VGG's tensors (conv1_1.weight or features.0.weight), found conv1.bias and others",
    );

    let mut alexnet = Content::default();
    alexnet.layer("features.0", vec![64, 3, 11, 11]);
    alexnet.layer("features.3", vec![192, 64, 5, 5]);
    assert_refused(
        alexnet.open(),
        "conv1_1 (features.0.weight): expected shape [out, 3, 3, 3], found [64, 3, 11, 11]",
    );

    let mut batch_norm = Content::vgg(Architecture::A, Naming::Torchvision);
    batch_norm.tensor("features.1.running_mean", Stored::F32, vec![2]);
    assert_refused(
        batch_norm.open(),
        "features.1.running_mean: expected a VGG without batch normalisation, found one with it: fold it",
    );

    assert_refused(
        Content::default().open(),
        "expected a VGG's tensors (conv1_1.weight or features.0.weight), found none",
    );

    let mut hostile = Content::default();
    hostile.layer("two\nlines\x1b[2J", vec![1, 1]);
    assert_refused(hostile.open(), "found two?lines?[2J.bias and others");
}

#[test]
fn files_that_are_not_safetensors_are_refused() {
    let cases: &[(&[u8], &str)] = &[
        (b"", "expected safetensors, found an empty file"),
        (b"\0", "expected safetensors, found something else"),
        (&[0; 7], "expected safetensors, found something else"),
        (&[0; 8], "expected safetensors, found something else"),
        (&[0; 4096], "expected safetensors, found something else"),
        (
            b"\n <!DOCTYPE html><html>404</html>",
            "found an HTML or XML page, perhaps of a download that failed",
        ),
        (b"{\"error\":\"not found\"}", "found a JSON text"),
        (b"PK\x03\x04..........archive/data.pkl", "found a ZIP archive such as .pth and .npz: convert it"),
        (
            b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19.",
            "found a Python pickle such as an old .pth: convert it",
        ),
        (b"\x89HDF\r\n\x1a\n\0\0\0\0\0\0", "found an HDF5 file such as .h5: convert it"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0", "found a Git LFS pointer"),
        (
            b"\xff\xff\xff\xff\xff\xff\xff\xff{}",
            "expected a header of 18446744073709551615 bytes, found a file of 10",
        ),
        (b"\x00\x00\x00\x00\x10\x00\x00\x00{}", "expected a header of 68719476736 bytes, found a file of 10"),
        (b"\x03\0\0\0\0\0\0\0{}", "expected a header of 3 bytes, found a file of 10: it is truncated"),
        (b"\x02\0\0\0\0\0\0\0[]", "the header does not begin with '{'"),
        (b"\x02\0\0\0\0\0\0\0{\"", "the header is not valid JSON: EOF"),
        (b"\x03\0\0\0\0\0\0\0{\"\xff", "the header is not valid JSON"),
        (
            b"\x02\0\0\0\0\0\0\0{}",
            "expected a VGG's tensors (conv1_1.weight or features.0.weight), found none",
        ),
    ];
    for (bytes, expected) in cases {
        assert_refused(open(bytes), expected);
    }
    let mut long = (9u64 << 20).to_le_bytes().to_vec();
    long.push(b'{');
    long.resize(8 + (9 << 20), b' ');
    assert_refused(open(&long), "expected a header of at most 8388608 bytes, found one of 9437184");
}

#[test]
fn damaged_headers_are_refused() {
    let bytes = Content::vgg(Architecture::E, Naming::Layers).bytes();
    let replaced = |from: &str, to: &str| {
        open(&edited(&bytes, |header| {
            assert!(header.contains(from), "{from} in {header}");
            *header = header.replacen(from, to, 1);
        }))
    };
    // conv1_1's tensors are the first of their type: its bias of 2 values, then its weight of 2·3·9.
    let bias = r#""conv1_1.bias":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}"#;
    let with = |shape: &str, offsets: &str| {
        replaced(
            bias,
            &format!(r#""conv1_1.bias":{{"dtype":"F32","shape":{shape},"data_offsets":{offsets}}}"#),
        )
    };
    assert!(with("[2]", "[0,8]").is_ok());
    assert_refused(
        with("[2]", "[0,4]"),
        "conv1_1.bias: expected 8 bytes for shape [2] in F32, found bytes 0 to 4",
    );
    assert_refused(with("[2]", "[8,0]"), "expected its data at byte 0, found");
    assert_refused(with("[2]", "[0,18446744073709551615]"), "conv1_1.bias: expected 8 bytes");
    assert_refused(with("[2]", "[4,12]"), "conv1_1.bias: expected its data at byte 0, found it at 4");
    assert_refused(with("[2]", "[-1,7]"), "conv1_1.bias: invalid value: integer `-1`");
    assert_refused(with("[18446744073709551616]", "[0,8]"), "conv1_1.bias: invalid type");
    assert_refused(with("2", "[0,8]"), "conv1_1.bias: invalid type");
    assert_refused(replaced(r#""F32""#, r#""F31""#), "conv1_1.bias: unknown variant `F31`");
    assert_refused(replaced(r#""dtype""#, r#""type""#), "conv1_1.bias: ");
    assert_refused(
        replaced(r#"{"conv1_1.bias":{"#, r#"{"__metadata__":{"network":19},"conv1_1.bias":{"#),
        "__metadata__: ",
    );

    let mut content = Content::vgg(Architecture::E, Naming::Layers);
    content.tensor("other", Stored::F32, vec![1, 3]);
    let overflowing = edited(&content.bytes(), |header| {
        *header = header.replace("[1,3]", "[9223372036854775807,3]");
    });
    assert_refused(
        open(&overflowing),
        "other: expected a shape that fits into memory, found [9223372036854775807, 3]",
    );
}

/// Whatever is in a damaged header, the answer is weights or an error, and weights can be read.
#[test]
fn a_changed_byte_never_panics() {
    let bytes = Content::vgg(Architecture::A, Naming::Layers).without(&["conv3", "conv4", "conv5"]).bytes();
    let data_start = 8 + u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize;
    for place in 0..data_start {
        for byte in *b"09\"[}\n\xff" {
            let mut damaged = bytes.clone();
            damaged[place] = byte;
            match open(&damaged) {
                Ok(weights) => {
                    for conv in weights.convolutions() {
                        let tensor = weights.convolution(&conv).unwrap().weight;
                        tensor.widen_into(0..tensor.len(), &mut vec![0.0; tensor.len()]);
                    }
                }
                Err(error) => assert!(!error.to_string().contains('\n'), "{error}"),
            }
        }
    }
}

#[test]
fn truncated_and_overlong_files_are_refused() {
    let bytes = Content::vgg(Architecture::E, Naming::Torchvision).bytes();
    let data_start = 8 + u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize;
    for len in (8..data_start).step_by(97).chain((data_start..bytes.len()).step_by(301)) {
        assert_refused(open(&bytes[..len]), "it is truncated");
    }
    // The library writes in the order of names, so that this layer is the last.
    let data = bytes.len() - data_start;
    assert_refused(
        open(&bytes[..bytes.len() - 1]),
        &format!(
            "conv2_2 (features.7.weight): expected data up to byte {data}, found {} bytes in the file: \
             it is truncated",
            data - 1
        ),
    );
    let overlong = [&bytes[..], &[0]].concat();
    assert_refused(open(&overlong), &format!("expected {data} bytes of data, found {}", data + 1));
}

#[test]
fn what_is_no_file_cannot_be_read() {
    let folder = TempDir::new().unwrap();
    for (path, expected) in [
        (folder.path().join("missing.safetensors"), "missing.safetensors: "),
        (folder.path().join("no/folder.safetensors"), "folder.safetensors: "),
        (folder.path().to_owned(), "is a directory"),
        #[cfg(unix)]
        (PathBuf::from("/dev/null"), "not a regular file"),
    ] {
        for error in [Weights::open(&path).unwrap_err(), Weights::read(&path).unwrap_err()] {
            assert!(matches!(error, Error::Read { .. }), "{error:?}");
            let message = error.to_string();
            assert!(message.starts_with("cannot read ") && message.contains(expected), "{message}");
        }
    }
}

#[test]
fn values_that_are_not_finite_are_told_with_their_place() {
    for (value, name) in [(f32::NAN, "NaN"), (f32::INFINITY, "inf"), (f32::NEG_INFINITY, "-inf")] {
        let mut content = Content::vgg(Architecture::A, Naming::Torchvision);
        let (_, _, data) = content.tensors.get_mut("features.3.weight").unwrap();
        data[20..24].copy_from_slice(&value.to_le_bytes());
        let weights = content.open().unwrap();
        let tensor = weights.convolution(&Architecture::A.convolutions()[1]).unwrap().weight;
        let message = weights.not_finite(&tensor).to_string();
        let expected = format!(
            "net.safetensors: conv2_1 (features.3.weight): expected finite values, found {name} at index 5"
        );
        assert!(message.ends_with(&expected), "{message}");
        assert_eq!(weights.values(&tensor).unwrap_err().to_string(), message);
    }
}

/// Every way to have weights: mapped, read, owned, part of the program, and of several owners of bytes.
fn opened_in_every_way(bytes: &[u8]) -> Vec<(&'static str, Weights)> {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("net.safetensors");
    fs::write(&path, bytes).unwrap();
    // SAFETY: nobody else knows of the file.
    let map = unsafe { memmap2::Mmap::map(&fs::File::open(&path).unwrap()) }.unwrap();
    vec![
        ("open", Weights::open(&path).unwrap()),
        ("read", Weights::read(&path).unwrap()),
        ("bytes", Weights::from_bytes("name", bytes.to_vec()).unwrap()),
        ("static", Weights::from_static("name", bytes.to_vec().leak()).unwrap()),
        ("shared slice", Weights::from_shared("name", Arc::<[u8]>::from(bytes)).unwrap()),
        ("shared vector", Weights::from_shared("name", Arc::new(bytes.to_vec())).unwrap()),
        ("map", Weights::from_shared("name", Arc::new(map)).unwrap()),
    ]
}

#[test]
fn weights_are_the_same_from_wherever_they_come() {
    let bytes = Content::vgg(Architecture::A, Naming::Layers).bytes();
    for (way, weights) in opened_in_every_way(&bytes) {
        assert_eq!(
            weights.path().file_name().unwrap(),
            if matches!(way, "open" | "read") { "net.safetensors" } else { "name" }
        );
        assert_eq!(weights.file_len(), bytes.len(), "{way}");
        weights.check_unchanged().unwrap();
        for conv in weights.convolutions() {
            let tensor = weights.convolution(&conv).unwrap().weight;
            let values = weights.values(&tensor).unwrap();
            let expected: Vec<_> = (1..=tensor.len()).map(|i| i as f32 / 4.0).collect();
            assert_eq!(*values, expected, "{way}");
            // The header is padded, so that the data is aligned wherever the file is.
            assert!(values.are_in_place(), "{way}");
            assert_eq!(values.as_ptr().cast(), tensor.bytes.as_ptr(), "{way}");
        }
    }
}

/// A job in a thread of its own keeps what it needs.
#[test]
fn weights_and_values_go_to_other_threads_and_outlive_what_they_come_from() {
    let bytes = Content::vgg(Architecture::A, Naming::Layers).bytes();
    for (way, weights) in opened_in_every_way(&bytes) {
        let clone = weights.clone();
        let conv = Architecture::A.convolutions()[0];
        let first = |weights: &Weights| weights.convolution(&conv).unwrap().weight.bytes.as_ptr() as usize;
        assert_eq!(first(&clone), first(&weights), "{way}: a clone copied the file");
        let values = thread::spawn(move || clone.values(&clone.convolution(&conv).unwrap().weight).unwrap());
        drop(weights);
        assert_eq!(values.join().unwrap()[..3], [0.25, 0.5, 0.75], "{way}");
    }
}

#[test]
fn preprocessing_of_a_clone_is_its_own() {
    let weights = Content::vgg(Architecture::A, Naming::Layers).open().unwrap();
    let other = weights.clone().with_preprocessing(Preprocessing::Torchvision);
    assert_eq!(other.preprocessing(), Preprocessing::Torchvision);
    assert_eq!(weights.preprocessing(), Preprocessing::Caffe);
}

/// Owned bytes are moved to where their values are aligned. Others are used where they are, and copied where they
/// can't be used there.
#[test]
fn values_of_unaligned_files_are_right() {
    for padding in 0..8 {
        let bytes = edited(&Content::vgg(Architecture::A, Naming::Layers).bytes(), |header| {
            header.push_str(&" ".repeat(padding));
        });
        for (way, weights) in opened_in_every_way(&bytes) {
            let tensor = weights.convolution(&Architecture::A.convolutions()[0]).unwrap().weight;
            let values = weights.values(&tensor).unwrap();
            assert_eq!(*values, (1..=54).map(|i| i as f32 / 4.0).collect::<Vec<_>>(), "{way}, {padding}");
            if matches!(way, "read" | "bytes") || padding % 4 == 0 {
                assert!(values.are_in_place(), "{way}, {padding}");
            }
            assert_eq!(weights.file_len(), bytes.len());
        }
    }
    for stored in [Stored::F16, Stored::BF16] {
        let mut content = Content::vgg(Architecture::A, Naming::Layers);
        content.store_as(stored);
        let weights = content.open().unwrap();
        let tensor = weights.convolution(&Architecture::A.convolutions()[0]).unwrap().weight;
        let values = weights.values(&tensor).unwrap();
        assert_eq!(*values, (1..=54).map(|i| i as f32 / 4.0).collect::<Vec<_>>());
        assert!(!values.are_in_place());
    }
}

/// They are taken from where they lie, not from the same place in another file.
#[test]
fn values_of_another_files_tensor_are_that_tensors() {
    let weights = Content::vgg(Architecture::A, Naming::Layers).open().unwrap();
    let mut content = Content::vgg(Architecture::A, Naming::Layers);
    let (_, _, data) = content.tensors.get_mut("conv1_1.weight").unwrap();
    data[..4].copy_from_slice(&17_f32.to_le_bytes());
    let other = content.open().unwrap();
    let tensor = other.convolution(&Architecture::A.convolutions()[0]).unwrap().weight;
    assert_eq!(weights.values(&tensor).unwrap()[..2], [17.0, 0.5]);
}

#[test]
fn a_file_that_changes_while_it_is_mapped_is_found_out() {
    let bytes = Content::vgg(Architecture::A, Naming::Layers).bytes();
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("net.safetensors");
    let append = |path: &PathBuf, bytes: &[u8]| {
        use std::io::Write;
        fs::OpenOptions::new().append(true).open(path).unwrap().write_all(bytes).unwrap();
    };
    let touch = |path: &PathBuf| {
        let file = fs::OpenOptions::new().write(true).open(path).unwrap();
        file.set_modified(SystemTime::now() + Duration::from_secs(5)).unwrap();
    };
    type Change<'a> = &'a dyn Fn(&PathBuf);
    let len = bytes.len();
    let changes: [(Change, String); 4] = [
        (&|path| fs::write(path, "").unwrap(), format!("it had {len} bytes and has 0 now")),
        (&|path| fs::write(path, &bytes[..100]).unwrap(), format!("it had {len} bytes and has 100 now")),
        (&|path| append(path, b"more"), format!("it had {len} bytes and has {} now", len + 4)),
        (&touch, "it was written to".to_owned()),
    ];
    for (change, expected) in changes {
        fs::write(&path, &bytes).unwrap();
        let weights = Weights::open(&path).unwrap();
        let copy = Weights::read(&path).unwrap();
        weights.check_unchanged().unwrap();
        change(&path);
        let error = weights.clone().check_unchanged().unwrap_err();
        assert!(matches!(error, Error::WeightsChanged { .. }), "{error:?}");
        let message = error.to_string();
        assert!(message.contains("net.safetensors: the file changed after it was opened"), "{message}");
        assert!(message.contains(&expected) && !message.contains('\n'), "{message}\n  lacks {expected}");
        copy.check_unchanged().unwrap();
        let tensor = copy.convolution(&Architecture::A.convolutions()[0]).unwrap().weight;
        assert_eq!(copy.values(&tensor).unwrap()[..2], [0.25, 0.5]);
    }
}

/// What is mapped is the file that was opened, whatever is at its path.
#[test]
fn a_mapped_file_may_be_replaced_or_removed() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("net.safetensors");
    let other = folder.path().join("other");
    fs::write(&path, Content::vgg(Architecture::A, Naming::Layers).bytes()).unwrap();
    let weights = Weights::open(&path).unwrap();
    fs::write(&other, "another").unwrap();
    fs::rename(&other, &path).unwrap();
    weights.check_unchanged().unwrap();
    fs::remove_file(&path).unwrap();
    weights.check_unchanged().unwrap();
    let tensor = weights.convolution(&Architecture::A.convolutions()[0]).unwrap().weight;
    assert_eq!(weights.values(&tensor).unwrap()[..2], [0.25, 0.5]);
}

#[test]
fn embedded_weights_are_named_in_messages() {
    let message = Weights::from_static("impasto-slim", b"<html>").unwrap_err().to_string();
    assert!(message.starts_with("weights impasto-slim: expected safetensors, found an HTML"), "{message}");
}

#[test]
fn networks_are_found_by_name() {
    let (first, second) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    let put = |folder: &TempDir, file: &str| {
        let path = folder.path().join(file);
        fs::write(&path, "").unwrap();
        path
    };
    let vgg16 = put(&first, "vgg16.safetensors");
    let slim = put(&first, "my-slim.safetensors");
    put(&second, "vgg16.safetensors");
    let vgg19 = put(&second, "vgg19.safetensors");
    put(&first, "vgg13.pth");
    fs::create_dir(first.path().join("vgg11.safetensors")).unwrap();
    let folders = vec![first.path().to_owned(), second.path().to_owned(), first.path().join("missing")];
    let places = Places::new(folders.clone(), None);

    let file = |path: &PathBuf| Source::File(path.clone());
    assert_eq!(places.find("vgg16").unwrap(), file(&vgg16));
    assert_eq!(places.find("vgg19").unwrap(), file(&vgg19));
    assert_eq!(places.find(&slim).unwrap(), file(&slim));
    // A path that leads nowhere is for `Weights::open` to complain about.
    for path in ["vgg16.safetensors", "./vgg16", "nowhere/vgg16", ".."] {
        assert_eq!(places.find(path).unwrap(), Source::File(path.into()));
    }

    let networks = places.networks();
    let names: Vec<_> = networks.iter().map(|network| network.name.as_str()).collect();
    let embedded: &[&str] = if cfg!(feature = "embedded") { &["slim"] } else { &[] };
    assert_eq!(names, [embedded, &["vgg19", "vgg16", "my-slim"]].concat());
    assert!(networks.iter().all(|network| places.find(&network.name).unwrap() == network.source));

    assert_eq!(places.find_default().unwrap(), networks[0].source);
    let preferring = |preferred: &str| Places::new(folders.clone(), Some(preferred.into()));
    assert_eq!(preferring("my-slim").find_default().unwrap(), file(&slim));
    assert_eq!(preferring(vgg16.to_str().unwrap()).find_default().unwrap(), file(&vgg16));
    let message = Places::new(folders, Some("mine".into())).find_default().unwrap_err().to_string();
    assert!(message.starts_with("no file mine, and no mine.safetensors in "), "{message}");
}

#[test]
fn what_is_not_installed_is_told_with_where_it_was_looked_for() {
    let folder = TempDir::new().unwrap();
    let shown = folder.path().display();
    let searched = vec![folder.path().to_owned(), PathBuf::from("elsewhere")];
    let places = Places::new(searched.clone(), None);
    let error = places.find("vgg11").unwrap_err();
    assert_eq!(error.to_string(), format!("no file vgg11, and no vgg11.safetensors in {shown} or elsewhere"));
    let Error::NoNetwork { name, folders, .. } = error else { panic!("{error:?}") };
    assert_eq!((name.as_deref(), folders), (Some("vgg11"), searched));

    let nowhere = Places::new(Vec::new(), None).find("vgg11").unwrap_err().to_string();
    assert_eq!(nowhere, "no file vgg11, and no vgg11.safetensors in any folder");
    if cfg!(not(feature = "embedded")) {
        let none = places.find_default().unwrap_err().to_string();
        assert_eq!(none, format!("no network is installed in {shown} or elsewhere"));
    }
}

#[test]
#[cfg(feature = "embedded")]
fn the_embedded_network_is_a_slim_vgg19_down_to_conv5_1() {
    let weights = Weights::embedded();
    assert_eq!(weights.architecture(), Architecture::E);
    assert_eq!(weights.preprocessing(), Preprocessing::Caffe);
    assert_eq!(weights.layers().last().unwrap().to_string(), "relu5_1");
    for conv in weights.convolutions() {
        let tensors = weights.convolution(&conv).unwrap();
        for tensor in [tensors.weight, tensors.bias] {
            assert_eq!(tensor.dtype, Dtype::F16, "{tensor:?}");
            let mut values = vec![0.0; tensor.len()];
            tensor.widen_into(0..tensor.len(), &mut values);
            assert!(values.iter().all(|value| value.is_finite()), "{tensor:?}");
        }
    }
    assert!(weights.file_len() < 4_500_000, "{} bytes are too many for a crate", weights.file_len());
    let source = &weights.metadata()["source"];
    assert!(source.contains("Simonyan and Zisserman") && source.contains("CC BY 4.0"), "{source}");
}

/// A folder can't hide the network that the documentation means.
#[test]
#[cfg(feature = "embedded")]
fn slim_names_the_embedded_network() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("slim.safetensors");
    fs::write(&path, "").unwrap();
    let places = Places::new(vec![folder.path().to_owned()], None);
    assert_eq!(places.find("slim").unwrap(), Source::Embedded);
    assert_eq!(places.networks().len(), 1);
    assert_eq!(places.find(&path).unwrap(), Source::File(path));
    assert_eq!(Source::Embedded.to_string(), "slim (embedded)");
    assert_eq!(Source::Embedded.open().unwrap().path().to_str(), Some("slim"));
}

/// Opening the real VGG-19 reads its header, not its 80 MB.
#[test]
#[ignore = "needs VGG-19 at $IMPASTO_VGG19"]
fn the_real_vgg19_opens_in_milliseconds() {
    let path = std::env::var_os("IMPASTO_VGG19").expect("IMPASTO_VGG19 is set");
    let start = Instant::now();
    let weights = Weights::open(path).unwrap();
    let elapsed = start.elapsed();
    assert!(elapsed < Duration::from_millis(20), "{elapsed:?} to open {} bytes", weights.file_len());

    assert_eq!(weights.architecture(), Architecture::E);
    let paper: Vec<_> = Architecture::E.convolutions().iter().map(|conv| conv.channels).collect();
    assert_eq!(weights.widths(), paper);
    for conv in weights.convolutions() {
        let tensors = weights.convolution(&conv).unwrap();
        for tensor in [tensors.weight, tensors.bias] {
            let mut values = vec![0.0; tensor.len()];
            tensor.widen_into(0..tensor.len(), &mut values);
            assert!(values.iter().all(|value| value.is_finite()), "{tensor:?}");
        }
    }
}

/// Changes the header of a safetensors file.
fn edited(bytes: &[u8], change: impl FnOnce(&mut String)) -> Vec<u8> {
    let (len, rest) = bytes.split_first_chunk().unwrap();
    let (header, data) = rest.split_at(u64::from_le_bytes(*len) as usize);
    let mut header = String::from_utf8(header.to_vec()).unwrap();
    change(&mut header);
    [&(header.len() as u64).to_le_bytes(), header.as_bytes(), data].concat()
}

/// Checks that a file is refused, and that the message is one line with the file's name and `expected`
/// in it.
fn assert_refused(result: impasto::Result<Weights>, expected: &str) {
    let error = result.expect_err(expected);
    assert!(matches!(error, Error::Weights { .. }), "{error:?}");
    let message = error.to_string();
    assert!(message.contains(expected), "{message}\n  lacks {expected}");
    assert!(message.starts_with("weights ") && message.contains("net.safetensors: "), "{message}");
    assert!(!message.contains('\n'), "{message}");
}
