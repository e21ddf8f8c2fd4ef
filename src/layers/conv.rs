//! Convolution, 3×3 with zero padding of one or 1×1, lowered by im2col to a cache-blocked product.

use crate::kernels::feature_map::BLOCK;
use crate::kernels::gemm::{GROUP_DEPTH, PackedMatrix};
use crate::kernels::im2col::{PackPatches, blocks_per_group, channel_and_tap};
use crate::kernels::simd::{Kernel, Simd};
use crate::kernels::tiles::{Cut, Tile};
use crate::kernels::{FeatureMap, Isa, scratch};

use super::{Finish, Taps};

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

    /// Y = W∗X + b, and with `relu` max(0, ·) of it. X is C×H×W, Y is N×H×W.
    pub fn forward(&self, x: &FeatureMap, y: &mut FeatureMap, relu: bool) {
        assert_eq!((x.channels(), y.channels()), (self.in_channels, self.out_channels));
        self.convolve(x, &self.weights, y, |tile, products, width| {
            self.isa.run(StoreForward { tile, products, width, bias: &self.bias, relu });
        });
    }

    /// dX = Wᵀ∗dY, finished and written over X. dY is N×H×W, X is C×H×W.
    ///
    /// # Panics
    /// When the layer was made without its backward pass.
    pub fn backward(&self, dy: &FeatureMap, x: &mut FeatureMap, finish: Finish) {
        assert_eq!((dy.channels(), x.channels()), (self.out_channels, self.in_channels));
        let transposed = self.transposed.as_ref().expect("the layer was made without its backward pass");
        self.convolve(dy, transposed, x, |tile, products, width| {
            self.isa.run(StoreBackward { tile, products, width, finish });
        });
    }

    /// The product of the patches of `input` with `matrix`, handed to `store` a tile of `output` at a time:
    /// position by position of the tile, rows of as many floats as its last argument says.
    fn convolve(
        &self,
        input: &FeatureMap,
        matrix: &PackedMatrix,
        output: &mut FeatureMap,
        store: impl Fn(&mut Tile, &[f32], usize) + Sync,
    ) {
        assert_eq!((input.height(), input.width()), (output.height(), output.width()));
        let cut = cut(output, matrix.tile_rows(), matrix.panel().div_ceil(BLOCK));
        output.for_each_tile(cut, |mut tile| {
            let rows = tile.positions().next_multiple_of(matrix.tile_rows());
            let left = tile.blocks.start * BLOCK;
            let columns = left..(left + cut.blocks * BLOCK).min(matrix.columns());
            let width = columns.len();
            scratch::with([rows * GROUP_DEPTH, rows * width], |panel, products| {
                let step = blocks_per_group(self.kernel);
                for (index, group) in matrix.groups().enumerate() {
                    self.isa.run(PackPatches {
                        map: input,
                        kernel: self.kernel,
                        y: tile.y.clone(),
                        x: tile.x.clone(),
                        blocks: index * step..((index + 1) * step).min(input.blocks()),
                        panel,
                    });
                    matrix.multiply(panel, group, columns.clone(), products, index > 0);
                }
                store(&mut tile, products, width);
            });
        });
    }
}

/// The tiles in which a convolution's output is made. The sums do not depend on the cut, only the speed does,
/// so it may look at the number of threads.
fn cut(output: &FeatureMap, tile_rows: usize, panel_blocks: usize) -> Cut {
    /// MC: with the packed patches 162 KiB, with the products of 512 channels 288 KiB of second-level cache.
    const MOST_POSITIONS: usize = 144;
    /// Below it the packed weights are read too often for too little work.
    const LEAST_POSITIONS: usize = 24;
    /// Tasks a thread, for the last ones to finish near together.
    const TASKS: usize = 4;

    let mut blocks = output.blocks().next_multiple_of(panel_blocks).max(1);
    let mut positions = MOST_POSITIONS;
    loop {
        let (height, width) = tile_shape(output.height(), output.width(), positions, tile_rows);
        let cut = Cut { height, width, blocks };
        let tasks = output.height().div_ceil(height)
            * output.width().div_ceil(width)
            * output.blocks().div_ceil(blocks);
        if tasks >= TASKS * rayon::current_num_threads() {
            return cut;
        } else if blocks > 2 * panel_blocks {
            blocks = (blocks / 2).next_multiple_of(panel_blocks);
        } else if positions > LEAST_POSITIONS {
            positions /= 2;
        } else {
            return cut;
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

/// Adds the bias, applies the ReLU and writes a tile of Y while its products are in cache.
struct StoreForward<'a, 't> {
    tile: &'a mut Tile<'t>,
    products: &'a [f32],
    width: usize,
    bias: &'a [[f32; BLOCK]],
    relu: bool,
}

impl Kernel for StoreForward<'_, '_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, _simd: S) {
        let Self { tile, products, width, bias, relu } = self;
        let floor = if relu { 0.0 } else { f32::NEG_INFINITY };
        for_each_row(tile, products, width, |block, _, to, products| {
            for (to, products) in to.iter_mut().zip(products) {
                for ((to, product), bias) in to.iter_mut().zip(products).zip(&bias[block]) {
                    let value = product + bias;
                    // Not `max`, which would turn NaN into 0 and hide it.
                    *to = if value < floor { floor } else { value };
                }
            }
        });
    }
}

/// Finishes a tile of dX and writes it over X while its products are in cache.
struct StoreBackward<'a, 't> {
    tile: &'a mut Tile<'t>,
    products: &'a [f32],
    width: usize,
    finish: Finish<'a>,
}

impl Kernel for StoreBackward<'_, '_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, _simd: S) {
        let Self { tile, products, width, finish } = self;
        let columns = tile.x.clone();
        for_each_row(tile, products, width, |block, y, x, products| {
            let mut taps = Taps::of_row(finish, block, y, columns.clone());
            for (x, products) in x.iter_mut().zip(products) {
                finish.write(x, products, taps.next());
            }
        });
    }
}

/// Calls `write` with (block, y, the tile's row, the row's products) for every row of the tile's blocks.
#[inline(always)]
fn for_each_row<'p>(
    tile: &mut Tile,
    products: &'p [f32],
    width: usize,
    write: impl Fn(usize, usize, &mut [[f32; BLOCK]], ProductsOfBlock<'p>),
) {
    let (first, columns) = (tile.blocks.start, tile.x.len());
    for block in tile.blocks.clone() {
        for (row, y) in tile.y.clone().enumerate() {
            let products = ProductsOfBlock {
                products: &products[row * columns * width + (block - first) * BLOCK..],
                width,
            };
            write(block, y, tile.row_mut(block, y).as_chunks_mut().0, products);
        }
    }
}

/// One block's eight products, position after position.
#[derive(Clone, Copy)]
struct ProductsOfBlock<'p> {
    products: &'p [f32],
    width: usize,
}

impl<'p> Iterator for ProductsOfBlock<'p> {
    type Item = &'p [f32; BLOCK];

    #[inline(always)]
    fn next(&mut self) -> Option<Self::Item> {
        let chunk = self.products.first_chunk();
        self.products = self.products.get(self.width..).unwrap_or_default();
        chunk
    }
}
