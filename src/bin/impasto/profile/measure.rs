//! The measurement itself.

use std::sync::Arc;
use std::time::Instant;

use ndarray::Array3;

use super::counters::{Counters, Counts};
use super::{Options, Samples};
use crate::failure::Result;
use impasto::layers::pool::Pooling;
use impasto::loss::Statistic;
use impasto::memory;
use impasto::network::Compute;
use impasto::network::profile::LayerTimes;
use impasto::parallel::trace::Recorder;
use impasto::picture::Picture;
use impasto::simd::caches;
use impasto::simd::peak::{peak_bandwidth, peak_gflops};
use impasto::stylize::{Size, Stylize};
use impasto::vgg::PICTURE_CHANNELS;
use impasto::weights::Weights;

/// Evaluations of which a trace has the spans.
const TRACED: u16 = 100;

/// Bytes of the buffers by which the memory's rate is measured, where the caches' size is not known.
const BUFFERS: u64 = 512 << 20;

/// All that was measured.
pub(crate) struct Measured {
    pub(crate) network: String,
    pub(crate) side: usize,
    pub(crate) pooling: Pooling,
    pub(crate) statistic: Statistic,
    pub(crate) isa: &'static str,
    pub(crate) threads: usize,
    pub(crate) peak_gflops: f64,
    pub(crate) bandwidth: Bandwidth,
    /// Seconds of each.
    pub(crate) evaluations: Vec<f64>,
    pub(crate) layers: Vec<LayerTimes>,
    /// What an evaluation was foreseen to take, with the program and its pictures.
    pub(crate) memory_foreseen: u64,
    pub(crate) peak_memory: Option<u64>,
    /// Of an evaluation, or why not.
    pub(crate) counts: Result<Counts, String>,
}

/// The rate between memory and all threads.
pub(crate) struct Bandwidth {
    pub(crate) bytes_per_second: f64,
    /// Bytes of all buffers that were read and written.
    pub(crate) buffers: u64,
    /// Bytes of the last-level caches, where they are known.
    pub(crate) caches: Option<u64>,
}

impl Bandwidth {
    /// The buffers are twice what the caches hold, but take at most half of the memory that may be taken.
    fn measured(compute: Compute, available: u64) -> Self {
        let caches = caches::last_level_bytes();
        let buffers = caches.map_or(BUFFERS, |bytes| 2 * bytes).min(available / 2);
        let bytes_per_second = peak_bandwidth(compute.isa, buffers);
        Self { bytes_per_second, buffers, caches }
    }

    /// Whether the caches may have held the buffers, so that the rate is not that of memory.
    pub(crate) fn is_of_caches(&self) -> bool {
        self.caches.is_some_and(|caches| self.buffers <= caches)
    }
}

impl Measured {
    /// Seconds of each pass through the whole network.
    pub(crate) fn passes(&self, of: impl Fn(&LayerTimes) -> &[f64]) -> Vec<f64> {
        (0..self.evaluations.len())
            .map(|round| self.layers.iter().map(|layer| of(layer)[round]).sum())
            .collect()
    }

    /// GFLOP/s that a rate of bytes allows for so many operations a byte.
    pub(crate) fn roof(&self, flop_per_byte: f64) -> f64 {
        self.peak_gflops.min(flop_per_byte * self.bandwidth.bytes_per_second / 1e9)
    }
}

/// Measures evaluations, and records them where a trace is asked for.
pub(super) fn run(
    options: &Options,
    weights: &Weights,
    compute: Compute,
) -> Result<(Measured, Option<Arc<Recorder>>)> {
    let job = Stylize::new(weights).compute(compute).pooling(options.pooling).statistic(options.statistic);
    let job = job.size(Size::Own);
    // At most LONGEST_SIZE.
    let side = options.size as usize;
    // Before the pictures take memory: those given, that evaluated and its gradient.
    let picture = (PICTURE_CHANNELS * size_of::<f32>() * side * side) as u64;
    let available = options.max_memory.unwrap_or_else(memory::available);
    let job = job.memory_limit(Some(available.saturating_sub(4 * picture)));
    let needed = job.objective_bytes(side, side)? + 4 * picture;
    memory::require_of(available, "an evaluation", needed, side, side)?;
    // The job knows of all but the gradient itself.
    let job = job.memory_limit(Some(available.saturating_sub(picture)));

    let [image, content, style] = [1, 2, 3].map(|seed| noise(side, seed));
    let mut objective = job.content(content).style(style).objective()?;
    let mut gradient = Array3::zeros(image.planes().dim());
    // The first evaluation finds cold caches and untouched memory.
    objective.evaluate(image.planes(), gradient.view_mut())?;
    objective.start_profile();
    let recorder = options.trace.is_some().then(Recorder::new);
    let mut counters = Counters::open();
    let mut count = || counters.as_mut().map_err(|reason| reason.clone())?.read();
    let before = count();
    let mut evaluations = Vec::with_capacity(options.rounds.into());
    for round in 0..options.rounds {
        let mut evaluate = || objective.evaluate(image.planes(), gradient.view_mut()).map(drop);
        let start = Instant::now();
        match recorder.as_ref().filter(|_| round < TRACED) {
            Some(recorder) => recorder.record(evaluate),
            None => evaluate(),
        }?;
        evaluations.push(start.elapsed().as_secs_f64());
    }
    let after = count();
    let counts = before.and_then(|before| Ok(after?.since(before, options.rounds.into())));
    let layers = objective.profile().map_or_else(Vec::new, |profile| profile.layers.clone());
    // Before the measurement of the memory's rate takes its own.
    let peak_memory = memory::peak();
    drop((objective, gradient, image));
    let measured = Measured {
        network: options.network.label(weights),
        side,
        pooling: options.pooling,
        statistic: options.statistic,
        isa: compute.isa.name(),
        threads: rayon::current_num_threads(),
        peak_gflops: peak_gflops(compute.isa),
        bandwidth: Bandwidth::measured(compute, available.min(memory::available())),
        evaluations,
        layers,
        memory_foreseen: needed,
        peak_memory,
        counts,
    };
    Ok((measured, recorder))
}

/// A picture of noise.
fn noise(side: usize, seed: u64) -> Picture {
    let mut random = fastrand::Rng::with_seed(seed);
    let planes = Array3::from_shape_simple_fn((PICTURE_CHANNELS, side, side), || random.f32());
    Picture::from_planes(planes).expect("sides above 0")
}

/// Seconds of a typical round.
pub(crate) fn median(values: &[f64]) -> f64 {
    Samples::new(values).median()
}
