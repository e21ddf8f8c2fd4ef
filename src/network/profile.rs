//! Where the time of an evaluation goes, layer by layer. Costs nothing when off.

use std::time::Instant;

/// A direction through the network.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// From the picture to the taps.
    Forward,
    /// From the taps to the picture.
    Backward,
}

/// One layer's times, a value an evaluation.
#[derive(Clone, Debug, Default)]
pub struct LayerTimes {
    /// The layer's name.
    pub name: String,
    /// How it is computed.
    pub algorithm: &'static str,
    /// Floating-point operations of one pass, by the layer's definition. Either direction has as many.
    pub flop: f64,
    /// Seconds of each forward pass.
    pub forward: Vec<f64>,
    /// Seconds of each backward pass.
    pub backward: Vec<f64>,
}

/// The times of all layers; see [`Plan::profile`](super::Plan::profile).
#[derive(Clone, Debug, Default)]
pub struct Profile {
    /// In forward order.
    pub layers: Vec<LayerTimes>,
}

impl Profile {
    /// Does `work`, and where there is a profile adds the time to that layer of it.
    pub(crate) fn time<R>(
        profile: &mut Option<Self>,
        layer: usize,
        direction: Direction,
        work: impl FnOnce() -> R,
    ) -> R {
        let Some(profile) = profile else { return work() };
        let start = Instant::now();
        let result = work();
        let times = &mut profile.layers[layer];
        match direction {
            Direction::Forward => times.forward.push(start.elapsed().as_secs_f64()),
            Direction::Backward => times.backward.push(start.elapsed().as_secs_f64()),
        }
        result
    }
}
