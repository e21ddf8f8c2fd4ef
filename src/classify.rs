//! The whole network with its classifier.

use std::borrow::{Borrow, Cow};
use std::ops::Range;

use ndarray::{Array2, ArrayView1, Axis, s};

use crate::error::{Error, Result};
use crate::layers::{dense, pool::Pooling};
use crate::network::{Compute, Network};
use crate::picture::Picture;
use crate::vgg::{GROUPS, Layer};
use crate::weights::{DenseTensors, Weights};

/// Side of the square that the networks were trained on.
const CROP: usize = 224;
/// The shorter side of the picture that the square is cut from.
const SHORTER: usize = 256;
/// The longer side of what is resized is at most this many times the shorter: what lies beyond is never in the
/// square, and a long picture would take memory without bound.
const ASPECT: usize = 4;

/// The class probabilities of each picture, in the classes' order: for the 224×224 centre of the picture resized to
/// 256 on its shorter side (Simonyan and Zisserman 2014, section 3).
///
/// The convolutions run picture by picture, the dense layers for all at once: several pictures together take less time
/// than one by one. Pictures may come from an iterator that opens them one at a time; of each only the features are
/// kept.
///
/// # Errors
/// [`Error::Weights`] where the file has no classifier, or a weight or a result is not finite;
/// [`Error::WeightsChanged`] where the file changed since it was opened.
pub fn classify<P: Borrow<Picture>>(
    weights: &Weights,
    compute: Compute,
    pictures: impl IntoIterator<Item = P>,
) -> Result<Vec<Vec<f32>>> {
    weights.check_unchanged()?;
    let layers: Option<Vec<_>> = (6..=8).map(|number| weights.dense(number)).collect();
    let Some(layers) = layers else {
        return Err(Error::Weights {
            name: weights.path().to_owned(),
            reason: "no classifier: expected fc6, fc7 and fc8 after the convolutions".to_owned(),
        });
    };
    let mut x = pooled(weights, compute, pictures)?;
    for (at, layer) in layers.iter().enumerate() {
        weights.check_unchanged()?;
        let bias = weights.values(&layer.bias)?;
        x = dense::forward(|rows| rows_of(layer, rows), &bias, x.view());
        if at + 1 < layers.len() {
            x.mapv_inplace(|value| if value < 0.0 { 0.0 } else { value });
        }
        if !x.iter().all(|value| value.is_finite()) {
            return Err(weights.not_finite(&layer.weight));
        }
    }
    Ok(x.outer_iter().map(softmax).collect())
}

/// What fc6 takes: a row for each picture, its last feature map as C×7×7 values.
fn pooled<P: Borrow<Picture>>(
    weights: &Weights,
    compute: Compute,
    pictures: impl IntoIterator<Item = P>,
) -> Result<Array2<f32>> {
    let last = Layer::Pool { group: GROUPS };
    let network = Network::load(weights, compute, last)?;
    let inputs = weights.dense(6).map_or(0, |fc6| fc6.weight.shape[1]);
    let mut rows = Array2::zeros((0, inputs));
    for picture in pictures {
        let crop = centre_crop(picture.borrow());
        drop(picture);
        let features = network.features(crop.planes(), &[last], Pooling::Max)?;
        let row = features[0].1.to_planes();
        let row = ArrayView1::from(row.as_slice().expect("a new array"));
        rows.push(Axis(0), row)
            .expect("a 224×224 picture gives what opening the file checked that fc6 takes");
    }
    Ok(rows)
}

/// Rows of a dense layer's weights: where they lie if they are F32 and aligned, or else widened.
fn rows_of<'w>(layer: &DenseTensors<'w>, rows: Range<usize>) -> Cow<'w, [f32]> {
    let inputs = layer.weight.shape[1];
    let values = rows.start * inputs..rows.end * inputs;
    match layer.weight.as_f32() {
        Some(weight) => Cow::Borrowed(&weight[values]),
        None => {
            let mut widened = vec![0.0; values.len()];
            layer.weight.widen_into(values, &mut widened);
            Cow::Owned(widened)
        }
    }
}

/// The 224×224 centre of `picture`, its shorter side 256.
fn centre_crop(picture: &Picture) -> Picture {
    let picture = centre(picture.flattened());
    let (width, height) = (picture.width(), picture.height());
    let scaled = |side: usize| (side as f64 * SHORTER as f64 / width.min(height) as f64).round() as usize;
    let resized = picture.resized(scaled(width), scaled(height));
    let (top, left) = ((resized.height() - CROP) / 2, (resized.width() - CROP) / 2);
    Picture::from_planes(resized.planes().slice(s![.., top..top + CROP, left..left + CROP]).to_owned())
}

/// The part of `picture` around its centre whose sides are at most [`ASPECT`] to 1.
fn centre(picture: Picture) -> Picture {
    let (width, height) = (picture.width(), picture.height());
    let longest = ASPECT * width.min(height);
    if width.max(height) <= longest {
        return picture;
    }
    let (rows, columns) = (height.min(longest), width.min(longest));
    let (top, left) = ((height - rows) / 2, (width - columns) / 2);
    Picture::from_planes(picture.planes().slice(s![.., top..top + rows, left..left + columns]).to_owned())
}

/// exp(xᵢ) / Σ exp(xⱼ).
fn softmax(x: ArrayView1<f32>) -> Vec<f32> {
    let largest = x.fold(f32::NEG_INFINITY, |a, b| a.max(*b));
    let exponentials: Vec<f64> = x.iter().map(|x| ((x - largest) as f64).exp()).collect();
    let sum: f64 = exponentials.iter().sum();
    exponentials.iter().map(|e| (e / sum) as f32).collect()
}
