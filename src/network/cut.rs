//! Which steps of a network are evaluated in strips, so that the maps of a pass fit in the memory there is.
//!
//! The steps up to each pool are a group, or those up to the second or third pool are one. The first groups have the largest maps:
//! as few of them as must be are [`Strips`]; the steps after them, the tail, keep their maps as long as the pass takes.

use std::ops::Range;

use crate::layers::conv::edges::Edges;
use crate::vgg::Layer;

use super::chain::Chain;
use super::steps::{Operation, Shape, Step, bytes_of};
use super::strips::Strips;
use super::{Mode, Network};

/// The share of a forward pass in the time of an evaluation.
const FORWARD_SHARE: f64 = 0.46;

/// The most pools of a group. Windows behind more of them would take more than the maps that are not kept then.
const MOST_MERGED: usize = 3;

/// What is done with a picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Passes {
    /// Its features are computed, and forgotten once they have been seen.
    Forward,
    /// Its features, and then the gradient with respect to it.
    Both,
}

/// The steps of a network for pictures of one size, and how they are cut.
#[derive(Clone, Debug)]
pub struct Cut {
    pub(super) steps: Vec<Step>,
    /// The groups that are evaluated in strips, which are the first.
    pub(super) strips: Vec<Strips>,
    /// The shape and layer of each map that is kept whole between groups: the network's input where there are no strips, else
    /// the output of each group of strips. The last is what the tail reads.
    pub(super) inputs: Vec<(Shape, Option<Layer>)>,
    /// The steps whose maps are whole.
    pub(super) tail: Range<usize>,
    workspace: u64,
}

impl Cut {
    /// The first groups are in `strips`, the other steps are not cut.
    fn new(network: &Network, steps: &[Step], input: Shape, strips: Vec<Strips>) -> Self {
        let inputs = match strips.is_empty() {
            true => vec![(input, None)],
            false => strips.iter().map(Strips::output).collect(),
        };
        let tail = strips.last().map_or(0, Strips::end)..steps.len();
        let of_windows = strips.iter().map(|strips| network.workspace_bytes(&strips.window_steps(None)));
        let workspace = of_windows.max().unwrap_or(0).max(network.workspace_bytes(&steps[tail.clone()]));
        Self { steps: steps.to_vec(), strips, inputs, tail, workspace }
    }

    /// Whether some steps are evaluated in strips.
    pub fn is_cut(&self) -> bool {
        !self.strips.is_empty()
    }

    /// Rows of the windows of each group that is evaluated in strips.
    pub fn windows(&self) -> Vec<usize> {
        self.strips.iter().map(Strips::window).collect()
    }

    /// How many pools each group has that is evaluated in strips.
    pub fn pools(&self) -> Vec<usize> {
        self.strips.iter().map(Strips::pools).collect()
    }

    /// Peak bytes of the maps and the workspace of such passes.
    pub fn bytes(&self, passes: Passes) -> u64 {
        let inputs: Vec<_> = self.inputs.iter().map(|(shape, _)| bytes_of(*shape)).collect();
        let tail = &self.steps[self.tail.clone()];
        let maps = match passes {
            Passes::Both => {
                let window = self.strips.iter().map(Strips::bytes).max().unwrap_or(0);
                inputs.iter().sum::<u64>() + Chain::bytes(tail) + window
            }
            Passes::Forward => {
                let mut input = 0;
                let of_group = |(strips, output): (&Strips, &u64)| {
                    let most = input + output + strips.bytes();
                    input = *output;
                    most
                };
                let in_strips = self.strips.iter().zip(&inputs).map(of_group).max().unwrap_or(0);
                let mut from = inputs.last().copied().unwrap_or(0);
                let of_step = |step: &Step| {
                    let most = from + bytes_of(step.shape);
                    from = bytes_of(step.shape);
                    most
                };
                tail.iter().map(of_step).max().unwrap_or(0).max(in_strips)
            }
        };
        maps + self.workspace
    }

