//! Which network of the table a file's tensors are, and whether they are all there and of the right shapes.

use std::ops::Range;
use std::slice;

use crate::vgg::{Architecture, PICTURE_CHANNELS, POOLED_SIDE};

use super::header::Header;
use super::naming::{FIRST_DENSE, Naming, WeightLayer};
use super::tensor::Dtype;

/// A network of the table, down to where the file stops.
#[derive(Debug)]
pub(super) struct Network {
    pub(super) architecture: Architecture,
    /// In forward order, without a gap.
    pub(super) layers: Vec<FoundLayer>,
}

/// A layer's tensors.
#[derive(Debug)]
pub(super) struct FoundLayer {
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

impl Network {
    /// The network that the file states, or else the deepest that its tensors fit. Where there is a fault, `Err` is
    /// the first one in the network that the tensors fit best.
    pub(super) fn of(header: &Header, naming: Naming, stated: Option<Architecture>) -> Result<Self, String> {
        let (candidates, source) = match &stated {
            Some(architecture) => (slice::from_ref(architecture), "its metadata"),
            None => (&Architecture::DEEPEST_FIRST[..], "its tensors"),
        };
        candidates
            .iter()
            .map(|&architecture| Self::fit(header, naming, architecture).map_err(|faults| (architecture, faults)))
            .min_by_key(|fitted| fitted.as_ref().err().map_or(0, |(_, faults)| faults.len()))
            .expect("the table has networks")
            .map_err(|(architecture, faults)| format!("{} ({architecture} by {source})", faults[0]))
    }

    /// Takes the tensors for those of one network. `Err` has every fault, in forward order.
    fn fit(header: &Header, naming: Naming, architecture: Architecture) -> Result<Self, Vec<String>> {
        let stems = naming.stems(architecture);
        let has = |stem: &str| ["weight", "bias"].iter().any(|t| header.tensors.contains_key(&format!("{stem}.{t}")));
        let depth = stems.iter().rposition(|(_, stem)| has(stem)).map_or(0, |last| last + 1);

        let mut layers = Vec::new();
        let mut faults = Vec::new();
        // Unknown behind a layer that is missing.
        let mut inputs = Some(PICTURE_CHANNELS);
        for (layer, stem) in &stems[..depth] {
            let weight_name = format!("{stem}.weight");
            let outputs = header.tensors.get(&weight_name).and_then(|info| info.shape.first().copied());
            let weight = weight(header, *layer, weight_name, inputs);
            let bias = bias(header, *layer, format!("{stem}.bias"), outputs);
            match (weight, bias) {
                (Ok(weight), Ok(bias)) => layers.push(FoundLayer { layer: *layer, weight, bias }),
                (weight, bias) => faults.extend(weight.err().into_iter().chain(bias.err())),
            }
            inputs = outputs;
        }

        let known = |tensor: &str| stems.iter().any(|(_, stem)| tensor.rsplit_once('.').is_some_and(|(s, _)| s == stem));
        let strangers = header.tensors.keys().filter(|name| naming.is_convolution(name) && !known(name));
        faults.extend(strangers.map(|name| format!("{name}: expected no such layer in {architecture}, found it")));
        if faults.is_empty() { Ok(Self { architecture, layers }) } else { Err(faults) }
    }

    /// A tensor's name, with its layer's where that is another.
    pub(super) fn label(&self, tensor: &str) -> String {
        let is_its = |found: &&FoundLayer| found.weight.name == tensor || found.bias.name == tensor;
        match self.layers.iter().find(is_its) {
            Some(found) => label(found.layer, tensor),
            None => tensor.to_owned(),
        }
    }
}

/// A layer's weight tensor, which takes `inputs` channels. A dense layer's may have the kernel of the convolution
/// that it is equal to: 7×7 for fc6, 1×1 for fc7 and fc8.
fn weight(header: &Header, layer: WeightLayer, name: String, inputs: Option<usize>) -> Result<Extent, String> {
    let is_inputs = |found: usize| inputs.is_none_or(|inputs| inputs == found);
    let side = match layer {
        WeightLayer::Conv(convolution) => convolution.kernel,
        WeightLayer::Dense { number: FIRST_DENSE } => POOLED_SIDE,
        WeightLayer::Dense { .. } => 1,
    };
    let channels = inputs.map_or("in".to_owned(), |inputs| inputs.to_string());
    match layer {
        WeightLayer::Conv(_) => {
            let expected = format!("[out, {channels}, {side}, {side}]");
            extent(header, layer, name, &expected, |shape| match *shape {
                [1.., found, height, width] if is_inputs(found) && [height, width] == [side, side] => Some(shape.to_vec()),
                _ => None,
            })
        }
    }
}
