//! Convolution with stride 1: 3×3 with the input's border of one position as padding, or 1×1. Computed by im2col and a cache-blocked matrix
//! product, by Winograd's minimal filtering, or directly where the input is a picture.

mod direct;
pub mod edges;
mod epilogue;
mod im2col;
mod winograd;

use crate::gemm::{PackedMatrix, geometry};
use crate::simd::Isa;
use crate::tensor::FeatureMap;
use crate::tensor::Values;
use crate::tensor::feature_map::BLOCK;
use crate::tensor::filters::Filters;
use crate::tensor::tiles::TileSize;

use super::GradientEpilogue;
use epilogue::{BiasEpilogue, Epilogue};

/// How a convolution is computed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Algorithm {
    /// As a matrix product with the patch matrix.
    Im2col,
    /// By Winograd's minimal filtering F(4×4, 3×3). Only for 3×3 kernels.
    Winograd,
    /// As [`Algorithm::Winograd`], with the transformed inputs and filters in bfloat16, whose products are summed in f32: where the
    /// CPU multiplies pairs of them in one instruction, twice the multiplications in the same time.
    WinogradBf16,
    /// From the feature map itself, without a patch matrix. Only for 3×3 kernels with at most three input channels, as
    /// for a picture.
    Direct,
}

/// Buffers shared by all convolutions of a network, one at a time. They are reallocated only to grow.
pub struct Workspace {
    isa: Isa,
    matrix: PackedMatrix,
    buffers: winograd::Buffers,
}

impl Workspace {
    /// An empty workspace for convolutions on this instruction set.
    pub fn new(isa: Isa) -> Self {
        Self { isa, matrix: PackedMatrix::new(isa), buffers: winograd::Buffers::default() }
    }
}

/// A convolution from C to N channels with k×k kernels. Its weights may lie in the memory of the weights file.
pub struct Conv {
    kernel: usize,
    in_channels: usize,
    out_channels: usize,
    /// N×C×k×k.
    weight: Values,
    /// N values, zero-padded to a multiple of two channel blocks: the widest vector reads two.
    bias: Vec<f32>,
}

impl Conv {
    /// A convolution with the kernels `weight`, N×C×k×k in row-major order, and `bias`, N values. The shape is
    /// \[N, C, k\].
    ///
    /// # Panics
    /// If k is neither 1 nor 3, N or C is 0, or the length of `weight` or `bias` does not match the shape.
    pub fn new(
        [out_channels, in_channels, kernel]: [usize; 3],
        weight: impl Into<Values>,
        bias: &[f32],
    ) -> Self {
        assert!(kernel == 1 || kernel == 3, "the kernel is {kernel}×{kernel}, neither 1×1 nor 3×3");
        assert!(
            in_channels > 0 && out_channels > 0,
            "a convolution from {in_channels} to {out_channels} channels"
        );
        let weight = weight.into();
        assert_eq!(
            weight.len(),
            out_channels * in_channels * kernel * kernel,
            "the weights do not have the convolution's shape"
        );
        assert_eq!(bias.len(), out_channels, "there is not one bias per output channel");
        let mut padded = bias.to_vec();
        padded.resize(out_channels.next_multiple_of(2 * BLOCK), 0.0);
        Self { kernel, in_channels, out_channels, weight, bias: padded }
    }

    /// Channels of the input, C.
    pub fn in_channels(&self) -> usize {
        self.in_channels
    }

    /// Channels of the output, N.
    pub fn out_channels(&self) -> usize {
        self.out_channels
    }

    /// Whether the algorithm can compute this convolution.
    pub fn allows(&self, algorithm: Algorithm) -> bool {
        match algorithm {
            Algorithm::Im2col => true,
            Algorithm::Winograd | Algorithm::WinogradBf16 => self.kernel == 3,
            Algorithm::Direct => self.kernel == 3 && self.in_channels <= direct::MAX_CHANNELS,
        }
    }

    /// Side of the kernels, k.
    pub fn kernel(&self) -> usize {
        self.kernel
    }

    /// Rows above and below an output's row on which it depends.
    pub fn reach(&self) -> usize {
        self.kernel / 2
    }

    /// Floating-point operations of one pass over `positions` positions, forward or backward: 2·N·C·k² per position,
    /// whatever the algorithm.
    pub fn flop(&self, positions: usize) -> f64 {
        2.0 * self.weight.len() as f64 * positions as f64
    }

    /// Bytes of the weights.
    pub fn bytes(&self) -> u64 {
        size_of_val(&*self.weight) as u64
    }

    /// Bytes of the buffers, feature maps excluded, that a pass over a map of `height`×`width` positions needs: the larger
    /// of the two directions' needs.
    pub fn pass_bytes(&self, isa: Isa, algorithm: Algorithm, height: usize, width: usize) -> u64 {
        match algorithm {
            Algorithm::Im2col | Algorithm::Direct => self.bytes(),
            Algorithm::Winograd | Algorithm::WinogradBf16 => {
                let bytes = match algorithm {
                    Algorithm::WinogradBf16 => winograd::bytes::<true>,
                    _ => winograd::bytes::<false>,
                };
                let bytes = |channels, columns| bytes(isa, (channels, columns), (height, width));
                bytes(self.in_channels, self.out_channels).max(bytes(self.out_channels, self.in_channels))
            }
        }
    }

