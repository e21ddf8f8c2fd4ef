//! Regions of a picture, each with a style of its own.
//!
//! A region is a plane of weights t, one a pixel. A layer's positions have the mean of the pixels that its pools put
//! together, so that the region is carried through the network as the features are. Its style term at a layer compares the
//! moments of the layer's features with those weights (see [`moments`](crate::layers::moments)) with its own target, and
//! counts by its share of the picture, Σ t over the number of pixels: a place is styled as strongly as it would be without
//! regions, however large its region is, and regions that cover the picture have the shares of a blend.
//!
//! At a layer where a region, in the picture or in the style's, does not amount to one position, it has no moments to
//! speak of: there its term is left out, and the shallower layers, whose positions are smaller, are what there is.

use std::collections::BTreeMap;

use ndarray::{Array2, ArrayView2, ArrayView3};

use crate::error::Result;
use crate::layers::moments::{self, Gradient, Moments, PositionWeights};
use crate::network::{Mode, Network};
use crate::parallel::ranks::Ranks;
use crate::simd::Isa;
use crate::tensor::{Band, Part};
use crate::vgg::Layer;

use super::statistic::Statistic;
use super::style::{StyleTarget, StyleTerm};
use super::terms::{Form, Terms};

/// Fewer positions than this are too few for a region's moments.
const MIN_POSITIONS: f64 = 1.0;

/// A region of the picture, and the style that it takes.
#[derive(Clone, Debug)]
pub struct RegionTarget {
    /// The weight of each pixel, H×W, 0 or above. The weights of all regions at a pixel should sum to 1 at most.
    pub weights: Array2<f32>,
    /// The style's moments, at the layers at which it has enough positions.
    pub style: StyleTarget,
}

impl StyleTarget {
    /// The moments of regions of `picture`, 3×H×W, RGB in 0–1, at those of `layers` at which they have enough positions, for
    /// results made in this mode. A region has a weight for each pixel, H×W.
    ///
    /// # Errors
    /// [`Error::TooSmall`](crate::Error::TooSmall) if a layer would have no positions.
    ///
    /// # Panics
    /// If a region is of another size, or a weight is negative.
    pub fn of_regions(
        network: &Network,
        picture: ArrayView3<f32>,
        layers: &[Layer],
        mode: Mode,
        regions: &[Array2<f32>],
    ) -> Result<Vec<Self>> {
        let band = network.band(picture.dim().1);
        // Of each layer, each region's weights, if they amount to enough positions, and its moments so far.
        let of_layer = |layer: &Layer, channels: usize| -> Vec<_> {
            let sum = |weights| (weights, moments::Sum::new(channels));
            regions.iter().map(|region| weights_at(region.view(), *layer, &band).map(sum)).collect()
        };
        let mut sums = BTreeMap::new();
        network.visit(picture, layers, mode.of_style(), |layer, part| {
            let sums = sums.entry(layer).or_insert_with(|| of_layer(&layer, part.map.channels()));
            for (weights, sum) in sums.iter_mut().flatten() {
                sum.add(network.isa(), &part, Some(weights));
            }
        })?;
        let mut targets = vec![Self { moments: BTreeMap::new() }; regions.len()];
        for (layer, mut sums) in sums {
            sums.iter_mut().flatten().for_each(|(_, sum)| sum.sum_over(network.ranks()));
            for (target, sum) in targets.iter_mut().zip(sums) {
                target.moments.extend(sum.map(|(_, sum)| (layer, sum.into_moments())));
            }
        }
        Ok(targets)
    }
}

/// The style terms of this rank's `band` of a picture with these regions, which is `width` pixels wide.
///
/// # Panics
/// If a region is of another size.
pub(super) fn of_regions(
    isa: Isa,
    terms: &Terms,
    band: &Band,
    width: usize,
    regions: Vec<RegionTarget>,
) -> BTreeMap<Layer, LayerStyle> {
    let layers = terms.style_taps().into_iter();
    let mut styles: BTreeMap<_, _> = layers.map(|layer| (layer, LayerStyle::default())).collect();
    for RegionTarget { weights, style } in regions {
        assert_eq!(weights.dim(), (band.picture_height(), width), "a region of another size");
        let share = weights.iter().map(|t| f64::from(*t)).sum::<f64>() / weights.len() as f64;
        let mut targets = style.into_moments();
        for (layer, style) in &mut styles {
            if let Some(target) = targets.remove(layer)
                && let Some(weights) = weights_at(weights.view(), *layer, band)
            {
                style.terms.push((share, StyleTerm::new(isa, terms.statistic, target)));
                style.gradients.push(Gradient::weighted(isa, weights));
            }
        }
    }
    styles
}

