//! Preprocessing from a picture to the network's input, and its backward pass.

use ndarray::{ArrayView3, ArrayViewMut3};

use crate::parallel::team;
use crate::tensor::FeatureMap;
use crate::tensor::feature_map::BLOCK;
use crate::tensor::tiles::TileSize;
use crate::vgg::{PICTURE_CHANNELS, Preprocessing};

/// Computes the network's input from a picture, both 3×H×W: an affine function of each value, with the channels permuted.
pub(super) fn forward(preprocessing: Preprocessing, picture: ArrayView3<f32>, input: &mut FeatureMap) {
    let channels = preprocessing.channels();
    input.for_each_tile(TileSize::strips(input), |mut tile| {
        for (block, y) in tile.rows() {
            for (x, to) in tile.row_mut(block, y).as_chunks_mut::<BLOCK>().0.iter_mut().enumerate() {
                for (to, channel) in to.iter_mut().zip(channels) {
                    *to = channel.scale * picture[[channel.plane, y, x]] + channel.offset;
                }
            }
        }
    });
}

/// Computes the gradient with respect to the picture from that with respect to the network's input, both 3×H×W.
///
/// # Panics
/// If `gradient` is not contiguous.
pub(super) fn backward(preprocessing: Preprocessing, input: &FeatureMap, mut gradient: ArrayViewMut3<f32>) {
    let (height, width) = (input.height(), input.width());
    let mut from_plane = [(0, 0.0); PICTURE_CHANNELS];
    for (c, channel) in preprocessing.channels().into_iter().enumerate() {
        from_plane[channel.plane] = (c, channel.scale);
    }
    let gradient = gradient.as_slice_mut().expect("gradients are made contiguous");
    team::for_each_chunk(gradient, width.max(1), |row, to| {
        let (c, scale) = from_plane[row / height];
        for (to, from) in to.iter_mut().zip(input.row(0, row % height).as_chunks::<BLOCK>().0) {
            *to = scale * from[c];
        }
    });
}
