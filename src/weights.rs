//! A network's weights in a safetensors file, used where they lie: mapped into memory from disk, in the
//! caller's memory, or part of the program. Opening parses the header and checks every shape; no weight
//! is looked at until it is asked for.
//!
//! A file may stop after any layer (style transfer needs none after conv5_1), may have fewer or more
//! channels than the paper's network, and may hold F32, F16 or BF16. Its tensors have names by one
//! [`Naming`].

mod bytes;
#[doc(hidden)]
pub mod container;
#[cfg(feature = "fetch")]
pub mod fetch;
mod file_layers;
mod locate;
mod naming;
mod source;
mod tensor;

use std::collections::BTreeMap;
use std::fmt;
use std::ops::Deref;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::checksum::{Checksum, Hasher};
use crate::error::{Error, Result};
use crate::tensor::Values;
use crate::tensor::values::SharedBytes;
use crate::vgg::{Architecture, ConvSpec, Layer, Preprocessing};

use bytes::Opened;
use container::Header;
use file_layers::{Extent, FileLayers};
use naming::WeightLayer;

pub use locate::{Available, Places, data_folder, is_name};
pub use naming::Naming;
#[cfg(feature = "embedded")]
pub use source::EMBEDDED;
pub use source::Source;
pub use tensor::{Dtype, Tensor};

/// The weights of one VGG: which network it is, how its input is prepared, and its tensors. Cloning
/// shares the file.
#[derive(Clone, Debug)]
pub struct Weights {
    file: Arc<WeightsFile>,
    preprocessing: Preprocessing,
}

/// A weights file with its header read.
struct WeightsFile {
    path: PathBuf,
    bytes: SharedBytes,
    /// The file on disk that `bytes` are mapped from, if they are.
    opened: Option<Opened>,
    contents: Contents,
}

/// What a file's header says, checked.
#[derive(Debug)]
struct Contents {
    metadata: BTreeMap<String, String>,
    naming: Naming,
    preprocessing: Preprocessing,
    layers: FileLayers,
    /// Where in the file the tensors' data begins.
    data_start: usize,
}

/// A convolution's tensors.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct ConvTensors<'a> {
    /// (out, in, kernel, kernel), row-major.
    pub weight: Tensor<'a>,
    /// (out).
    pub bias: Tensor<'a>,
}

/// A dense layer's tensors.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct DenseTensors<'a> {
    /// (out, in), row-major, whatever its rank in the file. fc6 takes pool5 flattened as C×7×7.
    pub weight: Tensor<'a>,
    /// (out).
    pub bias: Tensor<'a>,
}

impl Weights {
    /// Opens a safetensors file by mapping it into memory, which takes milliseconds at any size, and
    /// shares the memory with every other process that has it mapped.
    ///
    /// A mapped file must stay as it is while the `Weights`, their clones, or what was made of them are
    /// in use. Where another process writes into it, the weights change with it; where one cuts it
    /// short, the next use of the part that is gone ends the program (SIGBUS on Unix).
    /// [`check_unchanged`](Self::check_unchanged) finds such a change where it came before the weights
    /// are used. Renaming another file over it, as package managers and downloads do, is safe, and so is
    /// deleting it. Where the file may change, [`read`](Self::read) takes a copy that can't.
    ///
    /// # Errors
    /// [`Error::Read`] where the file does not exist, is no regular file or can't be mapped.
    /// [`Error::Weights`], with the layer, what was expected and what was found, where it is not a whole
    /// safetensors file of a network in VGG's table.
    pub fn open(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        let mapped = bytes::map(path).map_err(|source| Error::Read { path: path.to_owned(), source })?;
        let contents = Contents::of((*mapped.bytes).as_ref()).map_err(|reason| refused(path, reason))?;
        Ok(Self::new(path, mapped.bytes, Some(mapped.opened), contents))
    }

    /// Reads a safetensors file into memory. That takes the time and the memory of a copy; what happens
    /// to the file afterwards doesn't matter.
    ///
    /// # Errors
    /// [`Error::Read`] where the file does not exist, is no regular file, can't be read or changes
    /// meanwhile; [`Error::Weights`] as for [`open`](Self::open).
    pub fn read(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        let bytes = bytes::read(path).map_err(|source| Error::Read { path: path.to_owned(), source })?;
        Self::from_bytes(path, bytes)
    }

