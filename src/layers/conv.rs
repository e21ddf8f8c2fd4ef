//! Convolution, 3×3 with zero padding of one or 1×1: by im2col and a cache-blocked product, by Winograd's minimal
//! filtering, or directly where the input is a picture.

mod direct;
mod epilogue;
mod im2col;
mod winograd;

use crate::gemm::{PackedMatrix, geometry};
use crate::simd::Isa;
use crate::tensor::FeatureMap;
use crate::tensor::Values;
use crate::tensor::feature_map::BLOCK;
use crate::tensor::filters::Filters;
use crate::tensor::tiles::Cut;

use super::GradientEpilogue;
use epilogue::{BiasEpilogue, Epilogue};

/// How a convolution is computed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Algorithm {
    /// By the definition, as a product with the patch matrix.
    Im2col,
    /// By Winograd's minimal filtering F(4×4, 3×3). Only for 3×3 kernels.
    Winograd,
    /// By the definition, without a patch matrix. Only for 3×3 kernels of at most three input channels: a picture's.
    Direct,
}

/// The buffers of a convolution, which the next one uses again. They allocate only to grow.
pub struct Workspace {
    isa: Isa,
    matrix: PackedMatrix,
    buffers: winograd::Buffers,
}

impl Workspace {
    /// For an instruction set, with nothing allocated yet.
    pub fn new(isa: Isa) -> Self {
        Self { isa, matrix: PackedMatrix::new(isa), buffers: winograd::Buffers::default() }
    }
}

/// A convolution. Its weights are shared with the weights file where they can be used as they are.
pub struct Conv {
    kernel: usize,
    in_channels: usize,
    out_channels: usize,
    /// N×C×k×k.
    weight: Values,
    /// Padded with zeros to whole pairs of channel blocks.
    bias: Vec<f32>,
}

impl Conv {
    /// With the kernels `weight`, N×C×k×k, and `bias`, N values.
    ///
    /// # Panics
    /// When the kernel is neither 1×1 nor 3×3, N or C is 0, or a length is another than the shape's.
    pub fn new(
        [out_channels, in_channels, kernel]: [usize; 3],
        weight: impl Into<Values>,
        bias: &[f32],
    ) -> Self {
        assert!(kernel == 1 || kernel == 3, "a {kernel}×{kernel} kernel");
        assert!(
            in_channels > 0 && out_channels > 0,
            "a convolution from {in_channels} to {out_channels} channels"
        );
        let weight = weight.into();
        assert_eq!(weight.len(), out_channels * in_channels * kernel * kernel, "weights of another shape");
        assert_eq!(bias.len(), out_channels, "biases of another shape");
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

    /// Whether the algorithm can compute it.
    pub fn allows(&self, algorithm: Algorithm) -> bool {
        match algorithm {
            Algorithm::Im2col => true,
            Algorithm::Winograd => self.kernel == 3,
            Algorithm::Direct => self.kernel == 3 && self.in_channels <= direct::MOST_CHANNELS,
        }
    }

    /// Side of the kernels, k.
    pub fn kernel(&self) -> usize {
        self.kernel
    }

    /// Floating-point operations of one pass over `positions` positions, in either direction: 2·N·C·k² each.
    pub fn flop(&self, positions: usize) -> f64 {
        2.0 * self.weight.len() as f64 * positions as f64
    }

    /// Bytes that the weights take.
    pub fn bytes(&self) -> u64 {
        size_of_val(&*self.weight) as u64
    }

    /// Bytes that a pass over a map of `height`×`width` takes beside the maps: of the direction that takes more.
    pub fn pass_bytes(&self, isa: Isa, algorithm: Algorithm, height: usize, width: usize) -> u64 {
        match algorithm {
            Algorithm::Im2col | Algorithm::Direct => self.bytes(),
            Algorithm::Winograd => {
                let bytes = |depth, columns| winograd::bytes(isa, (depth, columns), (height, width));
                bytes(self.in_channels, self.out_channels).max(bytes(self.out_channels, self.in_channels))
            }
        }
    }

    /// Y = W∗X + b, and with `relu` max(0, ·) of it. X is C×H×W, Y is N×H×W.
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

    /// dX = Wᵀ∗dY, finished and written over X. dY is N×H×W, X is C×H×W.
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

/// What a convolution is computed from, forward or backward: `input` with the `filters`, written to `output` by the
/// `epilogue`.
struct Arguments<'a, E> {
    isa: Isa,
    filters: Filters<'a>,
    input: &'a FeatureMap,
    output: &'a mut FeatureMap,
    epilogue: &'a E,
}

impl<E: Epilogue> Arguments<'_, E> {
    /// Computes it by `algorithm`, with its part of the workspace.
    fn run(self, algorithm: Algorithm, workspace: &mut Workspace) {
        let Self { filters, input, output, .. } = &self;
        assert_eq!((input.height(), input.width()), (output.height(), output.width()));
        match algorithm {
            Algorithm::Im2col => im2col::convolve(self, &mut workspace.matrix),
            Algorithm::Winograd => {
                assert_eq!(filters.kernel(), 3, "Winograd's filtering is for 3×3 kernels");
                winograd::convolve(self, &mut workspace.buffers);
            }
            Algorithm::Direct => {
                let channels = filters.depth().min(filters.columns());
                assert!(
                    filters.kernel() == 3 && channels <= direct::MOST_CHANNELS,
                    "not a picture's convolution"
                );
                direct::convolve(self, &mut workspace.matrix);
            }
        }
    }
}

/// Tasks per thread that a layer is cut into at least, so that all threads finish at nearly the same time.
const TASKS: usize = 4;

/// How a convolution's output, a grid of `height` by `width` elements (positions, or Winograd's tiles of them), is cut
/// into tasks: of at most `most` elements and of all channel blocks; where those are too few tasks, of fewer blocks and
/// then of fewer elements, down to about `least`. The sums do not depend on the cut, only the speed does, so it may
/// look at the number of threads.
fn cut(isa: Isa, (height, width): (usize, usize), blocks: usize, (most, least): (usize, usize)) -> Cut {
    let panel_blocks = geometry(isa).panel / BLOCK;
    let mut cut_blocks = blocks.next_multiple_of(panel_blocks).max(1);
    let mut most = most;
    loop {
        let (h, w) = tile_shape(height, width, most, geometry(isa).tile_rows);
        let tasks = height.div_ceil(h) * width.div_ceil(w) * blocks.div_ceil(cut_blocks);
        if tasks >= TASKS * rayon::current_num_threads() {
            return Cut { height: h, width: w, blocks: cut_blocks };
        } else if cut_blocks > 2 * panel_blocks {
            cut_blocks = (cut_blocks / 2).next_multiple_of(panel_blocks);
        } else if most > least {
            most /= 2;
        } else {
            return Cut { height: h, width: w, blocks: cut_blocks };
        }
    }
}

/// Height and width of tiles of at most `most` elements that waste the fewest rows of register tiles.
fn tile_shape(height: usize, width: usize, most: usize, tile_rows: usize) -> (usize, usize) {
    let padded = |h: usize, w: usize| (h * w).next_multiple_of(tile_rows);
    let cost = |&(h, w): &(usize, usize)| {
        let (bottom, right) = (height % h, width % w);
        (height / h) * (width / w) * padded(h, w)
            + (width / w) * padded(bottom, w)
            + (height / h) * padded(h, right)
            + padded(bottom, right)
    };
    let widths = (1..=width.clamp(1, most)).rev();
    widths.map(|w| ((most / w).clamp(1, height.max(1)), w)).min_by_key(cost).unwrap_or((1, 1))
}