    /// About how much longer such passes take than without strips: 1 where there are none.
    pub fn cost(&self, network: &Network, passes: Passes) -> f64 {
        let flop = |steps: &[Step]| -> f64 {
            let of_step = |step: &Step| match step.operation {
                Operation::Conv { index, .. } => {
                    network.convolutions[index].flop(step.shape.1 * step.shape.2)
                }
                _ => 0.0,
            };
            steps.iter().map(of_step).sum()
        };
        let of_strips = |strips: &Strips| {
            let [forward, backward] = strips.repetitions();
            let times = match passes {
                Passes::Forward => forward,
                // The backward pass computes the features once more.
                Passes::Both => FORWARD_SHARE * forward + backward,
            };
            times * flop(strips.steps())
        };
        let in_strips: f64 = self.strips.iter().map(of_strips).sum();
        (in_strips + flop(&self.steps[self.tail.clone()])) / flop(&self.steps).max(1.0)
    }
}

impl Network {
    /// How passes up to `taps` for a picture of `height` by `width` pixels are cut to take the least time in `room` bytes; where
    /// they don't fit in any way, to take the least memory.
    pub fn cut(
        &self,
        taps: &[Layer],
        mode: Mode,
        (height, width): (usize, usize),
        passes: Passes,
        room: u64,
    ) -> Cut {
        let height = self.band(height).height();
        let steps = self.steps(taps, mode.pooling, height, width);
        let input = Self::input_shape(height, width);
        let whole = Cut::new(self, &steps, input, Vec::new());
        if whole.bytes(passes) <= room || !self.ranks().is_alone() {
            return whole;
        }
        let (mut best, mut smallest): (Option<(f64, Cut)>, _) = (None, whole);
        let merged = (1..=MOST_MERGED).map(|merged| self.groups(&steps, input, mode.edges, merged));
        let firsts = merged.flat_map(|groups| (1..=groups.len()).map(move |count| groups[..count].to_vec()));
        for groups in firsts {
            let with_windows = |window: &dyn Fn(&Strips) -> usize| {
                let strips = groups.iter().map(|group| group.cut_into(window(group))).collect();
                Cut::new(self, &steps, input, strips)
            };
            let least = with_windows(&Strips::least_window);
            if least.bytes(passes) < smallest.bytes(passes) {
                smallest = least.clone();
            }
            // Windows don't exist at the same time, so each may take what the whole maps leave.
            let of_windows = least.strips.iter().map(Strips::bytes).max().unwrap_or(0);
            let mut spare = room.saturating_sub(least.bytes(passes) - of_windows);
            let mut cut = with_windows(&|group| group.largest_window(spare));
            if let Some(excess) = cut.bytes(passes).checked_sub(room) {
                // The workspace has grown with the windows.
                spare = spare.saturating_sub(excess);
                cut = with_windows(&|group| group.largest_window(spare));
            }
            let cost = cut.cost(self, passes);
            if cut.bytes(passes) <= room && best.as_ref().is_none_or(|(least, _)| cost < *least) {
                best = Some((cost, cut));
            }
        }
        best.map_or(smallest, |(_, cut)| cut)
    }

    /// The groups that may be evaluated in strips, uncut: the steps up to each pool, of which the first is the one with this number,
    /// but for a pool that no step follows.
    fn groups(&self, steps: &[Step], input: Shape, edges: Edges, first: usize) -> Vec<Strips> {
        let mut groups: Vec<Strips> = Vec::new();
        let is_pool = |at: &usize| steps[*at].is_pool();
        for pool in (0..steps.len().saturating_sub(1)).filter(is_pool).skip(first - 1) {
            let (start, of_input) =
                groups.last().map_or((0, (input, None)), |group| (group.end(), group.output()));
            groups.push(Strips::new(self, &steps[start..=pool], start, of_input, edges));
        }
        groups
    }
}
