//! What rides on the writing of a gradient over its feature map.

use std::ops::Range;

use crate::kernels::FeatureMap;
use crate::kernels::feature_map::BLOCK;
use crate::kernels::scratch;
use crate::kernels::tiles::{Cut, Tile};

use super::gram;

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
    pub gram: Option<&'a gram::Gradient>,
    /// The content's features P, and the slope.
    pub content: Option<(&'a FeatureMap, f32)>,
}

impl<'a> Finish<'a> {
    /// The gradient by features that nothing but the loss looks at, over the features `x`.
    pub fn alone(self, x: &mut FeatureMap) {
        self.for_each_tile(x, Cut::strips(x), |tile, prepared| {
            for (block, y) in tile.rows() {
                let mut along = self.along(prepared, tile, block, y, tile.x());
                for x in tile.row_mut(block, y).as_chunks_mut().0 {
                    along.write(x, &[0.0; BLOCK]);
                }
            }
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
            gram::backward(gram, row, y, width, to);
        }
    }

    /// For writing the positions `x` of row `y` of `block` one after another, with what was prepared for `tile`.
    #[inline(always)]
    pub(super) fn along<'p>(
        self,
        prepared: &'p [f32],
        tile: &Tile,
        block: usize,
        y: usize,
        x: Range<usize>,
    ) -> Along<'p>
    where
        'a: 'p,
    {
        let (gram, stride) = match self.tap.gram {
            Some(gram) => {
                let position = (y - tile.y().start) * tile.x().len() + x.start - tile.x().start;
                (&prepared[position * gram.stride() + block * BLOCK..], gram.stride())
            }
            None => (&[][..], 0),
        };
        let (content, slope) = match self.tap.content {
            Some((content, slope)) => (&content.row(block, y).as_chunks().0[x], slope),
            None => (&[][..], 0.0),
        };
        Along { gram, stride, content, slope, relu: self.relu }
    }
}

/// Writes the gradients of a run of positions.
pub(super) struct Along<'p> {
    /// From the next position's block on.
    gram: &'p [f32],
    stride: usize,
    /// From the next position on.
    content: &'p [[f32; BLOCK]],
    slope: f32,
    relu: bool,
}

impl Along<'_> {
    /// Writes the gradient of the next position's block of channels over its features.
    #[inline(always)]
    pub(super) fn write(&mut self, x: &mut [f32; BLOCK], gradient: &[f32; BLOCK]) {
        let mut dx = *gradient;
        if let Some(gram) = self.gram.first_chunk::<BLOCK>() {
            for (dx, gram) in dx.iter_mut().zip(gram) {
                *dx += gram;
            }
            self.gram = self.gram.get(self.stride..).unwrap_or(&[]);
        }
        if let Some((content, after)) = self.content.split_first() {
            for ((dx, x), content) in dx.iter_mut().zip(&*x).zip(content) {
                *dx += self.slope * (x - content);
            }
            self.content = after;
        }
        if self.relu {
            for (dx, x) in dx.iter_mut().zip(&*x) {
                *dx = if *x > 0.0 { *dx } else { 0.0 };
            }
        }
        *x = dx;
    }
}
