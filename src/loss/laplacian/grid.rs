//! Pictures pooled to square cells, their Laplacian, and the adjoints of both.

use std::ops::Range;

use ndarray::{ArrayView3, ArrayViewMut3};

use crate::parallel::team;
use crate::vgg::PICTURE_CHANNELS;

/// The cells of one pooling. Those at the right and lower edge may be cut; a side shorter than a cell has one.
#[derive(Clone, Copy)]
pub(super) struct Grid {
    /// Side of a cell in pixels.
    pub(super) cell: usize,
    /// Of the picture, in pixels.
    pub(super) height: usize,
    /// Of the picture, in pixels.
    pub(super) width: usize,
}

impl Grid {
    pub(super) fn rows(self) -> usize {
        self.height.div_ceil(self.cell)
    }

    pub(super) fn columns(self) -> usize {
        self.width.div_ceil(self.cell)
    }

    pub(super) fn cells(self) -> usize {
        self.rows() * self.columns()
    }

    /// Values of a pooled picture, row after row, colour after colour.
    pub(super) fn values(self) -> usize {
        PICTURE_CHANNELS * self.cells()
    }

    /// The pixels along a side that is `length` pixels long of the cell with this index.
    fn pixels(self, index: usize, length: usize) -> std::ops::Range<usize> {
        index * self.cell..((index + 1) * self.cell).min(length)
    }
}

/// The mean of each cell in `own`, the rows that `picture` has, of as many planes as there are; 0 for the others.
pub(super) fn pool(grid: Grid, picture: ArrayView3<f32>, own: Range<usize>, pooled: &mut [f64]) {
    let picture = picture.as_standard_layout();
    let x = picture.as_slice().expect("the standard layout is contiguous");
    team::for_each_chunk(pooled, grid.columns(), |row, pooled| {
        let (colour, row) = (row / grid.rows(), row % grid.rows());
        let rows = grid.pixels(row, grid.height);
        pooled.fill(0.0);
        if !own.contains(&rows.start) {
            return;
        }
        for y in rows.clone() {
            let start = (colour * own.len() + y - own.start) * grid.width;
            let cells = x[start..start + grid.width].chunks(grid.cell);
            for (sum, cell) in pooled.iter_mut().zip(cells) {
                *sum += cell.iter().map(|value| f64::from(*value)).sum::<f64>();
            }
        }
        for (column, mean) in pooled.iter_mut().enumerate() {
            *mean /= (rows.len() * grid.pixels(column, grid.width).len()) as f64;
        }
    });
}

/// The adjoint of [`pool`]: adds `factor` times the gradient with respect to the rows `own` of the picture to `gradient`.
pub(super) fn pool_backward(
    grid: Grid,
    factor: f64,
    dpooled: &[f64],
    own: Range<usize>,
    mut gradient: ArrayViewMut3<f32>,
) {
    let dx = gradient.as_slice_mut().expect("gradients are made contiguous");
    team::for_each_chunk(dx, grid.width, |row, dx| {
        let (colour, y) = (row / own.len(), own.start + row % own.len());
        let row = y / grid.cell;
        let start = (colour * grid.rows() + row) * grid.columns();
        let of_row = factor / grid.pixels(row, grid.height).len() as f64;
        let cells = &dpooled[start..start + grid.columns()];
        for (dx, dmean) in dx.chunks_mut(grid.cell).zip(cells) {
            let slope = (of_row * dmean / dx.len() as f64) as f32;
            dx.iter_mut().for_each(|dx| *dx += slope);
        }
    });
}

/// The Laplacian of each colour: at each cell the sum of its differences from its up to four neighbours. This is the kernel
/// (0 −1 0, −1 4 −1, 0 −1 0) with replicated edges, so that a constant picture has none.
pub(super) fn laplacian(grid: Grid, x: &[f64], y: &mut [f64]) {
    let (rows, columns) = (grid.rows(), grid.columns());
    y.fill(0.0);
    for at in 0..grid.values() {
        let (row, column) = (at / columns % rows, at % columns);
        let right = (column + 1 < columns).then_some(at + 1);
        let below = (row + 1 < rows).then_some(at + columns);
        for neighbour in [right, below].into_iter().flatten() {
            let difference = x[at] - x[neighbour];
            y[at] += difference;
            y[neighbour] -= difference;
        }
    }
}

/// The adjoint of [`laplacian`], which is its own: the matrix is symmetric.
pub(super) fn laplacian_backward(grid: Grid, dy: &[f64], dx: &mut [f64]) {
    laplacian(grid, dy, dx);
}

#[cfg(test)]
mod tests {
    use ndarray::Array3;

    use super::*;

    /// Sizes with whole and cut cells, of one cell, and of a single pixel.
    const SIZES: [(usize, usize); 6] = [(32, 48), (37, 53), (17, 4), (3, 2), (1, 70), (1, 1)];

    fn picture(seed: u64, (height, width): (usize, usize)) -> Array3<f32> {
        let mut random = fastrand::Rng::with_seed(seed);
        Array3::from_shape_simple_fn((3, height, width), || random.f32())
    }

    #[test]
    fn backward_is_the_adjoint_of_forward() {
        for (height, width) in SIZES {
            for cell in [4, 16] {
                let grid = Grid { cell, height, width };
                let (x, dy) = (picture(3, (height, width)), picture(4, (grid.rows(), grid.columns())));
                let dy: Vec<f64> = dy.iter().map(|value| f64::from(*value)).collect();
                let (mut pooled, mut y, mut dpooled) =
                    (vec![0.0; grid.values()], vec![0.0; grid.values()], vec![0.0; grid.values()]);
                pool(grid, x.view(), 0..height, &mut pooled);
                laplacian(grid, &pooled, &mut y);
                let mut dx = Array3::zeros(x.dim());
                laplacian_backward(grid, &dy, &mut dpooled);
                pool_backward(grid, 1.0, &dpooled, 0..height, dx.view_mut());
                let forward: f64 = y.iter().zip(&dy).map(|(y, dy)| y * dy).sum();
                let backward: f64 =
                    x.iter().zip(&dx).map(|(x, dx): (&f32, &f32)| f64::from(*x) * f64::from(*dx)).sum();
                assert!(
                    (forward - backward).abs() < 1e-5,
                    "{height}×{width}, {cell}: {forward} and {backward}"
                );
            }
        }
    }
}
