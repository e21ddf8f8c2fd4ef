//! A VGG with its weights: the forward pass to the loss's taps, and the backward pass to the picture.

mod compute;
mod mode;
mod plan;
mod preprocess;
pub mod profile;
mod steps;

use ndarray::ArrayView3;
use rayon::prelude::*;

use crate::error::{Error, Result};
use crate::layers::conv::{Algorithm, Conv, Workspace};
use crate::layers::pool::Pooling;
use crate::simd::Isa;
use crate::tensor::FeatureMap;
use crate::vgg::{Architecture, Layer, Preprocessing};
use crate::weights::Weights;

pub use compute::{Compute, Convolution};
pub use mode::Mode;
pub use plan::Plan;

use steps::{bytes_of, map_of};

/// A network's convolutions, ready to run. Weights of type F32 are used in the memory of the file, without a copy.
pub struct Network {
    architecture: Architecture,
    preprocessing: Preprocessing,
    compute: Compute,
    layers: Vec<Layer>,
    convolutions: Vec<Conv>,
}

impl Network {
    /// Loads the convolutions up to the layer `deepest`, and checks that their weights are finite.
    ///
    /// # Errors
    /// [`Error::UnknownLayer`] if the network has no layer `deepest`; [`Error::Weights`] if a weight is not finite, or the
    /// file ends before `deepest`.
    pub fn load(weights: &Weights, compute: impl Into<Compute>, deepest: Layer) -> Result<Self> {
        weights.layer(&deepest.to_string())?;
        let layers: Vec<_> = weights.layers().into_iter().take_while(|layer| *layer <= deepest).collect();
        let convolutions: Vec<_> =
            weights.convolutions().take_while(|convolution| convolution.layer() <= deepest).collect();
        let convolutions = convolutions
            .par_iter()
            .map(|convolution| {
                let tensors =
                    weights.convolution(convolution).expect("the listed convolutions are in the file");
                let &[out_channels, in_channels, kernel, _] = tensors.weight.shape else {
                    unreachable!("kernels are checked on opening to have four dimensions")
                };
                let (weight, bias) = (weights.values(&tensors.weight)?, weights.values(&tensors.bias)?);
                Ok(Conv::new([out_channels, in_channels, kernel], weight, &bias))
            })
            .collect::<Result<Vec<_>>>()?;
        Ok(Self {
            architecture: weights.architecture(),
            preprocessing: weights.preprocessing(),
            compute: compute.into(),
            layers,
            convolutions,
        })
    }

    /// Which network of the VGG paper's table it is.
    pub fn architecture(&self) -> Architecture {
        self.architecture
    }

    /// The preprocessing from a picture to the network's input.
    pub fn preprocessing(&self) -> Preprocessing {
        self.preprocessing
    }

    /// The instruction set on which it runs.
    pub fn isa(&self) -> Isa {
        self.compute.isa
    }

    /// The instruction set and the convolution algorithm.
    pub fn compute(&self) -> Compute {
        self.compute
    }

    /// The loaded layers, in forward order.
    pub fn layers(&self) -> &[Layer] {
        &self.layers
    }

    /// Bytes of the weights.
    pub fn bytes(&self) -> u64 {
        self.convolutions.iter().map(Conv::bytes).sum()
    }

    /// The features of `picture` (3×H×W, RGB in 0–1) at the layers `taps`, in forward order. Memory holds only the maps of
    /// `taps` and the input and output of the current step.
    ///
    /// # Errors
    /// [`Error::TooSmall`] if a tap would have no positions.
    pub fn features(
        &self,
        picture: ArrayView3<f32>,
        taps: &[Layer],
        mode: impl Into<Mode>,
    ) -> Result<Vec<(Layer, FeatureMap)>> {
        let Mode { pooling, edges } = mode.into();
        let (_, height, width) = picture.dim();
        check_size("the picture", taps, height, width)?;
        let mut input = map_of(Self::input_shape(height, width));
        preprocess::forward(self.preprocessing, picture, &mut input);
        let mut features = Vec::new();
        let mut workspace = Workspace::new(self.isa());
        let mut current = (None, input);
        for step in self.steps(taps, pooling, height, width) {
            let mut next = map_of(step.shape);
            self.forward_step(&step, edges, &mut current.1, &mut next, &mut workspace);
            let (layer, map) = std::mem::replace(&mut current, (Some(step.layer), next));
            features.extend(layer.filter(|layer| taps.contains(layer)).map(|layer| (layer, map)));
        }
        features.extend(current.0.map(|layer| (layer, current.1)));
        Ok(features)
    }

    /// Peak bytes of [`Network::features`] for a picture of `height` by `width` pixels.
    pub fn features_bytes(&self, taps: &[Layer], pooling: Pooling, height: usize, width: usize) -> u64 {
        let steps = self.steps(taps, pooling, height, width);
        let mut current = bytes_of(Self::input_shape(height, width));
        let (mut kept, mut most) = (0, current);
        for step in &steps {
            let next = bytes_of(step.shape);
            most = most.max(kept + current + next);
            // A tap stays in memory anyway, so it is not counted as the current map as well.
            (kept, current) = if taps.contains(&step.layer) { (kept + next, 0) } else { (kept, next) };
        }
        most + self.workspace_bytes(&steps)
    }

    /// Bytes of the maps at the layers `taps`.
    pub fn tap_bytes(&self, taps: &[Layer], pooling: Pooling, height: usize, width: usize) -> u64 {
        let steps = self.steps(taps, pooling, height, width);
        steps.iter().filter(|step| taps.contains(&step.layer)).map(|step| bytes_of(step.shape)).sum()
    }

    /// Channels of the layers `taps`.
    pub fn tap_channels(&self, taps: &[Layer]) -> Vec<usize> {
        let steps = self.steps(taps, Pooling::Max, 0, 0);
        steps.iter().filter(|step| taps.contains(&step.layer)).map(|step| step.shape.0).collect()
    }

    /// The algorithm for the convolution of this index. Winograd was measured to be faster than im2col at all of VGG-19's
    /// shapes, from 64² to 2048² pixels (Zen 5, two cores, AVX-512 and AVX2): it does a quarter of the multiplications,
    /// which at all but the smallest maps outweighs its transforms.
    fn algorithm(&self, index: usize) -> Algorithm {
        let convolution = &self.convolutions[index];
        let preferred: &[_] = match self.compute.convolution {
            Convolution::Auto => &[Algorithm::Direct, Algorithm::Winograd],
            Convolution::Im2col => &[],
            Convolution::Winograd => &[Algorithm::Winograd],
        };
        preferred
            .iter()
            .copied()
            .find(|algorithm| convolution.allows(*algorithm))
            .unwrap_or(Algorithm::Im2col)
    }
}

/// Checks that each of the `taps` has at least one position for a picture of `height` by `width` pixels. `what` names the
/// picture in the error.
///
/// # Errors
/// [`Error::TooSmall`] if one has none.
pub fn check_size(what: &str, taps: &[Layer], height: usize, width: usize) -> Result<()> {
    let deepest = taps.iter().max_by_key(|layer| layer.min_side());
    match deepest {
        Some(layer) if height.min(width) < layer.min_side() => Err(Error::TooSmall {
            what: what.to_owned(),
            width,
            height,
            layer: layer.to_string(),
            min_side: layer.min_side(),
        }),
        _ => Ok(()),
    }
}
