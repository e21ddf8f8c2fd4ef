//! Tensors to a safetensors file.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use ndarray::Array3;

use crate::failure::{Failure, Result};
use impasto::weights::Dtype;
use impasto::weights::container::{Entry, write_header};
use impasto::whole_file;

/// A file that tensors will be written to.
pub(crate) struct TensorFile {
    path: PathBuf,
}

impl TensorFile {
    /// Checks that `path`, the value of `option`, can be written.
    pub(crate) fn new(option: &'static str, path: &Path) -> Result<Self> {
        if path == Path::new("-") {
            return Err(Failure::option(option, "tensors are not written to standard output: give a file"));
        }
        whole_file::check_writable(path)?;
        Ok(Self { path: path.to_owned() })
    }

    /// The file.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Writes tensors as F32, and metadata. The same ones give the same bytes.
    pub(crate) fn write(
        &self,
        tensors: Vec<(String, Array3<f32>)>,
        metadata: &BTreeMap<&str, String>,
    ) -> Result<()> {
        let entries =
            tensors.iter().map(|(name, tensor)| Entry { name, dtype: Dtype::F32, shape: tensor.shape() });
        let mut file = write_header(&entries.collect::<Vec<_>>(), metadata);
        file.reserve_exact(tensors.iter().map(|(_, tensor)| tensor.len() * Dtype::F32.size()).sum());
        for (_, tensor) in tensors {
            file.extend(tensor.iter().flat_map(|value| value.to_le_bytes()));
        }
        Ok(whole_file::write_whole(&self.path, &file)?)
    }
}
