//! A group of steps, up to a pool, that is evaluated a strip of rows at a time, where its maps of the whole picture would not
//! fit in memory.
//!
//! A strip's rows are computed in a *window*: a chain of maps that hold the strip and the rows around it on which it depends,
//! the halo. A 3×3 convolution makes one row at each cut side of the window wrong, which the halo absorbs: as many rows as
//! the group has convolutions, and in the backward pass, which computes the strip's features once more, twice as many. At the
//! picture's own edges the window ends as the map does. So nothing is approximated: what differs from the whole is rounding, where
//! sums over positions are added in other parts, and where a Winograd tile has wrong rows beside right ones.
//!
//! Of a group only its output, after its last pool, is kept whole. The backward pass overwrites it with the gradient, as in a
//! [`Chain`]. A group may have several pools, so that less is kept: behind each of them a row counts for two, also in the halo.

use std::ops::{ControlFlow, Range};

use ndarray::{ArrayView3, ArrayViewMut3, s};

use crate::layers::TapGradient;
use crate::tensor::{FeatureMap, Part};
use crate::vgg::Layer;

use super::chain::{Chain, Pass};
use super::steps::{Operation, Shape, Step, bytes_of, map_of};
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
}

/// Rows of Winograd's tiles, which windows do not cut, so that most of their features are the whole map's to the bit. Nor do they
/// cut the pools' windows.
const TILE: usize = 4;

/// A strip: its own rows, and the first row of its window.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Strip {
    own: Range<usize>,
    top: usize,
}

impl Strip {
    /// Its own rows in the window.
    fn rows(&self) -> Range<usize> {
        self.own.start - self.top..self.own.end - self.top
    }

    /// Its own rows of a layer of `height` rows, each of which is made of so many of the strip's, in the window's `map`.
    fn part<'m>(&self, map: &'m FeatureMap, height: usize, pooled: usize) -> Part<'m> {
        let rows = self.rows();
        Part { map, rows: rows.start / pooled..rows.end / pooled, top: self.top / pooled, height }
    }
}

impl Strips {
    /// The group of `steps`, uncut. The first has the index `first`, and reads a map of the shape `input` and the layer
    /// `of_input`.
    pub(super) fn new(
        network: &Network,
        steps: &[Step],
        first: usize,
        (input, of_input): (Shape, Option<Layer>),
    ) -> Self {
        let reach = |step: &Step| match step.operation {
            Operation::Conv { index, .. } => network.convolutions[index].reach(),
            _ => 0,
        };
        // Rows of each step's output that are wrong at a cut side.
        let mut wrong = vec![0_usize];
        for step in steps {
            let before = wrong[wrong.len() - 1];
            wrong.push(if is_pool(step) { before.div_ceil(2) } else { before + reach(step) });
        }
        let pooled = pooled(steps);
        let forward = wrong[1..].iter().zip(&pooled).map(|(wrong, pooled)| wrong * pooled).max().unwrap_or(0);
        // The gradient is wrong where the features are by which it is masked; where a pool's window is half wrong, all of it is.
        let backward =
            steps.iter().zip(&wrong).rev().fold(0, |behind, (step, features)| match is_pool(step) {
                true => (2 * behind).max(features.next_multiple_of(2)),
                false => (behind + reach(step)).max(*features),
            });
        let alignment = TILE * pooled.last().map_or(1, |pooled| pooled / 2).max(1);
        let halos = [forward, backward].map(|rows: usize| rows.next_multiple_of(alignment));
        Self { steps: steps.to_vec(), first, input, of_input, window: input.1, halos, alignment }
    }

    /// The group with windows of about `window` rows.
    pub(super) fn cut_into(&self, window: usize) -> Self {
        // The last window ends where the map does, and is aligned like the others.
        let (height, alignment) = (self.input.1, self.alignment);
        let window = window.saturating_sub(height % alignment) / alignment * alignment + height % alignment;
        Self { window: window.min(height), ..self.clone() }
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
        Chain::bytes(&self.window_steps()) + 3 * bytes_of((channels, self.window, width))
    }

    /// The steps of a window.
    pub(super) fn window_steps(&self) -> Vec<Step> {
        let in_window = |(step, pooled): (&Step, usize)| {
            let (channels, _, width) = step.shape;
            Step { shape: (channels, self.window / pooled, width), ..*step }
        };
        self.steps.iter().zip(pooled(&self.steps)).map(in_window).collect()
    }

    /// How many pools the group has.
    pub(super) fn pools(&self) -> usize {
        self.steps.iter().filter(|step| is_pool(step)).count()
    }

    /// The shape of the output.
    pub(super) fn output(&self) -> (Shape, Option<Layer>) {
        let last = self.steps.last().expect("a group has a pool");
        (last.shape, Some(last.layer))
    }

