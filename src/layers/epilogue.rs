//! The epilogue of a backward pass: what is done to a gradient on its way to memory, where it takes the place of the
//! features that it is by.

use std::ops::Range;

use crate::parallel::scratch;
use crate::simd::Isa;
use crate::simd::{Kernel, Simd};
use crate::tensor::FeatureMap;
use crate::tensor::feature_map::BLOCK;
use crate::tensor::rows::{VectorRow, VectorRowMut};
use crate::tensor::tiles::{Cut, Tile};

use super::moments;

/// What is done to a gradient dX before it is written over X.
#[derive(Clone, Copy, Default)]
pub struct GradientEpilogue<'a> {
    /// The loss's own gradient by X, where X is a tap of the loss: added.
    pub tap: TapGradient<'a>,
    /// Whether X came out of a ReLU: the gradient is 0 where X is not above 0, and is then that by the ReLU's
    /// input.
    pub relu: bool,
}

/// The gradient of the loss by the features X of a tap, as a function of X: nothing, the style's part
/// (2·dS·x + dμ)/n at each position x, the content's part slope · (X − P), or both.
#[derive(Clone, Copy, Default)]
pub struct TapGradient<'a> {
    /// The gradient by X's moments.
    pub style: Option<&'a moments::Gradient>,
    /// The content's features P, and the slope.
    pub content: Option<(&'a FeatureMap, f32)>,
}

impl<'a> GradientEpilogue<'a> {
    /// Writes the gradient by the features `x` of the deepest tap, which only the loss depends on, over them.
    pub fn of_deepest(self, isa: Isa, x: &mut FeatureMap) {
        self.for_each_tile(x, Cut::strips(x), |tile, prepared| {
            isa.run(Deepest { epilogue: self, tile, prepared })
        });
    }

    /// # Panics
    /// Where the tap's gradient is of another shape than the features.
    pub(super) fn check(self, x: &FeatureMap) {
        if let Some((content, _)) = self.tap.content {
            let shapes = [content, x].map(|map| (map.channels(), map.height(), map.width()));
            assert_eq!(shapes[0], shapes[1], "a tap of another shape");
        }
        if let Some(style) = self.tap.style {
            assert_eq!(style.channels(), x.channels(), "a tap of another shape");
        }
    }

    /// The cut, with all channels in each tile where the gradient of one channel depends on all of them.
    pub(super) fn cut(self, cut: Cut, x: &FeatureMap) -> Cut {
        match self.tap.style {
            Some(_) => Cut { blocks: x.blocks().max(1), ..cut },
            None => cut,
        }
    }

    /// Runs `work` on each tile of `x`, with what [`GradientEpilogue::prepare`] made of it.
    pub(super) fn for_each_tile(self, x: &mut FeatureMap, cut: Cut, work: impl Fn(&mut Tile, &[f32]) + Sync) {
        self.check(x);
        let cut = self.cut(cut, x);
        x.for_each_tile(cut, |mut tile| {
            scratch::with([self.prepared_len(tile.positions())], |[prepared]| {
                self.prepare(|block, y| tile.row(block, y), tile.y(), tile.x().len(), prepared);
                work(&mut tile, prepared);
            });
        });
    }

    /// Floats that are prepared for this many positions.
    pub(super) fn prepared_len(self, positions: usize) -> usize {
        self.tap.style.map_or(0, |style| positions * style.stride())
    }

    /// Computes what depends on all channels of a position, before the first of them is written over: for the rows `y`,
    /// of `width` positions each, where `row(block, y)` gives the features.
    pub(super) fn prepare<'r>(
        self,
        row: impl Fn(usize, usize) -> &'r [f32],
        y: Range<usize>,
        width: usize,
        to: &mut [f32],
    ) {
        if let Some(style) = self.tap.style {
            moments::backward(style, row, y, width, to);
        }
    }

    /// The epilogue of the tile's part of row `y`, for a vector of channels from `block` on, with what was prepared for
    /// the tile.
    #[inline(always)]
    pub(super) fn of_row<'p, S: Simd>(
        self,
        simd: S,
        prepared: &'p [f32],
        tile: &Tile,
        (block, y): (usize, usize),
    ) -> RowEpilogue<'p, S>
    where
        'a: 'p,
    {
        let style = self.tap.style.map(|style| {
            let position = (y - tile.y().start) * tile.x().len();
            (&prepared[position * style.stride() + block * BLOCK..], style.stride())
        });
        let first = tile.x().start;
        let content =
            self.tap.content.map(|(content, slope)| (content.vectors(block, y), first, simd.splat(slope)));
        RowEpilogue { simd, style, content, relu: self.relu }
    }
}

/// The epilogue where no layer comes behind the features: the gradient from there is 0.
struct Deepest<'a, 't> {
    epilogue: GradientEpilogue<'a>,
    tile: &'a mut Tile<'t>,
    prepared: &'a [f32],
}

impl Kernel for Deepest<'_, '_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        let Self { epilogue, tile, prepared } = self;
        for (block, y) in tile.vectors(S::LANES) {
            let row_epilogue = epilogue.of_row(simd, prepared, tile, (block, y));
            let [mut row] = tile.vectors_mut(block, y);
            for x in 0..row.positions() {
                row_epilogue.write(&mut row, x, simd.splat(0.0));
            }
        }
    }
}

/// The epilogue of a tile's part of a row.
pub(super) struct RowEpilogue<'p, S: Simd> {
    simd: S,
    /// From the first position's vector on, and the floats from one position to the next.
    style: Option<(&'p [f32], usize)>,
    /// The content's row, where in it the tile's part begins, and the slope.
    content: Option<(VectorRow<'p>, usize, S::F32)>,
    relu: bool,
}

impl<S: Simd> RowEpilogue<'_, S> {
    /// Completes the gradient of a position, and writes it over the features: `x` is the tile's part of the row.
    #[inline(always)]
    pub(super) fn write(&self, x: &mut VectorRowMut, position: usize, gradient: S::F32) {
        let simd = self.simd;
        let features = x.get(simd, position);
        let mut dx = gradient;
        if let Some((style, stride)) = self.style {
            dx = simd.add(dx, simd.read(&style[position * stride..]));
        }
        if let Some((content, first, slope)) = &self.content {
            let error = simd.sub(features, content.get(simd, first + position));
            dx = simd.mul_add(*slope, error, dx);
        }
        if self.relu {
            dx = simd.where_positive(features, dx);
        }
        x.set(simd, position, dx);
    }
}
