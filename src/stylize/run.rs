//! Running a job: the optimiser at one scale after the other.

use std::borrow::Cow;
use std::cell::RefCell;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Instant;

use ndarray::{Array2, Array3, ArrayView2, ArrayView3, ArrayViewMut3};

use crate::error::{Error, Result};
use crate::loss::{Form, Losses, Objective, Terms};
use crate::network::{Network, Passes, check_size};
use crate::optimize::{self, Bounds, History, Minimum, State, Step, Stop, adam, lbfgs};
use crate::parallel::ranks::Ranks;
use crate::picture::{Picture, fit};
use crate::tensor::Band;
use crate::vgg::PICTURE_CHANNELS;

use super::checkpoint::{Checkpointing, Extent, Inputs, Keeper, Place, Whole};
use super::masked::Masked;
use super::matching::ColourStatistics;
use super::memory::Budget;
use super::pace::Pace;
use super::progress::{finished, picture_of};
use super::schedule::{Scale, schedule};
use super::start::{as_planes, at_size, first_picture};
use super::targets::Kind;
use super::{Colors, End, Optimizer, Progress, Style, Stylize, Stylized};

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
    let extents = extents(&scales, (width, height));
    let (mut keeper, mut place, in_other_strips) =
        place_and_keeper(job, &network, &terms, &scales, &extents, budget)?;
    let mut picture = first_picture(job, &scales, (width, height), content.as_deref());
    let mut content_before: Option<Cow<Picture>> = None;
    let mut end = End::Done;
    let cancel = job.cancel.or_at(job.deadline(start));
    let mut pace = Pace::new(extents.iter().map(|extent| (extent.width * extent.height, extent.steps)));
    let work = |scale: &Scale| scale.steps as f64 * (scale.longest as f64).powi(2);
    let all_work: f64 = scales.iter().map(work).sum();
    let first = place.scale;
    for (index, scale) in scales.iter().enumerate().skip(first) {
        pace.start_scale(index, start.elapsed().as_secs_f64());
        let extent @ Extent { width, height, .. } = extents[index];
        if index > first {
            let changed = job.weights.check_unchanged().err();
            if job.settings.ranks.any(changed.is_some()) {
                // Where another rank's file changed, this one has nothing to say of it.
                end = changed.map_or(End::Cancelled, End::Failed);
                break;
            }
        }
        let content = content.as_ref().map(|content| content.at_size(width, height));
        let terms = terms_of_scale(&terms, width.max(height));
        let mut objective = objective_at(job, &network, &terms, width, height, content.as_deref(), colours)?
            .cancelled_by(cancel.clone());
        picture = at_size(job, &picture, content_before.as_deref(), content.as_deref(), (width, height));
        content_before = content;
        let band = network.band(height);
        let mask = job.placement.mask.as_ref().map(|mask| mask.at_size(width, height));
        let rows = content_before
            .as_ref()
            .filter(|_| mask.is_some())
            .map(|content| band.of_planes(content.planes()));
        let rows = rows.as_ref().map(|rows| rows.as_standard_layout());
        let masked = masked(
            mask.as_ref().map(|mask| band.of_plane(mask.view())),
            rows.as_ref().map(|rows| rows.view()),
        );
        let alpha = alpha_at(job, width, height);
        place.scale = index;
        let (before, resumed) = place.take();
        // The optimiser has the picture from here on.
        let of_scale = picture.into_planes();
        let state = match resumed {
            // Read no sooner, as the styles' targets take memory of their own.
            Some(whole) => {
                drop(of_scale);
                whole.state(&band)?
            }
            None => start_of(masked, &band, of_scale).into(),
        };
        if index > first {
            keeper.at_scale(before.with(&state), extent, &band);
        }
        let steps_before: usize = scales[..index].iter().map(|scale| scale.steps).sum();
        let work_before: f64 = scales[..index].iter().map(work).sum();
        let mut is_ended = false;
        let mut report = |step: &Step, picture: &[f32], losses: &Losses| {
            keeper.after_step(before.with(step.state), extent, &band);
            let seconds = start.elapsed().as_secs_f64();
            let goes_on = on_progress(&Progress {
                scale: index + 1,
                scales: scales.len(),
                width,
                height,
                step: steps_before + step.step,
                steps: job.settings.steps,
                evaluations: before.evaluations + step.evaluations,
                seconds,
                seconds_left: pace.step(step.step, seconds),
                losses,
                done: (work_before + work(scale) * step.step as f64 / scale.steps.max(1) as f64)
                    / all_work.max(1.0),
                schedule: &scales,
                memory: budget.needed,
                checkpoint_error: keeper.error(),
                in_other_strips,
                pixels: picture,
                band: &band,
                alpha: alpha.as_ref(),
                chroma: job.chroma_of(content_before.as_deref()),
            });
            let is_break = job.settings.ranks.any(goes_on.is_break());
            is_ended |= is_break;
            if is_break { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        };
        let found = minimize(
            (job.settings.optimizer, budget.history),
            &mut objective,
            masked,
            &job.settings.ranks,
            state,
            scale.steps,
            &mut report,
        );
        place.steps += found.steps;
        place.evaluations += found.evaluations;
        let planes = match job.settings.ranks.is_alone() {
            true => found.point,
            false => band.gather_for_all(&found.point, PICTURE_CHANNELS, width),
        };
        picture = picture_of(as_planes(planes, height, width), None);
        match found.stop {
            Stop::Steps | Stop::NoProgress => continue,
            Stop::Cancelled if job.settings.ranks.any(is_ended || job.cancel.is_cancelled()) => {
                end = End::Cancelled;
            }
            Stop::Cancelled => end = End::TimeUp,
            Stop::NotFinite { loss } => {
                end = End::Failed(Error::NotFinite { loss, evaluations: place.evaluations });
            }
        }
        if let Some(state) = &found.state {
            keeper.write(before.with(state), extent, &band);
        }
        break;
    }
    if (picture.width(), picture.height()) != (width, height) {
        // The job ended early, at a smaller scale.
        let content = content.as_ref().map(|content| content.at_size(width, height));
        picture = at_size(job, &picture, content_before.as_deref(), content.as_deref(), (width, height));
        content_before = content;
    }
    let mask = job.placement.mask.as_ref().map(|mask| mask.at_size(width, height));
    let planes = match masked(
        mask.as_ref().map(|mask| mask.view()),
        content_before.as_ref().map(|content| content.planes()),
    ) {
        Some(masked) => masked.seen(picture.planes()),
        None => picture.into_planes(),
    };
    let content = content.as_ref().map(|content| content.at_size(width, height));
    let chroma = job.chroma_of(content.as_deref());
    let picture = finished(planes, chroma, alpha_at(job, width, height));
    let Place { steps, evaluations, .. } = place;
    Ok(Stylized { picture, steps, evaluations, end, checkpoint_error: keeper.into_error() })
}

