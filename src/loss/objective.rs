//! The total loss of one picture as one function: (picture) → (loss, gradient).
//!
//! total = α · Σ w_l · content_l + β · Σ w_l · style_l + γ · total variation (Gatys, Ecker and Bethge 2015,
//! equation 7, with a third term).

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::sync::Arc;

use ndarray::{ArrayView3, ArrayViewMut3};

use crate::error::{Error, Result};
use crate::layers::TapGradient;
use crate::network::profile::Profile;
use crate::network::{Network, Plan};
use crate::parallel::cancel::Cancel;
use crate::parallel::team;
use crate::vgg::{Layer, PICTURE_CHANNELS};

use super::content::ContentTarget;
use super::style::{StyleTarget, StyleTerm};
use super::terms::Terms;
use super::total_variation::total_variation;

/// The terms' values for one picture.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct Losses {
    /// The weighted total: α · content + β · style + γ · total variation.
    pub total: f64,
    /// Σ w_l · content_l.
    pub content: f64,
    /// Σ w_l · style_l.
    pub style: f64,
    /// Total variation: the mean squared step between neighbouring values.
    pub tv: f64,
    /// content_l by layer, unweighted.
    pub content_layers: BTreeMap<Layer, f64>,
    /// style_l by layer, unweighted.
    pub style_layers: BTreeMap<Layer, f64>,
}

/// The loss as a function of a picture of one size: for an optimiser of one's own.
///
/// Made by [`Stylize::objective`](crate::Stylize::objective). It owns what it needs, and may go to another thread.
pub struct Objective {
    network: Arc<Network>,
    plan: Plan,
    terms: Terms,
    content: BTreeMap<Layer, ContentTarget>,
    style: BTreeMap<Layer, StyleTerm>,
    losses: Losses,
    cancel: Cancel,
    size: (usize, usize),
}

impl Objective {
    /// For pictures of `height` by `width` pixels: like `content` (3×H×W, RGB in 0–1) where there is one, and
    /// like `style` where there is one. A term without a target must have no layers.
    ///
    /// # Errors
    /// [`Error::TooSmall`] where a layer would have no position.
    #[doc(hidden)]
    pub fn new(
        network: &Arc<Network>,
        terms: Terms,
        (height, width): (usize, usize),
        content: Option<ArrayView3<f32>>,
        style: Option<StyleTarget>,
    ) -> Result<Self> {
        let mut targets = BTreeMap::new();
        if let Some(content) = content {
            for (layer, map) in network.features(content, &terms.content_taps(), terms.pooling)? {
                targets.insert(layer, ContentTarget::new(map));
            }
        }
        let moments = style.map_or_else(BTreeMap::new, StyleTarget::into_moments).into_iter();
        let style = moments.map(|(layer, moments)| (layer, StyleTerm::new(network.isa(), moments))).collect();
        Ok(Self {
            plan: Plan::new(network, &terms.taps(), terms.pooling, height, width)?,
            network: Arc::clone(network),
            terms,
            content: targets,
            style,
            losses: Losses::default(),
            cancel: Cancel::new(),
            size: (height, width),
        })
    }

    /// The same, which `cancel` may break off in the middle of an evaluation.
    #[doc(hidden)]
    #[must_use]
    pub fn cancelled_by(self, cancel: Cancel) -> Self {
        Self { cancel, ..self }
    }

    /// Bytes that one for pictures of `height` by `width` pixels takes.
    #[doc(hidden)]
    pub fn bytes(network: &Network, terms: &Terms, height: usize, width: usize) -> u64 {
        let channels = network.tap_channels(&terms.style_taps());
        let style: u64 = channels.into_iter().map(StyleTerm::bytes).sum();
        Plan::bytes(network, &terms.taps(), terms.pooling, height, width)
            + network.tap_bytes(&terms.content_taps(), terms.pooling, height, width)
            + style
    }

    /// Height and width of its pictures in pixels.
    pub fn size(&self) -> (usize, usize) {
        self.size
    }

    /// The terms.
    #[doc(hidden)]
    pub fn terms(&self) -> &Terms {
        &self.terms
    }

    /// From now on, measures each layer's passes.
    #[doc(hidden)]
    pub fn start_profile(&mut self) {
        self.plan.start_profile(&self.network);
    }

    /// What was measured since [`Objective::start_profile`].
    #[doc(hidden)]
    pub fn profile(&self) -> Option<&Profile> {
        self.plan.profile()
    }

    /// The losses of `picture`, 3×H×W, red, green, blue in 0–1; and the total's gradient by it, written to `gradient`, which
    /// is of the same shape and contiguous. On the threads of the current rayon pool. Allocates no buffer after the first
    /// time.
    ///
    /// # Errors
    /// [`Error::Shape`] where the picture or the gradient is of another shape, or the gradient is not contiguous in row-major
    /// order; [`Error::Cancelled`] where the evaluation was broken off: the gradient is then unspecified.
    pub fn evaluate(
        &mut self,
        picture: ArrayView3<f32>,
        mut gradient: ArrayViewMut3<f32>,
    ) -> Result<&Losses> {
        let (height, width) = self.size;
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
        match team::gather(|| self.evaluate_on_team(picture, gradient)) {
            ControlFlow::Continue(()) => Ok(&self.losses),
            ControlFlow::Break(()) => Err(Error::Cancelled),
        }
    }

    fn evaluate_on_team(
        &mut self,
        picture: ArrayView3<f32>,
        mut gradient: ArrayViewMut3<f32>,
    ) -> ControlFlow<()> {
        let Self { network, plan, terms, content, style, losses, cancel, .. } = self;
        plan.forward(network, picture, cancel)?;
        for &(layer, weight) in &terms.style_layers {
            let term = style.get_mut(&layer).expect("style layers have targets");
            let weight = terms.style_weight * weight;
            let value = term.evaluate(network.isa(), terms.form, weight, plan.features(layer));
            losses.style_layers.insert(layer, value);
        }
        for &(layer, _) in &terms.content_layers {
            let value = content[&layer].value(terms.form, plan.features(layer));
            losses.content_layers.insert(layer, value);
        }
        let tap = |layer| TapGradient {
            style: style.get(&layer).map(StyleTerm::gradient),
            content: terms
                .content_weight_of(layer)
                .map(|weight| content[&layer].gradient(terms.form, terms.content_weight * weight)),
        };
        plan.backward(network, tap, gradient.view_mut(), cancel)?;
        losses.tv = total_variation(picture, terms.tv_weight, gradient);
        losses.content = weighted(&terms.content_layers, &losses.content_layers);
        losses.style = weighted(&terms.style_layers, &losses.style_layers);
        losses.total = terms.content_weight * losses.content
            + terms.style_weight * losses.style
            + terms.tv_weight * losses.tv;
        ControlFlow::Continue(())
    }
}

fn weighted(layers: &[(Layer, f64)], values: &BTreeMap<Layer, f64>) -> f64 {
    layers.iter().map(|(layer, weight)| weight * values[layer]).sum()
}
