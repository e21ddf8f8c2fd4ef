//! Runs a VGG forward to the taps and backward to the picture.

pub mod profile;

use std::borrow::Cow;

use ndarray::{ArrayView3, ArrayViewMut3};
use rayon::prelude::*;

use crate::error::{Error, Result};
use crate::layers::conv::{Algorithm, Conv, Workspace};
use crate::layers::pool::Pooling;
use crate::layers::{Finish, Tap, lrn, pool, relu};
use crate::named::named;
use crate::parallel::team;
use crate::simd::Isa;
use crate::tensor::FeatureMap;
use crate::tensor::feature_map::BLOCK;
use crate::tensor::tiles::Cut;
use crate::vgg::{Architecture, Layer, PICTURE_CHANNELS, Preprocessing};
use crate::weights::{Tensor, Weights};
use profile::{LayerTimes, Pass, Profile};

/// A network's convolutions, ready to run, with their weights where they lie: mapped from the file where they are F32.
pub struct Network<'w> {
    architecture: Architecture,
    preprocessing: Preprocessing,
    isa: Isa,
    layers: Vec<Layer>,
    convolutions: Vec<Conv<'w>>,
    convolution: Convolution,
}

/// What a network is computed with.
#[derive(Clone, Copy, Debug)]
pub struct Compute {
    /// The instruction set.
    pub isa: Isa,
    /// How convolutions are computed.
    pub convolution: Convolution,
}

impl Default for Compute {
    fn default() -> Self {
        Isa::best().into()
    }
}

impl From<Isa> for Compute {
    fn from(isa: Isa) -> Self {
        Self { isa, convolution: Convolution::Auto }
    }
}

/// How convolutions are computed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Convolution {
    /// Each as is fastest for its shape.
    #[default]
    Auto,
    /// All as products with patch matrices.
    Im2col,
    /// All with 3×3 kernels by Winograd's minimal filtering.
    Winograd,
}

named!(Convolution { Auto => "auto", Im2col => "im2col", Winograd => "winograd" });

/// One step of a forward pass. Its output is a map of the layer `layer`.
#[derive(Clone, Copy, Debug)]
struct Step {
    layer: Layer,
    operation: Operation,
}

#[derive(Clone, Copy, Debug)]
enum Operation {
    /// The convolution of this number, with the ReLU behind it where `relu`.
    Conv {
        number: usize,
        relu: bool,
    },
    Relu,
    Norm,
    Pool(Pooling),
}

impl<'w> Network<'w> {
    /// Takes the convolutions that are needed to reach the layer `deepest`, and checks that their weights are finite.
    ///
    /// # Errors
    /// [`Error::Weights`] where a weight is not finite, or the file stops before `deepest`.
    pub fn load(weights: &'w Weights, compute: impl Into<Compute>, deepest: Layer) -> Result<Self> {
        let Compute { isa, convolution } = compute.into();
        weights.layer(&deepest.to_string())?;
        let layers: Vec<_> = weights.layers().into_iter().take_while(|layer| *layer <= deepest).collect();
        let convolutions: Vec<_> =
            weights.convolutions().take_while(|convolution| convolution.layer() <= deepest).collect();
        let convolutions = convolutions
            .par_iter()
            .map(|convolution| {
                let tensors = weights.convolution(convolution).expect("`convolutions` lists what is there");
                let [weight, bias] = [tensors.weight, tensors.bias].map(|tensor| finite(weights, &tensor));
                let &[out_channels, in_channels, kernel, _] = tensors.weight.shape else {
                    unreachable!("opening checks that kernels have four sides")
                };
                Ok(Conv::new([out_channels, in_channels, kernel], weight?, &bias?))
            })
            .collect::<Result<Vec<_>>>()?;
        Ok(Self {
            architecture: weights.architecture(),
            preprocessing: weights.preprocessing(),
            isa,
            layers,
            convolutions,
            convolution,
        })
    }

    /// The network of VGG's table.
    pub fn architecture(&self) -> Architecture {
        self.architecture
    }

    /// The instruction set that it runs on.
    pub fn isa(&self) -> Isa {
        self.isa
    }

    /// Its layers in forward order, to the deepest loaded.
    pub fn layers(&self) -> &[Layer] {
        &self.layers
    }

    /// Bytes that the weights take.
    pub fn bytes(&self) -> u64 {
        self.convolutions.iter().map(Conv::bytes).sum()
    }

