//! One tensor of a weights file, where it lies.

use std::fmt;
use std::ops::Range;

use half::{bf16, f16};

/// The number types that weights may be stored in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Dtype {
    /// IEEE 754 single precision.
    F32,
    /// IEEE 754 half precision.
    F16,
    /// The upper half of an F32.
    BF16,
}

impl Dtype {
    /// Bytes of one value.
    pub fn size(self) -> usize {
        match self {
            Self::F32 => 4,
            Self::F16 | Self::BF16 => 2,
        }
    }

    /// The safetensors type, where weights may be stored in it.
    pub(super) fn of(dtype: safetensors::Dtype) -> Option<Self> {
        match dtype {
            safetensors::Dtype::F32 => Some(Self::F32),
            safetensors::Dtype::F16 => Some(Self::F16),
            safetensors::Dtype::BF16 => Some(Self::BF16),
            _ => None,
        }
    }
}

impl fmt::Display for Dtype {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

/// A tensor in place: its values are the file's bytes.
#[derive(Clone, Copy)]
#[non_exhaustive]
pub struct Tensor<'a> {
    /// Its name in the file.
    pub name: &'a str,
    /// Its sides, outermost first.
    pub shape: &'a [usize],
    /// What its values are.
    pub dtype: Dtype,
    /// Its values, row-major and little-endian, at no particular alignment.
    pub bytes: &'a [u8],
}

impl<'a> Tensor<'a> {
    /// How many values it has.
    pub fn len(&self) -> usize {
        self.bytes.len() / self.dtype.size()
    }

    /// Whether it has no value.
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// Its values where they lie, if they are F32, aligned, and the machine is little-endian.
    pub fn as_f32(&self) -> Option<&'a [f32]> {
        if self.dtype != Dtype::F32 || cfg!(target_endian = "big") {
            return None;
        }
        bytemuck::try_cast_slice(self.bytes).ok()
    }

    /// Writes a range of its values, in row-major order, as f32: exactly what is stored.
    ///
    /// # Panics
    /// If the range goes beyond the tensor, or `out` is not as long as the range.
    pub fn widen_into(&self, range: Range<usize>, out: &mut [f32]) {
        assert_eq!(range.len(), out.len(), "values to widen and places for them");
        let size = self.dtype.size();
        let bytes = &self.bytes[range.start * size..range.end * size];
        match self.dtype {
            Dtype::F32 => widen(bytes, out, f32::from_le_bytes),
            Dtype::F16 => widen(bytes, out, |value| f16::from_le_bytes(value).to_f32()),
            Dtype::BF16 => widen(bytes, out, |value| bf16::from_le_bytes(value).to_f32()),
        }
    }

    /// The first value that is NaN or infinite, and where it is.
    pub(super) fn first_not_finite(&self) -> Option<(usize, f32)> {
        let mut value = [0.0];
        (0..self.len()).find_map(|index| {
            self.widen_into(index..index + 1, &mut value);
            (!value[0].is_finite()).then_some((index, value[0]))
        })
    }
}

fn widen<const SIZE: usize>(bytes: &[u8], out: &mut [f32], value: impl Fn([u8; SIZE]) -> f32) {
    let (values, _) = bytes.as_chunks();
    for (out, bytes) in out.iter_mut().zip(values) {
        *out = value(*bytes);
    }
}

impl fmt::Debug for Tensor<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {:?} {}", self.name, self.shape, self.dtype)
    }
}
