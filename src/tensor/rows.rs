//! Rows of a feature map as vectors of channels. At each position a vector covers one channel block, or two with 16 lanes.
//!
//! If there is no second block, the first is used twice: it is read twice, and when written, the first half of the vector is
//! stored last and so remains.

#![expect(unsafe_code, reason = "rows of two blocks of one map are accessed together")]

use std::marker::PhantomData;

use crate::simd::Simd;
use crate::tensor::feature_map::{BLOCK, FeatureMap};

/// A row of one or two channel blocks, for reading.
#[derive(Clone, Copy)]
pub struct VectorRow<'a> {
    // Private: `get` relies on them.
    blocks: [*const f32; 2],
    positions: usize,
    row: PhantomData<&'a [f32]>,
}

impl VectorRow<'_> {
    /// The vector at a position.
    #[inline(always)]
    pub fn get<S: Simd>(&self, simd: S, position: usize) -> S::F32 {
        assert!(position < self.positions, "a position past the row");
        let [first, second] = self.blocks;
        // SAFETY: both rows have `positions` blocks of floats, which nothing writes while `self` borrows them.
        unsafe { simd.load_blocks(first.add(position * BLOCK), second.add(position * BLOCK)) }
    }
}

impl FeatureMap {
    /// Row `y` as vectors of channels, from `block` on.
    #[inline(always)]
    pub fn vectors(&self, block: usize, y: usize) -> VectorRow<'_> {
        let second = (block + 1).min(self.blocks() - 1);
        let blocks = [block, second].map(|block| self.row(block, y).as_ptr());
        VectorRow { blocks, positions: self.width(), row: PhantomData }
    }
}

/// A row of one or two channel blocks, for reading and writing.
pub struct VectorRowMut<'a> {
    // Private: `get` and `set` rely on them.
    blocks: [*mut f32; 2],
    positions: usize,
    row: PhantomData<&'a mut [f32]>,
}

impl VectorRowMut<'_> {
    /// A row from the rows of two blocks, of `positions` positions.
    ///
    /// # Safety
    /// Both pointers must be valid for reading and writing `positions` · [`BLOCK`] floats, and nothing else may access these
    /// while the row lives.
    #[inline(always)]
    pub(super) unsafe fn new(blocks: [*mut f32; 2], positions: usize) -> Self {
        Self { blocks, positions, row: PhantomData }
    }

    /// Positions in the row.
    #[inline(always)]
    pub fn positions(&self) -> usize {
        self.positions
    }

    /// The vector at a position.
    #[inline(always)]
    pub fn get<S: Simd>(&self, simd: S, position: usize) -> S::F32 {
        assert!(position < self.positions, "a position past the row");
        let [first, second] = self.blocks;
        // SAFETY: `new`'s caller guarantees both rows.
        unsafe { simd.load_blocks(first.add(position * BLOCK), second.add(position * BLOCK)) }
    }

    /// Writes the vector at a position.
    #[inline(always)]
    pub fn set<S: Simd>(&mut self, simd: S, position: usize, value: S::F32) {
        assert!(position < self.positions, "a position past the row");
        let [first, second] = self.blocks;
        // SAFETY: `new`'s caller guarantees both rows.
        unsafe { simd.store_blocks(first.add(position * BLOCK), second.add(position * BLOCK), value) }
    }
}
