//! The time of each step of an evaluation. Costs nothing when off.

use std::time::Instant;

use crate::parallel::trace::{self, Kind};

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
    /// Channels, height and width of the output.
    pub shape: (usize, usize, usize),
    /// Bytes that a forward pass has to read and write: input, weights and output, each once.
    pub forward_bytes: f64,
    /// Bytes that a backward pass has to read and write: the gradients of output and input, the weights, and the input itself where
    /// its gradient depends on it, each once.
    pub backward_bytes: f64,
    /// Seconds of each forward pass; of a layer in strips, with the second one.
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
    /// Begins an evaluation.
    pub(crate) fn start_evaluation(&mut self) {
        for layer in &mut self.layers {
            layer.forward.push(0.0);
            layer.backward.push(0.0);
        }
    }

    /// Runs `work` and, if there is a profile, adds its time to that of `layer` in this evaluation.
    pub(crate) fn time<R>(
        profile: &mut Option<Self>,
        layer: usize,
        direction: Direction,
        work: impl FnOnce() -> R,
    ) -> R {
        let Some(profile) = profile else { return work() };
        let times = &mut profile.layers[layer];
        let kind = match direction {
            Direction::Forward => Kind::Forward,
            Direction::Backward => Kind::Backward,
        };
        let start = Instant::now();
        let result = trace::span(kind, || times.name.clone(), work);
        let times = match direction {
            Direction::Forward => &mut times.forward,
            Direction::Backward => &mut times.backward,
        };
        *times.last_mut().expect("an evaluation has begun") += start.elapsed().as_secs_f64();
        result
    }
}
