//! The settings of a job, and the terms of the loss that they describe.

use crate::error::{Error, Result, Setting};
use crate::layers::pool::Pooling;
use crate::loss::{Form, Terms};
use crate::named::named;
use crate::network::Compute;
use crate::picture::Picture;
use crate::vgg::Layer;
use crate::weights::Weights;

use super::schedule::Scales;

/// The largest weight of a term or a layer: gradients are f32, which hold no more than 3.4e38.
const MOST_WEIGHT: f64 = 1e38;

/// The settings that [`Stylize::new`](crate::Stylize::new) starts from.
pub mod defaults {
    use super::{Form, Optimizer, Pooling};

    /// The result's longest side in pixels.
    pub const SIZE: usize = 512;
    /// Steps of the optimiser over all scales.
    pub const STEPS: usize = 200;
    /// How errors are measured.
    pub const FORM: Form = Form::Relative;
    /// α.
    pub const CONTENT_WEIGHT: f64 = 1.0;
    /// β with [`Form::Relative`].
    pub const STYLE_WEIGHT: f64 = 5.0;
    /// β with [`Form::Gatys`]: the paper's ratio α/β of 1e-3.
    pub const GATYS_STYLE_WEIGHT: f64 = 1000.0;
    /// γ where there is a style.
    pub const TV_WEIGHT: f64 = 10.0;
    /// Layers of the content term.
    pub const CONTENT_LAYERS: &[&str] = &["relu4_2"];
    /// Layers of the style term.
    pub const STYLE_LAYERS: &[&str] = &["relu1_1", "relu2_1", "relu3_1", "relu4_1", "relu5_1"];
    /// What the network's pools do.
    pub const POOLING: Pooling = Pooling::Max;
    /// The optimiser.
    pub const OPTIMIZER: Optimizer = Optimizer::Lbfgs;
}

/// The optimiser of the pixels.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Optimizer {
    /// Limited-memory BFGS, as in the paper.
    Lbfgs,
    /// Adam: steadier on rough losses, slower on smooth ones.
    Adam,
}

named!(Optimizer { Lbfgs => "lbfgs", Adam => "adam" });

/// What the first scale starts from.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Init {
    /// The content picture; noise where there is none.
    Content,
    /// Noise from the seed.
    Noise,
    /// Another picture, resized.
    Picture(Picture),
}

/// How large the result is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Size {
    /// This longest side in pixels, with the content's aspect (of a texture: the first style's).
    Longest(usize),
    /// As large as the content (a texture: as the first style).
    Own,
    /// This width and height in pixels, whatever the content's aspect.
    Exactly {
        /// Width in pixels.
        width: usize,
        /// Height in pixels.
        height: usize,
    },
}

/// A layer by its name, such as `relu4_2`, and its weight among those of its kind, above 0. Without a weight, the layer has
/// an even share.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct LayerWeight {
    /// The layer's name.
    pub layer: String,
    /// Its weight.
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

/// What [`Stylize`](crate::Stylize)'s methods set.
#[derive(Clone)]
pub(super) struct Settings {
    pub(super) compute: Compute,
    pub(super) size: Size,
    pub(super) steps: usize,
    pub(super) scales: Scales,
    pub(super) form: Form,
    pub(super) content_weight: f64,
    /// Without one, that of the form.
    pub(super) style_weight: Option<f64>,
    /// Without one, that of the job's kind.
    pub(super) tv_weight: Option<f64>,
    pub(super) content_layers: Vec<LayerWeight>,
    pub(super) style_layers: Vec<LayerWeight>,
    pub(super) pooling: Pooling,
    pub(super) optimizer: Optimizer,
    pub(super) init: Init,
    pub(super) seed: u64,
    /// Without a number, the caller's pool.
    pub(super) threads: Option<usize>,
    /// Without one, what the machine has.
    pub(super) memory_limit: Option<u64>,
}

impl Default for Settings {
    fn default() -> Self {
        let layers = |names: &[&str]| names.iter().map(|name| LayerWeight::from(*name)).collect();
        Self {
            compute: Compute::default(),
            size: Size::Longest(defaults::SIZE),
            steps: defaults::STEPS,
            scales: Scales::Auto,
            form: defaults::FORM,
            content_weight: defaults::CONTENT_WEIGHT,
            style_weight: None,
            tv_weight: None,
            content_layers: layers(defaults::CONTENT_LAYERS),
            style_layers: layers(defaults::STYLE_LAYERS),
            pooling: defaults::POOLING,
            optimizer: defaults::OPTIMIZER,
            init: Init::Content,
            seed: 0,
            threads: None,
            memory_limit: None,
        }
    }
}

impl Settings {
    /// The terms of the loss of a job that has a content, a style, or both.
    ///
    /// # Errors
    /// [`Error::Setting`] for weights that can't be, [`Error::UnknownLayer`] and [`Error::Weights`] for layers
    /// that the network lacks.
    pub(super) fn terms(&self, weights: &Weights, has_content: bool, has_style: bool) -> Result<Terms> {
        if !has_content && !has_style {
            return Err(Error::setting(Setting::Pictures, "there is neither a content nor a style"));
        }
        let default_tv = if has_style { defaults::TV_WEIGHT } else { 0.0 };
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
            style_layers: match has_style {
                true => resolve(weights, Setting::StyleLayers, &self.style_layers)?,
                false => Vec::new(),
            },
            tv_weight: self.tv_weight.unwrap_or(default_tv),
            pooling: self.pooling,
        };
        above_zero(Setting::ContentWeight, None, terms.content_weight)?;
        above_zero(Setting::StyleWeight, None, terms.style_weight)?;
        if !(terms.tv_weight >= 0.0 && terms.tv_weight <= MOST_WEIGHT) {
            let reason =
                format!("must be 0 or above and at most {MOST_WEIGHT:e}, found {:?}", terms.tv_weight);
            return Err(Error::setting(Setting::TvWeight, reason));
        }
        Ok(terms)
    }
}

/// The layers of a term by their names, with their weights.
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

fn above_zero(setting: Setting, layer: Option<Layer>, value: f64) -> Result<()> {
    if value > 0.0 && value <= MOST_WEIGHT {
        return Ok(());
    }
    let of_layer = layer.map_or(String::new(), |layer| format!("the weight of {layer} "));
    let reason = format!("{of_layer}must be above 0 and at most {MOST_WEIGHT:e}, found {value:?}");
    Err(Error::setting(setting, reason))
}
