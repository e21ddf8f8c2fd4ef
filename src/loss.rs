//! The three terms of the loss, each with its gradient: content, style, total variation.

pub mod objective;

use std::collections::BTreeMap;

use ndarray::{Array2, ArrayView3, ArrayViewMut3};

use crate::error::{Error, Result, Setting};
use crate::layers::moments;
use crate::layers::pool::Pooling;
use crate::named::named;
use crate::network::Network;
use crate::parallel::reduce;
use crate::parallel::team;
use crate::simd::Isa;
use crate::tensor::FeatureMap;
use crate::vgg::Layer;

/// How a term's error is measured.
///
/// F, P are the features (N channels × M positions) of the picture and of the content, G = F·Fᵀ and A the Gram
/// matrices of the picture and of the style, over M_x and M_a positions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Form {
    /// Every error over its target's energy, so that one set of weights gives the same look at any size and with
    /// any network: content Σ(F−P)²/ΣP², style Σ(G/M_x − A/M_a)²/Σ(A/M_a)².
    Relative,
    /// Gatys, Ecker and Bethge 2015: content ½Σ(F−P)² (equation 1), style 1/(4N²) Σ(G/M_x − A/M_a)², which is
    /// their 1/(4N²M²) Σ(G−A)² (equation 4) where both pictures have the same size.
    Gatys,
}

named!(Form { Relative => "relative", Gatys => "gatys" });

/// A content's features at one layer.
pub struct ContentTarget {
    features: FeatureMap,
    /// ΣP², or 1 where all features are 0.
    energy: f64,
}

impl ContentTarget {
    /// A target from the features themselves.
    pub fn new(features: FeatureMap) -> Self {
        let energy = sum_squares(&features);
        Self { features, energy: if energy > 0.0 { energy } else { 1.0 } }
    }

    /// The content term of the features `f`, unweighted.
    ///
    /// # Panics
    /// When the shapes differ.
    pub fn value(&self, form: Form, f: &FeatureMap) -> f64 {
        let p = &self.features;
        assert_eq!((f.channels(), f.height(), f.width()), (p.channels(), p.height(), p.width()));
        let error =
            sum_rows(f, |block, y| reduce::sum2(f.row(block, y), p.row(block, y), |f, p| (f - p) * (f - p)));
        self.factor(form) * error
    }

    /// `weight` times the content term's gradient by the features F: slope · (F − P), the slope beside P (equation 2
    /// without its case F < 0, which is the ReLU's own derivative and applied with it).
    pub fn gradient(&self, form: Form, weight: f64) -> (&FeatureMap, f32) {
        (&self.features, (2.0 * self.factor(form) * weight) as f32)
    }

    /// What the sum of the squared errors is multiplied by.
    fn factor(&self, form: Form) -> f64 {
        match form {
            Form::Relative => 1.0 / self.energy,
            Form::Gatys => 0.5,
        }
    }
}

/// A style's Gram matrices, each over its number of positions: A/M. A value to compute once, keep and combine.
#[derive(Clone, Debug)]
pub struct StyleTarget {
    grams: BTreeMap<Layer, Array2<f32>>,
}

impl StyleTarget {
    /// The style of `picture`, 3×H×W, RGB in 0–1, at `layers`.
    ///
    /// # Errors
    /// [`Error::TooSmall`] where a layer would have no position.
    pub fn of_picture(
        network: &Network,
        picture: ArrayView3<f32>,
        layers: &[Layer],
        pooling: Pooling,
    ) -> Result<Self> {
        let features = network.features(picture, layers, pooling)?;
        let gram = |map: &FeatureMap| {
            let mut gram = Array2::zeros((map.channels(), map.channels()));
            normalized_gram(network.isa(), map, &mut gram);
            gram
        };
        Ok(Self { grams: features.iter().map(|(layer, map)| (*layer, gram(map))).collect() })
    }

    /// The weighted mean of several styles' Gram matrices.
    ///
    /// # Errors
    /// [`Error::Invalid`] where there is no style, or the weights are not finite, not negative, and together
    /// above 0.
    pub fn blend(styles: &[(f64, Self)]) -> Result<Self> {
        let total: f64 = styles.iter().map(|(weight, _)| weight).sum();
        let usable = styles.iter().all(|(weight, _)| *weight >= 0.0) && total > 0.0 && total.is_finite();
        let (Some((_, first)), true) = (styles.first(), usable) else {
            return Err(Error::setting(Setting::Shares, "none may be negative, and one must be above 0"));
        };
        let mut grams = first.grams.clone();
        for (layer, gram) in &mut grams {
            gram.fill(0.0);
            for (weight, style) in styles {
                gram.scaled_add((weight / total) as f32, &style.grams[layer]);
            }
        }
        Ok(Self { grams })
    }

