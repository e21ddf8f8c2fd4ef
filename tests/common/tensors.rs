//! Safetensors files of F32 and F64, read for tests.

// Every test file compiles this module for itself and uses a part of it.
#![allow(dead_code)]

use std::collections::HashMap;
use std::path::Path;

use ndarray::Array3;
use safetensors::{Dtype, SafeTensors};

/// A file's tensors, each a shape and its values, and its metadata.
pub struct Tensors {
    pub metadata: HashMap<String, String>,
    pub tensors: HashMap<String, (Vec<usize>, Vec<f64>)>,
}

impl Tensors {
    pub fn read(path: &Path) -> Self {
        let bytes = std::fs::read(path).unwrap();
        let (_, header) = SafeTensors::read_metadata(&bytes).unwrap();
        let values = |view: safetensors::tensor::TensorView| match view.dtype() {
            Dtype::F32 => view.data().as_chunks().0.iter().map(|b| f32::from_le_bytes(*b).into()).collect(),
            Dtype::F64 => view.data().as_chunks().0.iter().map(|b| f64::from_le_bytes(*b)).collect(),
            other => panic!("{other:?}"),
        };
        let tensors = SafeTensors::deserialize(&bytes).unwrap().tensors().into_iter();
        Self {
            metadata: header.metadata().clone().unwrap_or_default(),
            tensors: tensors.map(|(name, view)| (name, (view.shape().to_vec(), values(view)))).collect(),
        }
    }

    pub fn shape(&self, name: &str) -> &[usize] {
        &self.tensors[name].0
    }

    pub fn values(&self, name: &str) -> &[f64] {
        &self.tensors[name].1
    }

    /// A picture.
    pub fn planes(&self, name: &str) -> Array3<f32> {
        let shape: [usize; 3] = self.shape(name).try_into().unwrap();
        Array3::from_shape_vec(shape, self.values(name).iter().map(|value| *value as f32).collect()).unwrap()
    }
}

/// ‖found − expected‖ / ‖expected‖.
pub fn relative_error(found: &[f64], expected: &[f64]) -> f64 {
    assert_eq!(found.len(), expected.len(), "lengths differ");
    let error: f64 = found.iter().zip(expected).map(|(f, e)| (f - e) * (f - e)).sum();
    let norm: f64 = expected.iter().map(|e| e * e).sum();
    assert!(norm > 0.0, "nothing to compare with");
    (error / norm).sqrt()
}
