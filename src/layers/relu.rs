//! ReLU as a layer of its own: for where its input is a tap, so that it can't ride on the convolution.

use crate::kernels::FeatureMap;
use crate::kernels::feature_map::BLOCK;
use crate::kernels::tiles::Cut;

use super::Finish;

/// Y = max(0, X).
pub fn forward(x: &FeatureMap, y: &mut FeatureMap) {
    assert_eq!((x.channels(), x.height(), x.width()), (y.channels(), y.height(), y.width()));
    y.for_each_tile(Cut::strips(y), |mut tile| {
        for (block, row) in tile.rows() {
            for (y, x) in tile.row_mut(block, row).iter_mut().zip(x.row(block, row)) {
                // Not `max`, which would turn NaN into 0 and hide it.
                *y = if *x < 0.0 { 0.0 } else { *x };
            }
        }
    });
}

/// dX = dY where X > 0, else 0; finished and written over X.
pub fn backward(dy: &FeatureMap, x: &mut FeatureMap, finish: Finish) {
    assert_eq!((x.channels(), x.height(), x.width()), (dy.channels(), dy.height(), dy.width()));
    finish.for_each_tile(x, Cut::strips(x), |tile, prepared| {
        for (block, row) in tile.rows() {
            let dy = &dy.row(block, row).as_chunks::<BLOCK>().0[tile.x()];
            let mut along = finish.along(prepared, tile, block, row, tile.x());
            for (x, dy) in tile.row_mut(block, row).as_chunks_mut().0.iter_mut().zip(dy) {
                let gradient = std::array::from_fn(|c| if x[c] > 0.0 { dy[c] } else { 0.0 });
                along.write(x, &gradient);
            }
        }
    });
}
