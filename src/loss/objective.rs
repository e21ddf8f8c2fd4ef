//! The total loss as a function of a picture, with its gradient.
//!
//! total = α · Σ w_l · content_l + β · Σ w_l · style_l + γ · total variation: equation 7 of Gatys, Ecker and Bethge 2015
//! plus a third term. If its weight is not 0, the weighted Laplacian term is added.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::sync::Arc;

use ndarray::{ArrayView2, ArrayView3, ArrayViewMut3};

use crate::error::{Error, Result};
use crate::layers::TapGradient;
use crate::layers::conv::edges::Edges;
use crate::network::profile::Profile;
use crate::network::{Network, Passes, Plan};
use crate::parallel::cancel::Cancel;
use crate::parallel::team;
use crate::parallel::trace::{Kind, span};
use crate::tensor::{Band, Part, Place};
use crate::vgg::{Layer, PICTURE_CHANNELS};

use super::content::ContentTarget;
use super::laplacian::LaplacianTerm;
use super::region::{self, LayerStyle, RegionTarget};
use super::style::{StyleTarget, StyleTerm};
use super::terms::Terms;
use super::total_variation::total_variation;

/// The values of the loss and its terms for one picture.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct Losses {
    /// The weighted total: α · content + β · style + γ · total variation, plus the weighted Laplacian term.
    pub total: f64,
    /// The content term, Σ w_l · content_l.
    pub content: f64,
    /// The style term, Σ w_l · style_l.
    pub style: f64,
    /// The total variation: the sum of squared differences of neighbouring values, divided by the number of values.
    pub tv: f64,
    /// The Laplacian term; `None` if its weight is 0. See [`Stylize::laplacian_weight`](crate::Stylize::laplacian_weight).
    pub laplacian: Option<f64>,
    /// content_l of each layer, without w_l.
    pub content_layers: BTreeMap<Layer, f64>,
    /// style_l of each layer, without w_l.
    pub style_layers: BTreeMap<Layer, f64>,
}

/// The loss as a function of a picture of a fixed size, with its gradient, for use with your own optimiser.
///
/// Created by [`Stylize::objective`](crate::Stylize::objective). It owns its data and can be sent to another thread.
pub struct Objective {
    network: Arc<Network>,
    plan: Plan,
    terms: Terms,
    content: BTreeMap<Layer, ContentTarget>,
    style: BTreeMap<Layer, LayerStyle>,
    laplacian: Option<LaplacianTerm>,
    losses: Losses,
    cancel: Cancel,
    /// This rank's rows of the picture.
    band: Band,
    width: usize,
}

impl Objective {
    /// The loss for pictures of `height` by `width` pixels with the content `content` (3×H×W, RGB in 0–1) and the style
    /// `style`, of which one may be absent. The terms must have no layers for an absent target.
    ///
    /// # Errors
    /// [`Error::TooSmall`] if a layer would have no positions.
    #[doc(hidden)]
    pub fn new(
        network: &Arc<Network>,
        terms: Terms,
        size: (usize, usize),
        content: Option<ArrayView3<f32>>,
        style: Option<StyleTarget>,
    ) -> Result<Self> {
        let moments = style.map_or_else(BTreeMap::new, StyleTarget::into_moments).into_iter();
        let whole = |moments| LayerStyle::whole(network.isa(), terms.statistic, moments);
        let style = moments.map(|(layer, moments)| (layer, whole(moments))).collect();
        Self::with_style(network, terms, size, content, style)
    }

    /// The loss for pictures of `height` by `width` pixels, whose `regions` each have a style of their own; see [`region`].
    ///
    /// # Errors
    /// [`Error::TooSmall`] if a layer would have no positions.
    ///
    /// # Panics
    /// If a region is not of this size.
    ///
    /// [`region`]: super::region
    #[doc(hidden)]
    pub fn with_regions(
        network: &Arc<Network>,
        terms: Terms,
        size: (usize, usize),
        content: Option<ArrayView3<f32>>,
        regions: Vec<RegionTarget>,
    ) -> Result<Self> {
        let (height, width) = size;
        let style = region::of_regions(network.isa(), &terms, &network.band(height), width, regions);
        Self::with_style(network, terms, size, content, style)
    }

