//! The terms of the loss: their layers and weights, and how errors are normalised.

use crate::layers::conv::edges::Edges;
use crate::layers::pool::Pooling;
use crate::named::named;
use crate::network::Mode;
use crate::vgg::Layer;

use super::statistic::Statistic;

/// How the content and style errors are normalised.
///
/// F and P are the features (N channels × M positions) of the picture and of the content; S and S_a are the second moments
/// (Gram matrices G and A divided by the number of positions) of the picture and of the style.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Form {
    /// Each squared error is divided by its target's energy, so that the same weights give a similar result at any size and
    /// with any network: content Σ(F−P)²/ΣP², style as its
    /// [`Statistic`] says, with the Gram matrix Σ(S−S_a)²/ΣS_a².
    Relative,
    /// As in Gatys, Ecker and Bethge 2015: content ½Σ(F−P)² (equation 1), style 1/(4N²) Σ(S−S_a)², which equals their
    /// 1/(4N²M²) Σ(G−A)² (equation 4) if both pictures have the same size.
    Gatys,
}

named!(Form { Relative => "relative", Gatys => "gatys" });

/// The terms of a loss: their layers and weights.
#[derive(Clone, Debug)]
pub struct Terms {
    /// How errors are normalised.
    pub form: Form,
    /// The weight of the content term, α.
    pub content_weight: f64,
    /// Layers of the content term, each with its weight w_l.
    pub content_layers: Vec<(Layer, f64)>,
    /// The weight of the style term, β.
    pub style_weight: f64,
    /// The statistic of the style term.
    pub statistic: Statistic,
    /// Layers of the style term, each with its weight w_l.
    pub style_layers: Vec<(Layer, f64)>,
    /// The weight of the total variation, γ.
    pub tv_weight: f64,
    /// The weight of the Laplacian term. With 0 there is none.
    pub laplacian_weight: f64,
    /// The network's pooling.
    pub pooling: Pooling,
    /// What lies beyond the edges of the picture and the maps.
    pub edges: Edges,
}

impl Terms {
    /// The network's mode.
    pub fn mode(&self) -> Mode {
        Mode { pooling: self.pooling, edges: self.edges }
    }

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

    /// The weight w_l of a layer in the content term; `None` if it is not among the term's layers.
    pub fn content_weight_of(&self, layer: Layer) -> Option<f64> {
        self.content_layers.iter().find(|(content, _)| *content == layer).map(|(_, weight)| *weight)
    }
}
