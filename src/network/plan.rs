//! The buffers of an evaluation, and the forward and backward passes that use them.

use std::ops::ControlFlow;

use ndarray::{ArrayView3, ArrayViewMut3};

use crate::error::Result;
use crate::layers::TapGradient;
use crate::layers::conv::edges::Edges;
use crate::layers::conv::{Algorithm, Workspace};
use crate::layers::pool::Pooling;
use crate::parallel::cancel::Cancel;
use crate::tensor::{Band, FeatureMap, Part};
use crate::vgg::{Layer, PICTURE_CHANNELS};

use super::chain::{Chain, Pass};
use super::cut::{Cut, Passes};
use super::profile::{LayerTimes, Profile};
use super::steps::{Operation, Shape, Step, map_of};
use super::strips::Strips;
use super::{Mode, Network, check_size, preprocess};

/// The buffers of an evaluation for one picture size: one feature map per step, but for the steps that are evaluated in
/// strips of rows. After the forward pass a map holds its step's features; the backward pass overwrites them with the gradient
/// with respect to them.
pub struct Plan {
    /// This rank's rows of the picture.
    band: Band,
    width: usize,
    taps: Vec<Layer>,
    edges: Edges,
    steps: Vec<Step>,
    strips: Vec<Strips>,
    /// The network's input, or the output of each group of strips.
    inputs: Vec<FeatureMap>,
    /// The layer of the last of `inputs`; `None` for the network's input.
    of_tail: Option<Layer>,
    tail: Chain,
    workspace: Workspace,
    profile: Option<Profile>,
}

