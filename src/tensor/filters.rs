//! A convolution's weights, read in the weights file's order for either direction.

#![expect(unsafe_code, reason = "a block of filters is read by transposed vectors")]

use crate::simd::{MOST_LANES, Simd};
use crate::tensor::feature_map::BLOCK;

/// The filters of a convolution from `depth` to `columns` channels: the layer's own, or those of its backward pass, in
/// which input and output channels change places and every kernel is turned by 180°.
#[derive(Clone, Copy)]
pub struct Filters<'w> {
    /// N×C×k×k, row-major.
    values: &'w [f32],
    kernel: usize,
    depth: usize,
    columns: usize,
    depth_stride: usize,
    column_stride: usize,
    turned: bool,
}

impl<'w> Filters<'w> {
    /// From C to N channels.
    pub fn forward(values: &'w [f32], [n, c, kernel]: [usize; 3]) -> Self {
        let elements = Self::elements(values, [n, c, kernel]);
        let (depth_stride, column_stride) = (elements, c * elements);
        Self { values, kernel, depth: c, columns: n, depth_stride, column_stride, turned: false }
    }

    /// From N to C channels.
    pub fn backward(values: &'w [f32], [n, c, kernel]: [usize; 3]) -> Self {
        let elements = Self::elements(values, [n, c, kernel]);
        let (depth_stride, column_stride) = (c * elements, elements);
        Self { values, kernel, depth: n, columns: c, depth_stride, column_stride, turned: true }
    }

    /// k², for values of this shape.
    fn elements(values: &[f32], shape: [usize; 3]) -> usize {
        let [n, c, kernel] = shape;
        let elements = kernel.checked_mul(kernel);
        let len = elements
            .and_then(|elements| elements.checked_mul(c))
            .and_then(|of_column| of_column.checked_mul(n));
        assert_eq!(len, Some(values.len()), "weights of another shape");
        elements.unwrap_or_default()
    }

    /// Side of a kernel, k.
    pub fn kernel(&self) -> usize {
        self.kernel
    }

    /// Channels that are summed over.
    pub fn depth(&self) -> usize {
        self.depth
    }

    /// Output channels.
    pub fn columns(&self) -> usize {
        self.columns
    }

    /// The weights of `channel` at `element` (row · k + column), by column.
    #[inline(always)]
    pub fn row(self, channel: usize, element: usize) -> impl Fn(usize) -> f32 + use<'w> {
        let last = self.kernel * self.kernel - 1;
        let start = channel * self.depth_stride + if self.turned { last - element } else { element };
        move |column| self.values[start + column * self.column_stride]
    }

    /// The 3×3 kernels from eight channels, from `channel` on, to a vector of columns, from `column` on; zeros past the
    /// last channel and past the last column.
    #[inline(always)]
    pub fn block_3x3<S: Simd>(&self, simd: S, channel: usize, column: usize) -> [VectorKernel; BLOCK] {
        assert_eq!(self.kernel, 3, "kernels of another size");
        let mut block = [[[0.0; MOST_LANES]; 9]; BLOCK];
        let left = (self.depth.saturating_sub(channel), self.columns.saturating_sub(column));
        if left.0 < BLOCK || left.1 < S::LANES {
            for (channel, elements) in (channel..self.depth).zip(&mut block) {
                for (element, lanes) in elements.iter_mut().enumerate() {
                    let row = self.row(channel, element);
                    for (column, lane) in (column..self.columns).zip(&mut lanes[..S::LANES]) {
                        *lane = row(column);
                    }
                }
            }
            return block;
        }
        let at = |channel: usize, column: usize| channel * self.depth_stride + column * self.column_stride;
        assert!(at(channel + BLOCK - 1, column + S::LANES - 1) + 9 <= self.values.len());
        // SAFETY: the kernels of the last channel and the last column end inside the values, by the assert above, and
        // all that is read is of kernels up to these. A block has room for the widest vectors.
        unsafe {
            if self.turned {
                // Kernels of neighbouring columns are adjacent.
                for (i, elements) in block.iter_mut().enumerate() {
                    let kernel = self.values.as_ptr().add(at(channel + i, column));
                    let first = simd.load_transposed(kernel, self.column_stride);
                    let [.., last] = simd.load_transposed(kernel.add(1), self.column_stride);
                    for (to, element) in elements.iter_mut().rev().zip(first.into_iter().chain([last])) {
                        simd.store(to.as_mut_ptr(), element);
                    }
                }
            } else {
                // Kernels of neighbouring channels are adjacent: of eight, nine times eight floats for each column.
                let kernels = self.values.as_ptr().add(at(channel, column));
                for (i, to) in block.as_flattened_mut().as_chunks_mut::<8>().0.iter_mut().enumerate() {
                    let elements = simd.load_transposed(kernels.add(8 * i), self.column_stride);
                    for (to, element) in to.iter_mut().zip(elements) {
                        simd.store(to.as_mut_ptr(), element);
                    }
                }
            }
        }
        block
    }
}

/// The nine elements of the 3×3 kernels from one channel to a vector of columns: each has a float for each column.
pub type VectorKernel = [[f32; MOST_LANES]; 9];
