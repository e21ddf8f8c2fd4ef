//! The settings of a job, and the terms of the loss that they describe.

use std::borrow::Cow;

use crate::error::{Error, Result, Setting};
use crate::layers::conv::edges::Edges;
use crate::layers::pool::Pooling;
use crate::loss::{Form, Statistic, Terms};
use crate::named::{Named, named};
use crate::network::Compute;
use crate::parallel::ranks::Ranks;
use crate::picture::{Picture, fit};
use crate::vgg::Layer;
use crate::weights::Weights;

use super::colours::Colors;
use super::schedule::Scales;

/// The largest weight of a term or a layer: gradients are f32, whose largest value is 3.4e38.
const MAX_WEIGHT: f64 = 1e38;

/// The longest side that can be asked for, in pixels. A square of it overflows nothing, and fits no memory.
const MAX_SIDE: usize = 1_000_000;

/// The settings that [`Stylize::new`](crate::Stylize::new) starts from.
pub mod defaults {
    use super::{Edges, Form, Optimizer, Pooling, Statistic};

    /// The result's longest side in pixels.
    pub const SIZE: usize = 512;
    /// Steps of the optimiser over all scales.
    pub const STEPS: usize = 200;
    /// How errors are normalised.
    pub const FORM: Form = Form::Relative;
    /// The weight of the content term, α.
    pub const CONTENT_WEIGHT: f64 = 1.0;
    /// The weight of the style term, β, with [`Form::Relative`].
    pub const STYLE_WEIGHT: f64 = 10.0;
    /// The weight of the style term, β, with [`Form::Gatys`]: the paper's ratio α/β = 1e-3.
    pub const GATYS_STYLE_WEIGHT: f64 = 1000.0;
    /// The weight of the total variation, γ, if there is a style.
    pub const TV_WEIGHT: f64 = 10.0;
    /// The weight of the total variation, γ, if there is none: enough that flat areas have no coloured dots.
    pub const RECONSTRUCTION_TV_WEIGHT: f64 = 1.0;
    /// The statistic of the style term, with [`Form::Relative`]; with [`Form::Gatys`] it is always [`Statistic::Gram`].
    pub const STATISTIC: Statistic = Statistic::Wasserstein;
    /// Layers of the content term.
    pub const CONTENT_LAYERS: &[&str] = &["relu4_2"];
    /// Layers of the style term and their weights, with [`Form::Relative`]. The shallow layers, which have colours and
    /// strokes, weigh more than the deep ones, which put the style's objects into the picture: so chosen by those who didn't
    /// know which picture was made how.
    pub const STYLE_LAYERS: &[(&str, f64)] =
        &[("relu1_1", 0.4), ("relu2_1", 0.24), ("relu3_1", 0.16), ("relu4_1", 0.12), ("relu5_1", 0.08)];
    /// Layers of the style term and their weights, with [`Form::Gatys`]: even ones, as the paper's.
    pub const GATYS_STYLE_LAYERS: &[(&str, f64)] =
        &[("relu1_1", 0.2), ("relu2_1", 0.2), ("relu3_1", 0.2), ("relu4_1", 0.2), ("relu5_1", 0.2)];
    /// The network's pooling.
    pub const POOLING: Pooling = Pooling::Max;
    /// What lies beyond the picture's edges, with [`Form::Relative`].
    pub const EDGES: Edges = Edges::Replicate;
    /// What lies beyond the picture's edges, with [`Form::Gatys`]: as the paper's network.
    pub const GATYS_EDGES: Edges = Edges::Zero;
    /// The optimiser.
    pub const OPTIMIZER: Optimizer = Optimizer::Lbfgs;
}

/// The optimiser.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Optimizer {
    /// L-BFGS: limited-memory BFGS, a quasi-Newton method.
    Lbfgs,
    /// Adam: more robust on rough losses, slower on smooth ones.
    Adam,
}

named!(Optimizer { Lbfgs => "lbfgs", Adam => "adam" });

/// The picture that the first scale starts from.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Init {
    /// The content picture, or noise if there is none.
    Content,
    /// Uniform noise from the [seed](crate::Stylize::seed).
    Noise,
    /// This picture, resized.
    Picture(Picture),
}

/// The size of the result.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Size {
    /// This longest side in pixels, 1 to 1 000 000, with the aspect ratio of the content, or for a texture that of the first
    /// style picture.
    Longest(usize),
    /// The size of the content, or for a texture that of the first style picture.
    Own,
    /// This width and height, 1 to 1 000 000; the content is stretched to it.
    Exactly {
        /// Width in pixels.
        width: usize,
        /// Height in pixels.
        height: usize,
    },
}