/// Width and height of the scale with this index, for a result of `width` by `height` pixels.
pub(super) fn scale_size(scales: &[Scale], index: usize, (width, height): (usize, usize)) -> (usize, usize) {
    match index + 1 == scales.len() {
        true => (width, height),
        false => fit(width, height, scales[index].longest),
    }
}

/// Size and steps of all scales of a result of this size.
fn extents(scales: &[Scale], size: (usize, usize)) -> Vec<Extent> {
    let extent = |(index, scale): (usize, &Scale)| {
        let (width, height) = scale_size(scales, index, size);
        Extent { width, height, steps: scale.steps }
    };
    scales.iter().enumerate().map(extent).collect()
}

/// How evaluations of each scale are computed in strips: for each group of steps its pools and its windows' rows.
fn strips_of(network: &Network, terms: &Terms, extents: &[Extent]) -> String {
    let of_scale = |extent: &Extent| {
        let size = (extent.height, extent.width);
        let cut = network.cut(&terms.taps(), terms.mode(), size, Passes::Both, network.room());
        let groups = cut.pools().into_iter().zip(cut.windows());
        let groups: Vec<_> = groups.map(|(pools, rows)| format!("{pools}:{rows}")).collect();
        if groups.is_empty() { "whole".to_owned() } else { groups.join("+") }
    };
    extents.iter().map(of_scale).collect::<Vec<_>>().join(" ")
}

