//! Cache-blocked matrix product with a packed right-hand side: the arithmetic of the im2col convolution.
//!
//! In BLIS's terms: a task computes a block of MC rows of the result and as many columns as its tile has channels. The
//! depth K is divided into groups of at most [`GROUP_DEPTH`] (KC), so that a panel of the right-hand side stays in the L1
//! cache while it is multiplied by all of the task's rows, and the task's part of the left-hand side stays in L2. The
//! right-hand side, the layer's weights, is packed once, into panels as wide as the register tile (NR).

use std::ops::Range;

use crate::parallel::team;
use crate::simd::{Isa, Simd, TileKernel};
use crate::tensor::aligned::AlignedVec;

use super::micro_kernel::{Broadcast, Initial, Panel, Prefetching, RegisterTile, Tiles, cover};

/// KC, the greatest depth of one product, and the row stride of the packed left-hand side in floats: four channel blocks of
/// a 3×3 convolution. A panel of that depth and 32 columns is 36 KiB, about an L1 cache (32 to 48 KiB). It is a constant so
/// that the compiler knows the offsets in the micro-kernel. A row of 1152 bytes is no divisor or multiple of a page, so the
/// rows of a tile map to different cache sets.
pub const GROUP_DEPTH: usize = 288;

/// A common multiple of MR on all instruction sets.
pub const TILE_ROWS_MULTIPLE: usize = 12;

/// A K×N matrix, packed for one instruction set as the right-hand side of products.
///
/// Layout: groups of at most `group` rows; within a group, panels of NR columns; within a panel, row-major. N is
/// zero-padded to a whole number of vectors. The last panel is one vector wide if its columns fit.
pub struct PackedMatrix {
    isa: Isa,
    depth: usize,
    columns: usize,
    group: usize,
    data: AlignedVec,
}

impl PackedMatrix {
    /// A 0×0 matrix.
    pub fn new(isa: Isa) -> Self {
        Self { isa, depth: 0, columns: 0, group: GROUP_DEPTH, data: AlignedVec::default() }
    }

    /// Replaces the matrix by one of `depth`×`columns`, packed in groups of `group` rows, whose element (row, column) is
    /// `elements(row)(column)`. Allocates only to grow.
    ///
    /// # Panics
    /// If `group` is 0 or above [`GROUP_DEPTH`], or the matrix does not fit in the address space.
    pub fn pack<Row: Fn(usize) -> f32>(
        &mut self,
        shape: (usize, usize),
        group: usize,
        elements: impl Fn(usize) -> Row + Sync,
    ) {
        self.pack_parts(shape, group, |row, columns, to| {
            let element = elements(row);
            for (to, column) in to.iter_mut().zip(columns) {
                *to = element(column);
            }
        });
    }

    /// [`PackedMatrix::pack`] with parts of rows: `write(row, columns, to)` writes the elements `columns` of a row to `to`.
    ///
    /// # Panics
    /// As [`PackedMatrix::pack`].
    pub fn pack_parts(
        &mut self,
        (depth, columns): (usize, usize),
        group: usize,
        write: impl Fn(usize, Range<usize>, &mut [f32]) + Sync,
    ) {
        assert!((1..=GROUP_DEPTH).contains(&group), "a group has {group} rows, not 1 to {GROUP_DEPTH}");
        let Geometry { lanes, panel, .. } = geometry(self.isa);
        let padded = columns.next_multiple_of(lanes);
        let floats = depth.checked_mul(padded).expect("a matrix larger than the address space");
        self.data.resize_for_overwrite(floats);
        (self.depth, self.columns, self.group) = (depth, padded, group);
        team::for_each_chunk(&mut self.data, (group * padded).max(1), |index, packed| {
            let rows = index * group..(index * group + group).min(depth);
            for left in (0..padded).step_by(panel) {
                let width = panel.min(padded - left);
                let packed = &mut packed[left * rows.len()..][..rows.len() * width];
                for (packed, row) in packed.chunks_exact_mut(width).zip(rows.clone()) {
                    let (inside, outside) = packed.split_at_mut(width.min(columns - left));
                    write(row, left..left + inside.len(), inside);
                    outside.fill(0.0);
                }
            }
        });
    }

    /// The depth groups, as ranges of rows.
    pub fn groups(&self) -> impl Iterator<Item = Range<usize>> {
        let Self { depth, group, .. } = *self;
        (0..depth).step_by(group).map(move |start| start..(start + group).min(depth))
    }