impl Size {
    /// Width and height of the result of a picture of this width and height.
    ///
    /// # Errors
    /// [`Error::Setting`] for a side of 0 or above [`MAX_SIDE`].
    pub(super) fn of(self, shape: (usize, usize)) -> Result<(usize, usize)> {
        let (width, height) = match self {
            Self::Own => return Ok(shape),
            Self::Longest(0) => (0, 0),
            Self::Longest(longest) => fit(shape.0, shape.1, longest),
            Self::Exactly { width, height } => (width, height),
        };
        if width.min(height) == 0 {
            return Err(Error::setting(Setting::Size, "must be above 0"));
        }
        if width.max(height) > MAX_SIDE {
            let reason = format!("must be at most {MAX_SIDE} pixels a side, found {}", width.max(height));
            return Err(Error::setting(Setting::Size, reason));
        }
        Ok((width, height))
    }
}

/// A layer of the content or style term with its weight, above 0. Created from a name, `"relu4_2"`, or a name and a weight,
/// `("relu4_2", 0.5)`.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct LayerWeight {
    /// The layer's name, such as `relu4_2`.
    pub layer: String,
    /// Its weight w_l. If `None`, 1 divided by the number of layers of the term.
    pub weight: Option<f64>,
}

impl From<&str> for LayerWeight {
    fn from(layer: &str) -> Self {
        Self { layer: layer.to_owned(), weight: None }
    }
}

impl From<(&str, f64)> for LayerWeight {
    fn from((layer, weight): (&str, f64)) -> Self {
        Self { layer: layer.to_owned(), weight: Some(weight) }
    }
}

impl From<&LayerWeight> for LayerWeight {
    fn from(layer: &LayerWeight) -> Self {
        layer.clone()
    }
}

/// The settings of a [`Stylize`](crate::Stylize).
#[derive(Clone)]
pub(super) struct Settings {
    pub(super) compute: Compute,
    pub(super) size: Size,
    pub(super) steps: usize,
    pub(super) scales: Scales,
    pub(super) form: Form,
    pub(super) content_weight: f64,
    /// If `None`, the default of the form.
    pub(super) style_weight: Option<f64>,
    /// If `None`, the default, which depends on whether there is a style.
    pub(super) tv_weight: Option<f64>,
    /// If `None`, the default of the form.
    pub(super) statistic: Option<Statistic>,
    pub(super) laplacian_weight: f64,
    pub(super) content_layers: Vec<LayerWeight>,
    /// If `None`, the default of the form.
    pub(super) style_layers: Option<Vec<LayerWeight>>,
    pub(super) pooling: Pooling,
    /// If `None`, the default of the form.
    pub(super) edges: Option<Edges>,
    pub(super) colors: Colors,
    pub(super) optimizer: Optimizer,
    pub(super) init: Init,
    pub(super) seed: u64,
    /// If `None`, the caller's pool.
    pub(super) threads: Option<usize>,
    /// In bytes. If `None`, the memory that is available.
    pub(super) memory_limit: Option<u64>,
    /// The processes that share the job.
    pub(super) ranks: Ranks,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            compute: Compute::default(),
            size: Size::Longest(defaults::SIZE),
            steps: defaults::STEPS,
            scales: Scales::Auto,
            form: defaults::FORM,
            content_weight: defaults::CONTENT_WEIGHT,
            style_weight: None,
            tv_weight: None,
            statistic: None,
            laplacian_weight: 0.0,
            content_layers: defaults::CONTENT_LAYERS.iter().map(|layer| (*layer).into()).collect(),
            style_layers: None,
            pooling: defaults::POOLING,
            edges: None,
            colors: Colors::default(),
            optimizer: defaults::OPTIMIZER,
            init: Init::Content,
            seed: 0,
            threads: None,
            memory_limit: None,
            ranks: Ranks::ALONE,
        }
    }
}

