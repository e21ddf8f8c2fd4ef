//! The memory that a job takes, from the lists that it is allocated from.

use crate::loss::{Objective, Terms};
use crate::network::Network;

use super::run::HISTORY;
use super::{Init, Optimizer, Stylize};

/// Bytes that the program takes before any picture: its code, its threads.
pub(super) const PROGRAM: u64 = 16_000_000;

/// Bytes of the planes of so many pixels.
fn planes(pixels: usize) -> u64 {
    (3 * pixels * size_of::<f32>()) as u64
}

/// Bytes of the pictures that a job was given and of what it makes of them at once.
fn given(job: &Stylize) -> u64 {
    let content = job.content.as_ref().map_or(0, |content| match content.alpha() {
        // With alpha, beside it a copy without.
        Some(_) => content.memory() + planes(content.width() * content.height()),
        None => content.memory(),
    });
    let style = job.style.as_ref().map_or(0, |style| planes(style.pixels()));
    let init = match &job.settings.init {
        Init::Picture(init) => init.memory(),
        _ => 0,
    };
    content + style + init
}

/// Bytes that a job takes for its objective at a size.
pub(super) fn of_objective(
    job: &Stylize,
    network: &Network,
    terms: &Terms,
    width: usize,
    height: usize,
) -> u64 {
    // The style's features are computed and dropped before the objective is made.
    let styles = job.style.as_ref().map_or_else(Vec::new, |style| style.sizes(width * height));
    let of_style = |(width, height): (usize, usize)| {
        planes(width * height) + network.features_bytes(&terms.style_taps(), terms.pooling, height, width)
    };
    let style = styles.into_iter().map(of_style).max().unwrap_or(0);
    let objective = Objective::bytes(network, terms, height, width).max(style);
    PROGRAM + network.bytes() + given(job) + planes(width * height) + objective
}

/// Bytes that a job takes at its last and largest scale, which is the most.
pub(super) fn of_run(job: &Stylize, network: &Network, terms: &Terms, width: usize, height: usize) -> u64 {
    // Steps and gradient changes of L-BFGS and what it holds at a time; or Adam's two means.
    let vectors = match job.settings.optimizer {
        Optimizer::Lbfgs => 2 * HISTORY as u64 + 12,
        Optimizer::Adam => 8,
    };
    of_objective(job, network, terms, width, height) + vectors * planes(width * height)
}