    fn with_style(
        network: &Arc<Network>,
        terms: Terms,
        (height, width): (usize, usize),
        content: Option<ArrayView3<f32>>,
        style: BTreeMap<Layer, LayerStyle>,
    ) -> Result<Self> {
        let band = network.band(height);
        let mut targets = BTreeMap::new();
        if let Some(content) = content {
            for (layer, map) in network.features(content, &terms.content_taps(), terms.mode())? {
                targets.insert(layer, ContentTarget::new(map, network.ranks()));
            }
        }
        Ok(Self {
            laplacian: content
                .filter(|_| terms.laplacian_weight > 0.0)
                .map(|content| LaplacianTerm::new(content, &band)),
            plan: Plan::new(network, &terms.taps(), terms.mode(), height, width)?,
            network: Arc::clone(network),
            terms,
            content: targets,
            style,
            losses: Losses::default(),
            cancel: Cancel::new(),
            band,
            width,
        })
    }

    /// The same loss, whose Laplacian term acts within a mask, H×W, of the whole picture.
    ///
    /// # Panics
    /// If the mask is of another size.
    #[doc(hidden)]
    #[must_use]
    pub fn with_laplacian_within(self, mask: ArrayView2<f32>) -> Self {
        Self { laplacian: self.laplacian.map(|term| term.within(mask)), ..self }
    }

    /// The same loss, whose evaluations `cancel` can interrupt.
    #[doc(hidden)]
    #[must_use]
    pub fn cancelled_by(self, cancel: Cancel) -> Self {
        Self { cancel, ..self }
    }

    /// Bytes of memory of an objective with `regions` regions, at most 1 where the style is of the whole picture, for pictures of
    /// `height` by `width` pixels: the maps of its passes, in the network's room, and all else.
    #[doc(hidden)]
    pub fn bytes(network: &Network, terms: &Terms, (height, width): (usize, usize), regions: usize) -> u64 {
        let cut = network.cut(&terms.taps(), terms.mode(), (height, width), Passes::Both, network.room());
        let beside = Self::bytes_beside_maps(network, terms, (height, width), regions, cut.is_cut());
        beside + cut.bytes(Passes::Both)
    }

    /// What of [`Objective::bytes`] is not the maps of its passes, which come in parts or whole: the targets, the style terms'
    /// buffers and the regions' weights.
    #[doc(hidden)]
    pub fn bytes_beside_maps(
        network: &Network,
        terms: &Terms,
        (height, width): (usize, usize),
        regions: usize,
        in_parts: bool,
    ) -> u64 {
        let laplacian = match terms.laplacian_weight > 0.0 {
            true => LaplacianTerm::bytes(height, width),
            false => 0,
        };
        let mut layers = terms.style_taps();
        layers.sort();
        let channels = network.tap_channels(&layers);
        let of_term = |channels: &usize| StyleTerm::bytes(terms.statistic, *channels, in_parts);
        let style: u64 = channels.iter().map(of_term).sum();
        let layers = layers.into_iter().zip(channels);
        network.tap_bytes(&terms.content_taps(), terms.pooling, height, width)
            + style
            + region::bytes(terms.statistic, layers, (height, width), regions, in_parts)
            + laplacian
    }

    /// Height and width in pixels of the pictures that it takes: of this rank's rows, if the picture is shared.
    pub fn size(&self) -> (usize, usize) {
        (self.band.height(), self.width)
    }

    /// The layers and weights of the terms.
    #[doc(hidden)]
    pub fn terms(&self) -> &Terms {
        &self.terms
    }

    /// Starts to measure the time of each step of the network.
    #[doc(hidden)]
    pub fn start_profile(&mut self) {
        self.plan.start_profile(&self.network);
    }

    /// The times measured since [`Objective::start_profile`]; `None` if it was not called.
    #[doc(hidden)]
    pub fn profile(&self) -> Option<&Profile> {
        self.plan.profile()
    }

