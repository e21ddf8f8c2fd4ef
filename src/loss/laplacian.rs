//! The Laplacian term: the squared distance of the picture's Laplacian from the content's, after average pooling. It keeps
//! faces and fine drawing (Lapstyle: Li et al. 2017, "Laplacian-Steered Neural Style Transfer").

mod grid;

use ndarray::{ArrayView2, ArrayView3, ArrayViewMut3, Axis};

use crate::tensor::Band;
use crate::vgg::PICTURE_CHANNELS;

use super::terms::Form;

use grid::{Grid, laplacian, laplacian_backward, pool, pool_backward};

/// The sides in pixels of the cells that are averaged, one pooling each.
const CELLS: [usize; 2] = [4, 16];

/// The least energy of a value of the content's Laplacian, on average: that of differences of 2.5 levels of 8 bits. A content
/// that is constant, or nearly, has at least this, so that the term stays finite and does not follow its noise.
const MIN_ENERGY: f64 = 1e-4;

/// The Laplacian term of one content, with the buffers that its evaluations reuse.
pub struct LaplacianTerm {
    levels: Vec<Level>,
    /// By how much the term counts: the share of the picture in which it acts.
    share: f64,
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
            let energy = energy.max(MIN_ENERGY * grid.values() as f64);
            Level { energy, grid, target, weights: None, pooled, error }
        };
        Self { levels: CELLS.into_iter().map(level).collect(), share: 1.0, band: band.clone() }
    }

    /// The term within a mask, H×W, 0–1, of the whole picture: each cell counts by the mask's mean m in it, the content's energy is
    /// that within the mask, and the term counts by the mask's share of the picture, as a region's style term does. What is kept
    /// there does not depend on how much drawing the content has elsewhere.
    ///
    /// # Panics
    /// If the mask has another size than the content.
    pub fn within(self, mask: ArrayView2<f32>) -> Self {
        let share = mask.iter().map(|m| f64::from(*m)).sum::<f64>() / mask.len() as f64;
        let level = |level: Level| {
            let Level { grid, target, .. } = &level;
            assert_eq!(mask.dim(), (grid.height, grid.width), "a mask of the content's size");
            let mut weights = vec![0.0; grid.cells()];
            pool(*grid, mask.insert_axis(Axis(0)), 0..grid.height, &mut weights);
            let energy = masked_sum(target, Some(&weights));
            let least = MIN_ENERGY * (PICTURE_CHANNELS as f64 * weights.iter().sum::<f64>());
            // Of a black mask, where there is nothing to divide.
            let energy = if least > 0.0 { energy.max(least) } else { 1.0 };
            Level { energy, weights: Some(weights), ..level }
        };
        Self { levels: self.levels.into_iter().map(level).collect(), share, ..self }
    }

    /// Bytes of the term of pictures of `height` by `width` pixels.
    pub fn bytes(height: usize, width: usize) -> u64 {
        let grids = CELLS.map(|cell| Grid { cell, height, width });
        let values: usize = grids.iter().map(|grid| 3 * grid.values() + grid.cells()).sum();
        (values * size_of::<f64>()) as u64
    }

    /// The term of the picture of which `picture` has this rank's rows, without its weight: with L the Laplacian of the pooled
    /// picture and L_c that of the content, the mean of Σ(L−L_c)²/ΣL_c² over the poolings; with [`Form::Gatys`] the sum of Σ(L−L_c)²
    /// of values of 0–255. Within a mask the sums are of m(L−L_c)² and mL_c², and relative terms count by the mask's share. Adds
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
        for Level { grid, target, energy, weights, pooled, error } in &mut self.levels {
            assert_eq!(picture.dim(), (PICTURE_CHANNELS, rows.len(), grid.width), "pictures of one size");
            let factor = match form {
                Form::Relative => self.share / (*energy * poolings),
                Form::Gatys => 255.0 * 255.0,
            };
            pool(*grid, picture, rows.clone(), pooled);
            self.band.ranks().sum(pooled);
            laplacian(*grid, pooled, error);
            error.iter_mut().zip(&*target).for_each(|(error, target)| *error -= target);
            value += factor * masked_sum(error, weights.as_deref());
            if let Some(weights) = weights {
                let weights = weights.iter().cycle();
                error.iter_mut().zip(weights).for_each(|(error, weight)| *error *= weight);
            }
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
    /// ΣL_c² or ΣmL_c², or the least energy.
    energy: f64,
    /// m: the mask's mean in each cell, if there is a mask.
    weights: Option<Vec<f64>>,
    /// The pooled picture of an evaluation, and then the gradient with respect to it.
    pooled: Vec<f64>,
    /// L − L_c, and then m(L − L_c).
    error: Vec<f64>,
}

/// Σx², or with weights of the cells Σmx², of a pooled picture's values.
fn masked_sum(x: &[f64], weights: Option<&[f64]>) -> f64 {
    match weights {
        Some(weights) => x.iter().zip(weights.iter().cycle()).map(|(x, weight)| weight * x * x).sum(),
        None => x.iter().map(|x| x * x).sum(),
    }
}