    /// Takes the bytes of a safetensors file. `name` is what messages call it.
    ///
    /// # Errors
    /// [`Error::Weights`] as for [`open`](Self::open).
    pub fn from_bytes(name: impl AsRef<Path>, bytes: Vec<u8>) -> Result<Self> {
        let name = name.as_ref();
        let contents = Contents::of(&bytes).map_err(|reason| refused(name, reason))?;
        Ok(Self::new(name, bytes::aligned(bytes, contents.data_start), None, contents))
    }

    /// Takes a safetensors file that is part of the program (`include_bytes!`), at any alignment. `name`
    /// is what messages call it.
    ///
    /// # Errors
    /// [`Error::Weights`] as for [`open`](Self::open).
    pub fn from_static(name: impl AsRef<Path>, bytes: &'static [u8]) -> Result<Self> {
        Self::from_shared(name, bytes)
    }

    /// Takes the bytes of a safetensors file that the caller has other uses for: an `Arc<[u8]>`, an
    /// `Arc<memmap2::Mmap>`, or any other owner of bytes. `name` is what messages call it. What
    /// [`open`](Self::open) says of mapped files is the caller's to see to.
    ///
    /// # Errors
    /// [`Error::Weights`] as for [`open`](Self::open).
    ///
    /// # Panics
    /// Later, when a tensor is used, where the owner then gives fewer bytes than at first.
    pub fn from_shared(
        name: impl AsRef<Path>,
        bytes: impl Deref<Target: AsRef<[u8]>> + Send + Sync + 'static,
    ) -> Result<Self> {
        let (name, bytes) = (name.as_ref(), bytes::shared(bytes));
        let contents = Contents::of((*bytes).as_ref()).map_err(|reason| refused(name, reason))?;
        Ok(Self::new(name, bytes, None, contents))
    }

    fn new(path: &Path, bytes: SharedBytes, opened: Option<Opened>, contents: Contents) -> Self {
        let preprocessing = contents.preprocessing;
        let path = path.to_owned();
        Self { file: Arc::new(WeightsFile { path, bytes, opened, contents }), preprocessing }
    }

    /// The same weights, their network's input prepared as the caller says rather than the file.
    #[must_use]
    pub fn with_preprocessing(self, preprocessing: Preprocessing) -> Self {
        Self { preprocessing, ..self }
    }

    /// Checks that a mapped file is still what it was when it was opened, by its size and the time when
    /// it was last written. Weights that aren't mapped from a file by [`open`](Self::open) can't change.
    ///
    /// It keeps no other process from changing the file after the check: see [`open`](Self::open).
    ///
    /// # Errors
    /// [`Error::WeightsChanged`] where the file changed, [`Error::Read`] where that can't be told.
    pub fn check_unchanged(&self) -> Result<()> {
        let path = || self.file.path.clone();
        match self.file.opened.as_ref().map(Opened::change) {
            None | Some(Ok(None)) => Ok(()),
            Some(Ok(Some(change))) => Err(Error::WeightsChanged { path: path(), change }),
            Some(Err(source)) => Err(Error::Read { path: path(), source }),
        }
    }

