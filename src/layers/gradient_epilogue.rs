//! The epilogue of a backward pass: the operations on dX that are fused with writing it over the features X.

use std::ops::Range;

use crate::parallel::scratch;
use crate::simd::Isa;
use crate::simd::{Kernel, Simd};
use crate::tensor::feature_map::BLOCK;
use crate::tensor::rows::{VectorRow, VectorRowMut};
use crate::tensor::tiles::{Tile, TileSize};
use crate::tensor::{FeatureMap, Place};

use super::moments;

/// The operations applied to dX before it is written over X, in the order of the fields.
#[derive(Clone, Copy, Default)]
pub struct GradientEpilogue<'a> {
    /// The gradient of the loss terms that depend on X directly, where X is a tap: added to dX.
    pub tap: TapGradient<'a>,
    /// Whether X is the output of a fused ReLU: dX is then set to 0 where X ≤ 0, which makes it the gradient with
    /// respect to the ReLU's input.
    pub relu: bool,
}

/// The gradient of the loss terms at a tap with respect to its features X: the sum of a style part,
/// Σ_r (t_rp/n_r)·(2·dS_r·x_p + dμ_r) at each position p, over the regions r, and a content part, slope · (X − P). Either may
/// be absent.
#[derive(Clone, Copy, Default)]
pub struct TapGradient<'a> {
    /// The gradient with respect to X's moments: one over all positions, or one for each region.
    pub style: &'a [moments::Gradient],
    /// The content picture's features P, of the layer's shape, and the slope.
    pub content: Option<(&'a FeatureMap, f32)>,
    /// Which rows of the layer X has.
    pub place: Place,
}

impl<'a> GradientEpilogue<'a> {
    /// Writes the gradient of the deepest tap over its features `x`: only the loss depends on them, so no gradient comes
    /// from a later layer.
    ///
    /// # Panics
    /// If the tap's gradient is of another shape than the features.
    pub fn write_deepest(self, isa: Isa, x: &mut FeatureMap) {
        self.for_each_tile(x, TileSize::strips(x), |tile, prepared| {
            isa.run(Deepest { epilogue: self, tile, prepared })
        });
    }

    /// Checks the shape of the tap's gradient.
    ///
    /// # Panics
    /// If it has other channels or another width than the features `x`, or not all of their rows.
    pub(super) fn check(self, x: &FeatureMap) {
        let has_rows = |height: usize| self.tap.place.runs(x.height()).iter().all(|run| run.end <= height);
        if let Some((content, _)) = self.tap.content {
            let shapes = [content, x].map(|map| (map.channels(), map.width()));
            assert!(shapes[0] == shapes[1] && has_rows(content.height()), "a tap of another shape");
        }
        for style in self.tap.style {
            assert_eq!(style.channels(), x.channels(), "a tap of another shape");
            let weights = style.weights().map(|weights| weights.plane().dim());
            let fits = |(height, width)| has_rows(height) && width == x.width();
            assert!(weights.is_none_or(fits), "a region of another size");
        }
    }

    /// `tile_size`, enlarged to all channels where there is a style part: its gradient of one channel depends on all
    /// channels.
    pub(super) fn tile_size(self, tile_size: TileSize, x: &FeatureMap) -> TileSize {
        match self.tap.style {
            [] => tile_size,
            _ => TileSize { blocks: x.blocks().max(1), ..tile_size },
        }
    }

    /// Runs `work` on each tile of `x`, with the output of [`GradientEpilogue::prepare`] for the tile.
    pub(super) fn for_each_tile(
        self,
        x: &mut FeatureMap,
        tile_size: TileSize,
        work: impl Fn(&mut Tile, &[f32]) + Sync,
    ) {
        self.for_each_tile_of(0..x.height(), x, tile_size, work);
    }

    /// Like [`GradientEpilogue::for_each_tile`], for the `rows` of `x` only.
    pub(super) fn for_each_tile_of(
        self,
        rows: Range<usize>,
        x: &mut FeatureMap,
        tile_size: TileSize,
        work: impl Fn(&mut Tile, &[f32]) + Sync,
    ) {
        self.check(x);
        let tile_size = self.tile_size(tile_size, x);
        x.for_each_tile_of(rows, 0..x.width(), tile_size, |mut tile| {
            scratch::with([self.prepared_len(tile.positions())], |[prepared]| {
                self.prepare(|block, y| tile.row(block, y), tile.y(), tile.x(), prepared);
                work(&mut tile, prepared);
            });
        });
    }