impl Settings {
    /// The terms of the loss of a job with a content, a style, or both.
    ///
    /// # Errors
    /// [`Error::Setting`] if there is neither, or for invalid weights; [`Error::UnknownLayer`] or [`Error::Weights`] for layers
    /// that the network or its weights file lacks.
    pub(super) fn terms(&self, weights: &Weights, has_content: bool, has_style: bool) -> Result<Terms> {
        if !has_content && !has_style {
            return Err(Error::setting(Setting::Pictures, "neither a content nor a style picture is given"));
        }
        if self.colors != Colors::Style && !(has_content && has_style) {
            let reason = format!("{:?} needs a content and a style picture", self.colors.name());
            return Err(Error::setting(Setting::Colors, reason));
        }
        let default_tv = if has_style { defaults::TV_WEIGHT } else { defaults::RECONSTRUCTION_TV_WEIGHT };
        let terms = Terms {
            form: self.form,
            content_weight: self.content_weight,
            content_layers: match has_content {
                true => resolve(weights, Setting::ContentLayers, &self.content_layers)?,
                false => Vec::new(),
            },
            style_weight: self.style_weight.unwrap_or(match self.form {
                Form::Relative => defaults::STYLE_WEIGHT,
                Form::Gatys => defaults::GATYS_STYLE_WEIGHT,
            }),
            statistic: self.statistic()?,
            style_layers: match has_style {
                true => resolve(weights, Setting::StyleLayers, &self.style_layers())?,
                false => Vec::new(),
            },
            tv_weight: self.tv_weight.unwrap_or(default_tv),
            laplacian_weight: self.laplacian_weight,
            pooling: self.pooling,
            edges: self.edges.unwrap_or(match self.form {
                Form::Relative => defaults::EDGES,
                Form::Gatys => defaults::GATYS_EDGES,
            }),
        };
        above_zero(Setting::ContentWeight, None, terms.content_weight)?;
        above_zero(Setting::StyleWeight, None, terms.style_weight)?;
        not_negative(Setting::TvWeight, terms.tv_weight)?;
        not_negative(Setting::LaplacianWeight, terms.laplacian_weight)?;
        if terms.laplacian_weight > 0.0 && !has_content {
            return Err(Error::setting(Setting::LaplacianWeight, "needs a content picture"));
        }
        Ok(terms)
    }
}

impl Settings {
    /// The layers of the style term: those that are set, or the default of the form.
    fn style_layers(&self) -> Cow<'_, [LayerWeight]> {
        let defaults = match self.form {
            Form::Relative => defaults::STYLE_LAYERS,
            Form::Gatys => defaults::GATYS_STYLE_LAYERS,
        };
        match &self.style_layers {
            Some(layers) => layers.into(),
            None => defaults.iter().map(|layer| LayerWeight::from(*layer)).collect(),
        }
    }

    /// The statistic, which the paper's form leaves no choice of.
    fn statistic(&self) -> Result<Statistic> {
        match (self.form, self.statistic) {
            (Form::Relative, statistic) => Ok(statistic.unwrap_or(defaults::STATISTIC)),
            (Form::Gatys, None | Some(Statistic::Gram)) => Ok(Statistic::Gram),
            (Form::Gatys, Some(other)) => {
                let reason = format!("the loss of Gatys et al. is of Gram matrices, not {other}");
                Err(Error::setting(Setting::Statistic, reason))
            }
        }
    }
}

/// Looks up the layers of a term, and completes their weights.
fn resolve(weights: &Weights, setting: Setting, layers: &[LayerWeight]) -> Result<Vec<(Layer, f64)>> {
    if layers.is_empty() {
        return Err(Error::setting(setting, "at least one layer is needed"));
    }
    let mut found = Vec::with_capacity(layers.len());
    for LayerWeight { layer, weight } in layers {
        let layer = weights.layer(layer)?;
        if found.iter().any(|(other, _)| *other == layer) {
            return Err(Error::setting(setting, format!("{layer} is given twice")));
        }
        let weight = weight.unwrap_or(1.0 / layers.len() as f64);
        above_zero(setting, Some(layer), weight)?;
        found.push((layer, weight));
    }
    Ok(found)
}

fn not_negative(setting: Setting, value: f64) -> Result<()> {
    if (0.0..=MAX_WEIGHT).contains(&value) {
        return Ok(());
    }
    let reason = format!("must be 0 or above and at most {MAX_WEIGHT:e}, found {value:?}");
    Err(Error::setting(setting, reason))
}

fn above_zero(setting: Setting, layer: Option<Layer>, value: f64) -> Result<()> {
    if value > 0.0 && value <= MAX_WEIGHT {
        return Ok(());
    }
    let of_layer = layer.map_or(String::new(), |layer| format!("the weight of {layer} "));
    let reason = format!("{of_layer}must be above 0 and at most {MAX_WEIGHT:e}, found {value:?}");
    Err(Error::setting(setting, reason))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_size_has_a_range() {
        assert_eq!(Size::Longest(8).of((40, 20)).unwrap(), (8, 4));
        assert_eq!(Size::Exactly { width: MAX_SIDE, height: 1 }.of((40, 20)).unwrap(), (MAX_SIDE, 1));
        for (size, expected) in [
            (Size::Longest(0), "above 0"),
            (Size::Exactly { width: 0, height: 2 }, "above 0"),
            (Size::Exactly { width: 2, height: 0 }, "above 0"),
            (Size::Longest(MAX_SIDE + 1), "at most 1000000"),
            (Size::Longest(usize::MAX), "at most 1000000"),
            (Size::Exactly { width: 2, height: usize::MAX }, "at most 1000000"),
        ] {
            let message = size.of((40, 20)).unwrap_err().to_string();
            assert!(message.starts_with("size: ") && message.contains(expected), "{size:?}: {message}");
        }
    }
}
