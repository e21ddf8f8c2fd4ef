//! Moving a picture's colours to another's: the mean and the covariance, by the affine map that moves them least. It is the
//! optimal transport between two normal distributions (Pitié and Kokaram 2007, "The linear Monge-Kantorovitch linear colour
//! mapping").

use ndarray::{ArrayViewMut3, Axis, Zip};

use crate::picture::Picture;

/// A symmetric 3×3 matrix.
type Matrix = [[f64; 3]; 3];

/// Added to the variance of both pictures in every direction: that of noise of 2.5 levels of 8 bits, as JPEG leaves it. Without
/// it a grey picture, which has no variance but along grey, would have no inverse, and a nearly grey one's noise would become
/// colours.
const RIDGE: f64 = 1e-4;

/// The mean and the covariance of a picture's colours.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct ColourStatistics {
    mean: [f64; 3],
    covariance: Matrix,
}

impl ColourStatistics {
    /// Those of a picture, in which transparent pixels count by their opacity. Of one that is transparent everywhere they are
    /// those of mid-grey.
    pub(super) fn of(picture: &Picture) -> Self {
        let planes = picture.planes();
        let [red, green, blue] = [0, 1, 2].map(|colour| planes.index_axis(Axis(0), colour));
        let alpha = picture.alpha();
        let opacities = (0..).map(|at| match &alpha {
            Some(alpha) => f64::from(alpha[[at / alpha.ncols(), at % alpha.ncols()]]),
            None => 1.0,
        });
        let colours = red.iter().zip(green.iter()).zip(blue.iter());
        let (mut count, mut sum, mut products) = (0.0, [0.0; 3], Matrix::default());
        for (((&red, &green), &blue), opacity) in colours.zip(opacities) {
            // Around mid-grey, so that little cancels.
            let colour = [red, green, blue].map(|value| f64::from(value) - 0.5);
            count += opacity;
            for i in 0..3 {
                sum[i] += opacity * colour[i];
                for j in 0..3 {
                    products[i][j] += opacity * colour[i] * colour[j];
                }
            }
        }
        if count == 0.0 {
            return Self { mean: [0.5; 3], covariance: Matrix::default() };
        }
        let mean = sum.map(|sum| sum / count);
        let covariance = matrix(|i, j| products[i][j] / count - mean[i] * mean[j]);
        Self { mean: mean.map(|mean| mean + 0.5), covariance }
    }

    /// The map from colours with these statistics to colours with those of `target`.
    pub(super) fn map_to(&self, target: &Self) -> ColourMap {
        let [from, to] = [self, target].map(|of| with_ridge(&of.covariance));
        // A = Σs^−½ (Σs^½ Σc Σs^½)^½ Σs^−½
        let (root, inverse_root) =
            (function_of(&from, f64::sqrt), function_of(&from, |value| 1.0 / value.sqrt()));
        let middle = function_of(&product(&product(&root, &to), &root), |value| value.max(0.0).sqrt());
        let matrix = product(&product(&inverse_root, &middle), &inverse_root);
        ColourMap { from: self.mean, matrix, to: target.mean }
    }
}

/// The affine map x ↦ A (x − μs) + μc of colours.
pub(super) struct ColourMap {
    from: [f64; 3],
    matrix: Matrix,
    to: [f64; 3],
}

impl ColourMap {
    /// Maps the colours of a picture, 3×H×W, RGB in 0–1, and clamps them to 0–1.
    pub(super) fn apply(&self, mut picture: ArrayViewMut3<f32>) {
        Zip::from(picture.lanes_mut(Axis(0))).for_each(|mut colour| {
            let mapped = self.map([0, 1, 2].map(|channel| f64::from(colour[channel])));
            colour.iter_mut().zip(mapped).for_each(|(value, mapped)| *value = mapped.clamp(0.0, 1.0) as f32);
        });
    }

    /// The colour before it is clamped.
    fn map(&self, colour: [f64; 3]) -> [f64; 3] {
        let row = |i: usize| (0..3).map(|j| self.matrix[i][j] * (colour[j] - self.from[j])).sum::<f64>();
        [0, 1, 2].map(|i| row(i) + self.to[i])
    }
}

fn matrix(value: impl Fn(usize, usize) -> f64) -> Matrix {
    [0, 1, 2].map(|i| [0, 1, 2].map(|j| value(i, j)))
}

