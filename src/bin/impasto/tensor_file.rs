//! Tensors to a safetensors file.

use std::collections::BTreeMap;
use std::iter;
use std::path::{Path, PathBuf};

use ndarray::Array3;
use safetensors::Dtype;
use safetensors::tensor::TensorInfo;
use serde_json::{Map, Value, json};

use crate::failure::{Failure, Result};
use impasto::whole_file;

/// Bytes to a multiple of which the header is filled up with spaces, so that the data is aligned.
const ALIGNMENT: usize = 8;

/// Where tensors will be written.
pub(crate) struct TensorFile {
    path: PathBuf,
}

impl TensorFile {
    /// The file `path`, which can be written.
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

    /// Writes tensors of F32, and metadata. The same ones give the same bytes, which the `safetensors` crate's
    /// own writer, with its hash map of metadata, doesn't see to.
    pub(crate) fn write(
        &self,
        tensors: Vec<(String, Array3<f32>)>,
        metadata: &BTreeMap<&str, String>,
    ) -> Result<()> {
        let mut header = Map::from_iter([("__metadata__".to_owned(), json!(metadata))]);
        let mut end = 0;
        for (name, tensor) in &tensors {
            let start = end;
            end += tensor.len() * size_of::<f32>();
            let (dtype, shape) = (Dtype::F32, tensor.shape().to_vec());
            header.insert(name.clone(), json!(TensorInfo { dtype, shape, data_offsets: (start, end) }));
        }
        let mut header = Value::Object(header).to_string();
        header.extend(iter::repeat_n(' ', header.len().next_multiple_of(ALIGNMENT) - header.len()));

        let len = (header.len() as u64).to_le_bytes();
        let mut file = Vec::with_capacity(len.len() + header.len() + end);
        file.extend(len);
        file.extend(header.as_bytes());
        for (_, tensor) in tensors {
            file.extend(tensor.iter().flat_map(|value| value.to_le_bytes()));
        }
        Ok(whole_file::write_whole(&self.path, &file)?)
    }
}
