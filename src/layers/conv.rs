//! Convolution, 3×3 with zero padding of one or 1×1: by im2col and a cache-blocked product, or by Winograd's minimal
//! filtering.

pub(super) mod im2col;
pub(super) mod store;
mod winograd;

use crate::kernels::feature_map::BLOCK;
use crate::kernels::gemm::PackedMatrix;
use crate::kernels::im2col::{blocks_per_group, channel_and_tap};
use crate::kernels::tiles::Cut;
use crate::kernels::winograd::{POINTS, TransformedWeights};
use crate::kernels::{FeatureMap, Isa};

use super::Finish;
use store::{Backward, Forward, Store};

/// How a convolution is computed.
pub enum Method<'w> {
    /// By the definition, as a product with the patch matrix.
    Im2col,
    /// By F(4×4, 3×3), with a buffer for the transformed weights. Only 3×3 kernels.
    Winograd(&'w mut TransformedWeights),
}

/// A convolution's weights, packed for both directions.
pub struct Conv {
    isa: Isa,
    kernel: usize,
    in_channels: usize,
    out_channels: usize,
    /// Padded with zeros to whole channel blocks.
    bias: Vec<[f32; BLOCK]>,
    /// (C·k·k)×N: the kernels as the columns of a product with the patches of X.
    weights: PackedMatrix,
    /// (N·k·k)×C: the same, turned by 180° and with in and out changed, for a product with the patches of dY.
    transposed: Option<PackedMatrix>,
}

impl Conv {
    /// Packs the kernels `weight`, N×C×k×k, and their `bias`, N values. Without `backward` there are half as
    /// many to keep.
    pub fn new(
        isa: Isa,
        [out_channels, in_channels, kernel]: [usize; 3],
        weight: &[f32],
        bias: &[f32],
        backward: bool,
    ) -> Self {
        assert!(kernel == 1 || kernel == 3, "a {kernel}×{kernel} kernel");
        assert!(
            in_channels > 0 && out_channels > 0,
            "a convolution from {in_channels} to {out_channels} channels"
        );
        let taps = kernel * kernel;
        assert_eq!(weight.len(), out_channels * in_channels * taps, "weights of another shape");
        assert_eq!(bias.len(), out_channels, "biases of another shape");
        let pack = |channels: usize,
                    columns: usize,
                    column_stride: usize,
                    start: &(dyn Fn(usize, usize) -> usize + Sync)| {
            let group = blocks_per_group(kernel) * BLOCK * taps;
            let row_start = |row| {
                let (channel, tap) = channel_and_tap(channels, kernel, row);
                start(channel, tap)
            };
            PackedMatrix::new(isa, (channels * taps, columns), group, weight, row_start, column_stride)
        };
        let weights = pack(in_channels, out_channels, in_channels * taps, &|c, tap| c * taps + tap);
        let transposed = backward.then(|| {
            pack(out_channels, in_channels, taps, &|n, tap| n * in_channels * taps + taps - 1 - tap)
        });
        let mut padded = vec![[0.0; BLOCK]; out_channels.div_ceil(BLOCK)];
        padded.as_flattened_mut()[..out_channels].copy_from_slice(bias);
        Self { isa, kernel, in_channels, out_channels, bias: padded, weights, transposed }
    }

    /// Channels of the input, C.
    pub fn in_channels(&self) -> usize {
        self.in_channels
    }

    /// Channels of the output, N.
    pub fn out_channels(&self) -> usize {
        self.out_channels
    }

    /// Floating-point operations of one pass over `positions` positions, either way: 2·N·C·k² each.
    pub fn flop(&self, positions: usize) -> f64 {
        2.0 * (self.out_channels * self.in_channels * self.kernel * self.kernel) as f64 * positions as f64
    }

    /// Bytes that the packed weights take.
    pub fn bytes(&self) -> usize {
        self.weights.bytes() + self.transposed.as_ref().map_or(0, PackedMatrix::bytes)
    }

    /// Bytes that Winograd's filtering takes beside the maps: the weights transformed in one direction, and each
    /// thread's transformed inputs.
    pub fn winograd_bytes(&self) -> u64 {
        let weights = POINTS * self.in_channels * self.weights.columns();
        let inputs = winograd::most_inputs(self.in_channels.max(self.out_channels));
        ((weights + rayon::current_num_threads() * inputs) * size_of::<f32>()) as u64
    }

    /// Side of the kernels, k.
    pub fn kernel(&self) -> usize {
        self.kernel
    }

    /// Y = W∗X + b, and with `relu` max(0, ·) of it. X is C×H×W, Y is N×H×W.
    pub fn forward(&self, x: &FeatureMap, y: &mut FeatureMap, relu: bool, method: Method) {
        assert_eq!((x.channels(), y.channels()), (self.in_channels, self.out_channels));
        self.convolve(x, &self.weights, y, method, &Forward { bias: &self.bias, relu });
    }

    /// dX = Wᵀ∗dY, finished and written over X. dY is N×H×W, X is C×H×W.
    ///
    /// # Panics
    /// When the layer was made without its backward pass.
    pub fn backward(&self, dy: &FeatureMap, x: &mut FeatureMap, finish: Finish, method: Method) {
        assert_eq!((dy.channels(), x.channels()), (self.out_channels, self.in_channels));
        finish.check(x);
        let transposed = self.transposed.as_ref().expect("the layer was made without its backward pass");
        self.convolve(dy, transposed, x, method, &Backward { finish });
    }

    /// The convolution of `input` with the kernels packed in `matrix`, handed to `store` on its way to `output`.
    fn convolve(
        &self,
        input: &FeatureMap,
        matrix: &PackedMatrix,
        output: &mut FeatureMap,
        method: Method,
        store: &impl Store,
    ) {
        assert_eq!((input.height(), input.width()), (output.height(), output.width()));
        match method {
            Method::Im2col => im2col::convolve(self.isa, self.kernel, input, matrix, output, store),
            Method::Winograd(weights) => {
                assert_eq!(self.kernel, 3, "Winograd's filtering is for 3×3 kernels");
                weights.transform(self.isa, input.channels(), matrix);
                winograd::convolve(self.isa, input, matrix, weights, output, store);
            }
        }
    }
}

/// Tasks a thread that a layer is cut into at least, for the last ones to finish near together.
const TASKS: usize = 4;

/// The tiles in which a convolution's output is made: of `most` elements (positions, or Winograd's tiles of them), on
/// a grid of `height` by `width`, and of all channel blocks; smaller ones where there would be too few tasks. The sums
/// do not depend on the cut, only the speed does, so it may look at the number of threads.
fn cut(
    (height, width): (usize, usize),
    blocks: usize,
    (most, least): (usize, usize),
    matrix: &PackedMatrix,
) -> Cut {
    let panel_blocks = matrix.panel().div_ceil(BLOCK);
    let mut cut_blocks = blocks.next_multiple_of(panel_blocks).max(1);
    let mut most = most;
    loop {
        let (h, w) = tile_shape(height, width, most, matrix.tile_rows());
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
