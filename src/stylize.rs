//! The main job as a library call: a picture with one's content in another's style.

mod cancel;
pub mod schedule;

use std::ops::ControlFlow;
use std::time::Instant;

use ndarray::{Array2, Array3, ArrayView3, ArrayViewMut3, Zip};

use crate::error::{Error, Result, Setting};
use crate::layers::pool::Pooling;
use crate::loss::objective::{Losses, Objective, Terms};
use crate::loss::{Form, StyleTarget};
use crate::memory;
use crate::named::named;
use crate::network::{Compute, Network};
use crate::optimize::{self, Bounds, Minimum, Step, Stop, adam, lbfgs};
use crate::picture::{Picture, fit};
use crate::weights::Weights;

pub use cancel::Cancel;
use schedule::{Scale, Scales, schedule};

/// Pairs of steps and gradient changes that L-BFGS keeps.
const HISTORY: usize = 10;

/// Bytes that the program takes before any picture: its code, its threads.
const PROGRAM: u64 = 16_000_000;

/// The largest weight of a term or a layer: gradients are f32, which hold no more than 3.4e38.
const MOST_WEIGHT: f64 = 1e38;

/// The settings that [`Stylize::new`] starts from.
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
    /// β, with errors measured relatively.
    pub const STYLE_WEIGHT: f64 = 5.0;
    /// β, with errors measured as in the paper: its ratio α/β of 1e-3.
    pub const GATYS_STYLE_WEIGHT: f64 = 1000.0;
    /// γ.
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
    /// Adam.
    Adam,
}

named!(Optimizer { Lbfgs => "lbfgs", Adam => "adam" });

/// What the first scale starts from.
#[derive(Clone, Debug)]
pub enum Init {
    /// The content picture.
    Content,
    /// Noise from the seed.
    Noise,
    /// Another picture, resized.
    Picture(Picture),
}

/// How large the result is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Size {
    /// This longest side in pixels, with the content's aspect.
    Longest(usize),
    /// The content's own (of a texture: the first style's).
    Own,
}

/// A layer and its weight among those of its kind; without one, all of the kind share evenly.
pub type LayerWeight = (String, Option<f64>);

/// What to make, and how. Fields may be changed at will; [`Stylize::run`] checks them.
///
/// ```no_run
/// # use impasto::{Picture, Stylize, Weights};
/// # use std::{ops::ControlFlow, path::Path};
/// # fn main() -> impasto::Result<()> {
/// let weights = Weights::open("vgg19.safetensors")?;
/// let mut job = Stylize::new(&weights);
/// job.content = Some(Picture::open(Path::new("portrait.jpg"))?);
/// job.styles = vec![(Picture::open(Path::new("painting.jpg"))?, 1.0)];
/// let result = job.run(&mut |progress| {
///     eprintln!("{}/{} {:.4}", progress.step, progress.steps, progress.losses.total);
///     ControlFlow::Continue(())
/// })?;
/// # let _ = result.picture;
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Stylize<'w> {
    /// The network's weights.
    pub weights: &'w Weights,
    /// What it is computed with.
    pub compute: Compute,
    /// What the picture shows. None: a texture, of style alone.
    pub content: Option<Picture>,
    /// Styles, each with its share in the blend. None: a reconstruction, of content alone.
    pub styles: Vec<(Picture, f64)>,
    /// How large the result is.
    pub size: Size,
    /// Steps of the optimiser over all scales, at most.
    pub steps: usize,
    /// The schedule.
    pub scales: Scales,
    /// How errors are measured.
    pub form: Form,
    /// α, above 0.
    pub content_weight: f64,
    /// β, above 0.
    pub style_weight: f64,
    /// γ, 0 or above.
    pub tv_weight: f64,
    /// Layers of the content term.
    pub content_layers: Vec<LayerWeight>,
    /// Layers of the style term.
    pub style_layers: Vec<LayerWeight>,
    /// What the network's pools do.
    pub pooling: Pooling,
    /// The optimiser.
    pub optimizer: Optimizer,
    /// What the first scale starts from.
    pub init: Init,
    /// Of the noise.
    pub seed: u64,
}