fn product(a: &Matrix, b: &Matrix) -> Matrix {
    matrix(|i, j| (0..3).map(|k| a[i][k] * b[k][j]).sum())
}

fn with_ridge(a: &Matrix) -> Matrix {
    matrix(|i, j| a[i][j] + if i == j { RIDGE } else { 0.0 })
}

/// V f(Λ) Vᵀ of a symmetric matrix V Λ Vᵀ.
fn function_of(a: &Matrix, f: impl Fn(f64) -> f64) -> Matrix {
    let (values, vectors) = eigen(a);
    let values = values.map(f);
    matrix(|i, j| (0..3).map(|k| vectors[i][k] * values[k] * vectors[j][k]).sum())
}

/// The eigenvalues of a symmetric matrix and its eigenvectors, in columns, by Jacobi's rotations (Golub and Van Loan, Matrix
/// Computations, section 8.5).
fn eigen(a: &Matrix) -> ([f64; 3], Matrix) {
    let mut a = *a;
    let mut vectors = matrix(|i, j| if i == j { 1.0 } else { 0.0 });
    // Convergence is quadratic: the off-diagonal vanishes after three or four sweeps.
    for _ in 0..12 {
        for (p, q) in [(0, 1), (0, 2), (1, 2)] {
            if a[p][q] == 0.0 {
                continue;
            }
            let tau = (a[q][q] - a[p][p]) / (2.0 * a[p][q]);
            let tangent = tau.signum() / (tau.abs() + tau.hypot(1.0));
            let cosine = 1.0 / tangent.hypot(1.0);
            let sine = tangent * cosine;
            let rotation = matrix(|i, j| match (i, j) {
                _ if (i, j) == (p, q) => sine,
                _ if (i, j) == (q, p) => -sine,
                _ if i == j && i != 3 - p - q => cosine,
                _ if i == j => 1.0,
                _ => 0.0,
            });
            let transposed = matrix(|i, j| rotation[j][i]);
            a = product(&product(&transposed, &a), &rotation);
            (a[p][q], a[q][p]) = (0.0, 0.0);
            vectors = product(&vectors, &rotation);
        }
    }
    ([a[0][0], a[1][1], a[2][2]], vectors)
}

#[cfg(test)]
mod tests {
    use ndarray::{Array2, Array3};
    use proptest::prelude::*;

    use super::*;

    /// A picture of `colours`, one a pixel.
    fn picture(colours: &[[f64; 3]]) -> Picture {
        let value = |(channel, _, x): (usize, usize, usize)| colours[x][channel] as f32;
        Picture::from_planes(Array3::from_shape_fn((3, 1, colours.len()), value)).unwrap()
    }

    /// Mean and covariance of colours that need not lie in 0–1, by the definition.
    fn statistics(colours: &[[f64; 3]]) -> ([f64; 3], Matrix) {
        let count = colours.len() as f64;
        let mean = [0, 1, 2].map(|i| colours.iter().map(|colour| colour[i]).sum::<f64>() / count);
        let centred = |colour: &[f64; 3], i: usize| colour[i] - mean[i];
        let covariance =
            matrix(|i, j| colours.iter().map(|c| centred(c, i) * centred(c, j)).sum::<f64>() / count);
        (mean, covariance)
    }

