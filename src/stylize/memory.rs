//! How much memory a job takes, computed from the same lists of buffers that are allocated, and how it keeps to its limit.

use std::sync::Arc;

use crate::error::Result;
use crate::loss::{Objective, Terms};
use crate::network::{Network, Passes};
use crate::optimize::{History, adam_bytes};
use crate::vgg::PICTURE_CHANNELS;

use super::checkpoint::Checkpoint;
use super::targets;
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

/// How much longer an evaluation may take in strips before fewer pairs are kept to give it more room. Pairs in 16-bit fixed
/// point lose nothing that was measured, so nothing is cut before they are tried.
fn accepted_cost(history: History) -> f64 {
    if history == HISTORIES[0] { 1.0 } else { 1.7 }
}

/// L-BFGS's histories, from the one that takes the most memory on. Ten pairs are within the 3 to 20 that Nocedal and Wright recommend
/// (Numerical Optimization, section 7.2). Each takes the memory of two pictures, in 16-bit fixed point that of one. After
/// 200 steps from coarse to fine the losses with fewer, and with those in fixed point, were measured to be within 2.3 % of each other,
/// in no order.
const HISTORIES: [History; 7] = [
    History::single(10),
    History::fixed16(10),
    History::fixed16(7),
    History::fixed16(5),
    History::fixed16(3),
    History::fixed16(2),
    History::fixed16(1),
];

/// How a job uses the memory there is.
#[derive(Clone, Copy, Debug)]
pub(super) struct Budget {
    /// Bytes that the process may take, from which the others follow.
    pub(super) available: u64,
    /// The estimated peak memory of the process in bytes.
    pub(super) needed: u64,
    /// Bytes for the maps of the network's passes.
    pub(super) room: u64,
    /// L-BFGS's.
    pub(super) history: History,
}

impl Budget {
    /// The network, whose passes keep to the room.
    pub(super) fn bound(self, network: Network) -> Arc<Network> {
        Arc::new(network.within(self.room))
    }
}

impl Stylize {
    /// The memory of the job's last scale, which needs the most, with its optimiser: where it doesn't fit into the limit with all
    /// maps and all of L-BFGS's history, with fewer.
    pub(super) fn budget_of_run(
        &self,
        network: &Network,
        terms: &Terms,
        (width, height): (usize, usize),
    ) -> Budget {
        let pixels = network.band(height).height() * width;
        // The mask, and the picture that is seen of the one that is optimised.
        let masked = self.placement.mask.as_ref().map_or(0, |_| plane(pixels) + planes(pixels));
        let available = self.available();
        let with_history = |history| {
            let optimizer = of_optimizer(self.settings.optimizer, history, pixels) + masked;
            self.budget(network, terms, (width, height), available, (history, optimizer))
        };
        let mut best: Option<(f64, Budget)> = None;
        // A job that goes on has the pairs that it had.
        let before = self.checkpointing.from.as_ref().map(Checkpoint::history);
        let histories = before.map_or_else(|| HISTORIES.to_vec(), |history| vec![history]);
        for &history in &histories {
            let (cost, budget) = with_history(history);
            if budget.needed > available {
                continue;
            }
            if cost <= accepted_cost(history) || self.settings.optimizer != Optimizer::Lbfgs {
                return budget;
            }
            if best.is_none_or(|(least, _)| cost < least) {
                best = Some((cost, budget));
            }
        }
        best.map_or_else(|| with_history(histories[histories.len() - 1]).1, |(_, budget)| budget)
    }

    /// The memory of the job's objective at this size and of a picture at which it is evaluated, without an optimiser.
    pub(super) fn budget_of_objective(
        &self,
        network: &Network,
        terms: &Terms,
        size: (usize, usize),
    ) -> Budget {
        self.budget(network, terms, size, self.available(), (HISTORIES[0], planes(size.0 * size.1))).1
    }