    /// Length in floats of [`GradientEpilogue::prepare`]'s output for this many positions.
    pub(super) fn prepared_len(self, positions: usize) -> usize {
        self.tap.style.first().map_or(0, |style| positions * style.stride())
    }

    /// Computes the style part, which depends on all channels of a position and so must be known before the first of them
    /// is overwritten: for the positions `y` × `x`, whose features are `row(block, y)`.
    pub(super) fn prepare<'r>(
        self,
        row: impl Fn(usize, usize) -> &'r [f32],
        y: Range<usize>,
        x: Range<usize>,
        to: &mut [f32],
    ) {
        let place = self.tap.place;
        let mut acting = self.tap.style.iter().filter(|style| style.acts_on(place, y.clone(), x.clone()));
        match acting.next() {
            Some(style) => moments::backward(style, &row, y.clone(), x.clone(), place, to),
            // Empty, or all of it outside the regions.
            None => to.fill(0.0),
        }
        for style in acting {
            scratch::with([to.len()], |[of_region]| {
                moments::backward(style, &row, y.clone(), x.clone(), place, of_region);
                to.iter_mut().zip(of_region).for_each(|(sum, df)| *sum += *df);
            });
        }
    }

    /// The epilogue for the tile's part of row `y` and the vector of channels that begins at `block`. `prepared` is
    /// [`GradientEpilogue::prepare`]'s output for the tile.
    #[inline(always)]
    pub(super) fn for_row<'p, S: Simd>(
        self,
        simd: S,
        prepared: &'p [f32],
        tile: &Tile,
        (block, y): (usize, usize),
    ) -> RowEpilogue<'p, S>
    where
        'a: 'p,
    {
        let style = self.tap.style.first().map(|style| {
            let position = (y - tile.y().start) * tile.x().len();
            (&prepared[position * style.stride() + block * BLOCK..], style.stride())
        });
        let first = tile.x().start;
        let content = self.tap.content.map(|(content, slope)| {
            (content.vectors(block, self.tap.place.row_of_layer(y)), first, simd.splat(slope))
        });
        RowEpilogue { simd, style, content, relu: self.relu }
    }
}

/// The epilogue at the deepest tap, where the gradient from later layers is 0.
struct Deepest<'a, 't> {
    epilogue: GradientEpilogue<'a>,
    tile: &'a mut Tile<'t>,
    prepared: &'a [f32],
}

impl Kernel for Deepest<'_, '_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        let Self { epilogue, tile, prepared } = self;
        for (block, y) in tile.vectors(S::LANES) {
            let row_epilogue = epilogue.for_row(simd, prepared, tile, (block, y));
            let [mut row] = tile.vectors_mut(block, y);
            for x in 0..row.positions() {
                row_epilogue.write(&mut row, x, simd.splat(0.0));
            }
        }
    }
}

/// The epilogue for one row of a tile and one vector of channels.
pub(super) struct RowEpilogue<'p, S: Simd> {
    simd: S,
    /// The style part, from the first position's vector on, and the floats from one position to the next.
    style: Option<(&'p [f32], usize)>,
    /// P's row, the column in it at which the tile begins, and the slope.
    content: Option<(VectorRow<'p>, usize, S::F32)>,
    relu: bool,
}

impl<S: Simd> RowEpilogue<'_, S> {
    /// Applies the epilogue to the gradient of one position and writes it over the features. `x` is the tile's part of the
    /// row, `position` counts from its start.
    #[inline(always)]
    pub(super) fn write(&self, x: &mut VectorRowMut, position: usize, gradient: S::F32) {
        let simd = self.simd;
        let features = x.get(simd, position);
        let mut dx = gradient;
        if let Some((style, stride)) = self.style {
            dx = simd.add(dx, simd.read(&style[position * stride..]));
        }
        if let Some((content, first, slope)) = &self.content {
            let error = simd.sub(features, content.get(simd, first + position));
            dx = simd.mul_add(*slope, error, dx);
        }
        if self.relu {
            dx = simd.where_positive(features, dx);
        }
        x.set(simd, position, dx);
    }
}