    /// Y = W∗X + b, or max(0, W∗X + b) where `relu`. X is C×H×W, Y is N×H×W. Beyond the edges of X is what its border has.
    ///
    /// # Panics
    /// If a shape is another, or the algorithm cannot compute this convolution.
    pub fn forward(
        &self,
        x: &FeatureMap,
        y: &mut FeatureMap,
        relu: bool,
        algorithm: Algorithm,
        workspace: &mut Workspace,
    ) {
        assert_eq!((x.channels(), y.channels()), (self.in_channels, self.out_channels));
        let filters = Filters::forward(&self.weight, [self.out_channels, self.in_channels, self.kernel]);
        let epilogue = &BiasEpilogue { bias: &self.bias, relu };
        Arguments { isa: workspace.isa, filters, input: x, output: y, epilogue }.run(algorithm, workspace);
    }

    /// dX = Wᵀ∗dY, written over X by the epilogue. dY is N×H×W, X is C×H×W. Beyond the edges of dY is what its border has,
    /// but with [`Algorithm::Direct`] zeros at the sides.
    ///
    /// # Panics
    /// If a shape is another, or the algorithm cannot compute this convolution.
    pub fn backward(
        &self,
        dy: &FeatureMap,
        x: &mut FeatureMap,
        epilogue: GradientEpilogue,
        algorithm: Algorithm,
        workspace: &mut Workspace,
    ) {
        assert_eq!((dy.channels(), x.channels()), (self.out_channels, self.in_channels));
        epilogue.check(x);
        let filters = Filters::backward(&self.weight, [self.out_channels, self.in_channels, self.kernel]);
        Arguments { isa: workspace.isa, filters, input: dy, output: x, epilogue: &epilogue }
            .run(algorithm, workspace);
    }
}

/// The operands of a convolution, forward or backward: `input` is convolved with the `filters`, and the sums are written to
/// `output` by the `epilogue`.
struct Arguments<'a, E> {
    isa: Isa,
    filters: Filters<'a>,
    input: &'a FeatureMap,
    output: &'a mut FeatureMap,
    epilogue: &'a E,
}

impl<E: Epilogue> Arguments<'_, E> {
    /// Computes the convolution by `algorithm`, in its part of the workspace.
    fn run(self, algorithm: Algorithm, workspace: &mut Workspace) {
        let Self { filters, input, output, .. } = &self;
        assert_eq!((input.height(), input.width()), (output.height(), output.width()));
        match algorithm {
            Algorithm::Im2col => im2col::convolve(self, &mut workspace.matrix),
            Algorithm::Winograd => winograd::convolve::<false, E>(self, &mut workspace.buffers),
            Algorithm::WinogradBf16 => winograd::convolve::<true, E>(self, &mut workspace.buffers),
            Algorithm::Direct => {
                let channels = filters.depth().min(filters.columns());
                assert!(
                    filters.kernel() == 3 && channels <= direct::MAX_CHANNELS,
                    "the direct convolution needs 3×3 kernels from or to at most three channels"
                );
                direct::convolve(self, &mut workspace.matrix);
            }
        }
    }
}

/// The fewest tasks per thread that a layer is divided into, where it has enough work: the threads then finish within a
/// quarter of a thread's share of each other.
const TASKS_PER_THREAD: usize = 4;

/// The part of a convolution's output that one task computes. The output is a grid of `height` by `width` elements
/// (positions, or Winograd tiles) in `blocks` channel blocks. A task has at most `max` elements and all blocks; where that
/// makes too few tasks, fewer blocks, and then fewer elements, down to about `min`. The number of threads may decide,
/// because the sums do not depend on how the output is divided.
fn tile_size(
    isa: Isa,
    (height, width): (usize, usize),
    blocks: usize,
    (max, min): (usize, usize),
) -> TileSize {
    let panel_blocks = geometry(isa).panel / BLOCK;
    let mut task_blocks = blocks.next_multiple_of(panel_blocks).max(1);
    let mut max = max;
    loop {
        let (h, w) = tile_shape(height, width, max, geometry(isa).tile_rows);
        let tasks = height.div_ceil(h) * width.div_ceil(w) * blocks.div_ceil(task_blocks);
        if tasks >= TASKS_PER_THREAD * rayon::current_num_threads() {
            return TileSize { height: h, width: w, blocks: task_blocks };
        } else if task_blocks > 2 * panel_blocks {
            task_blocks = (task_blocks / 2).next_multiple_of(panel_blocks);
        } else if max > min {
            max /= 2;
        } else {
            return TileSize { height: h, width: w, blocks: task_blocks };
        }
    }
}

/// Height and width of the tiles of at most `max` elements for which the fewest rows of register tiles are padding.
/// `tile_rows` is the height of a register tile.
fn tile_shape(height: usize, width: usize, max: usize, tile_rows: usize) -> (usize, usize) {
    let padded = |h: usize, w: usize| (h * w).next_multiple_of(tile_rows);
    let cost = |&(h, w): &(usize, usize)| {
        let (bottom, right) = (height % h, width % w);
        (height / h) * (width / w) * padded(h, w)
            + (width / w) * padded(bottom, w)
            + (height / h) * padded(h, right)
            + padded(bottom, right)
    };
    let widths = (1..=width.clamp(1, max)).rev();
    widths.map(|w| ((max / w).clamp(1, height.max(1)), w)).min_by_key(cost).unwrap_or((1, 1))
}