    /// The memory with an objective of this size, and with what takes `optimizer` bytes and is created after it, where `available`
    /// bytes may be taken; and how much longer an evaluation takes because of that.
    fn budget(
        &self,
        network: &Network,
        terms: &Terms,
        (width, height): (usize, usize),
        available: u64,
        (history, optimizer): (History, u64),
    ) -> (f64, Budget) {
        let size = (height, width);
        let regions = self.placement.region_count();
        let of_size = planes(width * height);
        // Where ranks share the picture, each has all of the content at this size, and of the result in the end.
        let copies_of_size = match &self.content {
            _ if !self.settings.ranks.is_alone() => 3,
            Some(content) if (content.width(), content.height()) != (width, height) => 1,
            _ => 0,
        };
        let kept = kept_targets(self, network, terms, (width, height));
        let fixed = PROGRAM + network.bytes() + pictures(self) + copies_of_size * of_size + kept;
        let beside = |in_parts| Objective::bytes_beside_maps(network, terms, size, regions, in_parts);
        let cut = |room| network.cut(&terms.taps(), terms.mode(), size, Passes::Both, room);
        let room = |in_parts| available.saturating_sub(fixed + beside(in_parts) + optimizer);
        let room = match cut(room(false)).is_cut() {
            true => room(true),
            false => room(false),
        };
        // The style's features are computed and dropped before the objective is created, so only the larger of the two counts. Until
        // then there is also the picture from which the optimiser starts.
        let copies = style_copies(self, width * height) + of_size;
        let room = room.min(available.saturating_sub(fixed + copies));
        let cut = cut(room);
        let objective = beside(cut.is_cut()) + cut.bytes(Passes::Both);
        let style = copies + of_style(self, network, terms, width * height, room);
        let most = style.max(objective + optimizer);
        let needed = self.settings.ranks.most(fixed + most);
        (cut.cost(network, Passes::Both), Budget { available, needed, room, history })
    }

    /// Bytes that the process may take. A job that goes on takes no more and no less than before, where it may choose: what is
    /// computed in strips depends on it in the last bits.
    fn available(&self) -> u64 {
        let before = self.checkpointing.from.as_ref().map(Checkpoint::memory);
        self.settings.memory_limit.or(before).unwrap_or_else(|| self.available_now())
    }

    /// Bytes that the process may take now. Ranks share their machine's, and decide alike.
    fn available_now(&self) -> u64 {
        let ranks = &self.settings.ranks;
        let available = || crate::memory::available() / ranks.count_of_machine() as u64;
        ranks.least(self.settings.memory_limit.unwrap_or_else(available))
    }

    /// Returns [`Error::OutOfMemory`] if the job needs more memory than its limit.
    pub(super) fn require_memory(&self, needed: u64, width: usize, height: usize) -> Result<()> {
        let available = self.available_now();
        if needed <= available {
            return Ok(());
        }
        // By default a style has as many pixels as the result.
        let largest = self.style_sizes()?.into_iter().max_by_key(|(width, height)| width * height);
        let (what, width, height) = match largest {
            Some((w, h)) if w * h > 2 * width * height => ("a style", w, h),
            // It does with less only under a limit of its own.
            _ if self.checkpointing.from.is_some() && self.settings.memory_limit.is_none() => {
                ("going on with a result", width, height)
            }
            _ => ("a result", width, height),
        };
        crate::memory::require_of(available, what, needed, width, height)
    }
}

/// Bytes of an optimiser of a picture of so many pixels.
fn of_optimizer(optimizer: Optimizer, history: History, pixels: usize) -> u64 {
    let variables = (PICTURE_CHANNELS * pixels) as u64;
    match optimizer {
        Optimizer::Lbfgs => history.bytes(variables),
        Optimizer::Adam => adam_bytes(variables),
    }
}

/// Bytes of the style's targets that are kept for later jobs, those of all scales.
fn kept_targets(job: &Stylize, network: &Network, terms: &Terms, (width, height): (usize, usize)) -> u64 {
    let Some(style) = &job.style else { return 0 };
    let of_scale = match job.placement.region_count() {
        0 => 1,
        regions => regions.max(style.len()),
    };
    let targets = (job.schedule(terms, width, height).len() * of_scale).min(targets::MOST) as u64;
    let channels = network.tap_channels(&terms.style_taps());
    targets * channels.into_iter().map(|n| ((n + 1) * n * size_of::<f32>()) as u64).sum::<u64>()
}

/// Bytes of the copy of the largest style picture, and of its regions, at the size at which it is used for a result of `pixels`
/// pixels.
fn style_copies(job: &Stylize, pixels: usize) -> u64 {
    let regions = job.placement.region_count() as u64;
    let bytes = |(width, height): (usize, usize)| planes(width * height) + regions * plane(width * height);
    style_sizes(job, pixels).into_iter().map(bytes).max().unwrap_or(0)
}

/// Peak bytes of the passes over the largest style picture, whose maps may take `room` bytes.
fn of_style(job: &Stylize, network: &Network, terms: &Terms, pixels: usize, room: u64) -> u64 {
    let (taps, mode) = (terms.style_taps(), terms.mode().of_style());
    let bytes = |(width, height): (usize, usize)| {
        network.cut(&taps, mode, (height, width), Passes::Forward, room).bytes(Passes::Forward)
    };
    style_sizes(job, pixels).into_iter().map(bytes).max().unwrap_or(0)
}

/// Width and height at which each style picture is used for a result of `pixels` pixels.
fn style_sizes(job: &Stylize, pixels: usize) -> Vec<(usize, usize)> {
    job.style.as_ref().map_or_else(Vec::new, |style| style.sizes(pixels, pixels))
}
