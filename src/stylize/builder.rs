//! What a job is made of: its pictures and its settings, a method each.

use crate::layers::conv::edges::Edges;
use crate::layers::pool::Pooling;
use crate::loss::{Form, Statistic};
use crate::network::Compute;
use crate::parallel::cancel::Cancel;
use crate::parallel::ranks::Ranks;
use crate::picture::{Mask, Picture};
use crate::weights::Weights;

use super::checkpoint::Checkpointing;
use super::placement::Placement;
use super::settings::Settings;
use super::{Colors, Init, LayerWeight, Optimizer, Regions, Scales, Size, Style, Stylize};

/// # The pictures and the loss
impl Stylize {
    /// A job with the network of these weights, the default settings and no pictures.
    pub fn new(weights: &Weights) -> Self {
        Self {
            weights: weights.clone(),
            content: None,
            style: None,
            placement: Placement::default(),
            settings: Settings::default(),
            checkpointing: Checkpointing::default(),
            cancel: Cancel::new(),
        }
    }

    /// The content picture. Without one the result is a texture, made from the style alone.
    #[must_use]
    pub fn content(self, picture: Picture) -> Self {
        Self { content: Some(picture), ..self }
    }

    /// The style: a picture, or a [`Style`], which may be a blend and caches its targets for several jobs. Without one the
    /// result is a reconstruction, made from the content alone.
    #[must_use]
    pub fn style(self, style: impl Into<Style>) -> Self {
        Self { style: Some(style.into()), ..self }
    }

    /// Where the style acts: where the mask is white; elsewhere the picture stays the content, to the bit. At a soft edge the
    /// style fades: with c the content, m the mask and u a picture that is optimised where m is above 0, the result is
    /// (1 − m)·c + m·u. The style's moments are those of the features of u weighted by m. The mask has the content's aspect, in
    /// any resolution, and is resized with it.
    ///
    /// The losses, and [`objective`](Self::objective), are those of u. With [`Colors::Content`] what is outside the mask is
    /// the content but for rounding.
    #[must_use]
    pub fn mask(self, mask: impl Into<Mask>) -> Self {
        self.placed(|placement| placement.mask = Some(mask.into()))
    }

    /// Where each style goes: a mask for each picture of the [`Style`], in their order. The shares of a blend multiply the
    /// masks. Masks may overlap: where they sum to more than 1, the styles share the place. Where all are black there is no
    /// style term, and the content term alone holds the picture; see [`mask`](Self::mask) to keep it. Each has the result's
    /// aspect, in any resolution.
    #[must_use]
    pub fn style_masks<M: Into<Mask>>(self, masks: impl IntoIterator<Item = M>) -> Self {
        self.placed(|placement| placement.style_masks = masks.into_iter().map(M::into).collect())
    }

    /// Which parts of the content take after which parts of the style, of which there is one picture.
    #[must_use]
    pub fn regions(self, regions: Regions) -> Self {
        self.placed(|placement| placement.regions = Some(regions))
    }

    /// The size of the result. By default its longest side is 512 pixels.
    #[must_use]
    pub fn size(self, size: Size) -> Self {
        self.with(|settings| settings.size = size)
    }

    /// The weight of the content term, α, above 0. By default 1. Only its ratio to the other weights matters.
    #[must_use]
    pub fn content_weight(self, weight: f64) -> Self {
        self.with(|settings| settings.content_weight = weight)
    }

    /// The weight of the style term, β, above 0. By default 10, or 1000 with [`Form::Gatys`]. With
    /// [`Form::Relative`], [`run`](Self::run) multiplies it at scales with a longest side above 512 pixels by that side / 512, so
    /// that the same weight looks alike at any size.
    #[must_use]
    pub fn style_weight(self, weight: f64) -> Self {
        self.with(|settings| settings.style_weight = Some(weight))
    }

    /// The weight of the total variation, γ, 0 or above. Larger values give a smoother result. By default 10, or 1 without a
    /// style.
    #[must_use]
    pub fn tv_weight(self, weight: f64) -> Self {
        self.with(|settings| settings.tv_weight = Some(weight))
    }

    /// The weight of the Laplacian term, 0 or above. By default 0: there is none. Larger values keep faces and fine drawing.
    ///
    /// The term is the squared distance of the picture's Laplacian from the content's, summed over red, green and blue, after
    /// average pooling by 4 and by 16 (Lapstyle, Li et al. 2017). With [`Form::Relative`] it is divided by the energy of the
    /// content's Laplacian, as the mean of both poolings: 1 for a picture without any detail, at any size. With [`Form::Gatys`]
    /// it is the sum over both, of values of 0–255. With a [`mask`](Self::mask) it acts within it alone, as strongly as the same
    /// weight does in a whole picture. A side of up to 16 pixels is one cell of the larger pooling, which then
    /// compares nothing along it.
    #[must_use]
    pub fn laplacian_weight(self, weight: f64) -> Self {
        self.with(|settings| settings.laplacian_weight = weight)
    }

    /// How the content and style errors are normalised. By default [`Form::Relative`].
    #[must_use]
    pub fn form(self, form: Form) -> Self {
        self.with(|settings| settings.form = form)
    }

