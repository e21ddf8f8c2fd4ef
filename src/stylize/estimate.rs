//! What a job will take, told before it runs: its scales, its memory, and its seconds, from some measurements with small
//! pictures.

use std::cell::Cell;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Instant;

use ndarray::{Array3, ArrayView3};

use crate::error::{Error, Result};
use crate::loss::Terms;
use crate::network::{Network, Passes, check_size};
use crate::optimize::{self, Bounds, History, adam, lbfgs};
use crate::parallel::ranks::Ranks;
use crate::vgg::PICTURE_CHANNELS;

use super::cost::{Cost, Measured};
use super::matching::ColourStatistics;
use super::run::{self, scale_size};
use super::{Optimizer, Scale, Stylize};

/// Width and height in pixels of the pictures that are measured, where the result is not smaller: multiples of 64, so that the
/// deep layers' maps are whole tiles.
const SIZES: [(usize, usize); 2] = [(128, 128), (256, 192)];

/// Evaluations a step of L-BFGS takes, on average: few line searches need a second trial.
const EVALUATIONS_PER_STEP: f64 = 1.03;

/// What a job is estimated to take.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Estimate {
    /// The scales, from coarse to fine.
    pub scales: Vec<ScaleEstimate>,
    /// Peak memory of the process in bytes; see [`Stylize::memory_foreseen`].
    pub memory: u64,
    /// Seconds of [`Stylize::run`] if every scale takes all its steps. Scales that converge early take less.
    pub seconds: f64,
}

/// What a scale of a job is estimated to take.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct ScaleEstimate {
    /// Width in pixels.
    pub width: usize,
    /// Height in pixels.
    pub height: usize,
    /// The maximum number of optimiser steps.
    pub steps: usize,
    /// Seconds of all these steps.
    pub seconds: f64,
}

/// Estimates what the job takes; see [`Stylize::estimate`].
pub(super) fn estimate(job: &Stylize) -> Result<Estimate> {
    let start = Instant::now();
    let (width, height) = job.result_size()?;
    let (network, terms) = job.network_and_terms()?;
    check_size("the result", &terms.taps(), height, width)?;
    let budget = job.budget_of_run(&network, &terms, (width, height));
    job.require_memory(budget.needed, width, height)?;
    let network = budget.bound(network);
    let scales = job.schedule(&terms, width, height);
    let colours = job.colours_to_match();
    let size_of = |index| scale_size(&scales, index, (width, height));
    // The first scale is the smallest.
    check_styles(job, &terms, size_of(0))?;
    let loading = start.elapsed().as_secs_f64();

    let costs = Costs::measured(job, &network, &terms, colours, budget.history)?;
    let scale = |(index, &Scale { steps, .. }): (usize, &Scale)| {
        let (width, height) = size_of(index);
        let in_strips = in_strips(&network, &terms, (width, height));
        let seconds = costs.of_scale((width * height) as f64, steps, in_strips);
        ScaleEstimate { width, height, steps, seconds }
    };
    let scales: Vec<_> = scales.iter().enumerate().map(scale).collect();
    let seconds = loading + scales.iter().map(|scale| scale.seconds).sum::<f64>();
    Ok(Estimate { scales, memory: budget.needed, seconds })
}

/// How much longer an evaluation of this size takes because it is computed in strips: 1 where it is not.
fn in_strips(network: &Network, terms: &Terms, (width, height): (usize, usize)) -> f64 {
    let cut = network.cut(&terms.taps(), terms.mode(), (height, width), Passes::Both, network.room());
    cut.cost(network, Passes::Both)
}

/// # Errors
/// [`Error::TooSmall`] if a style picture is too small for a layer where the picture has this size.
fn check_styles(job: &Stylize, terms: &Terms, (width, height): (usize, usize)) -> Result<()> {
    let of_result = job.result_size().map(|(width, height)| width * height)?;
    let sizes = job.style.as_ref().map_or_else(Vec::new, |style| style.sizes(width * height, of_result));
    sizes
        .into_iter()
        .try_for_each(|(width, height)| check_size("the style", &terms.style_taps(), height, width))
}

/// Seconds of the parts of a scale.
struct Costs {
    /// From its start to the end of the first evaluation: targets, buffers, caches.
    start: Cost,
    /// An evaluation.
    evaluation: Cost,
    /// What the optimiser takes for a step, beside the evaluations.
    optimizer: Cost,
    kind: Optimizer,
    /// L-BFGS's.
    history: History,
}

