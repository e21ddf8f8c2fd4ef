//! The time of each step of an evaluation. Costs nothing when off.

use std::time::Instant;

/// The direction of a pass through the network.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// From the picture to the taps.
    Forward,
    /// From the taps to the picture.
    Backward,
}

/// The times of one step, a convolution with its fused ReLU or another layer: one value per evaluation.
#[derive(Clone, Debug, Default)]
pub struct LayerTimes {
    /// The name of the layer that the step outputs.
    pub name: String,
    /// The algorithm's name.
    pub algorithm: &'static str,
    /// Floating-point operations of one pass in either direction, by the convolution's definition; 0 for other layers.
    pub flop: f64,
    /// Seconds of each forward pass.
    pub forward: Vec<f64>,
    /// Seconds of each backward pass.
    pub backward: Vec<f64>,
}

/// The times of all steps; see [`Plan::profile`](super::Plan::profile).
#[derive(Clone, Debug, Default)]
pub struct Profile {
    /// In forward order.
    pub layers: Vec<LayerTimes>,
}

impl Profile {
    /// Runs `work` and, if there is a profile, adds its time to `layer`.
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
