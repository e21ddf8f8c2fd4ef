//! The whole network with its classifier.

use std::borrow::Cow;

use ndarray::{Array2, ArrayView1, ArrayView2, Axis, concatenate, s};
use rayon::prelude::*;

use crate::error::{Error, Result};
use crate::layers::{dense, pool::Pooling};
use crate::network::{Compute, Network};
use crate::picture::Picture;
use crate::vgg::{GROUPS, Layer, POOLED_SIDE};
use crate::weights::{Tensor, Weights};

/// Side of the square that the networks were trained on.
const CROP: usize = 224;
/// The shorter side of the picture that the square is cut from.
const SHORTER: usize = 256;
/// The longer side of what is resized is at most this many times the shorter: what is behind that is never in the
/// square, and a long picture would take memory without bound.
const ASPECT: usize = 4;
/// Outputs of a dense layer that one task computes.
const OUTPUTS: usize = 64;

/// Class probabilities for each of the `pictures`, in the order of the network's outputs: of the 224×224 centre of the
/// picture resized to 256 on its shorter side (Simonyan and Zisserman 2014, section 3). The classifier's weights, most of
/// the file, are read once for all pictures.
///
/// # Errors
/// [`Error::Weights`] where the file has no classifier, or a weight is not finite; [`Error::WeightsChanged`] where a mapped
/// file changed meanwhile.
pub fn classify(weights: &Weights, pictures: &[Picture]) -> Result<Vec<Vec<f32>>> {
    classify_with(weights, Compute::default(), pictures)
}

/// [`classify`], computed with `compute`.
#[doc(hidden)]
pub fn classify_with(weights: &Weights, compute: Compute, pictures: &[Picture]) -> Result<Vec<Vec<f32>>> {
    let layers: Option<Vec<_>> = (6..=8).map(|number| weights.dense(number)).collect();
    let Some(layers) = layers else {
        return Err(Error::Weights {
            name: weights.path().to_owned(),
            reason: "no classifier: expected fc6, fc7 and fc8 behind the convolutions".to_owned(),
        });
    };
    let last = Layer::Pool { group: GROUPS };
    let network = Network::load(weights, compute, last)?;
    let mut pooled = Vec::new();
    for picture in pictures {
        let features = network.features(centre_crop(picture).planes(), &[last], Pooling::Max)?;
        let planes = features[0].1.to_planes();
        debug_assert_eq!(planes.dim().1, POOLED_SIDE);
        pooled.extend(planes);
    }
    let inputs = pooled.len() / pictures.len().max(1);
    let mut x = Array2::from_shape_vec((pictures.len(), inputs), pooled).expect("as many for each picture");
    for (at, layer) in layers.iter().enumerate() {
        weights.check_unchanged()?;
        let mut bias = vec![0.0; layer.bias.len()];
        layer.bias.widen_into(0..bias.len(), &mut bias);
        x = dense(&layer.weight, &bias, x.view());
        if at + 1 < layers.len() {
            x.mapv_inplace(|value| if value < 0.0 { 0.0 } else { value });
        }
        if !x.iter().all(|value| value.is_finite()) {
            return Err(weights.not_finite(&layer.weight));
        }
    }
    Ok(x.rows().into_iter().map(softmax).collect())
}

/// The 224×224 centre of `picture`, its shorter side 256.
fn centre_crop(picture: &Picture) -> Picture {
    let picture = centre(picture.flattened().into_owned());
    let (width, height) = (picture.width(), picture.height());
    let scaled = |side: usize| (side as f64 * SHORTER as f64 / width.min(height) as f64).round() as usize;
    let resized = picture.at_size(scaled(width), scaled(height));
    let (top, left) = ((resized.height() - CROP) / 2, (resized.width() - CROP) / 2);
    Picture::of_planes(resized.planes().slice(s![.., top..top + CROP, left..left + CROP]).to_owned())
}

/// The middle of a picture that is very long.
fn centre(picture: Picture) -> Picture {
    let (width, height) = (picture.width(), picture.height());
    let longest = ASPECT * width.min(height);
    if width.max(height) <= longest {
        return picture;
    }
    let (rows, columns) = (height.min(longest), width.min(longest));
    let (top, left) = ((height - rows) / 2, (width - columns) / 2);
    Picture::of_planes(picture.planes().slice(s![.., top..top + rows, left..left + columns]).to_owned())
}

/// X·Wᵀ + b. Where W is not F32 in place, a few of its rows at a time are converted: whole it may be 400 MB.
fn dense(weight: &Tensor, bias: &[f32], x: ArrayView2<f32>) -> Array2<f32> {
    let inputs = x.ncols();
    let outputs: Vec<Array2<f32>> = bias
        .par_chunks(OUTPUTS)
        .enumerate()
        .map(|(chunk, bias)| {
            let start = chunk * OUTPUTS * inputs;
            let range = start..start + bias.len() * inputs;
            let rows: Cow<[f32]> = match weight.as_f32() {
                Some(values) => Cow::Borrowed(&values[range]),
                None => {
                    let mut rows = vec![0.0; range.len()];
                    weight.widen_into(range, &mut rows);
                    Cow::Owned(rows)
                }
            };
            let rows = ArrayView2::from_shape((bias.len(), inputs), &rows).expect("rows of X's length");
            dense::forward(rows, bias.into(), x)
        })
        .collect();
    let outputs: Vec<_> = outputs.iter().map(|outputs| outputs.view()).collect();
    let outputs = concatenate(Axis(1), &outputs).expect("a row for each picture");
    outputs.as_standard_layout().into_owned()
}

/// exp(xᵢ) / Σ exp(xⱼ).
fn softmax(x: ArrayView1<f32>) -> Vec<f32> {
    let largest = x.fold(f32::NEG_INFINITY, |a, b| a.max(*b));
    let exponentials: Vec<f64> = x.iter().map(|x| ((x - largest) as f64).exp()).collect();
    let sum: f64 = exponentials.iter().sum();
    exponentials.iter().map(|e| (e / sum) as f32).collect()
}
