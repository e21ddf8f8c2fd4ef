//! The style term: the distance of a layer's moments from the style's, measured by a statistic.

use std::collections::BTreeMap;

use ndarray::ArrayView3;

use crate::error::Result;
use crate::layers::moments::{self, Gradient, Moments, PositionWeights};
use crate::network::{Mode, Network};
use crate::parallel::ranks::Ranks;
use crate::simd::Isa;
use crate::tensor::Part;
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
        let mut sums = BTreeMap::new();
        network.visit(picture, layers, mode.of_style(), |layer, part| {
            let sum = sums.entry(layer).or_insert_with(|| moments::Sum::new(part.map.channels()));
            sum.add(network.isa(), &part, None);
        })?;
        sums.values_mut().for_each(|sum: &mut moments::Sum| sum.sum_over(network.ranks()));
        Ok(Self { moments: sums.into_iter().map(|(layer, sum)| (layer, sum.into_moments())).collect() })
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
    moments: moments::Sum,
}

impl StyleTerm {
    /// The term with a style's moments at the layer as target.
    pub fn new(isa: Isa, statistic: Statistic, target: Moments) -> Self {
        let moments = moments::Sum::new(target.channels());
        Self { distance: Distance::new(isa, statistic, target), moments }
    }

    /// Bytes of the term of a layer with `channels` channels, which comes in parts or whole: the distance's, the moments' sum,
    /// and the packed gradient, an N×N matrix.
    pub fn bytes(statistic: Statistic, channels: usize, in_parts: bool) -> u64 {
        let matrix = (channels * channels * size_of::<f32>()) as u64;
        Distance::bytes(statistic, channels) + moments::Sum::bytes(channels, in_parts) + matrix
    }

    /// Forgets the features of the evaluation before.
    pub fn clear(&mut self) {
        self.moments.clear();
    }

    /// Adds the features of a part of the layer, with the positions' weights if there are such.
    pub fn add(&mut self, isa: Isa, part: &Part, weights: Option<&PositionWeights>) {
        self.moments.add(isa, part, weights);
    }

    /// The style term of the features that were added, without its weight. Sets `gradient` to `weight` times the term's gradient
    /// with respect to the moments. These are those of all `ranks`.
    pub fn evaluate(&mut self, form: Form, weight: f64, ranks: &Ranks, gradient: &mut Gradient) -> f64 {
        self.moments.sum_over(ranks);
        self.distance.evaluate(form, weight, self.moments.moments(), gradient)
    }
}
