//! A network's weights in a safetensors file, read where they lie: mapped into memory from disk, or
//! part of the program. Opening parses the header and checks every shape; no weight is read until it is
//! asked for.
//!
//! A file may stop after any layer (style transfer needs nothing behind conv5_1), may be slimmer or
//! wider than the paper's network, and may hold F32, F16 or BF16. Its tensors are called as one
//! [`Naming`] says.

mod bytes;
#[cfg(feature = "fetch")]
pub mod fetch;
mod header;
mod locate;
mod naming;
mod network;
mod source;
mod tensor;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::error::{Error, Result};
use crate::vgg::{Architecture, Convolution, Layer, Preprocessing};

use bytes::Bytes;
use header::Header;
use naming::WeightLayer;
use network::{Extent, Network};

pub use locate::{Available, Places, data_folder};
pub use naming::Naming;
#[cfg(feature = "embedded")]
pub use source::EMBEDDED;
pub use source::Source;
pub use tensor::{Dtype, Tensor};

/// The weights of one VGG: which network it is, how its input is prepared, and its tensors.
#[derive(Debug)]
pub struct Weights {
    path: PathBuf,
    bytes: Bytes,
    contents: Contents,
}

/// What a file's header says, checked.
#[derive(Debug)]
struct Contents {
    metadata: BTreeMap<String, String>,
    naming: Naming,
    preprocessing: Preprocessing,
    network: Network,
    /// Where in the file the tensors' data begins.
    data_start: usize,
}

/// A convolution's tensors.
#[derive(Clone, Copy, Debug)]
pub struct ConvTensors<'a> {
    /// (out, in, kernel, kernel), row-major.
    pub weight: Tensor<'a>,
    /// (out).
    pub bias: Tensor<'a>,
}

/// A dense layer's tensors.
#[derive(Clone, Copy, Debug)]
pub struct DenseTensors<'a> {
    /// (out, in), row-major, whatever its rank in the file. fc6 takes pool5 flattened as C×7×7.
    pub weight: Tensor<'a>,
    /// (out).
    pub bias: Tensor<'a>,
}

impl Weights {
    /// Opens a safetensors file by mapping it into memory, which takes milliseconds at any size.
    ///
    /// The file must stay as it is for as long as the `Weights` live: where another process writes into
    /// it the weights change, and where it is cut short the next read of them kills the program
    /// (SIGBUS on Unix). Renaming another file over it is safe.
    ///
    /// # Errors
    /// [`Error::Read`] where the file does not exist or can't be mapped. [`Error::Weights`], with the
    /// layer, what was expected and what was found, where it is not a whole safetensors file of a
    /// network in VGG's table.
    pub fn open(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref().to_owned();
        match Bytes::map(&path) {
            Ok(bytes) => Self::from_bytes(path, bytes),
            Err(source) => Err(Error::Read { path, source }),
        }
    }

    /// Takes a safetensors file that is part of the program (`include_bytes!`), which needs no
    /// alignment. `name` stands where messages have a file's path.
    ///
    /// # Errors
    /// [`Error::Weights`] as for [`open`](Self::open).
    pub fn from_static(name: &str, bytes: &'static [u8]) -> Result<Self> {
        Self::from_bytes(name.into(), Bytes::Static(bytes))
    }

    fn from_bytes(path: PathBuf, bytes: Bytes) -> Result<Self> {
        match Contents::of(&bytes) {
            Ok(contents) => Ok(Self { path, bytes, contents }),
            // It may have names from the file, in which there may be anything, and must stay one line.
            Err(reason) => Err(Error::Weights { name: path, reason: reason.replace(char::is_control, "?") }),
        }
    }

    /// The same weights, their network's input prepared as the caller says rather than the file.
    #[must_use]
    pub fn with_preprocessing(mut self, preprocessing: Preprocessing) -> Self {
        self.contents.preprocessing = preprocessing;
        self
    }

    /// The file, or the name of what is part of the program.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Its size in bytes, header included.
    pub fn file_len(&self) -> usize {
        self.bytes.len()
    }

    /// The header's metadata: `network` and `preprocessing`, where a file has them, are those in
    /// effect, unless [`with_preprocessing`](Self::with_preprocessing) said otherwise.
    pub fn metadata(&self) -> &BTreeMap<String, String> {
        &self.contents.metadata
    }

    /// How the file names its tensors.
    pub fn naming(&self) -> Naming {
        self.contents.naming
    }

