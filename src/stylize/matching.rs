//! Moving a picture's colours to another's: the mean and the covariance, by the affine map that moves them least. It is the
//! optimal transport between two normal distributions (Pitié and Kokaram 2007, "The linear Monge-Kantorovitch linear colour
//! mapping").

use nalgebra::{Matrix3, Vector3};
use ndarray::{ArrayViewMut3, Axis, Zip};

use crate::picture::Picture;

/// Added to the variance of both pictures in every direction: that of noise of 2.5 levels of 8 bits, as JPEG leaves it. Without
/// it a grey picture, which has no variance but along grey, would have no inverse, and a nearly grey one's noise would become
/// colours.
const RIDGE: f64 = 1e-4;

/// The mean and the covariance of a picture's colours.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct ColourStatistics {
    mean: Vector3<f64>,
    covariance: Matrix3<f64>,
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
        let mid_grey = Vector3::repeat(0.5);
        let (mut count, mut sum, mut products) = (0.0, Vector3::zeros(), Matrix3::zeros());
        for (((red, green), blue), opacity) in colours.zip(opacities) {
            // Around mid-grey, so that little cancels.
            let colour = Vector3::new(*red, *green, *blue).map(f64::from) - mid_grey;
            count += opacity;
            sum += opacity * colour;
            products += opacity * colour * colour.transpose();
        }
        if count == 0.0 {
            return Self { mean: mid_grey, covariance: Matrix3::zeros() };
        }
        let mean = sum / count;
        Self { mean: mean + mid_grey, covariance: products / count - mean * mean.transpose() }
    }

    /// The map from colours with these statistics to colours with those of `target`.
    pub(super) fn map_to(&self, target: &Self) -> ColourMap {
        let [from, to] = [self, target].map(|of| with_ridge(&of.covariance));
        // A = Σs^−½ (Σs^½ Σc Σs^½)^½ Σs^−½
        let (root, inverse_root) =
            (function_of(&from, f64::sqrt), function_of(&from, |value| value.sqrt().recip()));
        let middle = function_of(&(root * to * root), |value| value.max(0.0).sqrt());
        ColourMap { from: self.mean, matrix: inverse_root * middle * inverse_root, to: target.mean }
    }
}

/// The affine map x ↦ A (x − μs) + μc of colours.
pub(super) struct ColourMap {
    from: Vector3<f64>,
    matrix: Matrix3<f64>,
    to: Vector3<f64>,
}

impl ColourMap {
    /// Maps the colours of a picture, 3×H×W, RGB in 0–1, and clamps them to 0–1.
    pub(super) fn apply(&self, mut picture: ArrayViewMut3<f32>) {
        Zip::from(picture.lanes_mut(Axis(0))).for_each(|mut colour| {
            let mapped = self.map(Vector3::from_fn(|channel, _| f64::from(colour[channel])));
            colour.iter_mut().zip(&mapped).for_each(|(value, mapped)| *value = mapped.clamp(0.0, 1.0) as f32);
        });
    }

    /// The colour before it is clamped.
    fn map(&self, colour: Vector3<f64>) -> Vector3<f64> {
        self.matrix * (colour - self.from) + self.to
    }
}

fn with_ridge(covariance: &Matrix3<f64>) -> Matrix3<f64> {
    covariance + Matrix3::from_diagonal_element(RIDGE)
}

/// V f(Λ) Vᵀ of a symmetric matrix V Λ Vᵀ.
fn function_of(symmetric: &Matrix3<f64>, f: impl Fn(f64) -> f64) -> Matrix3<f64> {
    let mut eigen = symmetric.symmetric_eigen();
    eigen.eigenvalues.apply(|value| *value = f(*value));
    eigen.recompose()
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
    fn statistics(colours: &[Vector3<f64>]) -> (Vector3<f64>, Matrix3<f64>) {
        let count = colours.len() as f64;
        let mean = colours.iter().sum::<Vector3<f64>>() / count;
        let squares = colours.iter().map(|colour| (colour - mean) * (colour - mean).transpose());
        (mean, squares.sum::<Matrix3<f64>>() / count)
    }

    fn distance(a: &Matrix3<f64>, b: &Matrix3<f64>) -> f64 {
        (a - b).amax()
    }

    fn colours() -> impl Strategy<Value = Vec<[f64; 3]>> {
        prop::collection::vec(prop::array::uniform3(0.0..=1.0), 8..60)
    }

    proptest! {
        #[test]
        fn matched_colours_have_the_targets_mean_and_covariance(style in colours(), content in colours()) {
            let [style, content] = [style, content].map(|colours| picture(&colours));
            let [from, to] = [&style, &content].map(ColourStatistics::of);
            let map = from.map_to(&to);
            let planes = style.planes();
            let colours: Vec<_> = (0..style.width())
                .map(|x| map.map(Vector3::from_fn(|channel, _| f64::from(planes[[channel, 0, x]]))))
                .collect();
            let (mean, covariance) = statistics(&colours);
            prop_assert!((mean - to.mean).amax() < 1e-6);
            // The ridge is in both: A (Σs + εI) Aᵀ = Σc + εI.
            let expected = with_ridge(&to.covariance) - RIDGE * map.matrix * map.matrix.transpose();
            prop_assert!(distance(&covariance, &expected) < 1e-6, "{covariance:?} for {expected:?}");
            // Which is the covariance itself where the style's is well above the ridge.
            if from.covariance.symmetric_eigenvalues().min() > 0.02 {
                prop_assert!(distance(&covariance, &to.covariance) < 0.01, "{covariance:?} for {to:?}");
            }
        }

        #[test]
        fn equal_colours_are_not_moved(style in colours()) {
            let of = ColourStatistics::of(&picture(&style));
            prop_assert!(distance(&of.map_to(&of).matrix, &Matrix3::identity()) < 1e-9);
        }

        #[test]
        fn the_map_is_symmetric_and_positive(style in colours(), content in colours()) {
            let [from, to] = [style, content].map(|colours| ColourStatistics::of(&picture(&colours)));
            let a = from.map_to(&to).matrix;
            prop_assert!(distance(&a, &a.transpose()) < 1e-9);
            prop_assert!(a.symmetric_eigenvalues().min() > 0.0);
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
        let mapped = from.map_to(&to).map(Vector3::repeat(0.8));
        assert!(mapped.max() - mapped.min() < 1e-9);
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
