//! 1×1 convolution: the product of each position's channels with a matrix, reading the feature map in place.

use std::ops::Range;

use crate::gemm::{GROUP_DEPTH, PackedMatrix};
use crate::simd::{Simd, TileKernel};
use crate::tensor::feature_map::BLOCK;

use super::micro_kernel::{Broadcast, Initial, Panel, RegisterTile, Tiles, cover};

/// Channel blocks per depth group.
const GROUP_BLOCKS: usize = GROUP_DEPTH / BLOCK;

/// Multiplies each position's channels, as a row vector, by the matrix and adds the vector `initial`, if any, for the rows
/// `y` of `width` positions whose features are `row(block, y)`. The matrix has one row per channel, packed in groups of
/// [`GROUP_DEPTH`]. In `to`, positions are [`PackedMatrix::columns`] floats apart.
///
/// # Panics
/// If `initial` is shorter than the matrix's padded columns, or `to` or a row of features too short for the positions.
pub fn multiply<'f>(
    matrix: &PackedMatrix,
    initial: Option<&[f32]>,
    row: impl Fn(usize, usize) -> &'f [f32],
    y: Range<usize>,
    width: usize,
    to: &mut [f32],
) {
    matrix.isa().run_tiled(MultiplyPositions { matrix, initial, row, y, width, to });
}

struct MultiplyPositions<'a, Row> {
    matrix: &'a PackedMatrix,
    initial: Option<&'a [f32]>,
    row: Row,
    y: Range<usize>,
    width: usize,
    to: &'a mut [f32],
}

impl<'f, Row: Fn(usize, usize) -> &'f [f32]> TileKernel for MultiplyPositions<'_, Row> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd, const MR: usize, const NV: usize>(self, simd: S) {
        let Self { matrix, initial, row, y, width, to } = self;
        let stride = matrix.columns();
        let (panel, first) = (NV * S::LANES, y.start);
        let mut features: [&[f32]; GROUP_BLOCKS] = [&[]; GROUP_BLOCKS];
        for y in y {
            let to = &mut to[(y - first) * width * stride..][..width * stride];
            for group in matrix.groups() {
                let blocks = group.start / BLOCK..group.end.div_ceil(BLOCK);
                for (features, block) in features.iter_mut().zip(blocks.clone()) {
                    *features = &row(block, y)[..width * BLOCK];
                }
                let features = &features[..blocks.len()];
                for left in (0..stride).step_by(panel) {
                    let columns = left..(left + panel).min(stride);
                    let narrow = columns.len() < panel;
                    let initial = match initial {
                        _ if group.start > 0 => Initial::Sums,
                        Some(row) => Initial::Row(&row[columns.clone()]),
                        None => Initial::Zeros,
                    };
                    let b = matrix.panels(group.clone(), columns);
                    let to = &mut to[left..];
                    let mut tiles = PositionTiles { features, b, to, stride, initial };
                    cover::<S, MR, NV>(simd, width, narrow, &mut tiles);
                }
            }
        }
    }
}

/// The product of one row's positions, with the channels of one depth group, and a panel.
struct PositionTiles<'a> {
    /// The row's features, one slice per channel block of the group.
    features: &'a [&'a [f32]],
    b: &'a [f32],
    to: &'a mut [f32],
    stride: usize,
    initial: Initial<'a>,
}

impl<S: Simd> Tiles<S> for PositionTiles<'_> {
    #[inline(always)]
    fn tile<const MR: usize, const NV: usize>(&mut self, simd: S, x: usize) {
        let to = &mut self.to[x * self.stride..];
        let mut tile = RegisterTile::<S, MR, NV>::begin(simd, self.initial, to, self.stride);
        for (features, b) in self.features.iter().zip(self.b.chunks(BLOCK * NV * S::LANES)) {
            tile.add_product(Broadcast::<BLOCK, 1>(&features[x * BLOCK..(x + MR) * BLOCK]), Panel(b));
        }
        tile.store(to, self.stride);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::simd::Isa;
    use crate::tensor::FeatureMap;

    /// At sizes around those of blocks, panels, register tiles and depth groups, with and without a vector.
    #[test]
    fn every_position_is_its_channels_times_the_matrix_plus_the_vector() {
        let value = |i: usize| ((i * 7919 + 13) % 2003) as f32 / 1001.0 - 1.0;
        for isa in Isa::available() {
            for (channels, columns, (height, width)) in [
                (1, 1, (1, 1)),
                (3, 27, (2, 5)),
                (8, 9, (3, 4)),
                (17, 40, (2, 13)),
                (64, 64, (4, 11)),
                (288, 33, (1, 12)),
                (300, 17, (2, 25)),
            ] {
                let planes = ndarray::Array3::from_shape_fn((channels, height, width), |(c, y, x)| {
                    value((c * height + y) * width + x)
                });
                let map = FeatureMap::from_planes(planes.view());
                let mut matrix = PackedMatrix::new(isa);
                matrix
                    .pack((channels, columns), GROUP_DEPTH, |row| move |column| value(row * 31 + column * 5));
                let stride = matrix.columns();
                let vector: Vec<f32> = (0..stride).map(|i| value(i + 3)).collect();
                for initial in [None, Some(&vector[..])] {
                    let mut to = vec![f32::NAN; height * width * stride];
                    multiply(&matrix, initial, |block, y| map.row(block, y), 0..height, width, &mut to);
                    for (position, found) in to.chunks_exact(stride).enumerate() {
                        let (y, x) = (position / width, position % width);
                        for (column, found) in found[..columns].iter().enumerate() {
                            let start = initial.map_or(0.0, |initial| initial[column] as f64);
                            let term =
                                |c: usize| planes[[c, y, x]] as f64 * value(c * 31 + column * 5) as f64;
                            let expected = start + (0..channels).map(term).sum::<f64>();
                            let size = start.abs() + (0..channels).map(|c| term(c).abs()).sum::<f64>();
                            let bound = size * f32::EPSILON as f64 * (channels as f64).sqrt();
                            let what = format!("{isa:?}, {channels} to {columns} channels at {position}");
                            assert!(
                                (*found as f64 - expected).abs() <= bound,
                                "{what}: {found} for {expected}"
                            );
                        }
                    }
                }
            }
        }
    }

    #[test]
    #[should_panic(expected = "out of range")]
    fn a_vector_of_fewer_columns_is_refused() {
        let mut matrix = PackedMatrix::new(Isa::best());
        matrix.pack((8, 64), GROUP_DEPTH, |_| |_| 1.0);
        let features = [1.0; 8];
        multiply(&matrix, Some(&[0.0; 63]), |_, _| &features, 0..1, 1, &mut [0.0; 64]);
    }
}
