//! The Laplacian term: the squared distance of the picture's Laplacian from the content's, after average pooling. It keeps
//! faces and fine drawing (Lapstyle: Li et al. 2017, "Laplacian-Steered Neural Style Transfer").

use std::ops::Range;

use ndarray::{ArrayView3, ArrayViewMut3};

use crate::parallel::team;
use crate::tensor::Band;
use crate::vgg::PICTURE_CHANNELS;

use super::terms::Form;

/// The sides in pixels of the cells that are averaged, one pooling each.
const CELLS: [usize; 2] = [4, 16];

/// The least energy of a value of the content's Laplacian, on average: that of differences of 2.5 levels of 8 bits. A content
/// that is constant, or nearly, has at least this, so that the term stays finite and does not follow its noise.
const MIN_ENERGY: f64 = 1e-4;

/// The Laplacian term of one content, with the buffers that its evaluations reuse.
pub struct LaplacianTerm {
    levels: Vec<Level>,
    band: Band,
}

impl LaplacianTerm {
    /// The term with this content, 3×H×W, RGB in 0–1, as target, for this rank's `band`. Cells have 16 rows at most, so that none
    /// is cut; each rank has the cells of the whole picture.
    pub fn new(content: ArrayView3<f32>, band: &Band) -> Self {
        let (_, height, width) = content.dim();
        let level = |cell| {
            let grid = Grid { cell, height, width };
            let mut pooled = vec![0.0; grid.values()];
            pool(grid, content, 0..height, &mut pooled);
            let mut target = vec![0.0; grid.values()];
            laplacian(grid, &pooled, &mut target);
            let energy: f64 = target.iter().map(|value| value * value).sum();
            let error = vec![0.0; grid.values()];
            Level { energy: energy.max(MIN_ENERGY * grid.values() as f64), grid, target, pooled, error }
        };
        Self { levels: CELLS.into_iter().map(level).collect(), band: band.clone() }
    }

    /// Bytes of the term of pictures of `height` by `width` pixels.
    pub fn bytes(height: usize, width: usize) -> u64 {
        let values = CELLS.map(|cell| Grid { cell, height, width }.values());
        (3 * values.iter().sum::<usize>() * size_of::<f64>()) as u64
    }

    /// The term of the picture of which `picture` has this rank's rows, without its weight: with L the Laplacian of the pooled
    /// picture and L_c that of the content, the mean of Σ(L−L_c)²/ΣL_c² over the poolings; with [`Form::Gatys`] the sum of Σ(L−L_c)² of values of 0–255. Adds
    /// `weight` times its gradient to `gradient`, which has the same shape.
    ///
    /// # Panics
    /// If the picture has another size than the content, or `gradient` is not contiguous.
    pub fn evaluate(
        &mut self,
        form: Form,
        weight: f64,
        picture: ArrayView3<f32>,
        mut gradient: ArrayViewMut3<f32>,
    ) -> f64 {
        let poolings = self.levels.len() as f64;
        let mut value = 0.0;
        let rows = self.band.rows();
        for Level { grid, target, energy, pooled, error } in &mut self.levels {
            assert_eq!(picture.dim(), (PICTURE_CHANNELS, rows.len(), grid.width), "pictures of one size");
            let factor = match form {
                Form::Relative => 1.0 / (*energy * poolings),
                Form::Gatys => 255.0 * 255.0,
            };
            pool(*grid, picture, rows.clone(), pooled);
            self.band.ranks().sum(pooled);
            laplacian(*grid, pooled, error);
            error.iter_mut().zip(&*target).for_each(|(error, target)| *error -= target);
            value += factor * error.iter().map(|error| error * error).sum::<f64>();
            // The pooled picture is no longer needed: its buffer takes the gradient with respect to it.
            laplacian_backward(*grid, error, pooled);
            pool_backward(*grid, 2.0 * factor * weight, pooled, rows.clone(), gradient.view_mut());
        }
        value
    }
}