    /// The statistic of the style term. By default [`defaults::STATISTIC`](super::defaults::STATISTIC), and with [`Form::Gatys`] always
    /// [`Statistic::Gram`].
    #[must_use]
    pub fn statistic(self, statistic: Statistic) -> Self {
        self.with(|settings| settings.statistic = Some(statistic))
    }

    /// The layers of the content term. By default `relu4_2`.
    #[must_use]
    pub fn content_layers<L: Into<LayerWeight>>(self, layers: impl IntoIterator<Item = L>) -> Self {
        self.with(|settings| settings.content_layers = layers.into_iter().map(L::into).collect())
    }

    /// The layers of the style term. By default [`defaults::STYLE_LAYERS`](super::defaults::STYLE_LAYERS), or with [`Form::Gatys`]
    /// [`defaults::GATYS_STYLE_LAYERS`](super::defaults::GATYS_STYLE_LAYERS).
    #[must_use]
    pub fn style_layers<L: Into<LayerWeight>>(self, layers: impl IntoIterator<Item = L>) -> Self {
        self.with(|settings| settings.style_layers = Some(layers.into_iter().map(L::into).collect()))
    }

    /// Whose colours the result has. By default [`Colors::Style`]. The others need a content and a style.
    ///
    /// [`Colors::Match`] changes the target of the style term; [`Colors::Content`] only the pictures that [`run`](Self::run)
    /// returns and reports.
    #[must_use]
    pub fn colors(self, colors: Colors) -> Self {
        self.with(|settings| settings.colors = colors)
    }

    /// The network's pooling. By default [`Pooling::Max`].
    #[must_use]
    pub fn pooling(self, pooling: Pooling) -> Self {
        self.with(|settings| settings.pooling = pooling)
    }

    /// What lies beyond the edges of the result and its feature maps. By default [`Edges::Replicate`], and with
    /// [`Form::Gatys`] [`Edges::Zero`]. With [`Edges::Wrap`] the result can be tiled without a seam, if its sides are multiples
    /// of the network's stride at its deepest layer: 16 pixels with the default layers.
    #[must_use]
    pub fn edges(self, edges: Edges) -> Self {
        self.with(|settings| settings.edges = Some(edges))
    }
}

/// # Optimisation and resources
impl Stylize {
    /// The maximum number of optimiser steps, all scales together. By default 200.
    #[must_use]
    pub fn steps(self, steps: usize) -> Self {
        self.with(|settings| settings.steps = steps)
    }

    /// The number of scales, from coarse to fine. By default [`Scales::Auto`].
    #[must_use]
    pub fn scales(self, scales: Scales) -> Self {
        self.with(|settings| settings.scales = scales)
    }

    /// The optimiser. By default [`Optimizer::Lbfgs`].
    #[must_use]
    pub fn optimizer(self, optimizer: Optimizer) -> Self {
        self.with(|settings| settings.optimizer = optimizer)
    }

    /// The picture that the first scale starts from. By default [`Init::Content`].
    #[must_use]
    pub fn init(self, init: Init) -> Self {
        self.with(|settings| settings.init = init)
    }

    /// The seed of the noise that [`Init::Noise`] starts from, as does a texture by default. By default 0.
    #[must_use]
    pub fn seed(self, seed: u64) -> Self {
        self.with(|settings| settings.seed = seed)
    }

    /// Runs on a new pool of this many threads, above 0. By default [`run`](Self::run) uses the rayon pool from which it is
    /// called: the global one unless the caller has installed another. The result does not depend on the number of threads.
    #[must_use]
    pub fn threads(self, threads: usize) -> Self {
        self.with(|settings| settings.threads = Some(threads))
    }

    /// The memory in bytes that the process may take. Where a whole evaluation does not fit, the same loss and gradient are
    /// computed in strips of rows, with less memory and more time, and L-BFGS keeps its pairs of steps and gradient changes in
    /// 16-bit fixed point, and fewer; where that does not help, the job is refused. By default the memory that the machine
    /// has available. `None` removes the limit.
    #[must_use]
    pub fn memory_limit(self, bytes: Option<u64>) -> Self {
        self.with(|settings| settings.memory_limit = Some(bytes.unwrap_or(u64::MAX)))
    }

    /// Lets `cancel` end the job from any thread, also in the middle of an evaluation. The callback of [`run`](Self::run) can
    /// end it only after a step.
    #[must_use]
    pub fn cancelled_by(self, cancel: &Cancel) -> Self {
        Self { cancel: cancel.clone(), ..self }
    }

    /// The instruction set and the convolution algorithm.
    #[doc(hidden)]
    #[must_use]
    pub fn compute(self, compute: Compute) -> Self {
        self.with(|settings| settings.compute = compute)
    }

    /// The processes that share the job, each with a band of the picture's rows and all of its inputs. All of them run the same
    /// job, and get the same result. [`objective`](Self::objective) is then that of the process's band.
    #[doc(hidden)]
    #[must_use]
    pub fn among(self, ranks: Ranks) -> Self {
        self.with(|settings| settings.ranks = ranks)
    }

    fn placed(mut self, change: impl FnOnce(&mut Placement)) -> Self {
        change(&mut self.placement);
        self
    }

    fn with(mut self, change: impl FnOnce(&mut Settings)) -> Self {
        change(&mut self.settings);
        self
    }
}