    /// The network, from the metadata's `network` or else from the tensors. A file that stops so early
    /// that it fits several is taken for the deepest.
    pub fn architecture(&self) -> Architecture {
        self.contents.network.architecture
    }

    /// How the network's input is prepared: from the metadata's `preprocessing`, or else as the naming
    /// implies.
    pub fn preprocessing(&self) -> Preprocessing {
        self.contents.preprocessing
    }

    /// The convolutions that the file has, in forward order: the network's first few, or all.
    pub fn convolutions(&self) -> impl Iterator<Item = Convolution> {
        self.contents.network.layers.iter().filter_map(|found| match found.layer {
            WeightLayer::Conv(convolution) => Some(convolution),
            WeightLayer::Dense { .. } => None,
        })
    }

    /// Output channels of each of the [`convolutions`](Self::convolutions): the file's, not the
    /// paper's.
    pub fn widths(&self) -> Vec<usize> {
        self.convolutions().filter_map(|conv| Some(self.convolution(&conv)?.bias.len())).collect()
    }

    /// A convolution's tensors, where the file has it.
    pub fn convolution(&self, convolution: &Convolution) -> Option<ConvTensors<'_>> {
        let [weight, bias] = self.tensors(WeightLayer::Conv(*convolution))?;
        Some(ConvTensors { weight, bias })
    }

    /// The tensors of dense layer fc`number`, 6 to 8, where the file has it.
    pub fn dense(&self, number: usize) -> Option<DenseTensors<'_>> {
        let [weight, bias] = self.tensors(WeightLayer::Dense { number })?;
        Some(DenseTensors { weight, bias })
    }

    /// The feature layers that the file's convolutions reach, in forward order.
    pub fn layers(&self) -> Vec<Layer> {
        let present: Vec<_> = self.convolutions().map(|convolution| convolution.layer()).collect();
        let reached = |layer: &Layer| !matches!(layer, Layer::Conv { .. }) || present.contains(layer);
        self.architecture().layers().into_iter().take_while(reached).collect()
    }

    /// The feature layer with this name, which the file's convolutions must reach.
    ///
    /// # Errors
    /// [`Error::UnknownLayer`] where the network has no such layer, [`Error::Weights`] where the file
    /// stops before it.
    pub fn layer(&self, name: &str) -> Result<Layer> {
        let layer = self.architecture().layer(name)?;
        match self.layers().last() {
            Some(last) if *last < layer => {
                Err(self.error(format!("layer {layer} is not in this file, which stops after {last}")))
            }
            _ => Ok(layer),
        }
    }

    /// The error for one of these tensors in which the caller came upon a value that is not finite.
    pub fn not_finite(&self, tensor: &Tensor<'_>) -> Error {
        let label = self.contents.network.label(tensor.name);
        self.error(match tensor.first_not_finite() {
            Some((index, value)) => {
                format!("{label}: expected finite values, found {value} at index {index}")
            }
            None => format!("{label}: expected finite values"),
        })
    }

    fn tensors(&self, layer: WeightLayer) -> Option<[Tensor<'_>; 2]> {
        let found = self.contents.network.layers.iter().find(|found| found.layer == layer)?;
        Some([self.tensor(&found.weight), self.tensor(&found.bias)])
    }

    fn tensor<'a>(&'a self, extent: &'a Extent) -> Tensor<'a> {
        let data = &self.bytes[self.contents.data_start..];
        Tensor {
            name: &extent.name,
            shape: &extent.shape,
            dtype: extent.dtype,
            bytes: &data[extent.range.clone()],
        }
    }

    fn error(&self, reason: String) -> Error {
        Error::Weights { name: self.path.clone(), reason }
    }
}

impl Contents {
    /// Reads and checks the header of a whole file's bytes, or says in one line what is wrong.
    fn of(bytes: &[u8]) -> Result<Self, String> {
        let header = Header::parse(bytes)?;
        let naming = Naming::of(&header)?;
        let stated =
            header.stated("network", Architecture::from_name, &Architecture::ALL.map(Architecture::name))?;
        let network = Network::of(&header, naming, stated)?;
        let preprocessing = header
            .stated("preprocessing", Preprocessing::from_metadata, &["caffe", "torchvision"])?
            .unwrap_or(naming.preprocessing());
        header.check_extents(bytes.len(), |tensor| network.label(tensor))?;
        Ok(Self { metadata: header.metadata, naming, preprocessing, network, data_start: header.data_start })
    }
}
