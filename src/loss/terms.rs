//! What the loss is made of.

use crate::layers::pool::Pooling;
use crate::named::named;
use crate::vgg::Layer;

/// How a term's error is measured.
///
/// F, P are the features (N channels × M positions) of the picture and of the content, S and S_a the second moments
/// (Gram matrices over their positions) of the picture and of the style.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Form {
    /// Every error over its target's energy, so that one set of weights gives the same look at any size and with
    /// any network: content Σ(F−P)²/ΣP², style Σ(S−S_a)²/ΣS_a².
    Relative,
    /// Gatys, Ecker and Bethge 2015: content ½Σ(F−P)² (equation 1), style 1/(4N²) Σ(S−S_a)², which is
    /// their 1/(4N²M²) Σ(G−A)² (equation 4) where both pictures have the same size.
    Gatys,
}

named!(Form { Relative => "relative", Gatys => "gatys" });

/// The terms of a loss: their layers and weights.
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
    /// Layers whose moments should be the style's, each with its weight w.
    pub style_layers: Vec<(Layer, f64)>,
    /// γ.
    pub tv_weight: f64,
    /// What the network's pools do.
    pub pooling: Pooling,
}

impl Terms {
    /// The taps: every layer that the loss depends on, in forward order.
    pub fn taps(&self) -> Vec<Layer> {
        let mut taps = [self.content_taps(), self.style_taps()].concat();
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

    /// The weight w of a layer's content term, where it has one.
    pub fn content_weight_of(&self, layer: Layer) -> Option<f64> {
        self.content_layers.iter().find(|(content, _)| *content == layer).map(|(_, weight)| *weight)
    }
}
