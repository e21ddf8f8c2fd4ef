//! Steps one after the other, with a feature map for each, forward and backward: a whole network, or a part of it.

use std::ops::ControlFlow;

use crate::layers::conv::Workspace;
use crate::layers::conv::edges::Edges;
use crate::layers::{GradientEpilogue, TapGradient};
use crate::parallel::cancel::Cancel;
use crate::parallel::trace::{Kind, span};
use crate::tensor::{Band, FeatureMap};
use crate::vgg::Layer;

use super::Network;
use super::profile::{Direction, Profile};
use super::steps::{Operation, Step, bytes_of, map_of};

/// What the passes of an evaluation share.
pub(super) struct Pass<'p> {
    pub(super) network: &'p Network,
    pub(super) edges: Edges,
    /// The layers that the loss depends on.
    pub(super) taps: &'p [Layer],
    /// This rank's rows of the picture.
    pub(super) band: &'p Band,
    pub(super) workspace: &'p mut Workspace,
    pub(super) profile: &'p mut Option<Profile>,
    pub(super) cancel: &'p Cancel,
}

impl Pass<'_> {
    /// Whether it is cancelled, on whichever rank.
    fn is_cancelled(&self) -> bool {
        self.band.ranks().any(self.cancel.is_cancelled())
    }
}

/// Steps with their maps. After the forward pass a map holds its step's features; the backward pass overwrites them with the
/// gradient with respect to them. The map that the first step reads is not the chain's own.
pub(super) struct Chain {
    steps: Vec<Step>,
    /// The index in the profile of the first step.
    first: usize,
    maps: Vec<FeatureMap>,
}

impl Chain {
    /// The steps, of which the first has this index among all of the network.
    pub(super) fn new(steps: Vec<Step>, first: usize) -> Self {
        let maps = steps.iter().map(|step| map_of(step.shape)).collect();
        Self { steps, first, maps }
    }

    /// Bytes of the maps of a chain of these steps.
    pub(super) fn bytes(steps: &[Step]) -> u64 {
        steps.iter().map(|step| bytes_of(step.shape)).sum()
    }

    /// The steps.
    pub(super) fn steps(&self) -> &[Step] {
        &self.steps
    }

    /// Replaces the steps by ones with the same maps.
    pub(super) fn set_steps(&mut self, steps: Vec<Step>) {
        debug_assert!(steps.iter().zip(&self.steps).all(|(new, old)| new.shape == old.shape));
        self.steps = steps;
    }

    /// The maps, one for each step.
    pub(super) fn maps(&self) -> &[FeatureMap] {
        &self.maps
    }

    /// The last step's map, if there are steps.
    pub(super) fn last_mut(&mut self) -> Option<&mut FeatureMap> {
        self.maps.last_mut()
    }

    /// Computes the features of the first `count` steps from `input`. Breaks between two steps once it is cancelled.
    pub(super) fn forward(
        &mut self,
        pass: &mut Pass,
        input: &mut FeatureMap,
        count: usize,
    ) -> ControlFlow<()> {
        for (at, step) in self.steps[..count].iter().enumerate() {
            if pass.is_cancelled() {
                return ControlFlow::Break(());
            }
            let (before, from) = self.maps.split_at_mut(at);
            let x = before.last_mut().unwrap_or(input);
            Profile::time(pass.profile, self.first + at, Direction::Forward, || {
                pass.network.forward_step(step, (pass.edges, pass.band), x, &mut from[0], pass.workspace);
            });
        }
        ControlFlow::Continue(())
    }

    /// Overwrites the features, and `input`, which are those of the layer `of_input`, with the gradient with respect to them.
    /// That of the loss with respect to the features of a tap is `tap(layer)`. With `is_deepest` no step follows the chain's
    /// last; else the last map holds the gradient already. Breaks between two steps once it is cancelled.
    pub(super) fn backward<'t>(
        &mut self,
        pass: &mut Pass,
        input: &mut FeatureMap,
        of_input: Option<Layer>,
        is_deepest: bool,
        tap: &dyn Fn(Layer) -> TapGradient<'t>,
    ) -> ControlFlow<()> {
        // Map `at` is the output of step `at` and the input of step `at` + 1. Going backward, step `at` reads the gradient
        // in map `at` and overwrites its input, map `at` − 1, with the gradient with respect to it.
        for at in (0..self.steps.len() + usize::from(is_deepest)).rev() {
            if pass.is_cancelled() {
                return ControlFlow::Break(());
            }
            let (before, from) = self.maps.split_at_mut(at);
            let (x, layer, relu) = match before.last_mut() {
                Some(map) => {
                    let Step { layer, operation, .. } = self.steps[at - 1];
                    (map, Some(layer), matches!(operation, Operation::Conv { relu: true, .. }))
                }
                None => (&mut *input, of_input, false),
            };
            let tapped = layer.filter(|layer| pass.taps.contains(layer));
            let epilogue = GradientEpilogue { tap: tapped.map_or_else(TapGradient::default, tap), relu };
            match (self.steps.get(at), from.first_mut()) {
                (Some(step), Some(dy)) => {
                    Profile::time(pass.profile, self.first + at, Direction::Backward, || {
                        pass.network.backward_step(
                            step,
                            (pass.edges, pass.band),
                            dy,
                            x,
                            epilogue,
                            pass.workspace,
                        );
                    });
                }
                // No step follows the deepest tap.
                _ => span(
                    Kind::Loss,
                    || "gradient at the deepest tap".to_owned(),
                    || epilogue.write_deepest(pass.network.isa(), x),
                ),
            }
        }
        ControlFlow::Continue(())
    }
}
