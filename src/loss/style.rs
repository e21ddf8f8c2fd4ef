//! The style term: how far a layer's moments are from the style's, by a statistic.

use std::collections::BTreeMap;

use ndarray::ArrayView3;

use crate::error::Result;
use crate::layers::moments::{self, Gradient, Moments};
use crate::layers::pool::Pooling;
use crate::network::Network;
use crate::simd::Isa;
use crate::tensor::FeatureMap;
use crate::vgg::Layer;

use super::statistic::Gram;
use super::terms::Form;

/// A style's moments by layer: computed once, kept and combined.
#[derive(Clone, Debug)]
pub struct StyleTarget {
    moments: BTreeMap<Layer, Moments>,
}

impl StyleTarget {
    /// The style of `picture`, 3×H×W, RGB in 0–1, at `layers`.
    ///
    /// # Errors
    /// [`Error::TooSmall`](crate::Error::TooSmall) where a layer would have no position.
    pub fn of_picture(
        network: &Network,
        picture: ArrayView3<f32>,
        layers: &[Layer],
        pooling: Pooling,
    ) -> Result<Self> {
        let features = network.features(picture, layers, pooling)?;
        let moments_of = |map: &FeatureMap| {
            let mut moments = Moments::zeros(map.channels());
            moments::forward(network.isa(), map, &mut moments);
            moments
        };
        Ok(Self { moments: features.iter().map(|(layer, map)| (*layer, moments_of(map))).collect() })
    }

    /// The blend of several styles at the same layers: the weighted mean of their moments. The shares are 0 or above, and
    /// one is above 0.
    pub fn blend(styles: &[(f64, &Self)]) -> Self {
        let of_layer = |layer: &Layer| {
            let parts: Vec<_> = styles.iter().map(|(share, style)| (*share, &style.moments[layer])).collect();
            Moments::mean_of(&parts)
        };
        let layers = styles.first().map_or_else(Vec::new, |(_, first)| first.moments.keys().collect());
        Self { moments: layers.into_iter().map(|layer| (*layer, of_layer(layer))).collect() }
    }

    /// The moments by layer.
    pub fn into_moments(self) -> BTreeMap<Layer, Moments> {
        self.moments
    }
}

/// The style term of one layer, with what it keeps from one evaluation to the next.
pub struct StyleTerm {
    statistic: Gram,
    moments: Moments,
    gradient: Gradient,
}

impl StyleTerm {
    /// Against a style's moments at the layer.
    pub fn new(isa: Isa, target: Moments) -> Self {
        let moments = Moments::zeros(target.channels());
        Self { statistic: Gram::new(target), moments, gradient: Gradient::new(isa) }
    }

    /// Bytes that the term of a layer of so many channels takes: the target, the moments, their gradient, and that packed.
    pub fn bytes(channels: usize) -> u64 {
        (4 * channels * channels * size_of::<f32>()) as u64
    }

    /// The term of the features `f`, unweighted. `weight` times its gradient by the moments is kept.
    pub fn evaluate(&mut self, isa: Isa, form: Form, weight: f64, f: &FeatureMap) -> f64 {
        moments::forward(isa, f, &mut self.moments);
        self.statistic.evaluate(form, weight, &self.moments, &mut self.gradient)
    }

    /// The gradient that the last evaluation left.
    pub fn gradient(&self) -> &Gradient {
        &self.gradient
    }
}
