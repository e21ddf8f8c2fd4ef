//! Running a job: the optimiser at one scale after the other.

use std::borrow::Cow;
use std::cell::RefCell;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Instant;

use ndarray::{Array2, Array3, ArrayView3, ArrayViewMut3, Zip};

use crate::error::{Error, Result};
use crate::loss::{Form, Losses, Objective, Terms};
use crate::network::{Network, check_size};
use crate::optimize::{self, Bounds, Minimum, Step, Stop, adam, lbfgs};
use crate::picture::{Picture, fit};

use super::masked::Masked;
use super::matching::ColourStatistics;
use super::pace::Pace;
use super::progress::{finished, picture_of};
use super::schedule::{Scale, schedule};
use super::{Colors, End, Init, Optimizer, Progress, Style, Stylize, Stylized};

/// Runs the job; see [`Stylize::run`].
pub(super) fn run(
    job: &Stylize,
    mut on_progress: impl FnMut(&Progress) -> ControlFlow<()>,
) -> Result<Stylized> {
    let start = Instant::now();
    let (width, height) = job.result_size()?;
    let (network, terms) = job.network_and_terms()?;
    check_size("the result", &terms.taps(), height, width)?;
    let budget = job.budget_of_run(&network, &terms, (width, height));
    job.require_memory(budget.needed, width, height)?;
    let network = budget.bound(network);

    let content = job.flat_content();
    let colours = job.colours_to_match();
    let scales = job.schedule(&terms, width, height);
    let mut picture = first_picture(job, &scales, (width, height), content.as_deref());
    let mut content_before: Option<Cow<Picture>> = None;
    let (mut steps, mut evaluations) = (0, 0);
    let mut end = End::Done;
    let pixels = |index| {
        let (width, height) = scale_size(&scales, index, (width, height));
        width * height
    };
    let mut pace = Pace::new(scales.iter().enumerate().map(|(index, scale)| (pixels(index), scale.steps)));
    let work = |scale: &Scale| scale.steps as f64 * (scale.longest as f64).powi(2);
    let all_work: f64 = scales.iter().map(work).sum();
    for (index, scale) in scales.iter().enumerate() {
        pace.start_scale(index, start.elapsed().as_secs_f64());
        let (width, height) = scale_size(&scales, index, (width, height));
        if index > 0
            && let Err(error) = job.weights.check_unchanged()
        {
            end = End::Failed(error);
            break;
        }
        let content = content.as_ref().map(|content| content.at_size(width, height));
        let terms = terms_of_scale(&terms, width.max(height));
        let mut objective = objective_at(job, &network, &terms, width, height, content.as_deref(), colours)?;
        picture = at_size(job, &picture, content_before.as_deref(), content.as_deref(), (width, height));
        content_before = content;
        let mask = job.placement.mask.as_ref().map(|mask| mask.at_size(width, height));
        let masked = masked(mask.as_ref(), content_before.as_deref());
        let alpha = alpha_at(job, width, height);
        let evaluations_before = evaluations;
        let steps_before: usize = scales[..index].iter().map(|scale| scale.steps).sum();
        let work_before: f64 = scales[..index].iter().map(work).sum();
        let mut report = |step: &Step, picture: &[f32], losses: &Losses| {
            let seconds = start.elapsed().as_secs_f64();
            on_progress(&Progress {
                scale: index + 1,
                scales: scales.len(),
                width,
                height,
                step: steps_before + step.step,
                steps: job.settings.steps,
                evaluations: evaluations_before + step.evaluations,
                seconds,
                seconds_left: pace.step(step.step, seconds),
                losses,
                done: (work_before + work(scale) * step.step as f64 / scale.steps.max(1) as f64)
                    / all_work.max(1.0),
                schedule: &scales,
                memory: budget.needed,
                pixels: picture,
                alpha: alpha.as_ref(),
                chroma: job.chroma_of(content_before.as_deref()),
            })
        };
        let found = minimize(
            (job.settings.optimizer, budget.history),
            &mut objective,
            masked,
            picture.planes(),
            scale.steps,
            &mut report,
        );
        steps += found.steps;
        evaluations += found.evaluations;
        picture = picture_of(as_planes(found.point, height, width), None);
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
        // The job ended early, at a smaller scale.
        let content = content.as_ref().map(|content| content.at_size(width, height));
        picture = at_size(job, &picture, content_before.as_deref(), content.as_deref(), (width, height));
        content_before = content;
    }
    let mask = job.placement.mask.as_ref().map(|mask| mask.at_size(width, height));
    let planes = match masked(mask.as_ref(), content_before.as_deref()) {
        Some(masked) => masked.seen(picture.planes()),
        None => picture.into_planes(),
    };
    let content = content.as_ref().map(|content| content.at_size(width, height));
    let chroma = job.chroma_of(content.as_deref());
    let picture = finished(planes, chroma, alpha_at(job, width, height));
    Ok(Stylized { picture, steps, evaluations, end })
}