/// Where the work is, after a step.
pub struct Progress<'p> {
    /// The scale, from 1.
    pub scale: usize,
    /// Scales in all.
    pub scales: usize,
    /// The scale's width in pixels.
    pub width: usize,
    /// The scale's height in pixels.
    pub height: usize,
    /// Steps done over all scales. Where a scale stopped early, its steps count as done.
    pub step: usize,
    /// Steps in all.
    pub steps: usize,
    /// Evaluations of the loss over all scales.
    pub evaluations: usize,
    /// Seconds since the work began.
    pub seconds: f64,
    /// The picture's losses.
    pub losses: &'p Losses,
    /// What they are made of.
    pub terms: &'p Terms,
    /// Share of the arithmetic that is done, 0 to 1.
    pub done: f64,
    /// All scales, with the steps that each has at most.
    pub schedule: &'p [Scale],
    /// Bytes of memory that the work was foreseen to need.
    pub memory: u64,
    pixels: &'p [f32],
    alpha: Option<&'p Array2<f32>>,
}

impl Progress<'_> {
    /// The picture as it is, with the content's alpha.
    pub fn picture(&self) -> Picture {
        let picture = Picture::from_planes(as_planes(self.pixels.to_vec(), self.height, self.width));
        picture.with_alpha(self.alpha.cloned())
    }
}

/// What came out.
pub struct Stylized {
    /// The picture, the best one found, with the content's alpha.
    pub picture: Picture,
    /// Steps done.
    pub steps: usize,
    /// Evaluations of the loss.
    pub evaluations: usize,
    /// How it ended.
    pub end: End,
}

/// How the work ended.
#[derive(Debug)]
pub enum End {
    /// All scales are done.
    Done,
    /// The callback broke off. The picture is the best until then, at the size asked for.
    Cancelled,
    /// [`Error::NotFinite`]. The picture is the best until then, at the size asked for.
    Failed(Error),
}

impl<'w> Stylize<'w> {
    /// The default settings, with no pictures yet.
    pub fn new(weights: &'w Weights) -> Self {
        let layers = |names: &[&str]| names.iter().map(|name| (name.to_string(), None)).collect();
        Self {
            weights,
            compute: Compute::default(),
            content: None,
            styles: Vec::new(),
            size: Size::Longest(defaults::SIZE),
            steps: defaults::STEPS,
            scales: Scales::Auto,
            form: defaults::FORM,
            content_weight: defaults::CONTENT_WEIGHT,
            style_weight: defaults::STYLE_WEIGHT,
            tv_weight: defaults::TV_WEIGHT,
            content_layers: layers(defaults::CONTENT_LAYERS),
            style_layers: layers(defaults::STYLE_LAYERS),
            pooling: defaults::POOLING,
            optimizer: defaults::OPTIMIZER,
            init: Init::Content,
            seed: 0,
        }
    }

    /// The loss that these settings describe: of the terms for which there are pictures.
    ///
    /// # Errors
    /// [`Error::Invalid`] for weights that can't be, [`Error::UnknownLayer`] and [`Error::Weights`] for layers
    /// that the network lacks.
    pub fn terms(&self) -> Result<Terms> {
        if self.content.is_none() && self.styles.is_empty() {
            return Err(Error::setting(Setting::Pictures, "there is neither a content nor a style"));
        }
        let layers = |what: Setting, layers: &[LayerWeight], wanted: bool| match wanted {
            true => self.layers(what, layers),
            false => Ok(Vec::new()),
        };
        let has_content = self.content.is_some();
        let has_style = !self.styles.is_empty();
        above_zero(Setting::ContentWeight, None, self.content_weight)?;
        above_zero(Setting::StyleWeight, None, self.style_weight)?;
        if !(self.tv_weight >= 0.0 && self.tv_weight <= MOST_WEIGHT) {
            let reason =
                format!("must be 0 or above and at most {MOST_WEIGHT:e}, found {:?}", self.tv_weight);
            return Err(Error::setting(Setting::TvWeight, reason));
        }
        Ok(Terms {
            form: self.form,
            content_weight: self.content_weight,
            content_layers: layers(Setting::ContentLayers, &self.content_layers, has_content)?,
            style_weight: self.style_weight,
            style_layers: layers(Setting::StyleLayers, &self.style_layers, has_style)?,
            tv_weight: self.tv_weight,
            pooling: self.pooling,
        })
    }

