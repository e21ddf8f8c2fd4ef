//! What rides on the writing of a gradient over its feature map.

use std::ops::Range;

use crate::parallel::scratch;
use crate::simd::Isa;
use crate::simd::{Kernel, Simd};
use crate::tensor::FeatureMap;
use crate::tensor::feature_map::BLOCK;
use crate::tensor::rows::{VectorRow, VectorRowMut};
use crate::tensor::tiles::{Cut, Tile};

use super::moments;

/// What is done to a gradient dX on its way to its place over X.
#[derive(Clone, Copy, Default)]
pub struct Finish<'a> {
    /// The loss's own gradient by X, where the loss looks at X: added.
    pub tap: Tap<'a>,
    /// Whether X came out of a ReLU: the gradient is 0 where X is not above 0, and is then that by the ReLU's
    /// input.
    pub relu: bool,
}

/// The gradient of the loss by the features X that it looks at, as a function of X: nothing, the style's part
/// 2·dG·X, the content's part slope · (X − P), or both.
#[derive(Clone, Copy, Default)]
pub struct Tap<'a> {
    /// The gradient by X's Gram matrix.
    pub gram: Option<&'a moments::Gradient>,
    /// The content's features P, and the slope.
    pub content: Option<(&'a FeatureMap, f32)>,
}

impl<'a> Finish<'a> {
    /// The gradient by features that nothing but the loss looks at, over the features `x`.
    pub fn alone(self, isa: Isa, x: &mut FeatureMap) {
        self.for_each_tile(x, Cut::strips(x), |tile, prepared| {
            isa.run(Alone { finish: self, tile, prepared })
        });
    }

    /// Refuses a tap of another shape than the features.
    pub(super) fn check(self, x: &FeatureMap) {
        if let Some((content, _)) = self.tap.content {
            let shapes = [content, x].map(|map| (map.channels(), map.height(), map.width()));
            assert_eq!(shapes[0], shapes[1], "a tap of another shape");
        }
        if let Some(gram) = self.tap.gram {
            assert_eq!(gram.channels(), x.channels(), "a tap of another shape");
        }
    }

    /// The cut, with all channels in each tile where the tap's gradient of one channel needs them all.
    pub(super) fn cut(self, cut: Cut, x: &FeatureMap) -> Cut {
        match self.tap.gram {
            Some(_) => Cut { blocks: x.blocks().max(1), ..cut },
            None => cut,
        }
    }

    /// Runs `work` on each tile of `x`, with what [`Finish::prepare`] made of it.
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
        self.tap.gram.map_or(0, |gram| positions * gram.stride())
    }

    /// Computes what needs all channels of a position, before the first of them is written over: for the rows `y`,
    /// of `width` positions each, of which `row(block, y)` has the features.
    pub(super) fn prepare<'r>(
        self,
        row: impl Fn(usize, usize) -> &'r [f32],
        y: Range<usize>,
        width: usize,
        to: &mut [f32],
    ) {
        if let Some(gram) = self.tap.gram {
            moments::backward(gram, row, y, width, to);
        }
    }

    /// For the tile's part of row `y` by vectors of channels from `block` on, with what was prepared for the tile.
    #[inline(always)]
    pub(super) fn along<'p, S: Simd>(
        self,
        simd: S,
        prepared: &'p [f32],
        tile: &Tile,
        (block, y): (usize, usize),
    ) -> Along<'p, S>
    where
        'a: 'p,
    {
        let gram = self.tap.gram.map(|gram| {
            let position = (y - tile.y().start) * tile.x().len();
            (&prepared[position * gram.stride() + block * BLOCK..], gram.stride())
        });
        let first = tile.x().start;
        let content =
            self.tap.content.map(|(content, slope)| (content.vectors(block, y), first, simd.splat(slope)));
        Along { simd, gram, content, relu: self.relu }
    }
}

struct Alone<'a, 't> {
    finish: Finish<'a>,
    tile: &'a mut Tile<'t>,
    prepared: &'a [f32],
}

impl Kernel for Alone<'_, '_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        let Self { finish, tile, prepared } = self;
        for (block, y) in tile.vectors(S::LANES) {
            let along = finish.along(simd, prepared, tile, (block, y));
            let [mut row] = tile.vectors_mut(block, y);
            for x in 0..row.positions() {
                along.write(&mut row, x, simd.splat(0.0));
            }
        }
    }
}

/// Finishes the gradients of a tile's part of a row.
pub(super) struct Along<'p, S: Simd> {
    simd: S,
    /// From the first position's vector on, and how far it is to the next position's.
    gram: Option<(&'p [f32], usize)>,
    /// The content's row, where in it the tile's part begins, and the slope.
    content: Option<(VectorRow<'p>, usize, S::F32)>,
    relu: bool,
}

impl<S: Simd> Along<'_, S> {
    /// Finishes the gradient of a position, and writes it over the features: `x` is the tile's part of the row.
    #[inline(always)]
    pub(super) fn write(&self, x: &mut VectorRowMut, position: usize, gradient: S::F32) {
        let simd = self.simd;
        let features = x.get(simd, position);
        let mut dx = gradient;
        if let Some((gram, stride)) = self.gram {
            dx = simd.add(dx, simd.read(&gram[position * stride..]));
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