/// Width and height of the scale with this index, for a result of `width` by `height` pixels.
pub(super) fn scale_size(scales: &[Scale], index: usize, (width, height): (usize, usize)) -> (usize, usize) {
    match index + 1 == scales.len() {
        true => (width, height),
        false => fit(width, height, scales[index].longest),
    }
}

/// The longest side in pixels up to which the style weight is used as it is.
const FULL_STYLE_WEIGHT_SIDE: usize = 512;

/// The terms for a scale of this longest side. In a larger picture the content term is harder to move with the same strokes, as
/// the layers see less of it at a time. So above 512 pixels the weight of the style term, which is then the strength of the
/// style, grows with the side: looked at with Wasserstein distances at 384, 1024 and 2048 pixels. The paper's form stays as it
/// is.
fn terms_of_scale(terms: &Terms, longest: usize) -> Terms {
    let growth = match terms.form {
        Form::Relative => longest.max(FULL_STYLE_WEIGHT_SIDE) as f64 / FULL_STYLE_WEIGHT_SIDE as f64,
        Form::Gatys => 1.0,
    };
    Terms { style_weight: terms.style_weight * growth, ..terms.clone() }
}

/// The loss of a job as a function of a picture of `width` by `height` pixels. `content` already has that size. The styles'
/// colours are matched to `colours` if there are some.
pub(super) fn objective_at(
    job: &Stylize,
    network: &Arc<Network>,
    terms: &Terms,
    width: usize,
    height: usize,
    content: Option<&Picture>,
    colours: Option<ColourStatistics>,
) -> Result<Objective> {
    let (content, size) = (content.map(Picture::planes), (height, width));
    let of_result = job.result_size().map(|(width, height)| width * height)?;
    let sizes = |style: &Style| style.sizes(width * height, of_result);
    let objective = match job.placement.is_everywhere() {
        true => {
            let target = |style: &Style| style.target(&job.weights, network, terms, sizes(style), colours);
            let style = job.style.as_ref().map(target).transpose()?;
            Objective::new(network, terms.clone(), size, content, style)?
        }
        false => {
            let style_sizes = job.style.as_ref().map_or_else(Vec::new, sizes);
            let regions = job.region_targets(network, terms, (width, height), style_sizes, colours)?;
            Objective::with_regions(network, terms.clone(), size, content, regions)?
        }
    };
    Ok(objective.cancelled_by(job.cancel.clone()))
}

impl Stylize {
    /// The content with its alpha removed, as [`Picture::flattened`] does.
    pub(super) fn flat_content(&self) -> Option<Cow<'_, Picture>> {
        self.content.as_ref().map(Picture::flattened)
    }

    /// The statistics of the content's colours, if the style's are to be matched to them.
    pub(super) fn colours_to_match(&self) -> Option<ColourStatistics> {
        match self.settings.colors {
            Colors::Match => self.content.as_ref().map(ColourStatistics::of),
            _ => None,
        }
    }

    /// The picture whose chroma the result has, if it is not its own: `content`, which has the result's size.
    fn chroma_of<'p>(&self, content: Option<&'p Picture>) -> Option<&'p Picture> {
        content.filter(|_| self.settings.colors == Colors::Content)
    }

    /// The schedule of scales for a result of this size.
    pub(super) fn schedule(&self, terms: &Terms, width: usize, height: usize) -> Vec<Scale> {
        let min_side = terms.taps().iter().map(|layer| layer.min_side()).max().unwrap_or(1);
        // The longest side for which the shorter one is still `min_side`, which the layers need.
        let min_longest = (min_side * width.max(height)).div_ceil(width.min(height));
        schedule(width.max(height), min_longest, self.settings.scales, self.settings.steps)
    }
}

/// The part of a picture that the mask leaves free; `None` if there is no mask. Both have the same size.
fn masked<'p>(mask: Option<&'p Array2<f32>>, content: Option<&'p Picture>) -> Option<Masked<'p>> {
    mask.zip(content).map(|(mask, content)| Masked::new(mask, content.planes()))
}

/// The content's alpha plane, resized; `None` if it has none.
fn alpha_at(job: &Stylize, width: usize, height: usize) -> Option<Array2<f32>> {
    let content = job.content.as_ref().filter(|content| content.alpha().is_some())?;
    content.at_size(width, height).alpha().map(|alpha| alpha.to_owned())
}