    fn layers(&self, what: Setting, layers: &[LayerWeight]) -> Result<Vec<(crate::vgg::Layer, f64)>> {
        if layers.is_empty() {
            return Err(Error::setting(what, "at least one layer is needed"));
        }
        let mut found = Vec::with_capacity(layers.len());
        for (name, weight) in layers {
            let layer = self.weights.layer(name)?;
            if found.iter().any(|(other, _)| *other == layer) {
                return Err(Error::setting(what, format!("{layer} is given twice")));
            }
            let weight = weight.unwrap_or(1.0 / layers.len() as f64);
            above_zero(what, Some(layer), weight)?;
            found.push((layer, weight));
        }
        Ok(found)
    }

    /// Width and height of the result.
    ///
    /// # Errors
    /// [`Error::Invalid`] for a size of 0.
    pub fn result_size(&self) -> Result<(usize, usize)> {
        let Some(shape) = self.content.as_ref().or(self.styles.first().map(|(picture, _)| picture)) else {
            return Err(Error::setting(Setting::Pictures, "there is neither a content nor a style"));
        };
        match self.size {
            Size::Own => Ok((shape.width(), shape.height())),
            Size::Longest(0) => Err(Error::setting(Setting::Size, "must be above 0")),
            Size::Longest(longest) => Ok(fit(shape.width(), shape.height(), longest)),
        }
    }

    /// Makes the picture, calling `on_progress` after every step; breaking there ends the work with the best
    /// picture until then.
    ///
    /// # Errors
    /// What [`Stylize::terms`] and [`Network::load`] find; [`Error::TooSmall`] where a picture is too small for
    /// a layer; [`Error::OutOfMemory`] where the machine is. All before the work starts.
    pub fn run(&self, on_progress: &mut dyn FnMut(&Progress) -> ControlFlow<()>) -> Result<Stylized> {
        let start = Instant::now();
        let terms = self.terms()?;
        let (width, height) = self.result_size()?;
        let taps = terms.taps();
        let deepest = *taps.last().expect("terms have at least one layer");
        let network = Network::load(self.weights, self.compute, deepest)?;
        network.check_size("the result", &taps, height, width)?;
        let needed = self.memory(&network, &terms, width, height);
        memory::require("a result", needed, width, height)?;

        let content = self.content.as_ref().map(Picture::flattened);
        let styles: Vec<_> = self.styles.iter().map(|(style, share)| (style.flattened(), *share)).collect();
        let least = taps.iter().map(|layer| layer.least_side()).max().unwrap_or(1);
        // The shorter side shrinks with the longest, and must not fall under what the layers need.
        let least = (least * width.max(height)).div_ceil(width.min(height));
        let scales = schedule(width.max(height), least, self.scales, self.steps);
        let mut picture = self.start(&scales, (width, height), content.as_ref());
        let mut content_before = None;
        let (mut steps, mut evaluations) = (0, 0);
        let mut end = End::Done;
        let work = |scale: &Scale| scale.steps as f64 * (scale.longest as f64).powi(2);
        let all_work: f64 = scales.iter().map(work).sum();
        for (index, scale) in scales.iter().enumerate() {
            let (width, height) =
                if index + 1 == scales.len() { (width, height) } else { fit(width, height, scale.longest) };
            let target = style_target(&network, &terms, &styles, width * height)?;
            let content = content.as_ref().map(|content| content.resized(width, height));
            let planes = content.as_ref().map(Picture::planes);
            let mut objective = Objective::new(&network, terms.clone(), (height, width), planes, target)?;
            picture = self.at_size(&picture, content_before.as_ref(), content.as_ref(), (width, height));
            content_before = content;
            let alpha = self.alpha(width, height);
            let evaluations_before = evaluations;
            let steps_before: usize = scales[..index].iter().map(|scale| scale.steps).sum();
            let work_before: f64 = scales[..index].iter().map(work).sum();
            let mut report = |step: &Step, losses: &Losses| {
                on_progress(&Progress {
                    scale: index + 1,
                    scales: scales.len(),
                    width,
                    height,
                    step: steps_before + step.step,
                    steps: self.steps,
                    evaluations: evaluations_before + step.evaluations,
                    seconds: start.elapsed().as_secs_f64(),
                    losses,
                    terms: &terms,
                    done: (work_before + work(scale) * step.step as f64 / scale.steps.max(1) as f64)
                        / all_work.max(1.0),
                    schedule: &scales,
                    memory: needed,
                    pixels: step.point,
                    alpha: alpha.as_ref(),
                })
            };
            let found = self.minimize(&mut objective, picture.planes(), scale.steps, &mut report);
            steps += found.steps;
            evaluations += found.evaluations;
            picture = Picture::from_planes(as_planes(found.point, height, width));
            match found.stop {
                Stop::Steps | Stop::NoProgress => {}
                Stop::Cancelled => end = End::Cancelled,
                Stop::NotFinite { loss } => end = End::Failed(Error::NotFinite { loss, evaluations }),
            }
            if !matches!(end, End::Done) {
                break;
            }
        }
        if (picture.width(), picture.height()) != (width, height) {
            // An end before its time came at a smaller scale.
            let content = content.as_ref().map(|content| content.resized(width, height));
            picture = self.at_size(&picture, content_before.as_ref(), content.as_ref(), (width, height));
        }
        let picture = picture.with_alpha(self.alpha(width, height));
        Ok(Stylized { picture, steps, evaluations, end })
    }