    /// The features of `picture` (3×H×W, RGB in 0–1) at the layers `taps`, in forward order. Only the maps asked
    /// for and the two at work are in memory.
    ///
    /// # Errors
    /// [`Error::TooSmall`] where a tap would have no position.
    pub fn features(
        &self,
        picture: ArrayView3<f32>,
        taps: &[Layer],
        pooling: Pooling,
    ) -> Result<Vec<(Layer, FeatureMap)>> {
        let (_, height, width) = picture.dim();
        self.check_size("the picture", taps, height, width)?;
        let mut input = FeatureMap::zeros(PICTURE_CHANNELS, height, width);
        self.preprocess(picture, &mut input);
        let mut features = Vec::new();
        let mut workspace = Workspace::new(self.isa);
        let mut current = (None, input);
        for step in self.steps(taps, pooling) {
            let mut next = self.map_for(&step, &current.1);
            self.forward_step(&step, &current.1, &mut next, &mut workspace);
            let (layer, map) = std::mem::replace(&mut current, (Some(step.layer), next));
            features.extend(layer.filter(|layer| taps.contains(layer)).map(|layer| (layer, map)));
        }
        features.extend(current.0.map(|layer| (layer, current.1)));
        Ok(features)
    }

    /// Bytes of the buffers that a [`Plan`] for these taps and this size keeps.
    pub fn plan_bytes(&self, taps: &[Layer], pooling: Pooling, height: usize, width: usize) -> u64 {
        let mut shape = (PICTURE_CHANNELS, height, width);
        let mut bytes = FeatureMap::bytes_of(shape.0, shape.1, shape.2);
        let mut pass = 0;
        for step in self.steps(taps, pooling) {
            let (_, height, width) = shape;
            if let Operation::Conv { number, .. } = step.operation {
                let method = self.method(number);
                pass = self.convolutions[number].pass_bytes(self.isa, method, height, width).max(pass);
            }
            shape = self.output_shape(&step, shape);
            bytes += FeatureMap::bytes_of(shape.0, shape.1, shape.2);
        }
        bytes + pass
    }

    /// Bytes of the maps at the layers `taps`.
    pub fn tap_bytes(&self, taps: &[Layer], pooling: Pooling, height: usize, width: usize) -> u64 {
        let mut shape = (PICTURE_CHANNELS, height, width);
        let mut bytes = 0;
        for step in self.steps(taps, pooling) {
            shape = self.output_shape(&step, shape);
            if taps.contains(&step.layer) {
                bytes += FeatureMap::bytes_of(shape.0, shape.1, shape.2);
            }
        }
        bytes
    }

    /// Bytes of the maps that [`Network::features`] has in memory at most.
    pub fn features_bytes(&self, taps: &[Layer], pooling: Pooling, height: usize, width: usize) -> u64 {
        let mut shape = (PICTURE_CHANNELS, height, width);
        let mut current = FeatureMap::bytes_of(shape.0, shape.1, shape.2);
        let (mut kept, mut most) = (0, current);
        for step in self.steps(taps, pooling) {
            shape = self.output_shape(&step, shape);
            let next = FeatureMap::bytes_of(shape.0, shape.1, shape.2);
            most = most.max(kept + current + next);
            // A tap stays, and is at work no longer than it stays.
            (kept, current) = if taps.contains(&step.layer) { (kept + next, 0) } else { (kept, next) };
        }
        most
    }

    /// Refuses a picture for which a tap would have no position.
    pub fn check_size(&self, what: &str, taps: &[Layer], height: usize, width: usize) -> Result<()> {
        let deepest = taps.iter().max_by_key(|layer| layer.least_side());
        match deepest {
            Some(layer) if height.min(width) < layer.least_side() => Err(Error::TooSmall {
                what: what.to_owned(),
                width,
                height,
                layer: layer.to_string(),
                least: layer.least_side(),
            }),
            _ => Ok(()),
        }
    }

    /// The steps to the deepest of `taps`. A ReLU rides on its convolution unless the convolution is a tap.
    fn steps(&self, taps: &[Layer], pooling: Pooling) -> Vec<Step> {
        let deepest = taps.iter().max();
        let mut steps: Vec<Step> = Vec::new();
        let mut number = 0;
        for &layer in self.layers.iter().take_while(|layer| deepest.is_some_and(|deepest| *layer <= deepest))
        {
            let operation = match layer {
                Layer::Conv { .. } => {
                    number += 1;
                    Operation::Conv { number: number - 1, relu: false }
                }
                Layer::Relu { .. } => match steps.last_mut() {
                    Some(conv) if !taps.contains(&conv.layer) => {
                        *conv = Step { layer, operation: Operation::Conv { number: number - 1, relu: true } };
                        continue;
                    }
                    _ => Operation::Relu,
                },
                Layer::Norm => Operation::Norm,
                Layer::Pool { .. } => Operation::Pool(pooling),
            };
            steps.push(Step { layer, operation });
        }
        steps
    }

