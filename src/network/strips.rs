//! A group of steps, up to a pool, that is evaluated a strip of rows at a time, where its maps of the whole picture would not
//! fit in memory.
//!
//! A strip's rows are computed in a *window*: a chain of maps that hold the strip and the rows around it on which it depends,
//! the halo. A 3×3 convolution makes one row at each cut side of the window wrong, which the halo absorbs: as many rows as
//! the group has convolutions, and in the backward pass, which computes the strip's features once more, twice as many. At the
//! picture's own edges the window ends as the map does; where the picture repeats, it goes on with the rows of the other end, and
//! each pool drops an odd last row between them as it does in the whole. So nothing is approximated: what differs from the whole is rounding, where
//! sums over positions are added in other parts, and where a Winograd tile has wrong rows beside right ones.
//!
//! Of a group only its output, after its last pool, is kept whole. The backward pass overwrites it with the gradient, as in a
//! [`Chain`]. A group may have several pools, so that less is kept: behind each of them a row counts for two, also in the halo.

use std::ops::ControlFlow;

use ndarray::{ArrayView3, ArrayViewMut3, Axis, concatenate, s};

use crate::layers::TapGradient;
use crate::layers::conv::edges::Edges;
use crate::tensor::{FeatureMap, Part};
use crate::vgg::Layer;

use super::chain::{Chain, Pass};
use super::steps::{Operation, Shape, Step, bytes_of, map_of};
use super::strip::{Kept, Strip};
use super::{Network, preprocess};

/// A group of steps of which the last is a pool, and how it is cut. Rows are those of the map that the first step reads, unless
/// other ones are named.
#[derive(Clone, Debug)]
pub(super) struct Strips {
    steps: Vec<Step>,
    /// The index of the first step.
    first: usize,
    /// The shape of the map that the first step reads.
    input: Shape,
    /// The layer of that map; `None` for the picture.
    of_input: Option<Layer>,
    /// Rows of a window.
    window: usize,
    /// Rows of the halo on each side, in the forward and in the backward pass.
    halos: [usize; 2],
    /// Windows and strips begin at multiples of this many rows.
    alignment: usize,
    /// Whether the picture repeats, so that windows go on at its other end.
    wraps: bool,
}

/// Rows of Winograd's tiles, which windows do not cut, so that most of their features are the whole map's to the bit. Nor do they
/// cut the pools' windows.
const TILE: usize = 4;

impl Strips {
    /// The group of `steps`, uncut. The first has the index `first`, and reads a map of the shape `input` and the layer
    /// `of_input`.
    pub(super) fn new(
        network: &Network,
        steps: &[Step],
        first: usize,
        (input, of_input): (Shape, Option<Layer>),
        edges: Edges,
    ) -> Self {
        let reach = |step: &Step| match step.operation {
            Operation::Conv { index, .. } => network.convolutions[index].reach(),
            _ => 0,
        };
        // Rows of each step's output that are wrong at a cut side.
        let mut wrong = vec![0_usize];
        for step in steps {
            let before = wrong[wrong.len() - 1];
            wrong.push(if step.is_pool() { before.div_ceil(2) } else { before + reach(step) });
        }
        let pooled = pooled(steps);
        let forward = wrong[1..].iter().zip(&pooled).map(|(wrong, pooled)| wrong * pooled).max().unwrap_or(0);
        // The gradient is wrong where the features are by which it is masked; where a pool's window is half wrong, all of it is.
        let backward =
            steps.iter().zip(&wrong).rev().fold(0, |behind, (step, features)| match step.is_pool() {
                true => (2 * behind).max(features.next_multiple_of(2)),
                false => (behind + reach(step)).max(*features),
            });
        let alignment = TILE * pooled.last().map_or(1, |pooled| pooled / 2).max(1);
        // A row that a pool drops between the picture's two ends moves the windows behind it by one, at each pool.
        let wraps = edges == Edges::Wrap;
        let dropped = if wraps { alignment } else { 0 };
        let halos = [forward, backward].map(|rows: usize| rows.next_multiple_of(alignment) + dropped);
        Self { steps: steps.to_vec(), first, input, of_input, window: input.1, halos, alignment, wraps }
    }

