//! VGG's layers, by hand: one file each, every backward directly under its forward.
//!
//! A backward pass is to the layer's input only, since the weights stay as they are, and happens **in place**:
//! `x`, which holds the layer's input X, holds the gradient dX afterwards. Nothing needs X after its gradient
//! is known, so an evaluation keeps one map a layer and no gradient maps beside them. [`Finish`] says what else
//! is done to the gradient on its way.

pub mod conv;
pub mod dense;
pub mod gram;
pub mod lrn;
pub mod pool;
pub mod relu;

use std::ops::Range;

use crate::kernels::FeatureMap;
use crate::kernels::feature_map::BLOCK;

/// What rides on the writing of a gradient dX over its feature map X.
#[derive(Clone, Copy, Default)]
pub struct Finish<'a> {
    /// The loss's own gradient by X, where the loss looks at X: added.
    pub tap: Option<&'a FeatureMap>,
    /// Whether X came out of a ReLU: the gradient is 0 where X is not above 0, and is then that by the ReLU's
    /// input.
    pub relu: bool,
}

/// The tap's values along a run of positions; nothing where there is no tap.
struct Taps<'a>(&'a [[f32; BLOCK]]);

impl<'a> Taps<'a> {
    /// The positions `x` of row `y` of `block`.
    fn of_row(finish: Finish<'a>, block: usize, y: usize, x: Range<usize>) -> Self {
        match finish.tap {
            Some(tap) if y < tap.height() => Self(&tap.row(block, y).as_chunks().0[x]),
            _ => Self(&[]),
        }
    }

    /// The next position's block of channels.
    #[inline(always)]
    fn next(&mut self) -> Option<&'a [f32; BLOCK]> {
        let (first, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(first)
    }
}

impl Finish<'_> {
    /// The gradient by features that nothing but the loss looks at, over the features `x`.
    pub fn alone(self, x: &mut FeatureMap) {
        self.check(x);
        x.for_each_strip(|mut tile| {
            for (block, y) in tile.rows() {
                let mut taps = Taps::of_row(self, block, y, tile.x());
                for x in tile.row_mut(block, y).as_chunks_mut().0 {
                    self.write(x, &[0.0; BLOCK], taps.next());
                }
            }
        });
    }

    /// Refuses a tap of another shape than the features.
    fn check(self, x: &FeatureMap) {
        if let Some(tap) = self.tap {
            let shapes = [tap, x].map(|map| (map.channels(), map.height(), map.width()));
            assert_eq!(shapes[0], shapes[1], "a tap of another shape");
        }
    }

    /// Writes the gradient of one position's block of channels over its features.
    #[inline(always)]
    fn write(self, x: &mut [f32; BLOCK], gradient: &[f32; BLOCK], tap: Option<&[f32; BLOCK]>) {
        let mut dx = *gradient;
        if let Some(tap) = tap {
            for (dx, tap) in dx.iter_mut().zip(tap) {
                *dx += tap;
            }
        }
        if self.relu {
            for (dx, x) in dx.iter_mut().zip(&*x) {
                *dx = if *x > 0.0 { *dx } else { 0.0 };
            }
        }
        *x = dx;
    }
}
