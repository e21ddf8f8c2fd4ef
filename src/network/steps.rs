//! The steps of a forward pass, each with its output's shape. Buffers are allocated, and memory is estimated, from this one
//! list.

use crate::layers::conv::edges::{self, Edges};
use crate::layers::conv::{Algorithm, Workspace};
use crate::layers::pool::Pooling;
use crate::layers::{GradientEpilogue, lrn, pool, relu};
use crate::tensor::{Band, FeatureMap};
use crate::vgg::{Layer, PICTURE_CHANNELS};

use super::Network;

/// Channels, height and width of a feature map.
pub(super) type Shape = (usize, usize, usize);

/// Bytes of a feature map.
pub(super) fn bytes_of((channels, height, width): Shape) -> u64 {
    FeatureMap::bytes_of(channels, height, width)
}

/// A feature map of zeros.
pub(super) fn map_of((channels, height, width): Shape) -> FeatureMap {
    FeatureMap::zeros(channels, height, width)
}

/// One step of a forward pass, whose output is the feature map of `layer`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Step {
    pub(super) layer: Layer,
    pub(super) operation: Operation,
    /// The output's shape.
    pub(super) shape: Shape,
}

impl Step {
    /// Whether it is a pool.
    pub(super) fn is_pool(&self) -> bool {
        matches!(self.operation, Operation::Pool { .. })
    }
}

/// The operation of a step.
#[derive(Clone, Copy, Debug)]
pub(super) enum Operation {
    /// The convolution of this index, with the fused ReLU if `relu`.
    Conv {
        index: usize,
        relu: bool,
    },
    Relu,
    Norm,
    /// The seam is that of its input, as in [`pool::forward`].
    Pool {
        pooling: Pooling,
        seam: Option<usize>,
    },
}

impl Network {
    /// The shape of the network's input for a picture of `height` by `width` pixels.
    pub(super) fn input_shape(height: usize, width: usize) -> Shape {
        (PICTURE_CHANNELS, height, width)
    }

    /// The steps up to the deepest of `taps` for a picture of `height` by `width` pixels. Each ReLU is fused with its
    /// convolution unless the convolution itself is a tap.
    pub(super) fn steps(&self, taps: &[Layer], pooling: Pooling, height: usize, width: usize) -> Vec<Step> {
        let deepest = taps.iter().max();
        let layers = self.layers.iter().take_while(|layer| deepest.is_some_and(|deepest| *layer <= deepest));
        let mut steps: Vec<Step> = Vec::new();
        let mut index = 0;
        for &layer in layers {
            let (channels, height, width) =
                steps.last().map_or(Self::input_shape(height, width), |step| step.shape);
            let (operation, shape) = match layer {
                Layer::Conv { .. } => {
                    let channels = self.convolutions[index].out_channels();
                    index += 1;
                    (Operation::Conv { index: index - 1, relu: false }, (channels, height, width))
                }
                Layer::Relu { .. } => {
                    if let Some(conv) = steps.last_mut()
                        && let Operation::Conv { relu, .. } = &mut conv.operation
                        && !taps.contains(&conv.layer)
                    {
                        (conv.layer, *relu) = (layer, true);
                        continue;
                    }
                    (Operation::Relu, (channels, height, width))
                }
                Layer::Norm => (Operation::Norm, (channels, height, width)),
                Layer::Pool { .. } => {
                    (Operation::Pool { pooling, seam: None }, (channels, height / 2, width / 2))
                }
            };
            steps.push(Step { layer, operation, shape });
        }
        steps
    }

    /// Bytes of the workspace: what the most demanding convolution among the steps needs.
    pub(super) fn workspace_bytes(&self, steps: &[Step]) -> u64 {
        let bytes = steps.iter().map(|step| match step.operation {
            Operation::Conv { index, .. } => {
                let (_, height, width) = step.shape;
                self.convolutions[index].pass_bytes(self.isa(), self.algorithm(index), height, width)
            }
            _ => 0,
        });
        bytes.max().unwrap_or(0)
    }

    /// Computes a step's output `y` from its input `x`, whose border it fills as `edges` says, and with the rows of the ranks
    /// that have those above and below the `band`.
    pub(super) fn forward_step(
        &self,
        step: &Step,
        (edges, band): (Edges, &Band),
        x: &mut FeatureMap,
        y: &mut FeatureMap,
        workspace: &mut Workspace,
    ) {
        match step.operation {
            Operation::Conv { index, relu } => {
                edges::forward(edges, index == 0, x);
                if self.convolutions[index].reach() > 0 {
                    band.exchange_border(x, edges == Edges::Wrap);
                }
                let algorithm = self.algorithm(index);
                self.convolutions[index].forward(x, y, relu, algorithm, workspace);
            }
            Operation::Relu => relu::forward(self.isa(), x, y),
            Operation::Norm => lrn::forward(x, y),
            Operation::Pool { pooling, seam } => pool::forward(self.isa(), pooling, seam, x, y),
        }
    }

    /// Computes the gradient with respect to a step's input from `dy`, that with respect to its output, and writes it through
    /// the epilogue over the input `x`. Fills the border of `dy` as `edges` says, and with the rows of the ranks that have those
    /// above and below the `band`.
    pub(super) fn backward_step(
        &self,
        step: &Step,
        (edges, band): (Edges, &Band),
        dy: &mut FeatureMap,
        x: &mut FeatureMap,
        epilogue: GradientEpilogue,
        workspace: &mut Workspace,
    ) {
        match step.operation {
            Operation::Conv { index, .. } => {
                let algorithm = match (edges, self.algorithm(index)) {
                    // The direct one does not read the border at the sides in its backward pass.
                    (Edges::Wrap, Algorithm::Direct) => Algorithm::Winograd,
                    (_, algorithm) => algorithm,
                };
                if edges == Edges::Wrap {
                    // The adjoint of a circular convolution is one.
                    dy.wrap_border();
                }
                if self.convolutions[index].reach() > 0 {
                    band.exchange_border(dy, edges == Edges::Wrap);
                }
                self.convolutions[index].backward(dy, x, epilogue, algorithm, workspace);
                if edges == Edges::Replicate && index == 0 {
                    // The picture is no tap and has no ReLU, so its epilogue is the identity.
                    edges::backward_replicated(&self.convolutions[index], dy, x, band.is_cut());
                }
            }
            Operation::Relu => relu::backward(self.isa(), dy, x, epilogue),
            Operation::Norm => lrn::backward(self.isa(), dy, x, epilogue),
            Operation::Pool { pooling, seam } => {
                pool::backward(self.isa(), pooling, seam, dy, x, epilogue);
            }
        }
    }
}