    /// The group with windows of about `window` rows.
    pub(super) fn cut_into(&self, window: usize) -> Self {
        let (height, alignment) = (self.input.1, self.alignment);
        // The last window ends where the map does, and is aligned like the others.
        let odd = if self.wraps { 0 } else { height % alignment };
        let aligned = window.saturating_sub(odd) / alignment * alignment + odd;
        Self { window: if window < height { aligned } else { height }, ..self.clone() }
    }

    /// The fewest rows of a window, of which a few are the strip's own.
    pub(super) fn least_window(&self) -> usize {
        2 * self.halos[1] + 2 * self.alignment
    }

    /// The most rows of a window that takes at most so many bytes, or the fewest.
    pub(super) fn largest_window(&self, bytes: u64) -> usize {
        let (mut fits, mut exceeds) = (self.least_window(), self.input.1 + 1);
        while fits + 1 < exceeds {
            let middle = fits.midpoint(exceeds);
            match self.cut_into(middle).bytes() <= bytes {
                true => fits = middle,
                false => exceeds = middle,
            }
        }
        fits
    }

    /// Rows of a window.
    pub(super) fn window(&self) -> usize {
        self.window
    }

    /// The steps, for the whole map.
    pub(super) fn steps(&self) -> &[Step] {
        &self.steps
    }

    /// The index of the step after the group.
    pub(super) fn end(&self) -> usize {
        self.first + self.steps.len()
    }

    /// How many times the rows of the map are computed forward alone, and in the backward pass.
    pub(super) fn repetitions(&self) -> [f64; 2] {
        self.halos.map(|halo| {
            let windows = self.strips(halo).count();
            (windows * self.window) as f64 / self.input.1.max(1) as f64
        })
    }

    /// Bytes of a window in either pass, without the convolutions' workspace.
    pub(super) fn bytes(&self) -> u64 {
        let (channels, _, width) = self.input;
        // The backward pass keeps the features that it has overwritten and that the next window needs.
        Chain::bytes(&self.window_steps(None)) + 3 * bytes_of((channels, self.window, width))
    }

    /// The steps of a window in which the picture's two ends meet at the row `seam`, if they do.
    pub(super) fn window_steps(&self, seam: Option<usize>) -> Vec<Step> {
        let in_window = |(step, pooled): (&Step, usize)| {
            let (channels, _, width) = step.shape;
            let operation = match step.operation {
                // It reads twice as many rows as it makes.
                Operation::Pool { pooling, .. } => {
                    Operation::Pool { pooling, seam: seam.map(|seam| seam / (pooled / 2)) }
                }
                other => other,
            };
            Step { operation, shape: (channels, self.window / pooled, width), ..*step }
        };
        self.steps.iter().zip(pooled(&self.steps)).map(in_window).collect()
    }

    /// How many pools the group has.
    pub(super) fn pools(&self) -> usize {
        self.steps.iter().filter(|step| step.is_pool()).count()
    }

    /// The shape of the output.
    pub(super) fn output(&self) -> (Shape, Option<Layer>) {
        let last = self.steps.last().expect("a group has a pool");
        (last.shape, Some(last.layer))
    }

    /// The strips for a halo of so many rows.
    fn strips(&self, halo: usize) -> impl Iterator<Item = Strip> + use<> {
        let (height, window, alignment) = (self.input.1, self.window, self.alignment);
        let wraps = self.wraps && window < height;
        // A window that begins before the picture's end has up to one alignment more above its strip.
        let around = 2 * halo + if wraps { alignment } else { 0 };
        let own = match window < height {
            true => ((window - around) / alignment * alignment).max(alignment),
            false => height.max(1),
        };
        (0..height).step_by(own).map(move |start| {
            let own = start..(start + own).min(height);
            match wraps {
                true => Strip::repeating(own, halo, window, (height, alignment)),
                false => Strip { own, top: start.saturating_sub(halo).min(height - window), seam: None },
            }
        })
    }

    /// An empty window: its chain and the map that the chain reads.
    fn empty_window(&self) -> (Chain, FeatureMap) {
        let (channels, _, width) = self.input;
        (Chain::new(self.window_steps(None), self.first), map_of((channels, self.window, width)))
    }

