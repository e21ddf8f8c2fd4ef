//! The convolution by Winograd's minimal filtering.
//!
//! The transformed filters are four times as large as the filters, so they are recomputed in every pass rather than kept,
//! and they must not leave the cache before they are multiplied. Hence two schedules. [`by_tiles`], for few channels: all
//! filters are transformed first, as they fit in cache, and each task transforms the inputs of its own run of tiles.
//! [`by_panels`], for many channels: the inputs of a batch of tiles are transformed first, and each task transforms the
//! filters of its own panel of output channels.

mod transforms;

use std::ops::Range;

use crate::gemm::{GROUP_DEPTH, MultiplyPanels, ROWS_MULTIPLE, TILE_ROWS_MULTIPLE, geometry};
use crate::parallel::scratch;
use crate::parallel::team;
use crate::simd::{Isa, Kernel, Simd, TileKernel, caches};
use crate::tensor::aligned::AlignedVec;
use crate::tensor::feature_map::BLOCK;
use crate::tensor::tiles::{Tile, TileSize};
use transforms::{
    POINTS, TILE, TransformFilters, TransformInput, TransformOutput, depth_of, filters_layout, groups,
    input_layout, product_layout,
};

use super::Arguments;
use super::epilogue::Epilogue;

/// Buffers that all tasks read: the transformed filters or inputs, and the epilogue's prepared values.
#[derive(Default)]
pub struct Buffers {
    transformed: AlignedVec,
    prepared: AlignedVec,
}

/// The most kernels (input times output channels) for which [`by_tiles`] is used: transformed they take 2.4 MB, which
/// stay in the L3 cache.
const MAX_FILTERS: usize = 128 * 128;

/// A convolution with 3×3 filters. With `PAIRS` the transformed inputs and filters are rounded to bfloat16; the products are
/// summed in f32.
///
/// # Panics
/// If the filters are others.
pub fn convolve<const PAIRS: bool, E: Epilogue>(arguments: Arguments<E>, buffers: &mut Buffers) {
    assert_eq!(arguments.filters.kernel(), 3, "Winograd's filtering needs 3×3 kernels");
    match arguments.filters.depth() * arguments.filters.columns() <= MAX_FILTERS {
        true => by_tiles::<PAIRS, E>(arguments, buffers),
        false => by_panels::<PAIRS, E>(arguments, buffers),
    }
}

/// Bytes of the buffers, feature maps excluded, of a convolution from `channels` to `columns` channels on a map of
/// `height`×`width` positions.
pub fn bytes<const PAIRS: bool>(
    isa: Isa,
    (channels, columns): (usize, usize),
    (height, width): (usize, usize),
) -> u64 {
    let (panel, threads, depth) = (geometry(isa).panel, team::most_threads(), depth_of::<PAIRS>(channels));
    let panel_len = filters_layout(depth, panel).1;
    let floats = if channels * columns <= MAX_FILTERS {
        columns.div_ceil(panel) * panel_len + threads * input_layout(tiles_of_a_task(depth).0, depth).1
    } else {
        let batch = (height.div_ceil(TILE) * width.div_ceil(TILE)).min(tiles_of_a_batch(depth));
        let slabs = batch.div_ceil(SLAB);
        let product_len = product_layout(slabs * SLAB, panel).1;
        let task = filters_layout(depth_of_a_part(depth, panel, product_len), panel).1 + product_len;
        slabs * input_layout(SLAB, depth).1 + threads * task
    };
    (floats * size_of::<f32>()) as u64
}

/// The most and the fewest tiles of a task of [`by_tiles`]. Every task reads all filters once, so with more channels a task
/// has more tiles, though their transformed inputs then outgrow the L2 cache and are held by the L3.
fn tiles_of_a_task(depth: usize) -> (usize, usize) {
    ((depth / 4).clamp(36, 120), 12)
}