/// Where the job starts or goes on, what writes its checkpoints, and whether it goes on in other strips.
fn place_and_keeper<'j>(
    job: &'j Stylize,
    network: &Network,
    terms: &Terms,
    scales: &[Scale],
    extents: &[Extent],
    budget: Budget,
) -> Result<(Keeper<'j>, Place<Option<Whole>>, bool)> {
    let Checkpointing { to, from, .. } = &job.checkpointing;
    if to.is_none() && from.is_none() {
        return Ok((Keeper::new(None, &job.settings.ranks), Place::START, false));
    }
    let inputs = Inputs::of(job, terms, scales, budget, strips_of(network, terms, extents))?;
    let place = match from {
        Some(checkpoint) => checkpoint.check(&inputs, extents)?,
        None => Place::START,
    };
    let in_other_strips = from.as_ref().is_some_and(|from| from.is_in_other_strips(&inputs));
    Ok((Keeper::new(to.as_ref().map(|to| (to, inputs)), &job.settings.ranks), place, in_other_strips))
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
            let blend = |style: &Style| {
                style.targets(Kind::Blend, (&job.weights, network), terms, sizes(style), colours)
            };
            let style = job.style.as_ref().map(blend).transpose()?;
            Objective::new(network, terms.clone(), size, content, style.and_then(|mut style| style.pop()))?
        }
        false => {
            let style_sizes = job.style.as_ref().map_or_else(Vec::new, sizes);
            let regions = job.region_targets(network, terms, (width, height), style_sizes, colours)?;
            Objective::with_regions(network, terms.clone(), size, content, regions)?
        }
    };
    let objective = match job.placement.mask.as_ref().filter(|_| terms.laplacian_weight > 0.0) {
        Some(mask) => objective.with_laplacian_within(mask.at_size(width, height).view()),
        None => objective,
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
fn masked<'p>(mask: Option<ArrayView2<'p, f32>>, content: Option<ArrayView3<'p, f32>>) -> Option<Masked<'p>> {
    mask.zip(content).map(|(mask, content)| Masked::new(mask, content))
}

/// The content's alpha plane, resized; `None` if it has none.
fn alpha_at(job: &Stylize, width: usize, height: usize) -> Option<Array2<f32>> {
    let content = job.content.as_ref().filter(|content| content.alpha().is_some())?;
    content.at_size(width, height).alpha().map(|alpha| alpha.to_owned())
}

/// Called after every step with the picture that is seen and its losses; breaking stops the optimiser.
type Report<'r> = dyn FnMut(&Step, &[f32], &Losses) -> ControlFlow<()> + 'r;

/// Optimises this rank's pixels at one scale, L-BFGS with a history of so many pairs; where the picture is `masked`, those in
/// the mask.
fn minimize(
    (optimizer, history): (Optimizer, History),
    objective: &mut Objective,
    masked: Option<Masked>,
    ranks: &Ranks,
    start: State,
    steps: usize,
    report: &mut Report,
) -> Minimum {
    let (height, width) = objective.size();
    let shape = (PICTURE_CHANNELS, height, width);
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
    let bounds = Bounds { lower: 0.0, upper: 1.0 };
    let ranks = ranks.clone();
    let settings = optimize::Settings { steps, tolerance: 1e-4, first_step: 0.02, history, bounds, ranks };
    match optimizer {
        Optimizer::Lbfgs => {
            // The root mean square of the first trial's change is that of all pixels, and only those in the mask change.
            let first_step =
                settings.first_step * masked.map_or(1.0, |masked| masked.share(&settings.ranks).sqrt());
            lbfgs(&mut function, start, &optimize::Settings { first_step, ..settings }, &mut on_step)
        }
        Optimizer::Adam => adam(&mut function, start, &settings, &mut on_step),
    }
}

/// What the optimiser starts from: this rank's rows of the picture, 3×H×W, or where it is `masked`, of its part in the mask and the
/// content.
fn start_of(masked: Option<Masked>, band: &Band, picture: Array3<f32>) -> Vec<f32> {
    match masked {
        Some(masked) => masked.start(band.of_planes(picture.view())).into_iter().collect(),
        None => band.of_planes(picture.view()).iter().copied().collect(),
    }
}
