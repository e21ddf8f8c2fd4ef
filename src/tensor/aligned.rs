//! A buffer of floats that begins on a cache line, so that 8- and 16-wide loads never straddle two.

use bytemuck::{Pod, Zeroable};

/// Floats in a cache line.
pub const LINE: usize = 16;

#[derive(Clone, Copy, Pod, Zeroable)]
#[repr(C, align(64))]
struct Line([f32; LINE]);

/// A growable, zero-initialised buffer of floats, aligned to 64 bytes.
#[derive(Clone, Default)]
pub struct AlignedVec {
    lines: Vec<Line>,
    len: usize,
}

impl AlignedVec {
    /// `len` zeros.
    pub fn zeros(len: usize) -> Self {
        Self { lines: vec![Line::zeroed(); len.div_ceil(LINE)], len }
    }

    /// Makes the length `len`, for content that will be written over: the values are unspecified (zeros, or what the
    /// buffer held before). Only growth allocates.
    pub fn resize_for_overwrite(&mut self, len: usize) {
        let lines = len.div_ceil(LINE);
        if lines > self.lines.len() {
            self.lines.resize(lines, Line::zeroed());
        }
        self.len = len;
    }
}

impl std::ops::Deref for AlignedVec {
    type Target = [f32];

    fn deref(&self) -> &[f32] {
        &bytemuck::cast_slice(&self.lines)[..self.len]
    }
}

impl std::ops::DerefMut for AlignedVec {
    fn deref_mut(&mut self) -> &mut [f32] {
        &mut bytemuck::cast_slice_mut(&mut self.lines)[..self.len]
    }
}