    /// By layer, the Gram matrix over its number of positions, N×N.
    pub fn into_grams(self) -> BTreeMap<Layer, Array2<f32>> {
        self.grams
    }
}

/// G/M of the features `f`, written to `gram`.
fn normalized_gram(isa: Isa, f: &FeatureMap, gram: &mut Array2<f32>) {
    moments::forward(isa, f, 1.0 / f.positions() as f32, gram);
}

/// The style term of one layer, with what it needs from one evaluation to the next.
pub struct StyleTerm {
    /// A/M_a.
    target: Array2<f32>,
    /// Σ(A/M_a)², or 1 where all of it is 0.
    energy: f64,
    /// G/M − A/M_a, and then its multiple that is the gradient by G.
    difference: Array2<f32>,
    gradient: moments::Gradient,
}

impl StyleTerm {
    /// Against `target`, a Gram matrix over its number of positions: A/M_a.
    pub fn new(isa: Isa, target: Array2<f32>) -> Self {
        let energy = target.iter().map(|a| *a as f64 * *a as f64).sum();
        let difference = Array2::zeros(target.dim());
        let energy = if energy > 0.0 { energy } else { 1.0 };
        Self { target, energy, difference, gradient: moments::Gradient::new(isa) }
    }

    /// The term of the features `f`, unweighted; equation 4. Its gradient by G, times `weight`, is kept.
    pub fn evaluate(&mut self, isa: Isa, form: Form, weight: f64, f: &FeatureMap) -> f64 {
        let Self { target, energy, difference, gradient } = self;
        normalized_gram(isa, f, difference);
        let channels = f.channels() as f64;
        let factor = match form {
            Form::Relative => 1.0 / *energy,
            Form::Gatys => 0.25 / (channels * channels),
        };
        let slope = (2.0 * factor * weight / f.positions() as f64) as f32;
        let [g, a] = [&*difference, &*target].map(|matrix| matrix.as_slice().expect("made contiguous"));
        let error = reduce::sum2(g, a, |g, a| (g - a) * (g - a));
        difference.zip_mut_with(target, |g, a| *g = slope * (*g - a));
        gradient.set(difference.view());
        factor * error
    }

    /// The gradient that the last evaluation left.
    pub fn gradient(&self) -> &moments::Gradient {
        &self.gradient
    }
}

/// Total variation: the sum of the squared differences of horizontal and vertical neighbours, over all values of
/// the picture (3×H×W, RGB in 0–1); a mean squared step, so the same weight means the same at any size. Its
/// gradient times `weight` is added to `gradient`, of the same shape.
pub fn total_variation(picture: ArrayView3<f32>, weight: f64, mut gradient: ArrayViewMut3<f32>) -> f64 {
    let (_, height, width) = picture.dim();
    let values = picture.len().max(1) as f64;
    let slope = (2.0 * weight / values) as f32;
    let picture = picture.as_standard_layout();
    let x = picture.as_slice().expect("the standard layout is contiguous");
    let dx = gradient.as_slice_mut().expect("gradients are made contiguous");
    let width = width.max(1);
    let row_at = |row: usize| &x[row * width..(row + 1) * width];
    team::for_each_chunk(dx, width, |row, dx| {
        let (here, y) = (row_at(row), row % height);
        pull(dx, here, &here[1..], slope);
        pull(&mut dx[1..], &here[1..], here, slope);
        if y + 1 < height {
            pull(dx, here, row_at(row + 1), slope);
        }
        if y > 0 {
            pull(dx, here, row_at(row - 1), slope);
        }
    });
    // Each pair is counted once, from its left or upper end.
    let squares = reduce::sum_of(0..x.len() / width, |row| {
        let squared = |a: f64, b: f64| (a - b) * (a - b);
        let (here, left) = (row_at(row), width - 1);
        let across = reduce::sum2(&here[..left], &here[1..], squared);
        let down = if row % height + 1 < height { reduce::sum2(here, row_at(row + 1), squared) } else { 0.0 };
        across + down
    });
    squares / values
}

/// Adds to the gradient what `there` pulls `here` with, as far as both go.
fn pull(dx: &mut [f32], here: &[f32], there: &[f32], slope: f32) {
    for ((dx, here), there) in dx.iter_mut().zip(here).zip(there) {
        *dx += slope * (here - there);
    }
}

/// ΣF².
fn sum_squares(f: &FeatureMap) -> f64 {
    sum_rows(f, |block, y| reduce::dot(f.row(block, y), f.row(block, y)))
}

/// The sum of a value over the rows of all blocks, in an order of its own.
fn sum_rows(f: &FeatureMap, value: impl Fn(usize, usize) -> f64 + Sync) -> f64 {
    reduce::sum_of(0..f.blocks() * f.height(), |row| value(row / f.height(), row % f.height()))
}
