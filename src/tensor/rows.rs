//! Rows of a map by vectors of channels: at each position a vector covers one block of channels, or two.
//!
//! Where there is no second block, the first takes its place: it is read twice, and written twice, its own values last.

#![expect(unsafe_code, reason = "rows of different blocks of one map, read and written together")]

use std::marker::PhantomData;

use crate::simd::Simd;
use crate::tensor::feature_map::{BLOCK, FeatureMap};

/// A row to read.
#[derive(Clone, Copy)]
pub struct VectorRow<'a> {
    // Private: what `get` trusts.
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
    /// Row `y` by vectors of channels from `block` on.
    #[inline(always)]
    pub fn vectors(&self, block: usize, y: usize) -> VectorRow<'_> {
        let second = (block + 1).min(self.blocks() - 1);
        let blocks = [block, second].map(|block| self.row(block, y).as_ptr());
        VectorRow { blocks, positions: self.width(), row: PhantomData }
    }
}

/// A row to read and write.
pub struct VectorRowMut<'a> {
    // Private: what `get` and `set` trust.
    blocks: [*mut f32; 2],
    positions: usize,
    row: PhantomData<&'a mut [f32]>,
}

impl VectorRowMut<'_> {
    /// From the rows of two blocks, of so many positions.
    ///
    /// # Safety
    /// Both must be valid for reading and writing `positions` · [`BLOCK`] floats, by nothing else while the row lives.
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
        // SAFETY: `new`'s caller vouches for both rows.
        unsafe { simd.load_blocks(first.add(position * BLOCK), second.add(position * BLOCK)) }
    }

    /// Writes the vector at a position.
    #[inline(always)]
    pub fn set<S: Simd>(&mut self, simd: S, position: usize, value: S::F32) {
        assert!(position < self.positions, "a position past the row");
        let [first, second] = self.blocks;
        // SAFETY: `new`'s caller vouches for both rows.
        unsafe { simd.store_blocks(first.add(position * BLOCK), second.add(position * BLOCK), value) }
    }
}