    /// Whether these are the same weights as `other`: clones of one opening, whose pictures are prepared in the same way.
    #[doc(hidden)]
    pub fn same_as(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.file, &other.file) && self.preprocessing == other.preprocessing
    }

    /// The file, or the name of what is not one.
    pub fn path(&self) -> &Path {
        &self.file.path
    }

    /// Its size in bytes, header included.
    #[doc(hidden)]
    pub fn file_len(&self) -> usize {
        self.bytes().len()
    }

    /// The file's SHA-256.
    #[doc(hidden)]
    pub fn checksum(&self) -> Checksum {
        let mut hasher = Hasher::new();
        hasher.update(self.bytes());
        hasher.finish()
    }

    /// The header's metadata. `network` and `preprocessing` in it, where a file has them, are what
    /// [`architecture`](Self::architecture) and [`preprocessing`](Self::preprocessing) give.
    #[doc(hidden)]
    pub fn metadata(&self) -> &BTreeMap<String, String> {
        &self.file.contents.metadata
    }

    /// How the file names its tensors.
    #[doc(hidden)]
    pub fn naming(&self) -> Naming {
        self.file.contents.naming
    }

    /// The network, from the metadata's `network` or else from the tensors. A file that stops so early
    /// that it fits several is taken for the deepest.
    pub fn architecture(&self) -> Architecture {
        self.file.contents.layers.architecture
    }

    /// How the network's input is prepared: from the metadata's `preprocessing`, or else as the naming
    /// implies.
    pub fn preprocessing(&self) -> Preprocessing {
        self.preprocessing
    }

    /// The convolutions that the file has, in forward order: the network's first few, or all.
    #[doc(hidden)]
    pub fn convolutions(&self) -> impl Iterator<Item = ConvSpec> {
        self.file.contents.layers.layers.iter().filter_map(|found| match found.layer {
            WeightLayer::Conv(convolution) => Some(convolution),
            WeightLayer::Dense { .. } => None,
        })
    }

    /// Output channels of each of the [`convolutions`](Self::convolutions): the file's, not the
    /// paper's.
    #[doc(hidden)]
    pub fn widths(&self) -> Vec<usize> {
        self.convolutions().filter_map(|conv| Some(self.convolution(&conv)?.bias.len())).collect()
    }

    /// A convolution's tensors, where the file has it.
    #[doc(hidden)]
    pub fn convolution(&self, convolution: &ConvSpec) -> Option<ConvTensors<'_>> {
        let [weight, bias] = self.tensors(WeightLayer::Conv(*convolution))?;
        Some(ConvTensors { weight, bias })
    }

    /// The tensors of dense layer fc`number`, 6 to 8, where the file has it.
    #[doc(hidden)]
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

    /// A tensor's values as f32: where they lie if they are F32, aligned, and the machine is
    /// little-endian, or else a copy.
    ///
    /// # Errors
    /// [`Error::Weights`] where a value is not finite.
    #[doc(hidden)]
    pub fn values(&self, tensor: &Tensor<'_>) -> Result<Values> {
        let in_place = || {
            let start = (tensor.bytes.as_ptr() as usize).checked_sub(self.bytes().as_ptr() as usize)?;
            Values::in_place(&self.file.bytes, start..start.checked_add(tensor.bytes.len())?)
        };
        let values = in_place().filter(|_| tensor.dtype == Dtype::F32).unwrap_or_else(|| {
            let mut values = vec![0.0; tensor.len()];
            tensor.widen_into(0..tensor.len(), &mut values);
            values.into()
        });
        match values.iter().all(|value| value.is_finite()) {
            true => Ok(values),
            false => Err(self.not_finite(tensor)),
        }
    }

    /// The error for a tensor of these weights in which the caller found a value that is not finite.
    #[doc(hidden)]
    pub fn not_finite(&self, tensor: &Tensor<'_>) -> Error {
        let label = self.file.contents.layers.label(tensor.name);
        self.error(match tensor.first_not_finite() {
            Some((index, value)) => {
                format!("{label}: expected finite values, found {value} at index {index}")
            }
            None => format!("{label}: expected finite values"),
        })
    }

    fn tensors(&self, layer: WeightLayer) -> Option<[Tensor<'_>; 2]> {
        let found = self.file.contents.layers.layers.iter().find(|found| found.layer == layer)?;
        Some([self.tensor(&found.weight), self.tensor(&found.bias)])
    }

    fn tensor<'a>(&'a self, extent: &'a Extent) -> Tensor<'a> {
        let data = &self.bytes()[self.file.contents.data_start..];
        Tensor {
            name: &extent.name,
            shape: &extent.shape,
            dtype: extent.dtype,
            bytes: &data[extent.range.clone()],
        }
    }

    fn bytes(&self) -> &[u8] {
        (*self.file.bytes).as_ref()
    }

    fn error(&self, reason: String) -> Error {
        refused(&self.file.path, reason)
    }
}

/// The error for what is wrong with a file. The reason may have names from the file, in which there may be
/// anything, and must stay one line.
fn refused(name: &Path, reason: String) -> Error {
    Error::Weights { name: name.to_owned(), reason: reason.replace(char::is_control, "?") }
}

impl fmt::Debug for WeightsFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { path, contents, .. } = self;
        f.debug_struct("WeightsFile").field("path", path).field("contents", contents).finish_non_exhaustive()
    }
}

impl Contents {
    /// Reads and checks the header of a whole file's bytes, or says in one line what is wrong.
    fn of(bytes: &[u8]) -> Result<Self, String> {
        let header = Header::parse(bytes)?;
        let naming = Naming::of(&header)?;
        let stated =
            header.stated("network", Architecture::from_name, &Architecture::ALL.map(Architecture::name))?;
        let layers = FileLayers::of(&header, naming, stated)?;
        let preprocessing = header
            .stated("preprocessing", Preprocessing::from_metadata, &["caffe", "torchvision"])?
            .unwrap_or(naming.preprocessing());
        header.check_extents(bytes.len(), |tensor| layers.label(tensor))?;
        Ok(Self { metadata: header.metadata, naming, preprocessing, layers, data_start: header.data_start })
    }
}
