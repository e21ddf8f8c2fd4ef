//! Preprocessing from a picture to the network's input, and its backward pass.

use std::ops::Range;

use ndarray::{ArrayView3, ArrayViewMut3};

use crate::parallel::team;
use crate::parallel::trace::{Kind, span};
use crate::tensor::FeatureMap;
use crate::tensor::feature_map::BLOCK;
use crate::tensor::tiles::TileSize;
use crate::vgg::{PICTURE_CHANNELS, Preprocessing};

/// Computes the network's input from a picture, both 3×H×W: an affine function of each value, with the channels permuted.
pub(super) fn forward(preprocessing: Preprocessing, picture: ArrayView3<f32>, input: &mut FeatureMap) {
    let channels = preprocessing.channels();
    let convert = || {
        input.for_each_tile(TileSize::strips(input), |mut tile| {
            for (block, y) in tile.rows() {
                for (x, to) in tile.row_mut(block, y).as_chunks_mut::<BLOCK>().0.iter_mut().enumerate() {
                    for (to, channel) in to.iter_mut().zip(channels) {
                        *to = channel.scale * picture[[channel.plane, y, x]] + channel.offset;
                    }
                }
            }
        });
    };
    span(Kind::Preprocessing, || "picture to input".to_owned(), convert);
}

/// Computes the gradient with respect to the picture, 3×H×W, from that with respect to the network's input, of which `input`
/// holds some rows: its `rows` are the picture's from `first` on.
///
/// # Panics
/// If `gradient` is not contiguous.
pub(super) fn backward(
    preprocessing: Preprocessing,
    input: &FeatureMap,
    rows: Range<usize>,
    first: usize,
    mut gradient: ArrayViewMut3<f32>,
) {
    let (_, height, width) = gradient.dim();
    let mut from_plane = [(0, 0.0); PICTURE_CHANNELS];
    for (c, channel) in preprocessing.channels().into_iter().enumerate() {
        from_plane[channel.plane] = (c, channel.scale);
    }
    let gradient = gradient.as_slice_mut().expect("gradients are made contiguous");
    let convert = || {
        for (plane, (c, scale)) in gradient.chunks_exact_mut((height * width).max(1)).zip(from_plane) {
            let plane = &mut plane[first * width..][..rows.len() * width];
            team::for_each_chunk(plane, width.max(1), |row, to| {
                for (to, from) in to.iter_mut().zip(input.row(0, rows.start + row).as_chunks::<BLOCK>().0) {
                    *to = scale * from[c];
                }
            });
        }
    };
    span(Kind::Preprocessing, || "gradient to picture".to_owned(), convert);
}
