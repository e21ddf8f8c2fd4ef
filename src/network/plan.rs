//! The buffers of an evaluation, and the forward and backward passes that use them.

use std::ops::ControlFlow;

use ndarray::{ArrayView3, ArrayViewMut3};

use crate::error::Result;
use crate::layers::conv::edges::Edges;
use crate::layers::conv::{Algorithm, Workspace};
use crate::layers::pool::Pooling;
use crate::layers::{GradientEpilogue, TapGradient};
use crate::parallel::cancel::Cancel;
use crate::tensor::FeatureMap;
use crate::vgg::{Layer, PICTURE_CHANNELS};

use super::profile::{Direction, LayerTimes, Profile};
use super::steps::{Operation, Step, bytes_of, map_of};
use super::{Mode, Network, check_size, preprocess};

/// The buffers of an evaluation for one picture size: one feature map per step. After the forward pass it holds the step's
/// features; the backward pass overwrites them with the gradient with respect to them.
pub struct Plan {
    taps: Vec<Layer>,
    edges: Edges,
    steps: Vec<Step>,
    input: FeatureMap,
    maps: Vec<FeatureMap>,
    workspace: Workspace,
    profile: Option<Profile>,
}

impl Plan {
    /// Buffers for pictures of `height` by `width` pixels and a loss that depends on the layers `taps`.
    ///
    /// # Errors
    /// [`Error::TooSmall`](crate::Error::TooSmall) if a tap would have no positions.
    pub fn new(
        network: &Network,
        taps: &[Layer],
        mode: impl Into<Mode>,
        height: usize,
        width: usize,
    ) -> Result<Self> {
        check_size("the picture", taps, height, width)?;
        let Mode { pooling, edges } = mode.into();
        let steps = network.steps(taps, pooling, height, width);
        Ok(Self {
            taps: taps.to_vec(),
            edges,
            input: map_of(Network::input_shape(height, width)),
            maps: steps.iter().map(|step| map_of(step.shape)).collect(),
            steps,
            workspace: Workspace::new(network.isa()),
            profile: None,
        })
    }

    /// Bytes of the buffers of such a plan, without creating it.
    pub fn bytes(network: &Network, taps: &[Layer], pooling: Pooling, height: usize, width: usize) -> u64 {
        let steps = network.steps(taps, pooling, height, width);
        let maps: u64 = steps.iter().map(|step| bytes_of(step.shape)).sum();
        bytes_of(Network::input_shape(height, width)) + maps + network.workspace_bytes(&steps)
    }

    /// Starts to measure the time of each step.
    pub fn start_profile(&mut self, network: &Network) {
        let layers = self.steps.iter().map(|step| {
            let (_, height, width) = step.shape;
            let (algorithm, flop) = match step.operation {
                Operation::Conv { index, .. } => {
                    let algorithm = match network.algorithm(index) {
                        Algorithm::Im2col => "im2col",
                        Algorithm::Winograd => "winograd",
                        Algorithm::Direct => "direct",
                    };
                    (algorithm, network.convolutions[index].flop(height * width))
                }
                Operation::Pool(Pooling::Max) => ("max", 0.0),
                Operation::Pool(Pooling::Average) => ("average", 0.0),
                Operation::Relu | Operation::Norm => ("elementwise", 0.0),
            };
            LayerTimes { name: step.layer.to_string(), algorithm, flop, ..LayerTimes::default() }
        });
        self.profile = Some(Profile { layers: layers.collect() });
    }

    /// The times measured since [`Plan::start_profile`]; `None` if it was not called.
    pub fn profile(&self) -> Option<&Profile> {
        self.profile.as_ref()
    }

    /// Computes the features of `picture`, 3×H×W, RGB in 0–1. Breaks between two steps once `cancel` is set.
    ///
    /// # Panics
    /// If the picture is not of the plan's size.
    pub fn forward(
        &mut self,
        network: &Network,
        picture: ArrayView3<f32>,
        cancel: &Cancel,
    ) -> ControlFlow<()> {
        assert_eq!(picture.dim(), (PICTURE_CHANNELS, self.input.height(), self.input.width()));
        preprocess::forward(network.preprocessing(), picture, &mut self.input);
        for (at, step) in self.steps.iter().enumerate() {
            if cancel.is_cancelled() {
                return ControlFlow::Break(());
            }
            let (before, from) = self.maps.split_at_mut(at);
            let x = before.last_mut().unwrap_or(&mut self.input);
            Profile::time(&mut self.profile, at, Direction::Forward, || {
                network.forward_step(step, self.edges, x, &mut from[0], &mut self.workspace);
            });
        }
        ControlFlow::Continue(())
    }

    /// The features at a tap, after [`Plan::forward`] and before [`Plan::backward`].
    ///
    /// # Panics
    /// If `layer` is not a tap of the plan.
    pub fn features(&self, layer: Layer) -> &FeatureMap {
        assert!(self.taps.contains(&layer), "{layer} is not a tap");
        let at = self.steps.iter().position(|step| step.layer == layer).expect("taps have steps");
        &self.maps[at]
    }

    /// Computes the gradient of a loss with respect to the picture, 3×H×W, RGB in 0–1, and writes it to `gradient`. The
    /// gradient of the loss with respect to the features of a tap is `tap(layer)`. Breaks between two steps once `cancel` is
    /// set. Must follow [`Plan::forward`].
    ///
    /// # Panics
    /// If `gradient` is not contiguous, or a tap's gradient is not of the tap's shape.
    pub fn backward<'t>(
        &mut self,
        network: &Network,
        tap: impl Fn(Layer) -> TapGradient<'t>,
        gradient: ArrayViewMut3<f32>,
        cancel: &Cancel,
    ) -> ControlFlow<()> {
        // Map `at` is the output of step `at` and the input of step `at` + 1. Going backward, step `at` reads the gradient
        // in map `at` and overwrites its input, map `at` − 1, with the gradient with respect to it.
        for at in (0..=self.steps.len()).rev() {
            if cancel.is_cancelled() {
                return ControlFlow::Break(());
            }
            let (before, from) = self.maps.split_at_mut(at);
            let (x, layer, relu) = match before.last_mut() {
                Some(map) => {
                    let Step { layer, operation, .. } = self.steps[at - 1];
                    (map, Some(layer), matches!(operation, Operation::Conv { relu: true, .. }))
                }
                None => (&mut self.input, None, false),
            };
            let tapped = layer.filter(|layer| self.taps.contains(layer));
            let epilogue = GradientEpilogue { tap: tapped.map_or_else(TapGradient::default, &tap), relu };
            match (self.steps.get(at), from.first_mut()) {
                (Some(step), Some(dy)) => Profile::time(&mut self.profile, at, Direction::Backward, || {
                    network.backward_step(step, self.edges, dy, x, epilogue, &mut self.workspace);
                }),
                // No step follows the deepest tap.
                _ => epilogue.write_deepest(network.isa(), x),
            }
        }
        preprocess::backward(network.preprocessing(), &self.input, gradient);
        ControlFlow::Continue(())
    }
}