    /// The content's alpha at a size, where it has one.
    fn alpha(&self, width: usize, height: usize) -> Option<Array2<f32>> {
        let content = self.content.as_ref().filter(|content| content.alpha().is_some())?;
        content.resized(width, height).alpha().map(|alpha| alpha.to_owned())
    }

    /// Bytes that the work takes at its last and largest scale, which is the most.
    fn memory(&self, network: &Network, terms: &Terms, width: usize, height: usize) -> u64 {
        let image = (3 * width * height * size_of::<f32>()) as u64;
        // Steps and gradient changes of L-BFGS and what it holds at a time; or Adam's two means.
        let vectors = match self.optimizer {
            Optimizer::Lbfgs => 2 * HISTORY as u64 + 12,
            Optimizer::Adam => 8,
        };
        let maps = Objective::bytes(network, terms, height, width);
        // The pictures given, and what they are without alpha.
        let pictures = self.content.iter().chain(self.styles.iter().map(|(style, _)| style));
        let given: u64 = pictures.map(|p| (2 * 3 * p.width() * p.height() * size_of::<f32>()) as u64).sum();
        PROGRAM + network.bytes() + maps + vectors * image + given
    }

    /// What the first scale starts from. Noise is of the first scale's size, so that it is as coarse as that.
    fn start(&self, scales: &[Scale], (width, height): (usize, usize), content: Option<&Picture>) -> Picture {
        match (&self.init, content) {
            (Init::Picture(picture), _) => picture.flattened(),
            (Init::Content, Some(content)) => content.clone(),
            (Init::Content, None) | (Init::Noise, _) => {
                let (width, height) = match scales {
                    [first, _, ..] => fit(width, height, first.longest),
                    _ => (width, height),
                };
                let mut random = fastrand::Rng::with_seed(self.seed);
                let pixels = (0..3 * width * height).map(|_| 0.25 + 0.5 * random.f32()).collect();
                Picture::from_planes(as_planes(pixels, height, width))
            }
        }
    }