    /// Columns, including the padding to whole vectors.
    pub fn columns(&self) -> usize {
        self.columns
    }

    /// The instruction set that it is packed for.
    pub fn isa(&self) -> Isa {
        self.isa
    }

    /// MR: the left-hand side's rows are padded to a multiple of it.
    pub fn tile_rows(&self) -> usize {
        geometry(self.isa).tile_rows
    }

    /// The packed panels of a group's `rows` and of `columns`, which must be whole panels.
    pub fn panels(&self, rows: Range<usize>, columns: Range<usize>) -> &[f32] {
        &self.data[rows.start * self.columns + columns.start * rows.len()..][..rows.len() * columns.len()]
    }

    /// [`MultiplyPanels`] with the panels of a group's `rows` and of `columns` as B.
    pub fn multiply(
        &self,
        a: &[f32],
        rows: Range<usize>,
        columns: Range<usize>,
        c: &mut [f32],
        accumulate: bool,
    ) {
        let (depth, width) = (rows.len(), columns.len());
        let b = self.panels(rows, columns);
        let rows = a.len() / GROUP_DEPTH;
        self.isa.run_tiled(MultiplyPanels::<false> { rows, depth, a, b, c, width, accumulate, ahead: &[] });
    }
}

/// The sizes in the operands' layouts that depend on the instruction set.
#[derive(Clone, Copy, Debug)]
pub struct Geometry {
    /// Floats in a vector. The right-hand side's columns are padded to a multiple of it.
    pub lanes: usize,
    /// NR: columns of a panel of the right-hand side, and of a register tile.
    pub panel: usize,
    /// MR: rows of a register tile. The left-hand side's rows are padded to a multiple of it.
    pub tile_rows: usize,
}

/// The sizes for an instruction set.
pub fn geometry(isa: Isa) -> Geometry {
    isa.run_tiled(GeometryOf)
}

struct GeometryOf;

impl TileKernel for GeometryOf {
    type Output = Geometry;

    #[inline(always)]
    fn run<S: Simd, const MR: usize, const NV: usize>(self, _simd: S) -> Geometry {
        const { assert!(TILE_ROWS_MULTIPLE.is_multiple_of(MR), "MR doesn't divide TILE_ROWS_MULTIPLE") };
        const { assert!(NV == 1 || NV == 2, "the last panel has one vector or NV, so NV is at most 2") };
        Geometry { lanes: S::LANES, panel: S::LANES * NV, tile_rows: MR }
    }
}

/// The macro-kernel: C = A·B, or C += A·B where `accumulate`. With `PAIRS` each float of A and B is a pair of numbers in
/// bfloat16, of neighbouring elements of a row of A and of a column of B.
pub struct MultiplyPanels<'a, const PAIRS: bool> {
    /// Rows of A and C. Fastest is a multiple of MR, then one of [`ROWS_MULTIPLE`](super::ROWS_MULTIPLE).
    pub rows: usize,
    /// K, in floats.
    pub depth: usize,
    /// A: rows of K values, [`GROUP_DEPTH`] floats apart.
    pub a: &'a [f32],
    /// B: one or more packed panels of K rows.
    pub b: &'a [f32],
    /// C, whose rows are `width` floats apart.
    pub c: &'a mut [f32],
    /// Columns of all panels together.
    pub width: usize,
    /// Whether the product is added to C.
    pub accumulate: bool,
    /// The A of the next product, to prefetch; empty if that is in the L1 or L2 cache anyway.
    pub ahead: &'a [f32],
}

impl<const PAIRS: bool> TileKernel for MultiplyPanels<'_, PAIRS> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd, const MR: usize, const NV: usize>(self, simd: S) {
        let Self { rows, depth, a, b, c, width, accumulate, ahead } = self;
        assert!(width.is_multiple_of(S::LANES) && depth <= GROUP_DEPTH);
        let initial = if accumulate { Initial::Sums } else { Initial::Zeros };
        for left in (0..width).step_by(NV * S::LANES) {
            let narrow = width - left < NV * S::LANES;
            let (b, c) = (&b[left * depth..], &mut *c);
            let mut tiles = PanelTiles::<PAIRS> { depth, a, b, c, left, width, initial, ahead };
            cover::<S, MR, NV>(simd, rows, narrow, &mut tiles);
        }
    }
}