/// Transforms all filters. Then each task transforms the inputs of a run of tiles and, for each panel of output channels,
/// multiplies them at each point, applies the output transform and writes the result.
fn by_tiles<const PAIRS: bool, E: Epilogue>(arguments: Arguments<E>, buffers: &mut Buffers) {
    let Arguments { isa, filters, input, output, epilogue } = arguments;
    let (channels, panel) = (filters.depth(), geometry(isa).panel);
    let depth = depth_of::<PAIRS>(channels);
    let columns = filters.columns().next_multiple_of(geometry(isa).lanes);
    let panel_len = filters_layout(depth, panel).1;
    buffers.transformed.resize_for_overwrite(columns.div_ceil(panel) * panel_len);
    team::for_each_chunk(&mut buffers.transformed, panel_len, |index, to| {
        let columns = index * panel..((index + 1) * panel).min(columns);
        let transform = TransformFilters::<PAIRS> { filters, channels: 0..channels, columns, to };
        run::<PAIRS, _>(isa, transform);
    });
    let transformed = &*buffers.transformed;

    let grid = (output.height().div_ceil(TILE), output.width().div_ceil(TILE));
    let tile_size = super::tile_size(isa, grid, output.blocks(), tiles_of_a_task(depth));
    let tile_size = TileSize { height: tile_size.height * TILE, width: tile_size.width * TILE, ..tile_size };
    output.for_each_tile(epilogue.tile_size(tile_size, output), |mut tile| {
        let (rows, tile_columns) = (tile.y().len().div_ceil(TILE), tile.x().len().div_ceil(TILE));
        let room = (rows * tile_columns).next_multiple_of(ROWS_MULTIPLE);
        let (input_stride, input_len) = input_layout(room, depth);
        let (product_stride, product_len) = product_layout(room, panel);
        let prepared_len = epilogue.prepared_len(tile.positions());
        scratch::with([input_len, product_len, prepared_len], |[inputs, products, prepared]| {
            let transform = TransformInput::<PAIRS> {
                map: input,
                y: tile.y().start,
                x: tile.x().start,
                columns: tile_columns,
                tiles: 0..rows * tile_columns,
                room,
                to: inputs,
            };
            run::<PAIRS, _>(isa, transform);
            epilogue.prepare(|block, y| tile.row(block, y), tile.y(), tile.x(), prepared);
            for column in (tile.blocks().start * BLOCK..tile.blocks().end * BLOCK).step_by(panel) {
                let width = panel.min(columns - column);
                let filters = &transformed[column / panel * panel_len..];
                let filter_stride = filters_layout(depth, width).0;
                for point in 0..POINTS {
                    let products = &mut products[point * product_stride..][..room * width];
                    for (index, group) in groups(0..depth).enumerate() {
                        let a = &inputs[point * input_stride + index * room * GROUP_DEPTH..];
                        let b =
                            &filters[point * filter_stride + group.start * width..][..group.len() * width];
                        let product = MultiplyPanels::<PAIRS> {
                            rows: room,
                            depth: group.len(),
                            a: &a[..room * GROUP_DEPTH],
                            b,
                            c: products,
                            width,
                            accumulate: index > 0,
                            ahead: &[],
                        };
                        run_tiled::<PAIRS, _>(isa, product);
                    }
                }
                let first = column / BLOCK;
                let stride = product_stride;
                isa.run(WritePanel { tile: &mut tile, first, products, stride, width, prepared, epilogue });
            }
        });
    });
}

/// Tiles whose transformed inputs are stored together, point by point: a whole number of register tiles.
const SLAB: usize = TILE_ROWS_MULTIPLE;

/// The most tiles of a batch. A larger batch transforms the filters fewer times. The limits are the caches: with an L2 of 1 MiB
/// a core the transformed inputs take at most 10 MB of L3, and a task's products with a panel 1.2 MB, about the L2. With one of
/// 2 MiB it is twice that.
fn tiles_of_a_batch(depth: usize) -> usize {
    let least = SLAB * ((11 * caches::second_level_bytes()) >> 20).clamp(11, 22);
    (least * 512 / depth.max(1)).clamp(least, 2 * least)
}

/// The depth of a part of a panel's filters. A part is transformed and multiplied before the next, so that it need not
/// leave the L2 cache; but each part passes over all products, so that there is only one unless these are few.
fn depth_of_a_part(depth: usize, width: usize, product_len: usize) -> usize {
    let cache = caches::second_level_bytes() / size_of::<f32>();
    if product_len > cache / 8 {
        return depth;
    }
    // Three quarters of the cache for the transformed filters: the rest is for the products and inputs.
    let of_row = filters_layout(1, width).1;
    depth.min((cache * 3 / 4 / of_row).max(BLOCK))
}

/// The depth in parts, nearly equal in size, of at most `most`, which is `depth` or at least a block. All parts but the last
/// are whole blocks.
fn parts(depth: usize, most: usize) -> impl Iterator<Item = Range<usize>> {
    let part = match most < depth {
        true => (depth.div_ceil(depth.div_ceil(most))).next_multiple_of(BLOCK).min(most / BLOCK * BLOCK),
        false => depth,
    };
    (0..depth).step_by(part.max(1)).map(move |start| start..(start + part).min(depth))
}