impl Costs {
    /// Seconds of a scale, whose evaluations take `in_strips` times as long as with all maps in memory.
    fn of_scale(&self, pixels: f64, steps: usize, in_strips: f64) -> f64 {
        let (evaluations, slower) = match self.kind {
            Optimizer::Lbfgs => (EVALUATIONS_PER_STEP, beyond_caches(pixels, self.history)),
            Optimizer::Adam => (1.0, 1.0),
        };
        let step = evaluations * in_strips * self.evaluation.at(pixels) + slower * self.optimizer.at(pixels);
        self.start.at(pixels) + steps as f64 * step
    }

    fn measured(
        job: &Stylize,
        network: &Arc<Network>,
        terms: &Terms,
        colours: Option<ColourStatistics>,
        history: History,
    ) -> Result<Self> {
        let (mut starts, mut evaluations) = (Vec::new(), Vec::new());
        for (width, height) in sizes_to_measure(job, terms)? {
            let (start, evaluation) = measure(job, network, terms, colours, (width, height))?;
            let evaluation = evaluation / in_strips(network, terms, (width, height));
            let measured = |seconds| Measured { pixels: (width * height) as f64, seconds, times: 1.0 };
            starts.push(measured(start));
            evaluations.push(measured(evaluation));
        }
        let result = job.result_size().map(|(width, height)| width * height)?;
        let pixels = result.min(SIZES[1].0 * SIZES[1].1);
        let optimizer = step_without_evaluation(job.settings.optimizer, PICTURE_CHANNELS * pixels, history);
        Ok(Self {
            start: Cost::fitted(&starts),
            evaluation: Cost::fitted(&evaluations),
            optimizer: Cost::proportional(pixels as f64, optimizer),
            kind: job.settings.optimizer,
            history,
        })
    }
}

/// By how much a step of L-BFGS costs more a value than at [`SIZES`], because its vectors no longer fit in the caches: measured
/// with AVX-512 on Zen 5, where it rises from 50 MB of vectors on until all of them come from memory.
fn beyond_caches(pixels: f64, history: History) -> f64 {
    let bytes = history.bytes(pixels as u64 * PICTURE_CHANNELS as u64) as f64;
    (1.0 + 0.5 * (bytes / 50e6).log2()).clamp(1.0, 2.5)
}

/// The sizes at which evaluations are measured: [`SIZES`], or the result's where that is smaller; larger ones where the styles
/// would be too small for a layer.
fn sizes_to_measure(job: &Stylize, terms: &Terms) -> Result<Vec<(usize, usize)>> {
    let (width, height) = job.result_size()?;
    let mut sizes: Vec<(usize, usize)> = Vec::new();
    for (mut w, mut h) in SIZES {
        while w * h < width * height && check_styles(job, terms, (w, h)).is_err() {
            (w, h) = (2 * w, 2 * h);
        }
        let size = if w * h < width * height { (w, h) } else { (width, height) };
        if !sizes.contains(&size) {
            sizes.push(size);
        }
    }
    Ok(sizes)
}

/// Seconds until the end of a scale's first evaluation, and of a later one, with pictures of this size.
fn measure(
    job: &Stylize,
    network: &Arc<Network>,
    terms: &Terms,
    colours: Option<ColourStatistics>,
    (width, height): (usize, usize),
) -> Result<(f64, f64)> {
    let mut random = fastrand::Rng::with_seed(0);
    let picture = Array3::from_shape_simple_fn((PICTURE_CHANNELS, height, width), || random.f32());
    let mut gradient = Array3::zeros(picture.dim());
    let start = Instant::now();
    let content = job.flat_content();
    let content = content.as_ref().map(|content| content.at_size(width, height));
    let mut objective = run::objective_at(job, network, terms, width, height, content.as_deref(), colours)?;
    let mut evaluate = |picture: ArrayView3<f32>| {
        let start = Instant::now();
        objective.evaluate(picture, gradient.view_mut())?;
        Ok::<_, Error>(start.elapsed().as_secs_f64())
    };
    evaluate(picture.view())?;
    let first = start.elapsed().as_secs_f64();
    // The least of a few is the least disturbed.
    let mut least = f64::INFINITY;
    for _ in 0..2 {
        least = least.min(evaluate(picture.view())?);
    }
    Ok((first, least))
}