/// The product of the rows of A and one panel.
struct PanelTiles<'a, const PAIRS: bool> {
    depth: usize,
    a: &'a [f32],
    b: &'a [f32],
    c: &'a mut [f32],
    /// The panel's first column in C.
    left: usize,
    width: usize,
    initial: Initial<'a>,
    ahead: &'a [f32],
}

impl<S: Simd, const PAIRS: bool> Tiles<S> for PanelTiles<'_, PAIRS> {
    #[inline(always)]
    fn tile<const MR: usize, const NV: usize>(&mut self, simd: S, row: usize) {
        let b = Panel(&self.b[..NV * S::LANES * self.depth]);
        let a = &self.a[row * GROUP_DEPTH..];
        // Without a next A, prefetch the tile's own rows: that costs nothing, and the loop stays the same.
        let next = self.ahead.get(row * GROUP_DEPTH..).unwrap_or(a);
        let c = &mut self.c[row * self.width + self.left..];
        let mut tile = RegisterTile::<S, MR, NV>::begin(simd, self.initial, c, self.width);
        tile.add_product_of::<PAIRS, _, _>(Broadcast::<GROUP_DEPTH, 1>(a), Prefetching { b, next });
        tile.store(c, self.width);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The product by its definition in f64: each element with the sum of its terms' magnitudes.
    fn naive(rows: usize, depth: usize, columns: usize, a: &[f32], b: &[f32]) -> Vec<(f64, f64)> {
        let mut c = vec![(0.0, 0.0); rows * columns];
        for (at, c) in c.iter_mut().enumerate() {
            for k in 0..depth {
                let term = a[at / columns * depth + k] as f64 * b[k * columns + at % columns] as f64;
                *c = (c.0 + term, c.1 + term.abs());
            }
        }
        c
    }

    fn check(isa: Isa, rows: usize, depth: usize, columns: usize, group: usize, seed: u64) {
        let value = |i: usize| ((i as u64 + 1).wrapping_mul(seed | 1) % 2003) as f32 / 1001.0 - 1.0;
        let a: Vec<f32> = (0..rows * depth).map(value).collect();
        let b: Vec<f32> = (0..depth * columns).map(|i| value(i + 7)).collect();
        let mut packed = PackedMatrix::new(isa);
        // A larger matrix first: its values must not remain.
        packed.pack((depth + 1, columns + 9), group, |_| |_| f32::NAN);
        let b_at = &b;
        packed.pack((depth, columns), group, |k| move |column| b_at[k * columns + column]);
        let width = packed.columns();
        let mut c = vec![f32::NAN; rows * width];
        for group in packed.groups() {
            let mut panel = vec![0.0; rows * GROUP_DEPTH];
            for row in 0..rows {
                panel[row * GROUP_DEPTH..][..group.len()].copy_from_slice(&a[row * depth..][group.clone()]);
            }
            let accumulate = group.start > 0;
            packed.multiply(&panel, group, 0..width, &mut c, accumulate);
        }
        let expected = naive(rows, depth, columns, &a, &b);
        for row in 0..if depth > 0 { rows } else { 0 } {
            for column in 0..columns {
                let (value, magnitude) = expected[row * columns + column];
                let found = c[row * width + column] as f64;
                let bound = magnitude * f32::EPSILON as f64 * (depth as f64).sqrt().max(1.0);
                assert!((found - value).abs() <= bound, "{isa:?} ({row}, {column}): {found} for {value}");
            }
            assert!(c[row * width + columns..][..width - columns].iter().all(|v| *v == 0.0));
        }
    }

    #[test]
    fn sizes_at_and_around_the_block_edges() {
        for isa in Isa::available() {
            let Geometry { panel: nr, tile_rows: mr, .. } = geometry(isa);
            for rows in [0, 1, mr - 1, mr, mr + 1, 3 * mr] {
                for columns in [0, 1, 3, nr / 2, nr - 1, nr, nr + 1, 2 * nr + nr / 2] {
                    for depth in [0, 1, 2, 27, 287, 288, 289, 600] {
                        check(isa, rows, depth, columns, GROUP_DEPTH, 48271);
                    }
                }
            }
        }
    }

    proptest! {
        #[test]
        fn any_size_and_grouping(
            rows in 0usize..40, depth in 0usize..700, columns in 0usize..80,
            group in 1usize..=GROUP_DEPTH, seed in any::<u64>(),
        ) {
            for isa in Isa::available() {
                check(isa, rows, depth, columns, group, seed);
            }
        }
    }
}
