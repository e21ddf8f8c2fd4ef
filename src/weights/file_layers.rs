//! The layers that a file has weights for: which network of the table they are, and whether all their
//! tensors are there and of the right shapes.

use std::ops::Range;
use std::slice;

use crate::vgg::{Architecture, PICTURE_CHANNELS, POOLED_SIDE};

use super::container::Header;
use super::naming::{FIRST_DENSE, Naming, WeightLayer};
use super::tensor::Dtype;

/// The layers that a file has weights for: those of a network of the table, down to where the file stops.
#[derive(Debug)]
pub(super) struct FileLayers {
    pub(super) architecture: Architecture,
    /// In forward order, without a gap.
    pub(super) layers: Vec<FileLayer>,
}

/// A layer's tensors.
#[derive(Debug)]
pub(super) struct FileLayer {
    pub(super) layer: WeightLayer,
    /// (out, in, kernel, kernel), or (out, in).
    pub(super) weight: Extent,
    /// (out).
    pub(super) bias: Extent,
}

/// A tensor and its place in the file's data.
#[derive(Debug)]
pub(super) struct Extent {
    pub(super) name: String,
    pub(super) shape: Vec<usize>,
    pub(super) dtype: Dtype,
    pub(super) range: Range<usize>,
}

impl FileLayers {
    /// The layers of the network that the metadata state, or else of the deepest that the tensors fit. Where
    /// none fits, `Err` is the first fault in the network with the fewest.
    pub(super) fn of(header: &Header, naming: Naming, stated: Option<Architecture>) -> Result<Self, String> {
        let (candidates, source) = match &stated {
            Some(architecture) => (slice::from_ref(architecture), "its metadata"),
            None => (&Architecture::DEEPEST_FIRST[..], "its tensors"),
        };
        candidates
            .iter()
            .map(|&architecture| {
                Self::fit(header, naming, architecture).map_err(|faults| (architecture, faults))
            })
            .min_by_key(|fitted| fitted.as_ref().err().map_or(0, |(_, faults)| faults.len()))
            .expect("the table has networks")
            .map_err(|(architecture, faults)| format!("{} ({architecture} by {source})", faults[0]))
    }

    /// The layers of this network, or the first fault.
    #[cfg(feature = "fetch")]
    pub(super) fn asked(header: &Header, naming: Naming, architecture: Architecture) -> Result<Self, String> {
        Self::fit(header, naming, architecture)
            .map_err(|faults| format!("{} ({architecture} was asked for)", faults[0]))
    }

    /// Takes the tensors for those of one network. `Err` has every fault, in forward order.
    fn fit(header: &Header, naming: Naming, architecture: Architecture) -> Result<Self, Vec<String>> {
        let stems = naming.stems(architecture);
        let has = |stem: &str| {
            ["weight", "bias"].iter().any(|t| header.tensors.contains_key(&format!("{stem}.{t}")))
        };
        let depth = stems.iter().rposition(|(_, stem)| has(stem)).map_or(0, |last| last + 1);

        let mut layers = Vec::new();
        let mut faults = Vec::new();
        // Unknown after a layer that is missing.
        let mut inputs = Some(PICTURE_CHANNELS);
        for (layer, stem) in &stems[..depth] {
            let weight_name = format!("{stem}.weight");
            let outputs = header.tensors.get(&weight_name).and_then(|info| info.shape.first().copied());
            let weight = weight(header, *layer, weight_name, inputs);
            let bias = bias(header, *layer, format!("{stem}.bias"), outputs);
            match (weight, bias) {
                (Ok(weight), Ok(bias)) => layers.push(FileLayer { layer: *layer, weight, bias }),
                (weight, bias) => faults.extend(weight.err().into_iter().chain(bias.err())),
            }
            inputs = outputs;
        }

        let known = |tensor: &str| {
            stems.iter().any(|(_, stem)| tensor.rsplit_once('.').is_some_and(|(s, _)| s == stem))
        };
        let strangers = header.tensors.keys().filter(|name| naming.is_convolution(name) && !known(name));
        faults.extend(
            strangers.map(|name| format!("{name}: expected no such layer in {architecture}, found it")),
        );
        if faults.is_empty() { Ok(Self { architecture, layers }) } else { Err(faults) }
    }