    fn output_shape(
        &self,
        step: &Step,
        (channels, height, width): (usize, usize, usize),
    ) -> (usize, usize, usize) {
        match step.operation {
            Operation::Conv { number, .. } => (self.convolutions[number].out_channels(), height, width),
            Operation::Relu | Operation::Norm => (channels, height, width),
            Operation::Pool(_) => (channels, height / 2, width / 2),
        }
    }

    fn map_for(&self, step: &Step, input: &FeatureMap) -> FeatureMap {
        let (channels, height, width) =
            self.output_shape(step, (input.channels(), input.height(), input.width()));
        FeatureMap::zeros(channels, height, width)
    }

    /// How the convolution of this number is computed. Winograd's filtering has been the quicker at all of VGG-19's
    /// shapes, from 64² to 2048² pixels (Zen 5, two cores, AVX-512 and AVX2): its arithmetic is a quarter, and what the
    /// filters' transform takes is less than im2col's packing of them for any but the smallest maps.
    fn method(&self, number: usize) -> Algorithm {
        let convolution = &self.convolutions[number];
        let wanted: &[_] = match self.convolution {
            Convolution::Auto => &[Algorithm::Direct, Algorithm::Winograd],
            Convolution::Im2col => &[],
            Convolution::Winograd => &[Algorithm::Winograd],
        };
        wanted.iter().copied().find(|method| convolution.allows(*method)).unwrap_or(Algorithm::Im2col)
    }

    fn forward_step(&self, step: &Step, x: &FeatureMap, y: &mut FeatureMap, workspace: &mut Workspace) {
        match step.operation {
            Operation::Conv { number, relu } => {
                let method = self.method(number);
                self.convolutions[number].forward(x, y, relu, method, workspace);
            }
            Operation::Relu => relu::forward(self.isa, x, y),
            Operation::Norm => lrn::forward(x, y),
            Operation::Pool(pooling) => pool::forward(self.isa, pooling, x, y),
        }
    }

    fn backward_step(
        &self,
        step: &Step,
        dy: &FeatureMap,
        x: &mut FeatureMap,
        finish: Finish,
        workspace: &mut Workspace,
    ) {
        match step.operation {
            Operation::Conv { number, .. } => {
                let method = self.method(number);
                self.convolutions[number].backward(dy, x, finish, method, workspace);
            }
            Operation::Relu => relu::backward(self.isa, dy, x, finish),
            Operation::Norm => lrn::backward(self.isa, dy, x, finish),
            Operation::Pool(pooling) => pool::backward(self.isa, pooling, dy, x, finish),
        }
    }

    /// The network's input from a picture, as the weights' convention says.
    fn preprocess(&self, picture: ArrayView3<f32>, input: &mut FeatureMap) {
        let channels = self.preprocessing.channels();
        input.for_each_tile(Cut::strips(input), |mut tile| {
            for (block, y) in tile.rows() {
                for (x, to) in tile.row_mut(block, y).as_chunks_mut::<BLOCK>().0.iter_mut().enumerate() {
                    for (to, channel) in to.iter_mut().zip(channels) {
                        *to = channel.scale * picture[[channel.plane, y, x]] + channel.offset;
                    }
                }
            }
        });
    }

    /// The gradient by the picture from that by the network's input.
    fn preprocess_backward(&self, input: &FeatureMap, mut gradient: ArrayViewMut3<f32>) {
        let (height, width) = (input.height(), input.width());
        let mut from_plane = [(0, 0.0); PICTURE_CHANNELS];
        for (c, channel) in self.preprocessing.channels().into_iter().enumerate() {
            from_plane[channel.plane] = (c, channel.scale);
        }
        let gradient = gradient.as_slice_mut().expect("gradients are made contiguous");
        team::for_each_chunk(gradient, width.max(1), |row, to| {
            let (c, scale) = from_plane[row / height];
            for (to, from) in to.iter_mut().zip(input.row(0, row % height).as_chunks::<BLOCK>().0) {
                *to = scale * from[c];
            }
        });
    }
}

/// A tensor's values, where they lie if they can be used there, all finite.
fn finite<'a>(weights: &Weights, tensor: &Tensor<'a>) -> Result<Cow<'a, [f32]>> {
    let values: Cow<[f32]> = match tensor.as_f32() {
        Some(values) => values.into(),
        None => {
            let mut values = vec![0.0; tensor.len()];
            tensor.widen_into(0..tensor.len(), &mut values);
            values.into()
        }
    };
    match values.iter().all(|value| value.is_finite()) {
        true => Ok(values),
        false => Err(weights.not_finite(tensor)),
    }
}