impl Plan {
    /// Buffers for pictures of `height` by `width` pixels and a loss that depends on the layers `taps`. They are as many as fit
    /// in the network's [room](Network::within).
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
        let mode = mode.into();
        let Cut { steps, strips, inputs, tail, .. } =
            network.cut(taps, mode, (height, width), Passes::Both, network.room);
        Ok(Self {
            band: network.band(height),
            width,
            taps: taps.to_vec(),
            edges: mode.edges,
            of_tail: inputs.last().and_then(|(_, layer)| *layer),
            inputs: inputs.into_iter().map(|(shape, _)| map_of(shape)).collect(),
            tail: Chain::new(steps[tail.clone()].to_vec(), tail.start),
            steps,
            strips,
            workspace: Workspace::new(network.isa()),
            profile: None,
        })
    }

    /// Starts to measure the time of each step.
    pub fn start_profile(&mut self, network: &Network) {
        let (height, width) = (self.band.height(), self.width);
        let mut before = (Network::input_shape(height, width), None);
        let layers = self.steps.iter().map(|step| {
            let (_, height, width) = step.shape;
            let [forward_bytes, backward_bytes] = self.bytes_of_passes(network, step, before);
            before = (step.shape, Some(step));
            let (algorithm, flop) = match step.operation {
                Operation::Conv { index, .. } => {
                    let algorithm = match network.algorithm(index) {
                        Algorithm::Im2col => "im2col",
                        Algorithm::Winograd => "winograd",
                        Algorithm::WinogradBf16 => "winograd bf16",
                        Algorithm::Direct => "direct",
                    };
                    (algorithm, network.convolutions[index].flop(height * width))
                }
                Operation::Pool { pooling: Pooling::Max, .. } => ("max", 0.0),
                Operation::Pool { pooling: Pooling::Average, .. } => ("average", 0.0),
                Operation::Relu | Operation::Norm => ("elementwise", 0.0),
            };
            LayerTimes {
                name: step.layer.to_string(),
                algorithm,
                flop,
                shape: step.shape,
                forward_bytes,
                backward_bytes,
                ..LayerTimes::default()
            }
        });
        self.profile = Some(Profile { layers: layers.collect() });
    }

    /// Bytes that a step's forward and backward pass have to read and write, each value once, where `input` is the shape that it
    /// reads, and the step that this is the output of.
    fn bytes_of_passes(
        &self,
        network: &Network,
        step: &Step,
        (input, producer): (Shape, Option<&Step>),
    ) -> [f64; 2] {
        let bytes = |(channels, height, width): Shape| (channels * height * width * size_of::<f32>()) as f64;
        let (input, output) = (bytes(input), bytes(step.shape));
        let weights = match step.operation {
            Operation::Conv { index, .. } => network.convolutions[index].bytes() as f64,
            _ => 0.0,
        };
        // The features that the gradient is written over are read for a ReLU's mask, for the loss at a tap, and by all layers that
        // are no linear functions of them.
        let is_linear = matches!(
            step.operation,
            Operation::Conv { .. } | Operation::Pool { pooling: Pooling::Average, .. }
        );
        let is_read = producer.is_some_and(|producer| {
            matches!(producer.operation, Operation::Conv { relu: true, .. })
                || self.taps.contains(&producer.layer)
        });
        let features = if is_read || !is_linear { input } else { 0.0 };
        [input + weights + output, output + weights + features + input]
    }

    /// The times measured since [`Plan::start_profile`]; `None` if it was not called.
    pub fn profile(&self) -> Option<&Profile> {
        self.profile.as_ref()
    }

    /// Computes the features of `picture`, 3×H×W, RGB in 0–1, of which it has this rank's rows, and shows `visit` those of the
    /// taps, in parts or whole. Breaks between two steps once `cancel` is set.
    ///
    /// # Panics
    /// If the picture is not of the plan's width, or has not this rank's rows.
    pub fn forward(
        &mut self,
        network: &Network,
        picture: ArrayView3<f32>,
        cancel: &Cancel,
        visit: &mut dyn FnMut(Layer, Part),
    ) -> ControlFlow<()> {
        assert_eq!(picture.dim(), (PICTURE_CHANNELS, self.band.height(), self.width));
        if let Some(profile) = &mut self.profile {
            profile.start_evaluation();
        }
        let Self { taps, edges, band, strips, inputs, tail, workspace, profile, .. } = self;
        let mut pass = Pass { network, edges: *edges, taps, band, workspace, profile, cancel };
        if strips.is_empty() {
            preprocess::forward(network.preprocessing(), picture, &mut inputs[0]);
        }
        for (at, strips) in strips.iter().enumerate() {
            let (before, from) = inputs.split_at_mut(at);
            strips.forward(&mut pass, picture, before.last(), &mut from[0], visit)?;
        }
        let input = inputs.last_mut().expect("there is an input");
        tail.forward(&mut pass, input, tail.steps().len())?;
        for (step, map) in tail.steps().iter().zip(tail.maps()) {
            if taps.contains(&step.layer) {
                visit(step.layer, Part::whole(map));
            }
        }
        ControlFlow::Continue(())
    }

    /// Computes the gradient of a loss with respect to the `picture`, 3×H×W, RGB in 0–1, and writes it to `gradient`. The
    /// gradient of the loss with respect to the features of a tap is `tap(layer)`, whole. Breaks between two steps once
    /// `cancel` is set. Must follow [`Plan::forward`] with the same picture.
    ///
    /// # Panics
    /// If `gradient` is not contiguous, or a tap's gradient is not of the tap's shape.
    pub fn backward<'t>(
        &mut self,
        network: &Network,
        picture: ArrayView3<f32>,
        tap: &dyn Fn(Layer) -> TapGradient<'t>,
        mut gradient: ArrayViewMut3<f32>,
        cancel: &Cancel,
    ) -> ControlFlow<()> {
        let Self { taps, edges, band, strips, inputs, of_tail, tail, workspace, profile, .. } = self;
        let mut pass = Pass { network, edges: *edges, taps, band, workspace, profile, cancel };
        let input = inputs.last_mut().expect("there is an input");
        tail.backward(&mut pass, input, *of_tail, true, tap)?;
        for (at, strips) in strips.iter().enumerate().rev() {
            let (before, from) = inputs.split_at_mut(at);
            strips.backward(&mut pass, picture, before.last_mut(), &from[0], gradient.view_mut(), tap)?;
        }
        if strips.is_empty() {
            let (rows, preprocessing) = (0..self.band.height(), network.preprocessing());
            preprocess::backward(preprocessing, &inputs[0], rows, 0, gradient);
        }
        ControlFlow::Continue(())
    }
}
