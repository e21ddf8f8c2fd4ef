//! A VGG with its weights: the forward pass to the loss's taps, and the backward pass to the picture.

mod chain;
mod compute;
mod cut;
mod mode;
mod plan;
mod preprocess;
pub mod profile;
mod steps;
mod strip;
mod strips;

use std::ops::ControlFlow;

use ndarray::ArrayView3;
use rayon::prelude::*;

use crate::error::{Error, Result};
use crate::layers::conv::{Algorithm, Conv, Workspace};
use crate::layers::pool::Pooling;
use crate::parallel::cancel::Cancel;
use crate::parallel::ranks::Ranks;
use crate::simd::Isa;
use crate::tensor::{Band, FeatureMap, Part};
use crate::vgg::{Architecture, Layer, Preprocessing};
use crate::weights::Weights;

pub use compute::{Compute, Convolution, Precision};
pub use cut::{Cut, Passes};
pub use mode::Mode;
pub use plan::Plan;

use chain::Pass;
use steps::{bytes_of, map_of};

/// A network's convolutions, ready to run. Weights of type F32 are used in the memory of the file, without a copy.
pub struct Network {
    architecture: Architecture,
    preprocessing: Preprocessing,
    compute: Compute,
    layers: Vec<Layer>,
    convolutions: Vec<Conv>,
    /// Bytes that the maps of a pass may take.
    room: u64,
    ranks: Ranks,
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
            room: u64::MAX,
            ranks: Ranks::default(),
        })
    }

    /// The same network, whose passes take at most `room` bytes for feature maps and workspace, or what they take at least:
    /// where all maps don't fit, they are computed in strips.
    #[must_use]
    pub fn within(self, room: u64) -> Self {
        Self { room, ..self }
    }

    /// The same network, whose pictures these ranks share. Their bands are never computed in strips.
    #[must_use]
    pub fn among(self, ranks: Ranks) -> Self {
        Self { ranks, ..self }
    }

    /// The ranks that share its pictures.
    pub fn ranks(&self) -> &Ranks {
        &self.ranks
    }

    /// This rank's band of a picture of `height` rows.
    pub fn band(&self, height: usize) -> Band {
        Band::of(&self.ranks, height, self.layers.iter().map(|layer| layer.stride()).max().unwrap_or(1))
    }

    /// The bytes that the maps of a pass may take.
    pub fn room(&self) -> u64 {
        self.room
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

    /// The features of this rank's rows of `picture` (3×H×W, RGB in 0–1) at the layers `taps`, in forward order.
    ///
    /// # Errors
    /// [`Error::TooSmall`] if a tap would have no positions.
    pub fn features(
        &self,
        picture: ArrayView3<f32>,
        taps: &[Layer],
        mode: impl Into<Mode>,
    ) -> Result<Vec<(Layer, FeatureMap)>> {
        let mode = mode.into();
        let (_, height, width) = picture.dim();
        let steps = self.steps(taps, mode.pooling, self.band(height).height(), width).into_iter();
        let mut features: Vec<_> = steps
            .filter(|step| taps.contains(&step.layer))
            .map(|step| (step.layer, map_of(step.shape)))
            .collect();
        self.visit(picture, taps, mode, |layer, part| {
            let map = features.iter_mut().find(|(tap, _)| *tap == layer);
            let (_, map) = map.expect("taps have steps");
            map.copy_rows(part.rows_of_layer().start, part.map, part.rows);
        })?;
        Ok(features)
    }

    /// Computes the features of this rank's rows of `picture` (3×H×W, RGB in 0–1), and shows `visit` those of the layers `taps`,
    /// in parts or whole. They are forgotten as soon as the next layer is known.
    ///
    /// # Errors
    /// [`Error::TooSmall`] if a tap would have no positions.
    pub fn visit(
        &self,
        picture: ArrayView3<f32>,
        taps: &[Layer],
        mode: impl Into<Mode>,
        mut visit: impl FnMut(Layer, Part),
    ) -> Result<()> {
        let mode = mode.into();
        let (_, height, width) = picture.dim();
        check_size("the picture", taps, height, width)?;
        let cut = self.cut(taps, mode, (height, width), Passes::Forward, self.room);
        let (mut workspace, mut profile) = (Workspace::new(self.isa()), None);
        let (edges, cancel, band) = (mode.edges, &Cancel::new(), &self.band(height));
        let mut pass = Pass {
            network: self,
            edges,
            taps,
            band,
            workspace: &mut workspace,
            profile: &mut profile,
            cancel,
        };
        let picture = band.of_planes(picture);
        let mut input: Option<FeatureMap> = None;
        for (strips, (shape, _)) in cut.strips.iter().zip(&cut.inputs) {
            let mut output = map_of(*shape);
            let flow = strips.forward(&mut pass, picture, input.as_ref(), &mut output, &mut visit);
            debug_assert_eq!(flow, ControlFlow::Continue(()), "nobody cancels it");
            input = Some(output);
        }
        let mut current = input.unwrap_or_else(|| {
            let mut input = map_of(Self::input_shape(band.height(), width));
            preprocess::forward(self.preprocessing, picture, &mut input);
            input
        });
        for step in &cut.steps[cut.tail.clone()] {
            let mut next = map_of(step.shape);
            self.forward_step(step, (edges, band), &mut current, &mut next, &mut workspace);
            if taps.contains(&step.layer) {
                visit(step.layer, Part::whole(&next));
            }
            current = next;
        }
        Ok(())
    }

    /// Peak bytes of [`Network::features`] for a picture of `height` by `width` pixels.
    pub fn features_bytes(&self, taps: &[Layer], mode: impl Into<Mode>, height: usize, width: usize) -> u64 {
        let mode = mode.into();
        let cut = self.cut(taps, mode, (height, width), Passes::Forward, self.room);
        cut.bytes(Passes::Forward) + self.tap_bytes(taps, mode.pooling, height, width)
    }

    /// Bytes of this rank's maps at the layers `taps`, whole.
    pub fn tap_bytes(&self, taps: &[Layer], pooling: Pooling, height: usize, width: usize) -> u64 {
        let steps = self.steps(taps, pooling, self.band(height).height(), width);
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
        let winograd = match self.compute.precision {
            Precision::F32 => Algorithm::Winograd,
            Precision::Bf16 => Algorithm::WinogradBf16,
        };
        let preferred: &[_] = match self.compute.convolution {
            Convolution::Auto => &[Algorithm::Direct, winograd],
            Convolution::Im2col => &[],
            Convolution::Winograd => &[winograd],
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
