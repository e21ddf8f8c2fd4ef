//! Bounds on the variables.

/// The same bounds for every variable.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Bounds {
    /// The lower bound.
    pub lower: f32,
    /// The upper bound, not below the lower.
    pub upper: f32,
}

impl Bounds {
    /// No bounds.
    pub const NONE: Self = Self { lower: f32::NEG_INFINITY, upper: f32::INFINITY };

    /// The value within the bounds that is nearest to `x`.
    pub fn clamp(self, x: f32) -> f32 {
        x.clamp(self.lower, self.upper)
    }

    /// Whether a variable at `x` is at a bound.
    pub fn is_active(self, x: f32) -> bool {
        x <= self.lower || x >= self.upper
    }

    /// Whether a variable at `x` cannot move along `direction` because it is at that bound.
    pub fn blocks(self, x: f32, direction: f32) -> bool {
        x <= self.lower && direction < 0.0 || x >= self.upper && direction > 0.0
    }
}