    /// Computes the group's `output` from the `input`, which is `None` for the `picture`, and shows `visit` each part of a tap.
    pub(super) fn forward(
        &self,
        pass: &mut Pass,
        picture: ArrayView3<f32>,
        input: Option<&FeatureMap>,
        output: &mut FeatureMap,
        visit: &mut dyn FnMut(Layer, Part),
    ) -> ControlFlow<()> {
        let (mut chain, mut x) = self.empty_window();
        for strip in self.strips(self.halos[0]) {
            match input {
                Some(input) => x.copy_from_place(input, strip.place(1)),
                None => load_picture(pass, picture, &strip, &mut x),
            }
            chain.set_steps(self.window_steps(strip.seam));
            chain.forward(pass, &mut x, self.steps.len())?;
            // The steps of the window have its heights, the group's own those of the whole.
            for (at, ((step, map), pooled)) in
                self.steps.iter().zip(chain.maps()).zip(pooled(&self.steps)).enumerate()
            {
                let part = strip.part(map, step.shape.1, pooled);
                if at + 1 == self.steps.len() {
                    output.copy_rows(part.first, map, part.rows.clone());
                }
                if pass.taps.contains(&step.layer) {
                    visit(step.layer, part);
                }
            }
        }
        ControlFlow::Continue(())
    }

    /// Computes the gradient with respect to the group's input from that with respect to its output, `dy`: over the features
    /// `input`, or where that is `None` into the `gradient` with respect to the `picture`. Windows are computed forward once
    /// more.
    pub(super) fn backward<'t>(
        &self,
        pass: &mut Pass,
        picture: ArrayView3<f32>,
        mut input: Option<&mut FeatureMap>,
        dy: &FeatureMap,
        mut gradient: ArrayViewMut3<f32>,
        tap: &dyn Fn(Layer) -> TapGradient<'t>,
    ) -> ControlFlow<()> {
        let (mut chain, mut x) = self.empty_window();
        let strips: Vec<_> = self.strips(self.halos[1]).collect();
        let mut kept =
            input.as_ref().map_or_else(Kept::default, |input| Kept::of(input, &strips, self.window));
        for (at, strip) in strips.iter().enumerate() {
            match &input {
                Some(input) => {
                    kept.load(input, strip, &mut x);
                    kept.keep(strip, strips.get(at + 1), &x);
                }
                None => load_picture(pass, picture, strip, &mut x),
            }
            chain.set_steps(self.window_steps(strip.seam));
            // All but the pool, whose backward pass does not need its output.
            chain.forward(pass, &mut x, self.steps.len() - 1)?;
            let last = chain.last_mut().expect("a group has a pool");
            last.copy_from_place(dy, strip.place(1 << self.pools()));
            let of_window = |layer: Layer| {
                let step = self.steps.iter().position(|step| step.layer == layer);
                // The input is none of the steps' outputs.
                let pooled = step.map_or(1, |step| pooled(&self.steps)[step]);
                TapGradient { place: strip.place(pooled), ..tap(layer) }
            };
            chain.backward(pass, &mut x, self.of_input, false, &of_window)?;
            match &mut input {
                Some(input) => input.copy_rows(strip.own.start, &x, strip.rows()),
                None => {
                    let gradient = gradient.view_mut();
                    preprocess::backward(
                        pass.network.preprocessing(),
                        &x,
                        strip.rows(),
                        strip.own.start,
                        gradient,
                    );
                }
            }
        }
        ControlFlow::Continue(())
    }
}

/// Computes the network's input in the strip's window `x` from the picture.
fn load_picture(pass: &Pass, picture: ArrayView3<f32>, strip: &Strip, x: &mut FeatureMap) {
    let [first, second] = strip.place(1).runs(x.height()).map(|run| picture.slice(s![.., run, ..]));
    let preprocessing = pass.network.preprocessing();
    if second.is_empty() {
        return preprocess::forward(preprocessing, first, x);
    }
    let rows = concatenate(Axis(1), &[first, second]).expect("rows of one picture");
    preprocess::forward(preprocessing, rows.view(), x);
}

/// For each of the steps, of how many rows that the first one reads a row of its output is made, but for what lies around it.
fn pooled(steps: &[Step]) -> Vec<usize> {
    let after = |rows: &mut usize, step: &Step| {
        *rows *= if step.is_pool() { 2 } else { 1 };
        Some(*rows)
    };
    steps.iter().scan(1, after).collect()
}
