//! What a convolution takes for the values beyond its input's edges.

use crate::named::named;
use crate::parallel::scratch;
use crate::tensor::FeatureMap;
use crate::tensor::feature_map::BLOCK;

use super::Conv;

/// What lies beyond the edges of a picture and of its feature maps.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Edges {
    /// Zeros beyond the edges of every map, as VGG was trained; of the picture this means the mean colour.
    Zero,
    /// The picture's edge pixels, replicated, at the first convolution; zeros at the others.
    Replicate,
    /// At every convolution the opposite edge, so that the picture repeats without a seam.
    Wrap,
}

named!(Edges { Zero => "zero", Replicate => "replicate", Wrap => "wrap" });

/// The forward pass: fills the border of a convolution's input. `is_first` says whether the input is the picture.
pub fn forward(edges: Edges, is_first: bool, x: &mut FeatureMap) {
    match edges {
        Edges::Wrap => x.wrap_border(),
        Edges::Replicate if is_first => x.replicate_border(),
        Edges::Replicate | Edges::Zero => {}
    }
}

/// The backward pass of [`Edges::Replicate`]: adds the gradient with respect to the input's border to that of the positions
/// from which the border was filled. `dy` is N×H×W, `dx` C×H×W with the gradient without the border. Where `is_cut` says so for
/// the first and the last row, these are not at the picture's edge: there the border is rows of the picture, and in `dy` their
/// gradient.
///
/// # Panics
/// If a shape is another.
pub fn backward_replicated(conv: &Conv, dy: &FeatureMap, dx: &mut FeatureMap, is_cut: [bool; 2]) {
    assert_eq!((dy.channels(), dx.channels()), (conv.out_channels, conv.in_channels));
    assert_eq!((dy.height(), dy.width()), (dx.height(), dx.width()));
    let (height, width, channels, side) = (dx.height(), dx.width(), dx.channels(), conv.kernel);
    if side == 1 || height == 0 || width == 0 {
        return;
    }
    let padded = dy.blocks() * BLOCK;
    scratch::with([side * side * channels * padded], |[kernels]| {
        // By kernel element and input channel, the output channels side by side.
        kernels.fill(0.0);
        for (at, weight) in conv.weight.iter().enumerate() {
            let (row, element) = (at / (side * side), at % (side * side));
            kernels[(element * channels + row % channels) * padded + row / channels] = *weight;
        }
        let [above, below] = is_cut.map(isize::from);
        // Those that `dy` has.
        let rows = -above..height as isize + below;
        let border = |y: isize, x: isize, dx: &mut FeatureMap| {
            let inside = |at: isize, len: usize| at.clamp(0, len as isize - 1) as usize;
            let to = (inside(y, height), inside(x, width));
            for element in 0..side * side {
                let output = (y + 1 - (element / side) as isize, x + 1 - (element % side) as isize);
                if rows.contains(&output.0) && (0..width as isize).contains(&output.1) {
                    let from = (output.0, output.1 as usize);
                    add_product(
                        &kernels[element * channels * padded..][..channels * padded],
                        dy,
                        from,
                        dx,
                        to,
                    );
                }
            }
        };
        for (y, is_cut) in [-1, height as isize].into_iter().zip(is_cut) {
            if !is_cut {
                (-1..=width as isize).for_each(|x| border(y, x, dx));
            }
        }
        for y in 0..height as isize {
            [-1, width as isize].into_iter().for_each(|x| border(y, x, dx));
        }
    });
}

/// Adds to each channel of `dx` at `to` the product of its kernel, one weight per channel of `dy`, and `dy` at `from`.
fn add_product(
    kernels: &[f32],
    dy: &FeatureMap,
    from: (isize, usize),
    dx: &mut FeatureMap,
    to: (usize, usize),
) {
    let padded = dy.blocks() * BLOCK;
    for (channel, kernel) in kernels.chunks_exact(padded).enumerate() {
        let mut sums = [0.0f32; BLOCK];
        for (block, kernel) in kernel.as_chunks::<BLOCK>().0.iter().enumerate() {
            let dy = &dy.bordered_row(block, from.0)[(from.1 + 1) * BLOCK..][..BLOCK];
            for ((sum, dy), weight) in sums.iter_mut().zip(dy).zip(kernel) {
                *sum += dy * weight;
            }
        }
        let sum: f32 = sums.iter().sum();
        dx.row_mut(channel / BLOCK, to.0)[to.1 * BLOCK + channel % BLOCK] += sum;
    }
}
