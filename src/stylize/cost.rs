//! What the work costs in seconds, by the number of pixels: what was measured at some sizes is carried over to others.

/// Seconds of a picture with a number of pixels: a fixed cost, such as that of the products of N×N matrices and of reading the
/// weights, and a cost a pixel.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Cost {
    fixed: f64,
    per_pixel: f64,
}

/// The fixed cost of an evaluation in pixels, where it was measured at one size only: about that of VGG-19.
const FIXED_PIXELS: f64 = 8000.0;

/// Seconds that were measured with a picture of some pixels.
#[derive(Clone, Copy, Debug)]
pub(super) struct Measured {
    pub(super) pixels: f64,
    pub(super) seconds: f64,
    /// How often.
    pub(super) times: f64,
}

impl Cost {
    /// The cost nearest to what was measured, by the least squares of relative errors, with no part below 0.
    ///
    /// # Panics
    /// If nothing was measured.
    pub(super) fn fitted(measured: &[Measured]) -> Self {
        assert!(!measured.is_empty(), "a cost needs measurements");
        // Minimises Σ w (fixed + per_pixel · p − t)² with w = times / t².
        let (mut w, mut wp, mut wpp, mut wt, mut wpt) = (0.0, 0.0, 0.0, 0.0, 0.0);
        for &Measured { pixels, seconds, times } in measured {
            let seconds = seconds.max(1e-9);
            let weight = times / (seconds * seconds);
            (w, wp, wpp) = (w + weight, wp + weight * pixels, wpp + weight * pixels * pixels);
            (wt, wpt) = (wt + weight * seconds, wpt + weight * pixels * seconds);
        }
        let determinant = w * wpp - wp * wp;
        // At one size only, the parts can't be told apart.
        if determinant <= 1e-9 * w * wpp {
            let per_pixel = wt / (wp + w * FIXED_PIXELS);
            return Self { fixed: FIXED_PIXELS * per_pixel, per_pixel };
        }
        let (fixed, per_pixel) = ((wpp * wt - wp * wpt) / determinant, (w * wpt - wp * wt) / determinant);
        match (fixed >= 0.0, per_pixel >= 0.0) {
            (true, true) => Self { fixed, per_pixel },
            (false, _) => Self { fixed: 0.0, per_pixel: wpt / wpp },
            (true, false) => Self { fixed: wt / w, per_pixel: 0.0 },
        }
    }

    /// A cost without a fixed part, of which one value is known.
    pub(super) fn proportional(pixels: f64, seconds: f64) -> Self {
        Self { fixed: 0.0, per_pixel: seconds / pixels }
    }

    /// Seconds of a picture with this many pixels.
    pub(super) fn at(self, pixels: f64) -> f64 {
        self.fixed + self.per_pixel * pixels
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn measured(points: &[(f64, f64)]) -> Vec<Measured> {
        points.iter().map(|&(pixels, seconds)| Measured { pixels, seconds, times: 1.0 }).collect()
    }

    fn near(found: f64, expected: f64) -> bool {
        (found - expected).abs() <= 1e-6 * expected
    }

    #[test]
    fn what_is_linear_is_found_exactly() {
        let cost = Cost::fitted(&measured(&[(100.0, 1.2), (400.0, 1.8), (900.0, 2.8)]));
        assert!(near(cost.at(10_000.0), 21.0), "{cost:?}");
    }

    #[test]
    fn no_part_is_negative() {
        let cost = Cost::fitted(&measured(&[(100.0, 1.0), (400.0, 5.0)]));
        assert!(cost.fixed == 0.0 && cost.at(1600.0) > 15.0, "{cost:?}");
        let cost = Cost::fitted(&measured(&[(100.0, 1.2), (400.0, 0.9)]));
        assert!(cost.per_pixel == 0.0 && (0.9..1.2).contains(&cost.at(1e9)), "{cost:?}");
    }

    #[test]
    fn one_size_gives_its_own_seconds_and_more_of_larger_ones() {
        let cost = Cost::fitted(&measured(&[(10_000.0, 3.0), (10_000.0, 3.0)]));
        assert!(near(cost.at(10_000.0), 3.0), "{cost:?}");
        assert!(cost.at(40_000.0) > 7.0 && cost.at(40_000.0) < 12.0, "{cost:?}");
    }

    #[test]
    fn an_evaluation_of_vgg19_is_foreseen_from_small_ones() {
        // The README's medians at 128² and 256², and then at 512² and 1024².
        let cost = Cost::fitted(&measured(&[(16_384.0, 0.029), (65_536.0, 0.087)]));
        for (side, seconds) in [(512.0, 0.32), (1024.0, 1.31)] {
            assert!((cost.at(side * side) / seconds - 1.0).abs() < 0.1, "{side}: {}", cost.at(side * side));
        }
    }
}
