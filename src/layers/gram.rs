//! Gram matrices: the products of every two channels, summed over the positions.
//!
//! Gatys, Ecker and Bethge 2015, equation 3: G = F·Fᵀ, with F the layer's features as an N×M matrix, N channels
//! by M positions.

use std::ops::Range;

use ndarray::{Array2, ArrayView2};
use rayon::prelude::*;

use crate::kernels::feature_map::BLOCK;
use crate::kernels::gemm::PackedMatrix;
use crate::kernels::im2col::blocks_per_group;
use crate::kernels::sgemm::{Matrix, sgemm};
use crate::kernels::{FeatureMap, Isa, scratch};

use super::conv::im2col;
use super::conv::store::Forward;

/// Rows of G that one task makes: the unit in which its symmetry saves work.
const BAND: usize = 64;

/// Positions that are brought side by side before they are multiplied: with 512 channels 256 KiB of second-level
/// cache, with fewer channels more positions.
fn chunk(channels: usize) -> usize {
    (64 * 1024 / channels.max(1)).clamp(128, 1024)
}

/// G = F·Fᵀ of the features `f`, N×H×W: N×N, symmetric. Half of it is computed.
pub fn forward(f: &FeatureMap) -> Array2<f32> {
    let n = f.channels();
    // Positions are cut into slices, each summed on its own and then all in order, so that the sum is the same
    // whatever the number of threads, and short enough for f32.
    let slices = (f.positions() / 2048).clamp(1, 64);
    let rows = f.height().div_ceil(slices).max(1);
    let tasks: Vec<(usize, usize)> = (0..n)
        .step_by(BAND)
        .flat_map(|band| (0..f.height()).step_by(rows).map(move |top| (band, top)))
        .collect();
    let partials: Vec<Array2<f32>> = tasks
        .par_iter()
        .map(|&(band, top)| band_of_slice(f, band, top..(top + rows).min(f.height())))
        .collect();
    let mut sums = Array2::<f64>::zeros((n, n));
    for (&(band, _), partial) in tasks.iter().zip(&partials) {
        for ((i, j), &value) in partial.indexed_iter() {
            sums[[band + i, band + j]] += value as f64;
        }
    }
    // Above the diagonal and on it the sums are whole; below it they are only inside the bands.
    Array2::from_shape_fn((n, n), |(i, j)| sums[[i.min(j), i.max(j)]] as f32)
}

/// The rows `band..band + BAND` of F·Fᵀ from the diagonal block on, over the map's rows `y`.
fn band_of_slice(f: &FeatureMap, band: usize, y: Range<usize>) -> Array2<f32> {
    let rows = BAND.min(f.channels() - band);
    let columns = f.channels() - band;
    let mut sum = Array2::zeros((rows, columns));
    let first = band / BLOCK;
    let stride = (f.blocks() - first) * BLOCK;
    let most = chunk(f.channels());
    scratch::with([most * stride, 0], |features, _| {
        for (y, x) in chunks(y, f.width(), most) {
            let count = y.len() * x.len();
            gather(f, first, y, x, features);
            let f =
                Matrix { data: &features[..], rows: count, columns, row_stride: stride, column_stride: 1 };
            let transposed = Matrix { rows, columns: count, row_stride: 1, column_stride: stride, ..f };
            let data = sum.as_slice_mut().expect("a new array is contiguous");
            sgemm(transposed, f, 1.0, Matrix { data, rows, columns, row_stride: columns, column_stride: 1 });
        }
    });
    sum
}

/// dF = 2·dG·F for a symmetric dG, N×N, written to `df`, N×H×W as the features `f` are: each entry of G has
/// two factors in F. That is a 1×1 convolution of F with 2·dG.
pub fn backward(isa: Isa, f: &FeatureMap, dg: ArrayView2<f32>, df: &mut FeatureMap) {
    let n = f.channels();
    assert_eq!((df.channels(), df.height(), df.width()), (n, f.height(), f.width()));
    let twice: Vec<f32> = dg.iter().map(|dg| 2.0 * dg).collect();
    let weights = PackedMatrix::new(isa, (n, n), blocks_per_group(1) * BLOCK, &twice, |row| row * n, 1);
    let bias = vec![[0.0; BLOCK]; f.blocks()];
    im2col::convolve(isa, 1, f, &weights, df, &Forward { bias: &bias, relu: false });
}

/// Rectangles of at most `most` positions that make up the rows `y` of a map.
fn chunks(y: Range<usize>, width: usize, most: usize) -> impl Iterator<Item = (Range<usize>, Range<usize>)> {
    let columns = width.clamp(1, most);
    let rows = most / columns;
    y.clone().step_by(rows).flat_map(move |top| {
        let y = top..(top + rows).min(y.end);
        (0..width).step_by(columns).map(move |left| (y.clone(), left..(left + columns).min(width)))
    })
}

/// The features of the positions `y` × `x` side by side: a row a position, of the channels from block `first` on.
fn gather(f: &FeatureMap, first: usize, y: Range<usize>, x: Range<usize>, to: &mut [f32]) {
    let stride = (f.blocks() - first) * BLOCK;
    for block in first..f.blocks() {
        for (row, y) in y.clone().enumerate() {
            let from = &f.row(block, y).as_chunks::<BLOCK>().0[x.clone()];
            let to = to[row * x.len() * stride..].chunks_mut(stride);
            for (to, from) in to.zip(from) {
                to[(block - first) * BLOCK..][..BLOCK].copy_from_slice(from);
            }
        }
    }
}