    /// The strips for a halo of so many rows.
    fn strips(&self, halo: usize) -> impl Iterator<Item = Strip> + use<> {
        let (height, window, alignment) = (self.input.1, self.window, self.alignment);
        let own = match window < height {
            true => ((window - 2 * halo) / alignment * alignment).max(alignment),
            false => height.max(1),
        };
        (0..height).step_by(own).map(move |start| Strip {
            own: start..(start + own).min(height),
            top: start.saturating_sub(halo).min(height - window),
        })
    }

    /// An empty window: its chain and the map that the chain reads.
    fn empty_window(&self) -> (Chain, FeatureMap) {
        let (channels, _, width) = self.input;
        (Chain::new(self.window_steps(), self.first), map_of((channels, self.window, width)))
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
                Some(input) => x.copy_rows(0, input, strip.top..strip.top + self.window),
                None => self.load_picture(pass, picture, &strip, &mut x),
            }
            chain.forward(pass, &mut x, self.steps.len())?;
            // The steps of the window have its heights, the group's own those of the whole.
            for (at, ((step, map), pooled)) in
                self.steps.iter().zip(chain.maps()).zip(pooled(&self.steps)).enumerate()
            {
                let part = strip.part(map, step.shape.1, pooled);
                if at + 1 == self.steps.len() {
                    output.copy_rows(part.rows_of_layer().start, map, part.rows.clone());
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
        let mut kept = Kept::default();
        let strips: Vec<_> = self.strips(self.halos[1]).collect();
        for (at, strip) in strips.iter().enumerate() {
            let next_top = strips.get(at + 1).map_or(strip.own.end, |next| next.top);
            match &input {
                Some(input) => {
                    kept.load(input, strip, self.window, &mut x);
                    kept.keep(next_top..strip.own.end, strip.top, &x);
                }
                None => self.load_picture(pass, picture, strip, &mut x),
            }
            // All but the pool, whose backward pass does not need its output.
            chain.forward(pass, &mut x, self.steps.len() - 1)?;
            let last = chain.last_mut().expect("a group has a pool");
            let top = strip.top >> self.pools();
            last.copy_rows(0, dy, top..top + last.height());
            let of_window = |layer: Layer| {
                let step = self.steps.iter().position(|step| step.layer == layer);
                // The input is none of the steps' outputs.
                let pooled = step.map_or(1, |step| pooled(&self.steps)[step]);
                TapGradient { top: strip.top / pooled, ..tap(layer) }
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

    /// Computes the network's input in the window from the picture.
    fn load_picture(&self, pass: &Pass, picture: ArrayView3<f32>, strip: &Strip, x: &mut FeatureMap) {
        let rows = picture.slice(s![.., strip.top..strip.top + self.window, ..]);
        preprocess::forward(pass.network.preprocessing(), rows, x);
    }
}

fn is_pool(step: &Step) -> bool {
    matches!(step.operation, Operation::Pool(_))
}

/// For each of the steps, of how many rows that the first one reads a row of its output is made, but for what lies around it.
fn pooled(steps: &[Step]) -> Vec<usize> {
    let after = |rows: &mut usize, step: &Step| {
        *rows *= if is_pool(step) { 2 } else { 1 };
        Some(*rows)
    };
    steps.iter().scan(1, after).collect()
}

/// Features of a group's input that its gradient has overwritten.
#[derive(Default)]
struct Kept {
    map: FeatureMap,
    rows: Range<usize>,
}

impl Kept {
    /// Fills a strip's window with the features of `input`, of which the rows before the strip's own are overwritten.
    fn load(&self, input: &FeatureMap, strip: &Strip, window: usize, x: &mut FeatureMap) {
        let overwritten = strip.top..strip.own.start;
        assert!(
            overwritten.is_empty()
                || self.rows.start <= overwritten.start && overwritten.end <= self.rows.end,
            "features that the window needs are gone"
        );
        if !overwritten.is_empty() {
            let first = overwritten.start - self.rows.start;
            x.copy_rows(0, &self.map, first..first + overwritten.len());
        }
        x.copy_rows(overwritten.len(), input, strip.own.start..strip.top + window);
    }

    /// Keeps `rows` of the window `x`, whose first row is `top`.
    fn keep(&mut self, rows: Range<usize>, top: usize, x: &FeatureMap) {
        if !rows.is_empty() {
            if self.map.height() < rows.len() {
                self.map = FeatureMap::zeros(x.channels(), rows.len(), x.width());
            }
            self.map.copy_rows(0, x, rows.start - top..rows.end - top);
        }
        self.rows = rows;
    }
}