    /// The picture at a size: where it began as the content `before`, the `content` of that size with what was changed.
    fn at_size(
        &self,
        picture: &Picture,
        before: Option<&Picture>,
        content: Option<&Picture>,
        (width, height): (usize, usize),
    ) -> Picture {
        match (&self.init, before, content) {
            (Init::Content, Some(before), Some(content)) => enlarged(picture, before, content),
            _ => picture.resized(width, height),
        }
    }

    /// Optimises the pixels at one scale.
    fn minimize(
        &self,
        objective: &mut Objective,
        start: ArrayView3<f32>,
        steps: usize,
        report: &mut dyn FnMut(&Step, &Losses) -> ControlFlow<()>,
    ) -> Minimum {
        let (_, height, width) = start.dim();
        let losses = std::cell::RefCell::new(Losses::default());
        let mut function = |pixels: &[f32], gradient: &mut [f32]| {
            let shape = (3, height, width);
            let picture = ArrayView3::from_shape(shape, pixels).expect("as many pixels");
            let gradient = ArrayViewMut3::from_shape(shape, gradient).expect("as many pixels");
            let found = objective.evaluate(picture, gradient);
            losses.borrow_mut().clone_from(found);
            found.total
        };
        let mut on_step = |step: &Step| report(step, &losses.borrow());
        let start = start.iter().copied().collect();
        let bounds = Bounds { least: 0.0, most: 1.0 };
        let settings =
            optimize::Settings { steps, tolerance: 1e-4, first_step: 0.02, history: HISTORY, bounds };
        match self.optimizer {
            Optimizer::Lbfgs => lbfgs(&mut function, start, &settings, &mut on_step),
            Optimizer::Adam => adam(&mut function, start, &settings, &mut on_step),
        }
    }
}

/// `picture` at the size of `content`, with the detail that its content at its own size, `before`, did not have: what was
/// changed is enlarged, not what it was changed from. Lowers the loss that a scale starts from by about a fifth.
fn enlarged(picture: &Picture, before: &Picture, content: &Picture) -> Picture {
    let resized = |picture: &Picture| picture.resized(content.width(), content.height());
    let (picture, before) = (resized(picture), resized(before));
    let mut planes = content.planes().to_owned();
    Zip::from(&mut planes).and(picture.planes()).and(before.planes()).for_each(|content, picture, before| {
        *content = (picture + (*content - before)).clamp(0.0, 1.0);
    });
    Picture::from_planes(planes)
}

/// 3×H×W planes from their values one after another.
fn as_planes(values: Vec<f32>, height: usize, width: usize) -> Array3<f32> {
    Array3::from_shape_vec((3, height, width), values).expect("as many values as pixels")
}

fn above_zero(setting: Setting, layer: Option<crate::vgg::Layer>, value: f64) -> Result<()> {
    if value > 0.0 && value <= MOST_WEIGHT {
        return Ok(());
    }
    let of_layer = layer.map_or(String::new(), |layer| format!("the weight of {layer} "));
    let reason = format!("{of_layer}must be above 0 and at most {MOST_WEIGHT:e}, found {value:?}");
    Err(Error::setting(setting, reason))
}

/// The styles' blend at a scale: each style with as many pixels as the picture then has, so that its strokes grow with
/// the picture and no aspect asks for more memory.
fn style_target(
    network: &Network,
    terms: &Terms,
    styles: &[(Picture, f64)],
    pixels: usize,
) -> Result<Option<StyleTarget>> {
    if styles.is_empty() {
        return Ok(None);
    }
    let layers = terms.style_taps();
    let mut targets = Vec::with_capacity(styles.len());
    for (style, share) in styles {
        let (width, height) = (style.width() as f64, style.height() as f64);
        let longest = (pixels as f64 * width.max(height) / width.min(height)).sqrt().round().max(1.0);
        let (width, height) = fit(style.width(), style.height(), longest as usize);
        network.check_size("the style", &layers, height, width)?;
        let style = style.resized(width, height);
        targets.push((*share, StyleTarget::of_picture(network, style.planes(), &layers, terms.pooling)?));
    }
    StyleTarget::blend(&targets).map(Some)
}