/// Bytes of memory that the style terms of `regions` regions take beyond that of a whole picture of `height` by `width`
/// pixels, at these layers with their channels, which come in parts or whole: the further terms, and the weights at each layer.
pub(super) fn bytes(
    statistic: Statistic,
    layers: impl IntoIterator<Item = (Layer, usize)>,
    (height, width): (usize, usize),
    regions: usize,
    in_parts: bool,
) -> u64 {
    let of_layer = |(layer, channels): (Layer, usize)| {
        let positions = (height / layer.stride()) * (width / layer.stride());
        let weights = regions * positions * size_of::<f32>();
        regions.saturating_sub(1) as u64 * StyleTerm::bytes(statistic, channels, in_parts) + weights as u64
    };
    layers.into_iter().map(of_layer).sum()
}

/// A region's weights at a layer, in this rank's band; `None` if they amount to too few positions of the whole.
fn weights_at(region: ArrayView2<f32>, layer: Layer, band: &Band) -> Option<PositionWeights> {
    let pools = layer.stride().ilog2();
    let plane = (0..pools).fold(region.to_owned(), |plane, _| halved(plane.view()));
    let weights = PositionWeights::new(plane);
    if weights.sum() < MIN_POSITIONS {
        return None;
    }
    match band.ranks().is_alone() {
        true => Some(weights),
        false => Some(PositionWeights::new(band.of_plane_at(layer.stride(), weights.plane()).to_owned())),
    }
}

/// The mean of each 2×2 window. An odd last row or column is dropped, as in the network's pools.
fn halved(plane: ArrayView2<f32>) -> Array2<f32> {
    let (height, width) = plane.dim();
    Array2::from_shape_fn((height / 2, width / 2), |(y, x)| {
        let [top, bottom] = [2 * y, 2 * y + 1].map(|y| plane[[y, 2 * x]] + plane[[y, 2 * x + 1]]);
        0.25 * (top + bottom)
    })
}

/// The style term of one layer: that of all positions, or the sum of those of the regions.
#[derive(Default)]
pub struct LayerStyle {
    /// Each term and its share.
    terms: Vec<(f64, StyleTerm)>,
    /// The gradient of each term.
    gradients: Vec<Gradient>,
}

impl LayerStyle {
    /// The term of all positions, with a style's moments as target.
    pub fn whole(isa: Isa, statistic: Statistic, target: Moments) -> Self {
        Self {
            terms: vec![(1.0, StyleTerm::new(isa, statistic, target))],
            gradients: vec![Gradient::new(isa)],
        }
    }

    /// Forgets the features of the evaluation before.
    pub fn clear(&mut self) {
        self.terms.iter_mut().for_each(|(_, term)| term.clear());
    }

    /// Adds the features of a part of the layer.
    pub fn add(&mut self, isa: Isa, part: &Part) {
        for ((_, term), gradient) in self.terms.iter_mut().zip(&self.gradients) {
            term.add(isa, part, gradient.weights());
        }
    }

    /// The term of the features that were added, without its weight. Keeps `weight` times its gradient with respect to the
    /// moments.
    pub fn evaluate(&mut self, form: Form, weight: f64, ranks: &Ranks) -> f64 {
        let terms = self.terms.iter_mut().zip(&mut self.gradients);
        terms
            .map(|((share, term), gradient)| *share * term.evaluate(form, *share * weight, ranks, gradient))
            .sum()
    }

    /// The gradients of the last evaluation, which add up.
    pub fn gradients(&self) -> &[Gradient] {
        &self.gradients
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_region_is_halved_as_the_maps_are() {
        let plane = Array2::from_shape_fn((5, 7), |(y, x)| (y * 10 + x) as f32);
        let half = halved(plane.view());
        assert_eq!(half.dim(), (2, 3));
        for ((y, x), mean) in half.indexed_iter() {
            // The mean of the window, whose first value this is.
            assert_eq!(*mean, (20 * y + 2 * x) as f32 + 5.5);
        }
        for layer in
            [Layer::Relu { group: 1, index: 2 }, Layer::Pool { group: 1 }, Layer::Relu { group: 3, index: 1 }]
        {
            let weights = weights_at(Array2::ones((37, 53)).view(), layer, &Band::whole(37)).unwrap();
            let stride = layer.stride();
            assert_eq!(weights.plane().dim(), (37 / stride, 53 / stride), "{layer}");
            assert_eq!(weights.sum(), ((37 / stride) * (53 / stride)) as f64, "{layer}");
        }
    }

    #[test]
    fn a_region_of_less_than_one_position_is_left_out_at_that_layer() {
        let mut plane = Array2::zeros((32, 32));
        plane.slice_mut(ndarray::s![8..12, 8..12]).fill(1.0);
        let band = Band::whole(32);
        let layers = [1, 2, 3, 4].map(|group| Layer::Relu { group, index: 1 });
        assert_eq!(
            layers.map(|layer| weights_at(plane.view(), layer, &band).is_some()),
            [true, true, true, false]
        );
        // A faint one, which is 16 · 0.05 pixels.
        plane.mapv_inplace(|t| 0.05 * t);
        assert!(weights_at(plane.view(), layers[0], &band).is_none());
    }
}