/// The buffers of an evaluation for one picture size, and what is computed in them: a map a layer, which holds
/// the layer's features after the forward pass and, since the gradient takes their place, the gradient by them
/// after the backward pass.
pub struct Plan {
    taps: Vec<Layer>,
    steps: Vec<Step>,
    input: FeatureMap,
    maps: Vec<FeatureMap>,
    workspace: Workspace,
    profile: Option<Profile>,
}

impl Plan {
    /// Buffers for pictures of `height` by `width` pixels, seen at the layers `taps`.
    ///
    /// # Errors
    /// [`Error::TooSmall`] where a tap would have no position.
    pub fn new(
        network: &Network,
        taps: &[Layer],
        pooling: Pooling,
        height: usize,
        width: usize,
    ) -> Result<Self> {
        network.check_size("the picture", taps, height, width)?;
        let steps = network.steps(taps, pooling);
        let input = FeatureMap::zeros(PICTURE_CHANNELS, height, width);
        let mut maps: Vec<FeatureMap> = Vec::with_capacity(steps.len());
        for step in &steps {
            maps.push(network.map_for(step, maps.last().unwrap_or(&input)));
        }
        let workspace = Workspace::new(network.isa);
        Ok(Self { taps: taps.to_vec(), steps, input, maps, workspace, profile: None })
    }

    /// From now on, measures each layer's passes.
    pub fn start_profile(&mut self, network: &Network) {
        let layers = self.steps.iter().zip(&self.maps).map(|(step, map)| {
            let (algorithm, flop) = match step.operation {
                Operation::Conv { number, .. } => {
                    let algorithm = match network.method(number) {
                        Algorithm::Im2col => "im2col",
                        Algorithm::Winograd => "winograd",
                        Algorithm::Direct => "direct",
                    };
                    (algorithm, network.convolutions[number].flop(map.positions()))
                }
                Operation::Pool(Pooling::Max) => ("max", 0.0),
                Operation::Pool(Pooling::Average) => ("average", 0.0),
                Operation::Relu | Operation::Norm => ("elementwise", 0.0),
            };
            LayerTimes { name: step.layer.to_string(), algorithm, flop, ..LayerTimes::default() }
        });
        self.profile = Some(Profile { layers: layers.collect() });
    }

    /// What was measured since [`Plan::start_profile`].
    pub fn profile(&self) -> Option<&Profile> {
        self.profile.as_ref()
    }

    /// Computes the features of `picture`, 3×H×W, RGB in 0–1.
    pub fn forward(&mut self, network: &Network, picture: ArrayView3<f32>) {
        assert_eq!(picture.dim(), (PICTURE_CHANNELS, self.input.height(), self.input.width()));
        network.preprocess(picture, &mut self.input);
        for (at, step) in self.steps.iter().enumerate() {
            let (before, from) = self.maps.split_at_mut(at);
            let x = before.last().unwrap_or(&self.input);
            Profile::time(&mut self.profile, at, Pass::Forward, || {
                network.forward_step(step, x, &mut from[0], &mut self.workspace);
            });
        }
    }

    /// The features at a tap, after [`Plan::forward`] and before [`Plan::backward`].
    ///
    /// # Panics
    /// When `layer` is not a tap of the plan.
    pub fn features(&self, layer: Layer) -> &FeatureMap {
        assert!(self.taps.contains(&layer), "{layer} is not a tap");
        let at = self.steps.iter().position(|step| step.layer == layer).expect("taps have steps");
        &self.maps[at]
    }

    /// The gradient by the picture, 3×H×W by RGB in 0–1, of a loss whose gradient by the features at a tap is
    /// `tap(layer)`; written to `gradient`.
    pub fn backward<'t>(
        &mut self,
        network: &Network,
        tap: impl Fn(Layer) -> Tap<'t>,
        gradient: ArrayViewMut3<f32>,
    ) {
        // Step `at` has its output in map `at`; its gradient, made by the step after it, takes the map's place.
        for at in (0..=self.steps.len()).rev() {
            let (through, after) = self.maps.split_at_mut(at);
            let (x, layer, relu) = match through.last_mut() {
                Some(map) => {
                    let Step { layer, operation } = self.steps[at - 1];
                    (map, Some(layer), matches!(operation, Operation::Conv { relu: true, .. }))
                }
                None => (&mut self.input, None, false),
            };
            let tapped = layer.filter(|layer| self.taps.contains(layer));
            let finish = Finish { tap: tapped.map_or_else(Tap::default, &tap), relu };
            match (self.steps.get(at), after.first()) {
                (Some(step), Some(dy)) => Profile::time(&mut self.profile, at, Pass::Backward, || {
                    network.backward_step(step, dy, x, finish, &mut self.workspace);
                }),
                // Nothing is behind the deepest tap.
                _ => finish.alone(network.isa, x),
            }
        }
        network.preprocess_backward(&self.input, gradient);
    }
}
