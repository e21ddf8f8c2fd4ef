//! im2col: a convolution's input as the left-hand side of a matrix product.
//!
//! For a map of C channels and a k×k kernel the patch matrix has a row for each output position and C·k·k
//! columns, ordered by channel block, kernel row, kernel column, channel within the block. With the weights in
//! the same order as a (C·k·k)×N matrix,
//!
//! ```text
//! output (positions × N) = patches (positions × C·k·k) · weights (C·k·k × N)
//! ```
//!
//! In this order, three neighbouring positions of a kernel row are one run of 24 floats in the channel-blocked map, so
//! packing only copies. The matrix is never built whole: a task packs the rows of its own tile, [`GROUP_DEPTH`] columns
//! at a time, into a buffer that stays in its L2 cache.

use std::ops::Range;

use crate::gemm::GROUP_DEPTH;
use crate::simd::{Kernel, Simd};
use crate::tensor::feature_map::{BLOCK, FeatureMap};

/// Channel blocks per depth group: as many as have their patch matrix columns in [`GROUP_DEPTH`].
pub const fn blocks_per_group(kernel: usize) -> usize {
    GROUP_DEPTH / (BLOCK * kernel * kernel)
}

/// The input channel and the kernel element (row · k + column) of the patch matrix's `column`, for an input of `channels`
/// channels.
pub fn channel_and_element(channels: usize, kernel: usize, column: usize) -> (usize, usize) {
    let (block, within) = (column / (BLOCK * kernel * kernel), column % (BLOCK * kernel * kernel));
    let used = BLOCK.min(channels - block * BLOCK);
    (block * BLOCK + within % used, within / used)
}

/// Packs a part of the patch matrix into `panel`: the rows of the output positions `y` × `x`, in row-major order, and the
/// columns of the channel blocks `blocks`. The panel's rows are [`GROUP_DEPTH`] floats apart.
pub struct PackPatches<'a> {
    /// The convolution's input.
    pub map: &'a FeatureMap,
    /// Side of the kernel: 3 (zero padding of 1) or 1.
    pub kernel: usize,
    /// Rows of the output positions.
    pub y: Range<usize>,
    /// Columns of the output positions.
    pub x: Range<usize>,
    /// Channel blocks of the input, at most [`blocks_per_group`].
    pub blocks: Range<usize>,
    /// The destination.
    pub panel: &'a mut [f32],
}

impl Kernel for PackPatches<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, _simd: S) {
        let Self { map, kernel, y, x, blocks, panel } = self;
        let mut column = 0;
        for block in blocks {
            let used = map.channels_in(block);
            for kernel_row in 0..kernel {
                let from = kernel_row as isize - (kernel / 2) as isize;
                for (rows, y) in panel.chunks_mut(GROUP_DEPTH * x.len()).zip(y.clone()) {
                    let input = map.bordered_row(block, y as isize + from);
                    // In a bordered row, position x is at index x + 1, so the window of a 3×3 kernel begins at index x.
                    let input = &input[(x.start + 1 - kernel / 2) * BLOCK..];
                    let windows = input.windows(kernel * BLOCK).step_by(BLOCK);
                    for (row, window) in rows.chunks_mut(GROUP_DEPTH).zip(windows) {
                        copy_window(&mut row[column..column + kernel * used], window, used);
                    }
                }
                column += kernel * used;
            }
        }
    }
}

/// Copies the first `used` channels of each position in `window`.
#[inline(always)]
fn copy_window(to: &mut [f32], window: &[f32], used: usize) {
    match (window.len(), used) {
        // Constant lengths, so that the copies are whole vectors.
        (24, BLOCK) => to[..24].copy_from_slice(&window[..24]),
        (BLOCK, BLOCK) => to[..BLOCK].copy_from_slice(&window[..BLOCK]),
        _ => {
            for (to, from) in to.chunks_exact_mut(used).zip(window.chunks_exact(BLOCK)) {
                to.copy_from_slice(&from[..used]);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use ndarray::Array3;

    use super::*;
    use crate::simd::Isa;

    #[test]
    fn patches_are_the_input_at_every_kernel_element() {
        for isa in Isa::available() {
            for (channels, height, width) in [(1, 1, 1), (3, 4, 5), (8, 2, 3), (17, 5, 4), (32, 3, 3)] {
                for kernel in [1, 3] {
                    let planes = Array3::from_shape_fn((channels, height, width), |(c, y, x)| {
                        1.0 + (c * 100 + y * 10 + x) as f32
                    });
                    let map = FeatureMap::from_planes(planes.view());
                    let at = |c: usize, y: isize, x: isize| {
                        let inside = y >= 0 && x >= 0 && y < height as isize && x < width as isize;
                        if inside { planes[[c, y as usize, x as usize]] } else { 0.0 }
                    };
                    let (y, x) = (height / 2..height, width / 3..width);
                    let mut panel = vec![f32::NAN; y.len() * x.len() * GROUP_DEPTH];
                    let blocks = 0..map.blocks().min(blocks_per_group(kernel));
                    let columns = channels.min(blocks.end * BLOCK) * kernel * kernel;
                    let (map, panel_mut) = (&map, &mut panel[..]);
                    isa.run(PackPatches {
                        map,
                        kernel,
                        y: y.clone(),
                        x: x.clone(),
                        blocks,
                        panel: panel_mut,
                    });
                    for (row, (y, x)) in y.flat_map(|y| x.clone().map(move |x| (y, x))).enumerate() {
                        for column in 0..columns {
                            let (c, element) = channel_and_element(channels, kernel, column);
                            let half = (kernel / 2) as isize;
                            let expected = at(
                                c,
                                y as isize + (element / kernel) as isize - half,
                                x as isize + (element % kernel) as isize - half,
                            );
                            assert_eq!(panel[row * GROUP_DEPTH + column], expected, "{isa:?} {row} {column}");
                        }
                    }
                }
            }
        }
    }
}