    /// A tensor's name, with its layer's name where it does not begin with that.
    pub(super) fn label(&self, tensor: &str) -> String {
        let is_its = |found: &&FileLayer| found.weight.name == tensor || found.bias.name == tensor;
        match self.layers.iter().find(is_its) {
            Some(found) => label(found.layer, tensor),
            None => tensor.to_owned(),
        }
    }
}

/// A layer's weight tensor, which takes `inputs` channels where they are known.
fn weight(
    header: &Header,
    layer: WeightLayer,
    name: String,
    inputs: Option<usize>,
) -> Result<Extent, String> {
    let channels = inputs.map_or("in".to_owned(), |inputs| inputs.to_string());
    let fits = |found: usize, positions: usize| {
        inputs.is_none_or(|inputs| inputs.checked_mul(positions) == Some(found))
    };
    match layer {
        WeightLayer::Conv(convolution) => {
            let side = convolution.kernel;
            let expected = format!("[out, {channels}, {side}, {side}]");
            extent(header, layer, name, &expected, |shape| match *shape {
                [(1..), found, height, width] if fits(found, 1) && height == side && width == side => {
                    Some(shape.to_vec())
                }
                _ => None,
            })
        }
        // May be stored as the equivalent convolution, 7×7 for fc6 and 1×1 for the others.
        WeightLayer::Dense { number } => {
            let side = if number == FIRST_DENSE { POOLED_SIDE } else { 1 };
            let expected = format!("[out, {channels}·{side}·{side}]");
            extent(header, layer, name, &expected, |shape| match *shape {
                [out @ (1..), found] if fits(found, side * side) => Some(vec![out, found]),
                [out @ (1..), found, height, width] if fits(found, 1) && height == side && width == side => {
                    Some(vec![out, found.checked_mul(side * side)?])
                }
                _ => None,
            })
        }
    }
}

/// A layer's bias tensor, which has `outputs` values where they are known.
fn bias(header: &Header, layer: WeightLayer, name: String, outputs: Option<usize>) -> Result<Extent, String> {
    let expected = outputs.map_or("[out]".to_owned(), |outputs| format!("[{outputs}]"));
    extent(header, layer, name, &expected, |shape| match *shape {
        [found] if outputs.is_none_or(|outputs| outputs == found) => Some(vec![found]),
        _ => None,
    })
}

/// Finds a tensor and checks its type and shape; `view` gives the shape that it is used with, where it may have the
/// shape that it has.
fn extent(
    header: &Header,
    layer: WeightLayer,
    name: String,
    expected: &str,
    view: impl Fn(&[usize]) -> Option<Vec<usize>>,
) -> Result<Extent, String> {
    let fault = |expected: &str, found: &str| {
        Err(format!("{}: expected {expected}, found {found}", label(layer, &name)))
    };
    let Some(info) = header.tensors.get(&name) else {
        return fault(&format!("shape {expected}"), "no such tensor");
    };
    let Some(dtype) = Dtype::of(info.dtype) else {
        return fault("F32, F16 or BF16", &info.dtype.to_string());
    };
    let Some(shape) = view(&info.shape) else {
        return fault(&format!("shape {expected}"), &format!("{:?}", info.shape));
    };
    let (begin, end) = info.data_offsets;
    Ok(Extent { name, shape, dtype, range: begin..end })
}

/// A tensor's name, with its layer's name where it does not begin with that.
fn label(layer: WeightLayer, tensor: &str) -> String {
    let layer = layer.to_string();
    if tensor.starts_with(&layer) { tensor.to_owned() } else { format!("{layer} ({tensor})") }
}
