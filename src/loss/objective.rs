//! The total loss of one picture as one function: (picture) → (loss, gradient).
//!
//! total = α · Σ w_l · content_l + β · Σ w_l · style_l + γ · total variation (Gatys, Ecker and Bethge 2015,
//! equation 7, with a third term).

use std::collections::BTreeMap;

use ndarray::{ArrayView3, ArrayViewMut3};

use crate::error::Result;
use crate::layers::Tap;
use crate::layers::pool::Pooling;
use crate::loss::{self, ContentTarget, Form, StyleTarget, StyleTerm};
use crate::network::{Network, Plan};
use crate::parallel::team;
use crate::vgg::Layer;

/// What the loss is made of.
#[derive(Clone, Debug)]
pub struct Terms {
    /// How errors are measured.
    pub form: Form,
    /// α.
    pub content_weight: f64,
    /// Layers whose features should be the content's, each with its weight w.
    pub content_layers: Vec<(Layer, f64)>,
    /// β.
    pub style_weight: f64,
    /// Layers whose Gram matrices should be the style's, each with its weight w.
    pub style_layers: Vec<(Layer, f64)>,
    /// γ.
    pub tv_weight: f64,
    /// What the network's pools do.
    pub pooling: Pooling,
}

impl Terms {
    /// Every layer that the loss looks at, in forward order.
    pub fn taps(&self) -> Vec<Layer> {
        let mut taps: Vec<_> =
            self.content_layers.iter().chain(&self.style_layers).map(|(layer, _)| *layer).collect();
        taps.sort();
        taps.dedup();
        taps
    }

    /// The layers of the style term.
    pub fn style_taps(&self) -> Vec<Layer> {
        self.style_layers.iter().map(|(layer, _)| *layer).collect()
    }

    /// The layers of the content term.
    pub fn content_taps(&self) -> Vec<Layer> {
        self.content_layers.iter().map(|(layer, _)| *layer).collect()
    }
}

/// The terms' values for one picture: each layer's unweighted.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Losses {
    /// The weighted total.
    pub total: f64,
    /// Content by layer.
    pub content: BTreeMap<Layer, f64>,
    /// Style by layer.
    pub style: BTreeMap<Layer, f64>,
    /// Total variation.
    pub tv: f64,
}

impl Losses {
    /// Σ w_l · content_l.
    pub fn content(&self, terms: &Terms) -> f64 {
        weighted(&terms.content_layers, &self.content)
    }

    /// Σ w_l · style_l.
    pub fn style(&self, terms: &Terms) -> f64 {
        weighted(&terms.style_layers, &self.style)
    }
}

fn weighted(layers: &[(Layer, f64)], values: &BTreeMap<Layer, f64>) -> f64 {
    layers.iter().map(|(layer, weight)| weight * values[layer]).sum()
}

/// The loss as a function of a picture of one size.
pub struct Objective<'n> {
    network: &'n Network<'n>,
    plan: Plan,
    terms: Terms,
    content: BTreeMap<Layer, ContentTarget>,
    style: BTreeMap<Layer, StyleTerm>,
    losses: Losses,
}

impl<'n> Objective<'n> {
    /// For pictures of `height` by `width` pixels: like `content` (3×H×W, RGB in 0–1) where there is one, and
    /// like `style` where there is one. A term without a target must have no layers.
    ///
    /// # Errors
    /// [`Error::TooSmall`](crate::Error::TooSmall) where a layer would have no position.
    pub fn new(
        network: &'n Network<'n>,
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
        let grams = style.map_or_else(BTreeMap::new, StyleTarget::into_grams).into_iter();
        let style = grams.map(|(layer, gram)| (layer, StyleTerm::new(network.isa(), gram)));
        let plan = Plan::new(network, &terms.taps(), terms.pooling, height, width)?;
        let losses = Losses::default();
        Ok(Self { network, plan, terms, content: targets, style: style.collect(), losses })
    }

    /// Bytes that one for pictures of `height` by `width` pixels takes.
    pub fn bytes(network: &Network, terms: &Terms, height: usize, width: usize) -> u64 {
        network.plan_bytes(&terms.taps(), terms.pooling, height, width)
            + network.tap_bytes(&terms.content_taps(), terms.pooling, height, width)
    }

    /// The buffers, for their profile.
    pub fn plan_mut(&mut self) -> &mut Plan {
        &mut self.plan
    }

    /// The losses of `picture`, 3×H×W, RGB in 0–1; and the total's gradient by it, written to `gradient`, which is of
    /// the same shape and contiguous. Allocates no buffer after the first time.
    pub fn evaluate(&mut self, picture: ArrayView3<f32>, mut gradient: ArrayViewMut3<f32>) -> &Losses {
        team::gather(|| self.evaluate_together(picture, gradient.view_mut()));
        &self.losses
    }

    fn evaluate_together(&mut self, picture: ArrayView3<f32>, mut gradient: ArrayViewMut3<f32>) {
        let Self { network, plan, terms, content, style, losses } = self;
        let isa = network.isa();
        plan.forward(network, picture);
        for &(layer, weight) in &terms.style_layers {
            let term = style.get_mut(&layer).expect("style layers have targets");
            let weight = terms.style_weight * weight;
            let value = term.evaluate(isa, terms.form, weight, plan.features(layer));
            losses.style.insert(layer, value);
        }
        for &(layer, _) in &terms.content_layers {
            losses.content.insert(layer, content[&layer].value(terms.form, plan.features(layer)));
        }
        let weight_of = |layer| terms.content_layers.iter().find(|(content, _)| *content == layer);
        let tap = |layer| Tap {
            gram: style.get(&layer).map(StyleTerm::gradient),
            content: weight_of(layer)
                .map(|(_, weight)| content[&layer].gradient(terms.form, terms.content_weight * weight)),
        };
        plan.backward(network, tap, gradient.view_mut());
        losses.tv = loss::total_variation(picture, terms.tv_weight, gradient);
        losses.total = terms.content_weight * losses.content(terms)
            + terms.style_weight * losses.style(terms)
            + terms.tv_weight * losses.tv;
    }
}