#[cfg(test)]
mod tests {
    use ndarray::{Array2, Array3};

    use super::*;
    use crate::parallel::team;

    /// Sizes with whole and cut cells, of one cell, and of a single pixel.
    const SIZES: [(usize, usize); 8] =
        [(32, 48), (37, 53), (16, 16), (17, 4), (15, 40), (3, 2), (1, 70), (1, 1)];

    fn picture(seed: u64, (height, width): (usize, usize)) -> Array3<f32> {
        let mut random = fastrand::Rng::with_seed(seed);
        Array3::from_shape_simple_fn((3, height, width), || random.f32())
    }

    /// The term by its definition within a mask, which has the same plane three times, in f64.
    fn naive(form: Form, picture: &Array3<f64>, content: &Array3<f64>, mask: &Array3<f64>) -> f64 {
        let mut value = 0.0;
        for cell in [4, 16] {
            let [l, target] = [picture, content].map(|of| naive_laplacian(&naive_pool(of, cell)));
            let m = naive_pool(mask, cell);
            let error = (&m * (&l - &target).mapv(|error| error * error)).sum();
            let energy = (&m * target.mapv(|target| target * target)).sum().max(1e-4 * m.sum());
            value += match form {
                Form::Relative => 0.5 * mask.mean().unwrap() * error / energy,
                Form::Gatys => 255.0 * 255.0 * error,
            };
        }
        value
    }

    /// A soft mask that has black, white and grey.
    fn mask((height, width): (usize, usize)) -> Array2<f32> {
        Array2::from_shape_fn((height, width), |(y, x)| ((x + 2 * y) as f32 / 12.0 - 0.3).clamp(0.0, 1.0))
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
        let cases = SIZES.into_iter().flat_map(|size| {
            let forms = [Form::Relative, Form::Gatys].into_iter();
            forms.flat_map(move |form| [false, true].map(|is_masked| (size, form, is_masked)))
        });
        for (size, form, is_masked) in cases {
            let (x, content) = (picture(1, size), picture(2, size));
            let mut gradient = Array3::from_elem(x.dim(), 0.25);
            let term = LaplacianTerm::new(content.view(), &Band::whole(content.dim().1));
            let (mut term, mask) = match is_masked {
                true => (term.within(mask(size).view()), mask(size)),
                false => (term, Array2::ones(size)),
            };
            let value = term.evaluate(form, 3.0, x.view(), gradient.view_mut());
            let mask = mask.broadcast(x.dim()).unwrap().mapv(f64::from);
            if mask.sum() == 0.0 {
                assert_eq!(value, 0.0);
                continue;
            }
            let [x, content] = [x, content].map(|picture| picture.mapv(f64::from));
            let expected = naive(form, &x, &content, &mask);
            assert!(
                (value - expected).abs() <= 1e-9 * expected + 1e-20,
                "{size:?}, masked {is_masked}: {value} for {expected}"
            );
            // Central differences, which are exact for a quadratic function but for rounding.
            let scale = gradient.iter().map(|g| (g - 0.25).abs()).fold(0.0, f32::max) as f64;
            for at in (0..x.len()).step_by(1 + x.len() / 97) {
                let shifted = |h: f64| {
                    let mut x = x.clone();
                    x.as_slice_mut().unwrap()[at] += h;
                    naive(form, &x, &content, &mask)
                };
                let slope = 3.0 * (shifted(0.5) - shifted(-0.5));
                let found = f64::from(gradient.as_slice().unwrap()[at]) - 0.25;
                assert!(
                    (found - slope).abs() <= 1e-5 * scale + 1e-6,
                    "{size:?}, masked {is_masked}, {at}: {found} for {slope}"
                );
            }
        }
    }

    #[test]
    fn within_a_mask_it_does_not_see_what_is_outside_and_a_white_one_changes_no_bit() {
        let size = (64, 96);
        let (x, content) = (picture(1, size), picture(2, size));
        let evaluated = |content: &Array3<f32>, mask: Option<Array2<f32>>| {
            let term = LaplacianTerm::new(content.view(), &Band::whole(size.0));
            let mut term = match mask {
                Some(mask) => term.within(mask.view()),
                None => term,
            };
            let mut gradient = Array3::zeros(x.dim());
            (term.evaluate(Form::Relative, 1.0, x.view(), gradient.view_mut()), gradient)
        };
        assert!(evaluated(&content, None) == evaluated(&content, Some(Array2::ones(size))));
        // Of the coarse cells' neighbours, which the Laplacian takes in, the last are in columns 48 to 63.
        let left = Array2::from_shape_fn(size, |(_, x)| f32::from(u8::from(x < 48)));
        let mut other = content.clone();
        other.slice_mut(ndarray::s![.., .., 64..]).assign(&picture(9, (64, 32)));
        assert!(evaluated(&content, Some(left.clone())) == evaluated(&other, Some(left)));
        assert!(evaluated(&content, None) != evaluated(&other, None));
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
