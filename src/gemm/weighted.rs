//! Channel-blocked features multiplied by weights of their positions, and the weighted sums of their channels: the left
//! factors of a weighted symmetric product.

use std::ops::Range;

use ndarray::ArrayView2;

use crate::simd::{Isa, Kernel, Simd};
use crate::tensor::feature_map::{BLOCK, FeatureMap};

/// Writes to `to` the features of `blocks` at the rows `y` of the map, those of each position multiplied by its weight, of which
/// `weights` has as many rows: one
/// block after another, each as rows of W·8 floats. Adds each channel's sum over them to `sums`, eight floats per block. With
/// weights of 1 the sums have the bits of [`channel_sums`](super::syrk::channel_sums).
///
/// # Panics
/// If `to`, `sums` or the `weights` have another size, or the map has fewer blocks or rows.
pub fn weigh(
    isa: Isa,
    map: &FeatureMap,
    weights: ArrayView2<f32>,
    blocks: Range<usize>,
    y: Range<usize>,
    to: &mut [f32],
    sums: &mut [f32],
) {
    let has_weights = weights.dim() == (y.len(), map.width());
    assert!(has_weights, "the weights and the map differ in size");
    assert_eq!(
        to.len(),
        blocks.len() * y.len() * map.width() * BLOCK,
        "there is not a place for each feature"
    );
    assert_eq!(sums.len(), blocks.len() * BLOCK, "there are not eight sums per block");
    isa.run(Weigh { map, weights, blocks, y, to, sums });
}

struct Weigh<'a> {
    map: &'a FeatureMap,
    weights: ArrayView2<'a, f32>,
    blocks: Range<usize>,
    y: Range<usize>,
    to: &'a mut [f32],
    sums: &'a mut [f32],
}

impl Kernel for Weigh<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, _simd: S) {
        // Sums in the order of `channel_sums`.
        const SUMS: usize = 4;
        let Self { map, weights, blocks, y, to, sums } = self;
        let whole = map.width() / SUMS * SUMS;
        let mut rows = to.chunks_exact_mut((map.width() * BLOCK).max(1));
        for (block, sums) in blocks.zip(sums.as_chunks_mut::<BLOCK>().0) {
            for ((y, weights), to) in y.clone().zip(weights.rows()).zip(&mut rows) {
                let features = map.row(block, y).as_chunks::<BLOCK>().0;
                let mut partial = [[0.0; BLOCK]; SUMS];
                let positions = to.as_chunks_mut::<BLOCK>().0.iter_mut().zip(features).zip(weights);
                for (x, ((to, features), weight)) in positions.enumerate() {
                    let partial = &mut partial[if x < whole { x % SUMS } else { 0 }];
                    for ((to, feature), sum) in to.iter_mut().zip(features).zip(partial) {
                        *to = weight * feature;
                        *sum += *to;
                    }
                }
                let [a, b, c, d] = partial;
                for (lane, sum) in sums.iter_mut().enumerate() {
                    *sum += (a[lane] + b[lane]) + (c[lane] + d[lane]);
                }
            }
        }
    }
}