/// The picture that the first scale starts from, in any size. Noise is generated at the size of the first scale, so that it
/// has one independent value per pixel there.
fn first_picture(
    job: &Stylize,
    scales: &[Scale],
    (width, height): (usize, usize),
    content: Option<&Picture>,
) -> Picture {
    match (&job.settings.init, content) {
        (Init::Picture(picture), _) => picture.flattened().into_owned(),
        (Init::Content, Some(content)) => content.clone(),
        (Init::Content, None) | (Init::Noise, _) => {
            let (width, height) = match scales {
                [first, _, ..] => fit(width, height, first.longest),
                _ => (width, height),
            };
            let mut random = fastrand::Rng::with_seed(job.settings.seed);
            let pixels = (0..3 * width * height).map(|_| 0.25 + 0.5 * random.f32()).collect();
            picture_of(as_planes(pixels, height, width), None)
        }
    }
}

/// Resizes the result of a scale to start the next one. If the job started from the content, only the change to it is
/// resized: `before` is the content at the size of `picture`, `content` the content at the new size.
fn at_size(
    job: &Stylize,
    picture: &Picture,
    before: Option<&Picture>,
    content: Option<&Picture>,
    (width, height): (usize, usize),
) -> Picture {
    match (&job.settings.init, before, content) {
        (Init::Content, Some(before), Some(content)) => with_change_enlarged(picture, before, content),
        _ => picture.at_size(width, height).into_owned(),
    }
}

/// `content` plus the enlarged difference of `picture` and `before`, clamped to 0–1. Unlike enlarging `picture`, this keeps
/// the detail of the larger content, which lowers the loss at the start of a scale by about a fifth.
fn with_change_enlarged(picture: &Picture, before: &Picture, content: &Picture) -> Picture {
    let (width, height) = (content.width(), content.height());
    let (picture, before) = (picture.at_size(width, height), before.at_size(width, height));
    let mut planes = content.planes().to_owned();
    Zip::from(&mut planes).and(picture.planes()).and(before.planes()).for_each(|content, picture, before| {
        *content = (picture + (*content - before)).clamp(0.0, 1.0);
    });
    picture_of(planes, None)
}

/// Called after every step with the picture that is seen and its losses; breaking stops the optimiser.
type Report<'r> = dyn FnMut(&Step, &[f32], &Losses) -> ControlFlow<()> + 'r;

/// Optimises the pixels at one scale, L-BFGS with a history of so many pairs; where the picture is `masked`, those in the mask.
fn minimize(
    (optimizer, history): (Optimizer, usize),
    objective: &mut Objective,
    masked: Option<Masked>,
    start: ArrayView3<f32>,
    steps: usize,
    report: &mut Report,
) -> Minimum {
    let shape = start.dim();
    let losses = RefCell::new(Losses::default());
    let mut function = |pixels: &[f32], gradient: &mut [f32]| {
        let picture = ArrayView3::from_shape(shape, pixels).expect("as many pixels");
        let of_picture = ArrayViewMut3::from_shape(shape, &mut *gradient).expect("as many pixels");
        // The shapes are right, so the only possible error is `Cancelled`.
        let found = objective.evaluate(picture, of_picture).ok()?;
        if let Some(masked) = masked {
            masked.hold(gradient);
        }
        losses.borrow_mut().clone_from(found);
        Some(found.total)
    };
    let mut on_step = |step: &Step| match masked {
        Some(masked) => {
            let free = ArrayView3::from_shape(shape, step.point).expect("as many pixels");
            let seen = masked.seen(free);
            report(step, seen.as_slice().expect("a new array is in standard layout"), &losses.borrow())
        }
        None => report(step, step.point, &losses.borrow()),
    };
    let start = match masked {
        Some(masked) => masked.start(start).into_iter().collect(),
        None => start.iter().copied().collect(),
    };
    let bounds = Bounds { lower: 0.0, upper: 1.0 };
    let settings = optimize::Settings { steps, tolerance: 1e-4, first_step: 0.02, history, bounds };
    match optimizer {
        Optimizer::Lbfgs => {
            // The root mean square of the first trial's change is that of all pixels, and only those in the mask change.
            let first_step = settings.first_step * masked.map_or(1.0, |masked| masked.share().sqrt());
            lbfgs(&mut function, start, &optimize::Settings { first_step, ..settings }, &mut on_step)
        }
        Optimizer::Adam => adam(&mut function, start, &settings, &mut on_step),
    }
}

/// 3×H×W planes from their values in row-major order.
fn as_planes(values: Vec<f32>, height: usize, width: usize) -> Array3<f32> {
    Array3::from_shape_vec((3, height, width), values).expect("as many values as pixels")
}
