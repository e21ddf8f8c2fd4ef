//! Memory estimates of a job, computed from the same lists of buffers that are allocated.

use crate::error::{Error, Result};
use crate::loss::{Objective, Terms};
use crate::network::Network;

use super::run::HISTORY;
use super::{Init, Optimizer, Stylize};

/// Bytes of the process before any picture is loaded: code, stacks and allocator. An estimate.
pub(super) const PROGRAM: u64 = 16_000_000;

/// Bytes of the three f32 planes of a picture with this many pixels.
fn planes(pixels: usize) -> u64 {
    (3 * pixels * size_of::<f32>()) as u64
}

/// Bytes of the job's pictures and of the copies made of them before the first scale.
fn pictures(job: &Stylize) -> u64 {
    let content = job.content.as_ref().map_or(0, |content| match content.alpha() {
        // A picture with alpha is also copied without it.
        Some(_) => content.memory() + planes(content.width() * content.height()),
        None => content.memory(),
    });
    let style = job.style.as_ref().map_or(0, |style| planes(style.pixels()));
    let init = match &job.settings.init {
        Init::Picture(init) => init.memory(),
        _ => 0,
    };
    content + style + init + job.placement.memory()
}

/// Bytes of one f32 plane of a picture with this many pixels.
fn plane(pixels: usize) -> u64 {
    planes(pixels) / 3
}

impl Stylize {
    /// Returns [`Error::OutOfMemory`] if the job needs more memory than its limit.
    pub(super) fn require_memory(&self, needed: u64, width: usize, height: usize) -> Result<()> {
        let available = self.settings.memory_limit.unwrap_or_else(crate::memory::available);
        if needed <= available {
            return Ok(());
        }
        // By default a style has as many pixels as the result.
        let largest = self.style_sizes()?.into_iter().max_by_key(|(width, height)| width * height);
        let (what, width, height) = match largest {
            Some((w, h)) if w * h > 2 * width * height => ("a style", w, h),
            _ => ("a result", width, height),
        };
        Err(Error::OutOfMemory { what: what.to_owned(), width, height, needed, available })
    }
}

/// Bytes of the process with the job's objective at this size.
pub(super) fn of_objective(
    job: &Stylize,
    network: &Network,
    terms: &Terms,
    width: usize,
    height: usize,
) -> u64 {
    at_most(job, network, terms, (width, height), 0)
}

/// Vectors that an optimiser keeps, each as large as a picture of three f32 planes. L-BFGS: the history of steps and gradient
/// changes, and a dozen at a time. Adam: its two moment estimates, and half a dozen others.
pub(super) fn vectors(optimizer: Optimizer) -> u64 {
    match optimizer {
        Optimizer::Lbfgs => 2 * HISTORY as u64 + 12,
        Optimizer::Adam => 8,
    }
}

/// Bytes of the process at the job's last scale, which needs the most.
pub(super) fn of_run(job: &Stylize, network: &Network, terms: &Terms, width: usize, height: usize) -> u64 {
    let vectors = vectors(job.settings.optimizer);
    // The mask, and the picture that is seen of the one that is optimised.
    let masked = job.placement.mask.as_ref().map_or(0, |_| plane(width * height) + planes(width * height));
    at_most(job, network, terms, (width, height), vectors * planes(width * height) + masked)
}

/// Bytes of the process with the job's objective at this size, and with what takes `optimizer` bytes and is created after it.
fn at_most(
    job: &Stylize,
    network: &Network,
    terms: &Terms,
    (width, height): (usize, usize),
    optimizer: u64,
) -> u64 {
    let regions = job.placement.region_count();
    let objective = Objective::bytes(network, terms, height, width)
        + Objective::region_bytes(network, terms, height, width, regions);
    // The style's features are computed and dropped before the objective is created, so only the larger of the two counts.
    let most = of_style(job, network, terms, width * height).max(objective + optimizer);
    PROGRAM + network.bytes() + pictures(job) + planes(width * height) + most
}

/// Bytes of the features of the largest style picture, and of its copy and its regions at the size at which it is used for a result of
/// `pixels` pixels.
fn of_style(job: &Stylize, network: &Network, terms: &Terms, pixels: usize) -> u64 {
    let sizes = job.style.as_ref().map_or_else(Vec::new, |style| style.sizes(pixels, pixels));
    let regions = job.placement.region_count() as u64;
    let bytes = |(width, height): (usize, usize)| {
        let copies = planes(width * height) + regions * plane(width * height);
        copies + network.features_bytes(&terms.style_taps(), terms.pooling, height, width)
    };
    sizes.into_iter().map(bytes).max().unwrap_or(0)
}
