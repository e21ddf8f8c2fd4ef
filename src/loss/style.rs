//! The style term: the distance of a layer's moments from the style's, measured by a statistic.

use std::collections::BTreeMap;

use ndarray::ArrayView3;

use crate::error::Result;
use crate::layers::moments::{self, Gradient, Moments};
use crate::network::{Mode, Network};
use crate::simd::Isa;
use crate::tensor::FeatureMap;
use crate::vgg::Layer;

use super::statistic::{Distance, Statistic};
use super::terms::Form;

/// A style's moments at each style layer. Computed once per size, and blended.
#[derive(Clone, Debug)]
pub struct StyleTarget {
    pub(super) moments: BTreeMap<Layer, Moments>,
}

impl StyleTarget {
    /// The moments of `picture`, 3×H×W, RGB in 0–1, at `layers`, for results made in this mode.
    ///
    /// # Errors
    /// [`Error::TooSmall`](crate::Error::TooSmall) if a layer would have no positions.
    pub fn of_picture(
        network: &Network,
        picture: ArrayView3<f32>,
        layers: &[Layer],
        mode: Mode,
    ) -> Result<Self> {
        let features = network.features(picture, layers, mode.of_style())?;
        let moments_of = |map: &FeatureMap| {
            let mut moments = Moments::zeros(map.channels());
            moments::forward(network.isa(), map, &mut moments);
            moments
        };
        Ok(Self { moments: features.iter().map(|(layer, map)| (*layer, moments_of(map))).collect() })
    }

    /// The blend of several styles at the same layers: the weighted mean of their moments, with the shares as weights.
    ///
    /// # Panics
    /// If the layers differ, or the sum of the shares is not positive and finite.
    pub fn blend(styles: &[(f64, &Self)]) -> Self {
        let of_layer = |layer: &Layer| {
            let parts: Vec<_> = styles.iter().map(|(share, style)| (*share, &style.moments[layer])).collect();
            Moments::mean_of(&parts)
        };
        let layers = styles.first().map_or_else(Vec::new, |(_, first)| first.moments.keys().collect());
        Self { moments: layers.into_iter().map(|layer| (*layer, of_layer(layer))).collect() }
    }

    /// The moments of each layer.
    pub fn into_moments(self) -> BTreeMap<Layer, Moments> {
        self.moments
    }
}

/// The style term of one layer, or of a region of it, with the buffers that its evaluations reuse.
pub struct StyleTerm {
    distance: Distance,
    moments: Moments,
}

impl StyleTerm {
    /// The term with a style's moments at the layer as target.
    pub fn new(isa: Isa, statistic: Statistic, target: Moments) -> Self {
        let moments = Moments::zeros(target.channels());
        Self { distance: Distance::new(isa, statistic, target), moments }
    }

    /// Bytes of the term of a layer with `channels` channels: the distance's, and two N×N matrices, the moments and the packed
    /// gradient.
    pub fn bytes(statistic: Statistic, channels: usize) -> u64 {
        Distance::bytes(statistic, channels) + (2 * channels * channels * size_of::<f32>()) as u64
    }

    /// The style term of the features `f`, without its weight, over the positions that `gradient` has weights for. Sets
    /// `gradient` to `weight` times the term's gradient with respect to the moments.
    pub fn evaluate(
        &mut self,
        isa: Isa,
        form: Form,
        weight: f64,
        f: &FeatureMap,
        gradient: &mut Gradient,
    ) -> f64 {
        match gradient.weights() {
            None => moments::forward(isa, f, &mut self.moments),
            Some(weights) => moments::forward_weighted(isa, f, weights, &mut self.moments),
        }
        self.distance.evaluate(form, weight, &self.moments, gradient)
    }
}
