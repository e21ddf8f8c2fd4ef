//! Convolution, 3×3 with zero padding of one or 1×1: by im2col and a cache-blocked product, by Winograd's minimal
//! filtering, or directly, from and to the few channels of a picture.

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
use epilogue::{Backward, Forward, Store};

/// How a convolution is computed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// By the definition, as a product with the patch matrix.
    Im2col,
    /// By F(4×4, 3×3). Only 3×3 kernels.
    Winograd,
    /// From at most three channels, and back to them. Only 3×3 kernels.
    Direct,
}

/// What a convolution needs beside its maps while it is computed. To be used again for the next: it allocates only
/// to grow.
pub struct Workspace {
    isa: Isa,
    matrix: PackedMatrix,
    shared: winograd::Shared,
}

impl Workspace {
    /// For an instruction set, with nothing allocated yet.
    pub fn new(isa: Isa) -> Self {
        Self { isa, matrix: PackedMatrix::new(isa), shared: winograd::Shared::default() }
    }
}

/// A convolution, its weights where they lie.
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
    /// Of the kernels `weight`, N×C×k×k, and their `bias`, N values.
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

    /// Whether the method can compute it.
    pub fn allows(&self, method: Method) -> bool {
        match method {
            Method::Im2col => true,
            Method::Winograd => self.kernel == 3,
            Method::Direct => self.kernel == 3 && self.in_channels <= direct::MOST_CHANNELS,
        }
    }

    /// Side of the kernels, k.
    pub fn kernel(&self) -> usize {
        self.kernel
    }

    /// Floating-point operations of one pass over `positions` positions, either way: 2·N·C·k² each.
    pub fn flop(&self, positions: usize) -> f64 {
        2.0 * self.weight.len() as f64 * positions as f64
    }

    /// Bytes that the weights take.
    pub fn bytes(&self) -> u64 {
        size_of_val(&*self.weight) as u64
    }

    /// Bytes that one pass over a map of `height`×`width` takes beside the maps, the more of either direction.
    pub fn pass_bytes(&self, isa: Isa, method: Method, height: usize, width: usize) -> u64 {
        match method {
            Method::Im2col | Method::Direct => self.bytes(),
            Method::Winograd => {
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
        method: Method,
        workspace: &mut Workspace,
    ) {
        assert_eq!((x.channels(), y.channels()), (self.in_channels, self.out_channels));
        let filters = Filters::forward(&self.weight, [self.out_channels, self.in_channels, self.kernel]);
        let store = &Forward { bias: &self.bias, relu };
        Pass { isa: workspace.isa, filters, input: x, output: y, store }.run(method, workspace);
    }

    /// dX = Wᵀ∗dY, finished and written over X. dY is N×H×W, X is C×H×W.
    pub fn backward(
        &self,
        dy: &FeatureMap,
        x: &mut FeatureMap,
        epilogue: GradientEpilogue,
        method: Method,
        workspace: &mut Workspace,
    ) {
        assert_eq!((dy.channels(), x.channels()), (self.out_channels, self.in_channels));
        epilogue.check(x);
        let filters = Filters::backward(&self.weight, [self.out_channels, self.in_channels, self.kernel]);
        let store = &Backward { epilogue };
        Pass { isa: workspace.isa, filters, input: dy, output: x, store }.run(method, workspace);
    }
}

/// One pass of a convolution: of `input` with the `filters`, handed to `store` on its way to `output`.
struct Pass<'a, S> {
    isa: Isa,
    filters: Filters<'a>,
    input: &'a FeatureMap,
    output: &'a mut FeatureMap,
    store: &'a S,
}

impl<S: Store> Pass<'_, S> {
    /// Runs it by `method`, with its part of the workspace.
    fn run(self, method: Method, workspace: &mut Workspace) {
        let Self { filters, input, output, .. } = &self;
        assert_eq!((input.height(), input.width()), (output.height(), output.width()));
        match method {
            Method::Im2col => im2col::convolve(self, &mut workspace.matrix),
            Method::Winograd => {
                assert_eq!(filters.kernel(), 3, "Winograd's filtering is for 3×3 kernels");
                winograd::convolve(self, &mut workspace.shared);
            }
            Method::Direct => {
                let few = filters.depth().min(filters.columns());
                assert!(filters.kernel() == 3 && few <= direct::MOST_CHANNELS, "not a picture's convolution");
                direct::convolve(self, &mut workspace.matrix);
            }
        }
    }
}

/// Tasks a thread that a layer is cut into at least, for the last ones to epilogue near together.
const TASKS: usize = 4;

/// The tiles in which a convolution's output is made: of `most` elements (positions, or Winograd's tiles of them), on
/// a grid of `height` by `width`, and of all channel blocks; smaller ones where there would be too few tasks. The sums
/// do not depend on the cut, only the speed does, so it may look at the number of threads.
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

/// Height and width of tiles of at most `most` positions with the fewest rows of the micro-kernel wasted.
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
