//! A view of a convolution's weights, in the weights file's order, for the forward or the backward pass.

#![expect(unsafe_code, reason = "a block of filters is read by transposing vector loads")]

use crate::simd::{MAX_LANES, Simd};
use crate::tensor::aligned::LINE;
use crate::tensor::feature_map::BLOCK;

/// The filters of a convolution from `depth` to `columns` channels: the layer's own, or those of its backward pass, in
/// which input and output channels are exchanged and each kernel is rotated by 180°.
#[derive(Clone, Copy)]
pub struct Filters<'w> {
    /// N×C×k×k, row-major.
    values: &'w [f32],
    kernel: usize,
    depth: usize,
    columns: usize,
    depth_stride: usize,
    column_stride: usize,
    rotated: bool,
}

impl<'w> Filters<'w> {
    /// The filters of the forward pass, from C to N channels. `values` is N×C×k×k, the shape \[N, C, k\].
    ///
    /// # Panics
    /// If the length of `values` does not match the shape.
    pub fn forward(values: &'w [f32], [n, c, kernel]: [usize; 3]) -> Self {
        let elements = Self::elements(values, [n, c, kernel]);
        let (depth_stride, column_stride) = (elements, c * elements);
        Self { values, kernel, depth: c, columns: n, depth_stride, column_stride, rotated: false }
    }

    /// The filters of the backward pass, from N to C channels. `values` is N×C×k×k, the shape \[N, C, k\].
    ///
    /// # Panics
    /// If the length of `values` does not match the shape.
    pub fn backward(values: &'w [f32], [n, c, kernel]: [usize; 3]) -> Self {
        let elements = Self::elements(values, [n, c, kernel]);
        let (depth_stride, column_stride) = (c * elements, elements);
        Self { values, kernel, depth: n, columns: c, depth_stride, column_stride, rotated: true }
    }

    /// k², after a check that `values` has this shape.
    fn elements(values: &[f32], shape: [usize; 3]) -> usize {
        let [n, c, kernel] = shape;
        let elements = kernel.checked_mul(kernel);
        let len = elements
            .and_then(|elements| elements.checked_mul(c))
            .and_then(|of_column| of_column.checked_mul(n));
        assert_eq!(len, Some(values.len()), "the weights do not have the filters' shape");
        elements.unwrap_or_default()
    }

    /// Side of a kernel, k.
    pub fn kernel(&self) -> usize {
        self.kernel
    }

    /// Input channels, which are summed over.
    pub fn depth(&self) -> usize {
        self.depth
    }

    /// Output channels.
    pub fn columns(&self) -> usize {
        self.columns
    }

    /// The weights of the input channel `channel` at the kernel element `element` (row · k + column), as a function of the
    /// output channel.
    #[inline(always)]
    pub fn row(self, channel: usize, element: usize) -> impl Fn(usize) -> f32 + use<'w> {
        let last = self.kernel * self.kernel - 1;
        let start = channel * self.depth_stride + if self.rotated { last - element } else { element };
        move |column| self.values[start + column * self.column_stride]
    }

    /// Prefetches what [`Filters::read_3x3`] reads.
    #[inline(always)]
    pub fn prefetch_3x3<S: Simd>(&self, simd: S, channel: usize, column: usize) {
        // Adjacent kernels: of a vector of columns in each of eight rows, or of eight channels in each row of a vector's.
        let (rows, floats, row, start) = match self.rotated {
            true => (BLOCK, 9 * S::LANES, self.depth_stride, channel * self.depth_stride + 9 * column),
            false => (S::LANES, 9 * BLOCK, self.column_stride, 9 * channel + column * self.column_stride),
        };
        for row in (0..rows).map(|index| start + index * row) {
            for at in (row..row + floats).step_by(LINE) {
                simd.prefetch(self.values.as_ptr().wrapping_add(at));
            }
        }
    }

    /// Copies the 3×3 kernels between eight input channels, from `channel` on, and a vector of output channels, from `column`
    /// on, to `block`. Channels past the last are zero-filled.
    ///
    /// # Panics
    /// If the kernels are not 3×3.
    #[inline(always)]
    pub fn read_3x3<S: Simd>(
        &self,
        simd: S,
        channel: usize,
        column: usize,
        BlockKernels(block): &mut BlockKernels,
    ) {
        assert_eq!(self.kernel, 3, "the kernels are not 3×3");
        let left = (self.depth.saturating_sub(channel), self.columns.saturating_sub(column));
        if left.0 < BLOCK || left.1 < S::LANES {
            block.as_flattened_mut().as_flattened_mut().fill(0.0);
            for (channel, elements) in (channel..self.depth).zip(block) {
                for (element, lanes) in elements.iter_mut().enumerate() {
                    let row = self.row(channel, element);
                    for (column, lane) in (column..self.columns).zip(&mut lanes[..S::LANES]) {
                        *lane = row(column);
                    }
                }
            }
            return;
        }
        let at = |channel: usize, column: usize| channel * self.depth_stride + column * self.column_stride;
        assert!(at(channel + BLOCK - 1, column + S::LANES - 1) + 9 <= self.values.len());
        // SAFETY: only kernels up to the last channel and column are read, and these end inside the values, by the assert
        // above. The rows of `block` have room for the widest vector.
        unsafe {
            if self.rotated {
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
                // Kernels of neighbouring input channels are adjacent: those of eight are nine times eight floats.
                let kernels = self.values.as_ptr().add(at(channel, column));
                for (i, to) in block.as_flattened_mut().as_chunks_mut::<8>().0.iter_mut().enumerate() {
                    let elements = simd.load_transposed(kernels.add(8 * i), self.column_stride);
                    for (to, element) in to.iter_mut().zip(elements) {
                        simd.store(to.as_mut_ptr(), element);
                    }
                }
            }
        }
    }
}

/// The 3×3 kernels between one input channel and a vector of output channels: by element, then by output channel.
pub type VectorKernel = [[f32; MAX_LANES]; 9];

/// The kernels between eight input channels and a vector of output channels. Aligned, so that no vector straddles two lines.
#[repr(align(64))]
pub struct BlockKernels(pub [VectorKernel; BLOCK]);

impl BlockKernels {
    /// Kernels of zeros.
    #[inline(always)]
    pub fn zeros() -> Self {
        Self([[[0.0; MAX_LANES]; 9]; BLOCK])
    }
}
