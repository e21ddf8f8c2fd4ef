//! The values of a weight tensor, shared between its users.

use std::fmt;
use std::ops::{Deref, Range};
use std::sync::Arc;

/// Shared ownership of bytes: a mapped file, a vector, or static data. `as_ref` must always return the same bytes at the same
/// address.
pub type SharedBytes = Arc<dyn AsRef<[u8]> + Send + Sync>;

/// A tensor's values as f32: a part of a weights file's bytes, or a separate vector. Clones share the values.
#[derive(Clone)]
pub struct Values(Memory);

#[derive(Clone)]
enum Memory {
    /// These bytes of the file: little-endian f32, aligned.
    InPlace {
        file: SharedBytes,
        bytes: Range<usize>,
    },
    Owned(Arc<Vec<f32>>),
}

impl Values {
    /// Uses these bytes of `file` as little-endian f32 without copying. `None` if they are unaligned, not a whole number of
    /// values or not inside the file, or the machine is big-endian.
    pub fn in_place(file: &SharedBytes, bytes: Range<usize>) -> Option<Self> {
        let slice = (**file).as_ref().get(bytes.clone())?;
        if cfg!(target_endian = "big") || bytemuck::try_cast_slice::<u8, f32>(slice).is_err() {
            return None;
        }
        Some(Self(Memory::InPlace { file: Arc::clone(file), bytes }))
    }

    /// Whether the values are a part of a file's bytes.
    pub fn are_in_place(&self) -> bool {
        matches!(self.0, Memory::InPlace { .. })
    }
}

impl From<Vec<f32>> for Values {
    fn from(values: Vec<f32>) -> Self {
        Self(Memory::Owned(Arc::new(values)))
    }
}

impl Deref for Values {
    type Target = [f32];

    fn deref(&self) -> &[f32] {
        match &self.0 {
            Memory::InPlace { file, bytes } => bytemuck::cast_slice(&(**file).as_ref()[bytes.clone()]),
            Memory::Owned(values) => values,
        }
    }
}

impl fmt::Debug for Values {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let place = if self.are_in_place() { "in place" } else { "in a separate vector" };
        write!(f, "{} values {place}", self.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_used_in_place_only_where_they_are_whole_aligned_values() {
        let numbers = [1.0_f32, -2.5, 3.25];
        let file: SharedBytes = Arc::new(bytemuck::cast_slice::<f32, u8>(&numbers).to_vec());
        let start = (*file).as_ref().as_ptr().align_offset(4);
        assert_eq!(start, 0, "the allocator aligns vectors to 4 bytes at least");
        assert_eq!(*Values::in_place(&file, 0..12).unwrap(), numbers);
        assert_eq!(*Values::in_place(&file, 4..8).unwrap(), [-2.5]);
        assert!(Values::in_place(&file, 4..4).unwrap().is_empty());
        for (bytes, why) in [(1..5, "unaligned"), (0..6, "half a value"), (4..16, "past the end")] {
            assert!(Values::in_place(&file, bytes).is_none(), "{why}");
        }
    }

    #[test]
    fn clones_share_the_values_and_keep_the_file() {
        let file: SharedBytes = Arc::new(vec![0_u8; 8]);
        let in_place = Values::in_place(&file, 0..8).unwrap();
        drop(file);
        let owned = Values::from(vec![0.0; 2]);
        for values in [in_place, owned] {
            let clone = values.clone();
            assert_eq!(clone.as_ptr(), values.as_ptr());
            drop(values);
            assert_eq!(*clone, [0.0, 0.0]);
        }
    }
}