    /// Computes the losses of `picture`, 3×H×W, RGB in 0–1, and writes the gradient of the total with respect to the picture
    /// to `gradient`, which has the same shape and must be contiguous in row-major order. Runs on the current rayon pool.
    /// Buffers are allocated by the first evaluation and reused by the following ones.
    ///
    /// # Errors
    /// [`Error::Shape`] if the picture or the gradient has another shape, or the gradient is not contiguous;
    /// [`Error::Cancelled`] if the evaluation was cancelled: the content of `gradient` is then unspecified.
    pub fn evaluate(
        &mut self,
        picture: ArrayView3<f32>,
        mut gradient: ArrayViewMut3<f32>,
    ) -> Result<&Losses> {
        let (height, width) = self.size();
        let expected = (PICTURE_CHANNELS, height, width);
        for (what, found) in [("picture", picture.dim()), ("gradient", gradient.dim())] {
            if found != expected {
                let expected = format!("a {what} of {expected:?} values");
                return Err(Error::Shape { expected, found: format!("{found:?}") });
            }
        }
        if gradient.as_slice_mut().is_none() {
            let expected = "a gradient that is contiguous in row-major order".to_owned();
            return Err(Error::Shape { expected, found: format!("strides {:?}", gradient.strides()) });
        }
        let work = || team::gather(|| self.evaluate_on_team(picture, gradient));
        match span(Kind::Evaluation, || "evaluation".to_owned(), work) {
            ControlFlow::Continue(()) => Ok(&self.losses),
            ControlFlow::Break(()) => Err(Error::Cancelled),
        }
    }

    fn evaluate_on_team(
        &mut self,
        picture: ArrayView3<f32>,
        mut gradient: ArrayViewMut3<f32>,
    ) -> ControlFlow<()> {
        let Self { network, plan, terms, content, style, laplacian, losses, cancel, band, .. } = self;
        let ranks = band.ranks();
        style.values_mut().for_each(LayerStyle::clear);
        content.values_mut().for_each(ContentTarget::clear);
        let visit = &mut |layer, part: Part| {
            if let Some(style) = style.get_mut(&layer) {
                span(Kind::Loss, || format!("moments of {layer}"), || style.add(network.isa(), &part));
            }
            if let Some(content) = content.get_mut(&layer) {
                span(Kind::Loss, || format!("content at {layer}"), || content.add(&part));
            }
        };
        let forward = || plan.forward(network, picture, cancel, visit);
        span(Kind::Pass, || "forward".to_owned(), forward)?;
        for &(layer, weight) in &terms.style_layers {
            let term = style.get_mut(&layer).expect("style layers have targets");
            let evaluate = || term.evaluate(terms.form, terms.style_weight * weight, ranks);
            let value = span(Kind::Loss, || format!("style at {layer}"), evaluate);
            losses.style_layers.insert(layer, value);
        }
        for &(layer, _) in &terms.content_layers {
            losses.content_layers.insert(layer, content[&layer].value(terms.form, ranks));
        }
        let tap = |layer| TapGradient {
            style: style.get(&layer).map_or(&[], LayerStyle::gradients),
            content: terms
                .content_weight_of(layer)
                .map(|weight| content[&layer].gradient(terms.form, terms.content_weight * weight)),
            place: Place::default(),
        };
        let backward = || plan.backward(network, picture, &tap, gradient.view_mut(), cancel);
        span(Kind::Pass, || "backward".to_owned(), backward)?;
        let wraps = terms.edges == Edges::Wrap;
        let variation = || total_variation(picture, terms.tv_weight, wraps, band, gradient.view_mut());
        losses.tv = span(Kind::Loss, || "total variation".to_owned(), variation);
        losses.laplacian = laplacian.as_mut().map(|term| {
            let evaluate = || term.evaluate(terms.form, terms.laplacian_weight, picture, gradient.view_mut());
            span(Kind::Loss, || "Laplacian".to_owned(), evaluate)
        });
        losses.content = weighted(&terms.content_layers, &losses.content_layers);
        losses.style = weighted(&terms.style_layers, &losses.style_layers);
        let total = terms.content_weight * losses.content
            + terms.style_weight * losses.style
            + terms.tv_weight * losses.tv
            + losses.laplacian.map_or(0.0, |value| terms.laplacian_weight * value);
        // The optimiser decides by it, on all ranks alike.
        losses.total = ranks.of_first(total);
        ControlFlow::Continue(())
    }
}

/// Σ w_l · value_l over the layers of a term.
fn weighted(layers: &[(Layer, f64)], values: &BTreeMap<Layer, f64>) -> f64 {
    layers.iter().map(|(layer, weight)| weight * values[layer]).sum()
}