/// Divides the output into batches of tiles, nearly equal in size, and computes one after the other.
fn by_panels<const PAIRS: bool, E: Epilogue>(mut arguments: Arguments<E>, buffers: &mut Buffers) {
    let (whole_height, whole_width) = (arguments.output.height(), arguments.output.width());
    let (height, width) = (whole_height.div_ceil(TILE), whole_width.div_ceil(TILE));
    // The size of the fewest parts, equal but for rounding, of at most `max`.
    let even = |whole: usize, max: usize| whole.div_ceil(whole.div_ceil(max).max(1)).max(1);
    let max = tiles_of_a_batch(depth_of::<PAIRS>(arguments.filters.depth()));
    let columns = even(width, max);
    let rows = even(height, max / columns);
    for top in (0..height).step_by(rows) {
        for left in (0..width).step_by(columns) {
            let y = top * TILE..((top + rows) * TILE).min(whole_height);
            let x = left * TILE..((left + columns) * TILE).min(whole_width);
            batch::<PAIRS, E>(&mut arguments, buffers, (y, x));
        }
    }
}

/// Computes one batch, the positions `y` × `x`. Transforms its inputs. Then each task transforms the filters of its panel
/// of output channels, multiplies at each point, applies the output transform and writes the result.
fn batch<const PAIRS: bool, E: Epilogue>(
    arguments: &mut Arguments<E>,
    buffers: &mut Buffers,
    (y, x): (Range<usize>, Range<usize>),
) {
    let Arguments { isa, filters, input, output, epilogue } = arguments;
    let (isa, filters, input, epilogue) = (*isa, *filters, *input, *epilogue);
    let (channels, panel) = (filters.depth(), geometry(isa).panel);
    let depth = depth_of::<PAIRS>(channels);
    let all_columns = filters.columns().next_multiple_of(geometry(isa).lanes);
    let (rows, columns) = (y.len().div_ceil(TILE), x.len().div_ceil(TILE));
    // One task per panel and band of rows, with enough bands for two tasks per thread.
    let bands = (2 * rayon::current_num_threads()).div_ceil(all_columns.div_ceil(panel)).clamp(1, rows);
    let band_rows = rows.div_ceil(bands);
    let bands = rows.div_ceil(band_rows);
    let slabs = (band_rows * columns).div_ceil(SLAB);

    let (input_stride, slab_len) = input_layout(SLAB, depth);
    buffers.transformed.resize_for_overwrite(bands * slabs * slab_len);
    team::for_each_chunk(&mut buffers.transformed, slab_len, |index, to| {
        let (band, first) = (index / slabs, index % slabs * SLAB);
        let tiles = band_rows.min(rows - band * band_rows) * columns;
        let tiles = first.min(tiles)..(first + SLAB).min(tiles);
        let y = y.start + band * band_rows * TILE;
        let transform = TransformInput::<PAIRS> { map: input, y, x: x.start, columns, tiles, room: SLAB, to };
        run::<PAIRS, _>(isa, transform);
    });
    let row_len = epilogue.prepared_len(x.len());
    buffers.prepared.resize_for_overwrite(y.len() * row_len);
    if row_len > 0 {
        let features = &*output;
        let row = |block: usize, y: usize| &features.row(block, y)[x.start * BLOCK..x.end * BLOCK];
        team::for_each_chunk(&mut buffers.prepared, TILE * row_len, |index, to| {
            let top = y.start + index * TILE;
            epilogue.prepare(row, top..(top + TILE).min(y.end), x.clone(), to);
        });
    }

    let (inputs, prepared) = (&*buffers.transformed, &*buffers.prepared);
    let tile_size = TileSize { height: band_rows * TILE, width: x.len().max(1), blocks: panel / BLOCK };
    output.for_each_tile_of(y.clone(), x, tile_size, |mut tile| {
        let first = tile.blocks().start;
        let width = panel.min(all_columns - first * BLOCK);
        let tiles = tile.y().len().div_ceil(TILE) * columns;
        let above = tile.y().start - y.start;
        let inputs = &inputs[above / (band_rows * TILE) * slabs * slab_len..][..slabs * slab_len];
        let prepared = &prepared[above * row_len..];
        let (stride, product_len) = product_layout(slabs * SLAB, width);
        let part_depth = depth_of_a_part(depth, width, product_len);
        let filters_len = filters_layout(part_depth, width).1;
        scratch::with([filters_len, product_len], |[transformed, products]| {
            for part in parts(depth, part_depth) {
                let columns = first * BLOCK..first * BLOCK + width;
                let filter_stride = filters_layout(part.len(), width).0;
                let channels = match PAIRS {
                    true => 2 * part.start..channels.min(2 * part.end),
                    false => part.clone(),
                };
                let transform = TransformFilters::<PAIRS> { filters, channels, columns, to: transformed };
                run::<PAIRS, _>(isa, transform);
                for point in 0..POINTS {
                    for group in groups(part.clone()) {
                        let row = point * filter_stride + (group.start - part.start) * width;
                        let b = &transformed[row..][..group.len() * width];
                        let (index, offset) = (group.start / GROUP_DEPTH, group.start % GROUP_DEPTH);
                        let at = point * input_stride + index * SLAB * GROUP_DEPTH + offset;
                        let products = products[point * stride..].chunks_mut(SLAB * width);
                        for (slab, c) in (0..slabs).zip(products) {
                            let rows = tiles.saturating_sub(slab * SLAB).min(SLAB);
                            let product = MultiplyPanels::<PAIRS> {
                                rows: rows.next_multiple_of(ROWS_MULTIPLE),
                                depth: group.len(),
                                a: &inputs[slab * slab_len + at..],
                                b,
                                c,
                                width,
                                accumulate: group.start > 0,
                                // The next slab's inputs, for the same point and group of channels.
                                ahead: inputs.get((slab + 1) * slab_len + at..).unwrap_or(&[]),
                            };
                            run_tiled::<PAIRS, _>(isa, product);
                        }
                    }
                }
            }
            isa.run(WritePanel { tile: &mut tile, first, products, stride, width, prepared, epilogue });
        });
    });
}