/// The term with one pooling.
struct Level {
    grid: Grid,
    /// The Laplacian of the pooled content.
    target: Vec<f64>,
    /// ΣL_c², or the least energy.
    energy: f64,
    /// The pooled picture of an evaluation, and then the gradient with respect to it.
    pooled: Vec<f64>,
    /// L − L_c.
    error: Vec<f64>,
}

/// The cells of one pooling. Those at the right and lower edge may be cut; a side shorter than a cell has one.
#[derive(Clone, Copy)]
struct Grid {
    /// Side of a cell in pixels.
    cell: usize,
    /// Of the picture, in pixels.
    height: usize,
    /// Of the picture, in pixels.
    width: usize,
}

impl Grid {
    fn rows(self) -> usize {
        self.height.div_ceil(self.cell)
    }

    fn columns(self) -> usize {
        self.width.div_ceil(self.cell)
    }

    /// Values of a pooled picture, row after row, colour after colour.
    fn values(self) -> usize {
        PICTURE_CHANNELS * self.rows() * self.columns()
    }

    /// The pixels along a side that is `length` pixels long of the cell with this index.
    fn pixels(self, index: usize, length: usize) -> std::ops::Range<usize> {
        index * self.cell..((index + 1) * self.cell).min(length)
    }
}

/// The mean of each cell in `own`, the rows that `picture` has; 0 for the others.
fn pool(grid: Grid, picture: ArrayView3<f32>, own: Range<usize>, pooled: &mut [f64]) {
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
fn pool_backward(
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
fn laplacian(grid: Grid, x: &[f64], y: &mut [f64]) {
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
fn laplacian_backward(grid: Grid, dy: &[f64], dx: &mut [f64]) {
    laplacian(grid, dy, dx);
}

#[cfg(test)]
mod tests {
    use ndarray::Array3;

    use super::*;

    /// Sizes with whole and cut cells, of one cell, and of a single pixel.
    const SIZES: [(usize, usize); 8] =
        [(32, 48), (37, 53), (16, 16), (17, 4), (15, 40), (3, 2), (1, 70), (1, 1)];

    fn picture(seed: u64, (height, width): (usize, usize)) -> Array3<f32> {
        let mut random = fastrand::Rng::with_seed(seed);
        Array3::from_shape_simple_fn((3, height, width), || random.f32())
    }

    /// The term by its definition, in f64.
    fn naive(form: Form, picture: &Array3<f64>, content: &Array3<f64>) -> f64 {
        let mut value = 0.0;
        for cell in [4, 16] {
            let [l, target] = [picture, content].map(|of| naive_laplacian(&naive_pool(of, cell)));
            let error: f64 = l.iter().zip(&target).map(|(l, target)| (l - target).powi(2)).sum();
            let energy = target.iter().map(|target| target * target).sum::<f64>().max(1e-4 * l.len() as f64);
            value += match form {
                Form::Relative => 0.5 * error / energy,
                Form::Gatys => 255.0 * 255.0 * error,
            };
        }
        value
    }

    fn naive_pool(x: &Array3<f64>, cell: usize) -> Array3<f64> {
        let (_, height, width) = x.dim();
        Array3::from_shape_fn((3, height.div_ceil(cell), width.div_ceil(cell)), |(c, i, j)| {
            let window = x.slice(ndarray::s![
                c,
                i * cell..((i + 1) * cell).min(height),
                j * cell..((j + 1) * cell).min(width)
            ]);
            window.mean().unwrap()
        })
    }

    fn naive_laplacian(x: &Array3<f64>) -> Array3<f64> {
        let (_, height, width) = x.dim();
        Array3::from_shape_fn(x.dim(), |(c, i, j)| {
            let replicated = |i: isize, j: isize| {
                x[[c, i.clamp(0, height as isize - 1) as usize, j.clamp(0, width as isize - 1) as usize]]
            };
            let (y, at) = (i as isize, j as isize);
            4.0 * x[[c, i, j]]
                - replicated(y - 1, at)
                - replicated(y + 1, at)
                - replicated(y, at - 1)
                - replicated(y, at + 1)
        })
    }

    #[test]
    fn the_value_and_the_gradient_are_those_of_the_definition() {
        for size in SIZES {
            for form in [Form::Relative, Form::Gatys] {
                let (x, content) = (picture(1, size), picture(2, size));
                let mut gradient = Array3::from_elem(x.dim(), 0.25);
                let mut term = LaplacianTerm::new(content.view(), &Band::whole(content.dim().1));
                let value = term.evaluate(form, 3.0, x.view(), gradient.view_mut());
                let [x, content] = [x, content].map(|picture| picture.mapv(f64::from));
                let expected = naive(form, &x, &content);
                assert!(
                    (value - expected).abs() <= 1e-9 * expected + 1e-20,
                    "{size:?}: {value} for {expected}"
                );
                // Central differences, which are exact for a quadratic function but for rounding.
                let scale = gradient.iter().map(|g| (g - 0.25).abs()).fold(0.0, f32::max) as f64;
                for at in (0..x.len()).step_by(1 + x.len() / 97) {
                    let shifted = |h: f64| {
                        let mut x = x.clone();
                        x.as_slice_mut().unwrap()[at] += h;
                        naive(form, &x, &content)
                    };
                    let slope = 3.0 * (shifted(0.5) - shifted(-0.5));
                    let found = f64::from(gradient.as_slice().unwrap()[at]) - 0.25;
                    assert!(
                        (found - slope).abs() <= 1e-5 * scale + 1e-6,
                        "{size:?}, {at}: {found} for {slope}"
                    );
                }
            }
        }
    }

    #[test]
    fn backward_is_the_adjoint_of_forward() {
        for (height, width) in SIZES {
            for cell in CELLS {
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

    #[test]
    fn it_is_0_at_the_content_and_about_1_of_another_picture_at_any_size() {
        for size in [(64, 64), (200, 310)] {
            let content = picture(5, size);
            let mut gradient = Array3::zeros(content.dim());
            let mut term = LaplacianTerm::new(content.view(), &Band::whole(content.dim().1));
            assert_eq!(term.evaluate(Form::Relative, 1.0, content.view(), gradient.view_mut()), 0.0);
            assert!(gradient.iter().all(|g| *g == 0.0));
            let grey = Array3::from_elem(content.dim(), 0.5);
            let value = term.evaluate(Form::Relative, 1.0, grey.view(), gradient.view_mut());
            assert!((value - 1.0).abs() < 1e-6, "{size:?}: {value}");
        }
    }

    #[test]
    fn a_constant_content_is_finite_and_asks_for_a_smooth_picture() {
        let (content, x) = (Array3::from_elem((3, 40, 40), 0.3), picture(6, (40, 40)));
        let mut gradient = Array3::zeros(x.dim());
        let mut term = LaplacianTerm::new(content.view(), &Band::whole(content.dim().1));
        let value = term.evaluate(Form::Relative, 1.0, x.view(), gradient.view_mut());
        assert!(value.is_finite() && value > 0.0 && gradient.iter().all(|g| g.is_finite()), "{value}");
    }

    #[test]
    fn threads_change_no_bit() {
        let (content, x) = (picture(7, (90, 110)), picture(8, (90, 110)));
        let evaluated = |threads| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            pool.install(|| {
                team::gather(|| {
                    let mut gradient = Array3::zeros(x.dim());
                    let mut term = LaplacianTerm::new(content.view(), &Band::whole(content.dim().1));
                    let value = term.evaluate(Form::Relative, 1.0, x.view(), gradient.view_mut());
                    (value.to_bits(), gradient)
                })
            })
        };
        assert!(evaluated(1) == evaluated(2) && evaluated(1) == evaluated(3));
    }
}