/// Seconds of an optimiser's step with this many variables, without the evaluation.
fn step_without_evaluation(optimizer: Optimizer, variables: usize, history: History) -> f64 {
    // The function's own seconds do not count. It is quadratic with many curvatures, so that no step reaches the minimum.
    let of_function = Cell::new(0.0);
    let mut function = |x: &[f32], gradient: &mut [f32]| {
        let start = Instant::now();
        let mut value = 0.0;
        for (at, (x, g)) in x.iter().zip(gradient).enumerate() {
            let error = x - 0.3 - 0.4 * (at % 7) as f32 / 6.0;
            *g = (1 + at % 97) as f32 * error;
            value += f64::from(*g * error);
        }
        of_function.set(of_function.get() + start.elapsed().as_secs_f64());
        Some(value)
    };
    // The last steps, with a full history.
    let (full, steps) = (history.pairs + 1, history.pairs + 3);
    let start = Instant::now();
    // Seconds of the optimiser alone until each step.
    let mut seconds = Vec::with_capacity(steps);
    let mut on_step = |_: &optimize::Step| {
        seconds.push(start.elapsed().as_secs_f64() - of_function.get());
        ControlFlow::Continue(())
    };
    let bounds = Bounds { lower: 0.0, upper: 1.0 };
    let settings =
        optimize::Settings { steps, tolerance: 0.0, first_step: 0.02, history, bounds, ranks: Ranks::ALONE };
    let point = vec![0.5; variables];
    match optimizer {
        Optimizer::Lbfgs => lbfgs(&mut function, point, &settings, &mut on_step),
        Optimizer::Adam => adam(&mut function, point, &settings, &mut on_step),
    };
    let timed = seconds.windows(2).skip(full.min(seconds.len() / 2)).map(|ends| ends[1] - ends[0]);
    let least = timed.fold(f64::INFINITY, f64::min);
    if least.is_finite() { least.max(0.0) } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn linear(fixed: f64, per_pixel: f64) -> Cost {
        let measured = |pixels: f64| Measured { pixels, seconds: fixed + per_pixel * pixels, times: 1.0 };
        Cost::fitted(&[measured(1000.0), measured(5000.0)])
    }

    #[test]
    fn a_scale_costs_its_start_and_its_steps() {
        let costs = Costs {
            start: linear(0.5, 0.0),
            evaluation: linear(0.1, 1e-4),
            optimizer: Cost::proportional(1000.0, 0.02), // of 10 000 pixels, which fit in the caches
            kind: Optimizer::Adam,
            history: History::single(10),
        };
        // 0.5 + 20 · (0.1 + 1 + 0.2)
        let found = costs.of_scale(10_000.0, 20, 1.0);
        assert!((found - 26.5).abs() < 1e-6, "{found}");
        // 0.5 + 20 · (1.03 · (0.1 + 1) + 0.2)
        let costs = Costs { kind: Optimizer::Lbfgs, ..costs };
        let found = costs.of_scale(10_000.0, 20, 1.0);
        assert!((found - 27.16).abs() < 1e-6, "{found}");
        assert!((costs.of_scale(10_000.0, 0, 1.0) - 0.5).abs() < 1e-6);
        // In strips: 0.5 + 20 · (1.5 · 1.03 · (0.1 + 1) + 0.2)
        let found = costs.of_scale(10_000.0, 20, 1.5);
        assert!((found - 38.49).abs() < 1e-6, "{found}");
    }

    #[test]
    fn vectors_beyond_the_caches_cost_up_to_two_and_a_half_times_as_much() {
        let sides = [64.0, 256.0, 362.0, 512.0, 1024.0, 4096.0];
        let factors = sides.map(|side: f64| beyond_caches(side * side, History::single(10)));
        assert!(factors.is_sorted(), "{factors:?}");
        assert_eq!((factors[0], factors[1], factors[5]), (1.0, 1.0, 2.5));
        // As measured at 512² and 1024².
        assert!((factors[3] - 1.6).abs() < 0.2 && (factors[4] - 2.4).abs() < 0.2, "{factors:?}");
    }

    #[test]
    fn the_optimizers_steps_are_measured() {
        for optimizer in [Optimizer::Lbfgs, Optimizer::Adam] {
            let seconds = step_without_evaluation(optimizer, 3 * 128 * 128, History::single(10));
            assert!(seconds > 0.0 && seconds.is_finite(), "{optimizer}: {seconds}");
        }
    }
}