/// Runs a kernel that with `PAIRS` works on bfloat16.
fn run<const PAIRS: bool, K: Kernel>(isa: Isa, kernel: K) -> K::Output {
    if PAIRS { isa.run_bf16(kernel) } else { isa.run(kernel) }
}

/// Runs a kernel with register tiles that with `PAIRS` works on bfloat16.
fn run_tiled<const PAIRS: bool, K: TileKernel>(isa: Isa, kernel: K) -> K::Output {
    if PAIRS { isa.run_tiled_bf16(kernel) } else { isa.run_tiled(kernel) }
}

/// Applies the output transform to a panel's products and writes the result through the epilogue.
struct WritePanel<'a, 't, E> {
    tile: &'a mut Tile<'t>,
    /// The panel's first channel block.
    first: usize,
    products: &'a [f32],
    stride: usize,
    width: usize,
    prepared: &'a [f32],
    epilogue: &'a E,
}

impl<E: Epilogue> Kernel for WritePanel<'_, '_, E> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        let Self { tile, first, products, stride, width, prepared, epilogue } = self;
        let (rows, columns) = (tile.y().step_by(TILE), tile.x().step_by(TILE));
        let tiles = rows.flat_map(|y| columns.clone().map(move |x| (y, x)));
        // Channels in the outer loop: neighbouring tiles, adjacent in memory, are then written one after the other.
        for lane in (0..width).step_by(S::LANES) {
            let block = first + lane / BLOCK;
            for (index, (y, x)) in tiles.clone().enumerate() {
                let x = x..(x + TILE).min(tile.x().end);
                let transform = TransformOutput { products, stride, at: index * width + lane };
                let outputs = transform.outputs(simd);
                for (y, outputs) in (y..tile.y().end).zip(&outputs) {
                    epilogue.write(simd, tile, prepared, (block, y), x.clone(), outputs.iter().copied());
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_cover_the_channels_and_are_whole_blocks() {
        for depth in [1, 7, 8, 9, 64, 287, 288, 289, 512] {
            for most in [8, 9, 64, 170, 288, 511, 512].map(|most: usize| most.min(depth)) {
                if most < depth.min(BLOCK) {
                    continue;
                }
                let mut end = 0;
                for part in parts(depth, most) {
                    assert!(part.start == end && part.start.is_multiple_of(BLOCK) && part.len() <= most);
                    end = part.end;
                    // The depth groups are parts of it, none with channels of two groups.
                    let groups: Vec<_> = groups(part.clone()).collect();
                    assert!(groups[0].start == part.start && groups[groups.len() - 1].end == part.end);
                    assert!(groups.windows(2).all(|two| two[0].end == two[1].start));
                    assert!(groups.iter().all(|g| g.start / GROUP_DEPTH == (g.end - 1) / GROUP_DEPTH));
                }
                assert_eq!(end, depth, "{most}");
            }
        }
    }
}
