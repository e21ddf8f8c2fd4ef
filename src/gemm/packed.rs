//! Cache-blocked matrix product with a packed right-hand side: the arithmetic of the im2col convolution.
//!
//! In BLIS's terms: a task owns a block of MC rows of the result and as many columns as its tile has channels.
//! The depth K is cut into groups of at most [`GROUP_DEPTH`] (KC), so that a panel of the right-hand side stays
//! in the first-level cache while the task's rows pass over it, and the task's part of the left-hand side in
//! the second-level one. The right-hand side (the layer's weights) is packed once, into panels as wide as the
//! micro-kernel's register tile (NR).

use std::ops::Range;

use crate::parallel::team;
use crate::simd::{Isa, Simd, TileKernel};
use crate::tensor::aligned::AlignedVec;

use super::micro_kernel::{Broadcast, Initial, Panel, Prefetching, RegisterTile};

/// KC, the most of the depth that is multiplied at a time, and the row stride of the packed left-hand side. It is four
/// channel blocks of a 3×3 convolution. A panel of it, 32 columns wide, is 36 KiB: a first-level cache has 32–48. As a
/// constant it makes every address in the micro-kernel an offset known to the compiler. 1152 bytes is no multiple of a
/// page, so a tile's rows fall into different cache sets.
pub const GROUP_DEPTH: usize = 288;

/// A multiple of the register tile's rows on every instruction set.
pub const TILE_ROWS_MULTIPLE: usize = 12;

/// A K×N matrix, packed for one instruction set as the right-hand side of products.
///
/// Layout: groups of at most `group` rows; in a group, panels of NR columns; in a panel, row by row. N is padded
/// with zeros to a whole number of vectors. A last panel whose columns fit in one vector is one vector wide.
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

    /// Packs another matrix, `depth`×`columns`, in place of the present one, in groups of `group` rows. Its element
    /// (row, column) is `elements(row)(column)`. Allocates only to grow.
    pub fn pack<Row: Fn(usize) -> f32>(
        &mut self,
        (depth, columns): (usize, usize),
        group: usize,
        elements: impl Fn(usize) -> Row + Sync,
    ) {
        assert!((1..=GROUP_DEPTH).contains(&group), "a group of {group} rows");
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
                    let element = elements(row);
                    let (inside, outside) = packed.split_at_mut(width.min(columns - left));
                    for (to, column) in inside.iter_mut().zip(left..) {
                        *to = element(column);
                    }
                    outside.fill(0.0);
                }
            }
        });
    }

    /// The groups that the depth is cut into.
    pub fn groups(&self) -> impl Iterator<Item = Range<usize>> {
        let Self { depth, group, .. } = *self;
        (0..depth).step_by(group).map(move |start| start..(start + group).min(depth))
    }

    /// Columns, with the zeros that pad them to whole vectors.
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

    /// The packed `columns` of a group's `rows`: whole panels.
    pub fn panels(&self, rows: Range<usize>, columns: Range<usize>) -> &[f32] {
        &self.data[rows.start * self.columns + columns.start * rows.len()..][..rows.len() * columns.len()]
    }

    /// [`MultiplyPanels`] by the `columns` of a group's `rows`.
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
        self.isa.run_tiled(MultiplyPanels { depth, a, b, c, width, accumulate, ahead: &[] });
    }
}

/// The sizes that an instruction set gives to the layout of the operands.
#[derive(Clone, Copy, Debug)]
pub struct Geometry {
    /// Floats in a vector. The right-hand side's columns are padded to a multiple of it.
    pub lanes: usize,
    /// NR: columns of a panel of the right-hand side.
    pub panel: usize,
    /// MR: rows of a register tile. The left-hand side's rows are padded to a multiple of it.
    pub tile_rows: usize,
}

/// The layout of operands on an instruction set.
pub fn geometry(isa: Isa) -> Geometry {
    isa.run_tiled(GeometryOf)
}

struct GeometryOf;

impl TileKernel for GeometryOf {
    type Output = Geometry;

    #[inline(always)]
    fn run<S: Simd, const MR: usize, const NV: usize>(self, _simd: S) -> Geometry {
        const { assert!(TILE_ROWS_MULTIPLE.is_multiple_of(MR), "MR doesn't divide TILE_ROWS_MULTIPLE") };
        const { assert!(NV == 1 || NV == 2, "the last panel may have neither one vector nor NV") };
        Geometry { lanes: S::LANES, panel: S::LANES * NV, tile_rows: MR }
    }
}

/// The macro-kernel: C = A·B, or C += A·B where `accumulate`.
pub struct MultiplyPanels<'a> {
    /// K.
    pub depth: usize,
    /// A, K columns; its rows are [`GROUP_DEPTH`] floats apart, and a multiple of MR in number.
    pub a: &'a [f32],
    /// B: a group's K rows of one or more panels.
    pub b: &'a [f32],
    /// C, its rows `width` floats apart.
    pub c: &'a mut [f32],
    /// Columns of the panels together.
    pub width: usize,
    /// Whether C is added to.
    pub accumulate: bool,
    /// The A of the next product, prefetched meanwhile; empty where A is in a near cache anyway.
    pub ahead: &'a [f32],
}

impl TileKernel for MultiplyPanels<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd, const MR: usize, const NV: usize>(self, simd: S) {
        let Self { depth, a, b, c, width, accumulate, ahead } = self;
        let rows = a.len() / GROUP_DEPTH;
        assert!(rows.is_multiple_of(MR) && width.is_multiple_of(S::LANES) && depth <= GROUP_DEPTH);
        let initial = if accumulate { Initial::Sums } else { Initial::Zeros };
        for left in (0..width).step_by(NV * S::LANES) {
            let narrow = width - left < NV * S::LANES;
            let columns = if narrow { S::LANES } else { NV * S::LANES };
            let panel = Panel(&b[left * depth..][..columns * depth]);
            for top in (0..rows).step_by(MR) {
                let c = &mut c[top * width + left..];
                let rows = top * GROUP_DEPTH..(top + MR) * GROUP_DEPTH;
                // Without a next A, the tile's own rows: they are in cache, and the loop stays the same.
                let next = ahead.get(rows.start..).unwrap_or(&a[rows.clone()]);
                let (a, b) = (Broadcast::<GROUP_DEPTH, 1>(&a[rows]), Prefetching { b: panel, next });
                if narrow {
                    let mut tile = RegisterTile::<S, MR, 1>::begin(simd, initial, c, width);
                    tile.add_product(a, b);
                    tile.store(c, width);
                } else {
                    let mut tile = RegisterTile::<S, MR, NV>::begin(simd, initial, c, width);
                    tile.add_product(a, b);
                    tile.store(c, width);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The same product by the definition, in f64, beside the sum of the terms' magnitudes.
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
        // Twice: what a larger matrix left must not show.
        packed.pack((depth + 1, columns + 9), group, |_| |_| f32::NAN);
        let b_at = &b;
        packed.pack((depth, columns), group, |k| move |column| b_at[k * columns + column]);
        let padded_rows = rows.next_multiple_of(packed.tile_rows());
        let width = packed.columns();
        let mut c = vec![f32::NAN; padded_rows * width];
        for group in packed.groups() {
            let mut panel = vec![0.0; padded_rows * GROUP_DEPTH];
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