    fn distance(a: &Matrix, b: &Matrix) -> f64 {
        a.iter().flatten().zip(b.iter().flatten()).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max)
    }

    fn colours() -> impl Strategy<Value = Vec<[f64; 3]>> {
        prop::collection::vec(prop::array::uniform3(0.0..=1.0), 8..60)
    }

    proptest! {
        #[test]
        fn eigenvectors_and_values_make_the_matrix(values in prop::array::uniform6(-2.0..2.0)) {
            let [a, b, c, d, e, f] = values;
            let symmetric = [[a, b, c], [b, d, e], [c, e, f]];
            let (_, vectors) = eigen(&symmetric);
            let identity = product(&matrix(|i, j| vectors[j][i]), &vectors);
            prop_assert!(distance(&identity, &matrix(|i, j| f64::from(u8::from(i == j)))) < 1e-12);
            prop_assert!(distance(&function_of(&symmetric, |value| value), &symmetric) < 1e-12);
            let square = function_of(&symmetric, |value| value * value);
            prop_assert!(distance(&square, &product(&symmetric, &symmetric)) < 1e-11);
        }

        #[test]
        fn matched_colours_have_the_targets_mean_and_covariance(style in colours(), content in colours()) {
            let [style, content] = [style, content].map(|colours| picture(&colours));
            let [from, to] = [&style, &content].map(ColourStatistics::of);
            let map = from.map_to(&to);
            let planes = style.planes();
            let colours: Vec<_> = (0..style.width())
                .map(|x| map.map([0, 1, 2].map(|channel| f64::from(planes[[channel, 0, x]]))))
                .collect();
            let (mean, covariance) = statistics(&colours);
            prop_assert!(mean.iter().zip(to.mean).all(|(mean, of_target)| (mean - of_target).abs() < 1e-6));
            // The ridge is in both: A (Σs + εI) Aᵀ = Σc + εI.
            let transposed = matrix(|i, j| map.matrix[j][i]);
            let of_ridge = product(&map.matrix, &transposed);
            let expected =
                matrix(|i, j| with_ridge(&to.covariance)[i][j] - RIDGE * of_ridge[i][j]);
            prop_assert!(distance(&covariance, &expected) < 1e-6, "{covariance:?} for {expected:?}");
            // Which is the covariance itself where the style's is well above the ridge.
            let (least, _) = eigen(&from.covariance);
            if least.iter().all(|value| *value > 0.02) {
                prop_assert!(distance(&covariance, &to.covariance) < 0.01, "{covariance:?} for {to:?}");
            }
        }

        #[test]
        fn equal_colours_are_not_moved(style in colours()) {
            let of = ColourStatistics::of(&picture(&style));
            let identity = matrix(|i, j| f64::from(u8::from(i == j)));
            prop_assert!(distance(&of.map_to(&of).matrix, &identity) < 1e-9);
        }

        #[test]
        fn the_map_is_symmetric_and_positive(style in colours(), content in colours()) {
            let [from, to] = [style, content].map(|colours| ColourStatistics::of(&picture(&colours)));
            let a = from.map_to(&to).matrix;
            prop_assert!(distance(&a, &matrix(|i, j| a[j][i])) < 1e-9);
            prop_assert!(eigen(&a).0.iter().all(|value| *value > 0.0));
        }
    }

    #[test]
    fn grey_and_constant_pictures_give_finite_colours() {
        let ramp: Vec<_> = (0..32).map(|at| [f64::from(at) / 31.0; 3]).collect();
        let colourful: Vec<_> =
            (0..27).map(|at| [at / 9, at / 3 % 3, at % 3].map(|v| f64::from(v) / 2.0)).collect();
        let kinds = [ramp, vec![[0.4; 3]; 9], vec![[0.0; 3]; 4], vec![[0.9, 0.1, 0.2]; 4], colourful];
        for style in &kinds {
            for content in &kinds {
                let [style, content] = [style, content].map(|colours| picture(colours));
                let [from, to] = [&style, &content].map(ColourStatistics::of);
                let mut planes = style.planes().to_owned();
                from.map_to(&to).apply(planes.view_mut());
                assert!(
                    planes.iter().all(|value| (0.0..=1.0).contains(value)),
                    "{from:?} to {to:?}: {planes}"
                );
            }
        }
        // Grey stays grey where the target is grey.
        let [from, to] = [&kinds[0], &kinds[1]].map(|colours| ColourStatistics::of(&picture(colours)));
        let [red, green, blue] = from.map_to(&to).map([0.8; 3]);
        assert!((red - green).abs() < 1e-9 && (green - blue).abs() < 1e-9);
    }

    #[test]
    fn transparent_pixels_do_not_count() {
        let seen = picture(&[[0.2, 0.4, 0.6], [0.3, 0.3, 0.9]]);
        let hidden = picture(&[[0.2, 0.4, 0.6], [0.3, 0.3, 0.9], [1.0, 0.0, 0.0]]);
        let hidden =
            hidden.with_alpha(Some(Array2::from_shape_vec((1, 3), vec![1.0, 1.0, 0.0]).unwrap())).unwrap();
        let [seen, hidden] = [&seen, &hidden].map(ColourStatistics::of);
        assert!(distance(&seen.covariance, &hidden.covariance) < 1e-12, "{seen:?} {hidden:?}");
    }
}
