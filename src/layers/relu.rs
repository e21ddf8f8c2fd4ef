//! ReLU as a separate layer: needed only where its input is a tap, elsewhere it is fused with the convolution.

use crate::simd::Isa;
use crate::simd::{Kernel, Simd};
use crate::tensor::FeatureMap;
use crate::tensor::tiles::{Tile, TileSize};

use super::GradientEpilogue;

/// Y = max(0, X), both C×H×W; NaN stays NaN.
pub fn forward(isa: Isa, x: &FeatureMap, y: &mut FeatureMap) {
    assert_eq!((x.channels(), x.height(), x.width()), (y.channels(), y.height(), y.width()));
    y.for_each_tile(TileSize::strips(y), |mut tile| isa.run(Forward { x, tile: &mut tile }));
}

struct Forward<'a, 't> {
    x: &'a FeatureMap,
    tile: &'a mut Tile<'t>,
}

impl Kernel for Forward<'_, '_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        let Self { x, tile } = self;
        for (block, row) in tile.vectors(S::LANES) {
            let x = x.vectors(block, row);
            let first = tile.x().start;
            let [mut y] = tile.vectors_mut(block, row);
            for at in 0..y.positions() {
                y.set(simd, at, simd.clamp_min(x.get(simd, first + at), simd.splat(0.0)));
            }
        }
    }
}

/// dX = dY where X > 0, else 0, written over X by the epilogue. Both are C×H×W.
pub fn backward(isa: Isa, dy: &FeatureMap, x: &mut FeatureMap, epilogue: GradientEpilogue) {
    assert_eq!((x.channels(), x.height(), x.width()), (dy.channels(), dy.height(), dy.width()));
    epilogue.for_each_tile(x, TileSize::strips(x), |tile, prepared| {
        isa.run(Backward { dy, epilogue, tile, prepared });
    });
}

struct Backward<'a, 't> {
    dy: &'a FeatureMap,
    epilogue: GradientEpilogue<'a>,
    tile: &'a mut Tile<'t>,
    prepared: &'a [f32],
}

impl Kernel for Backward<'_, '_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        let Self { dy, epilogue, tile, prepared } = self;
        for (block, row) in tile.vectors(S::LANES) {
            let dy = dy.vectors(block, row);
            let first = tile.x().start;
            let row_epilogue = epilogue.for_row(simd, prepared, tile, (block, row));
            let [mut x] = tile.vectors_mut(block, row);
            for at in 0..x.positions() {
                let gradient = simd.where_positive(x.get(simd, at), dy.get(simd, first + at));
                row_epilogue.write(&mut x, at, gradient);
            }
        }
    }
}
