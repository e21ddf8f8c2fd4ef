//! The box that the variables stay in.

/// The least and the most that every variable may be.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Bounds {
    /// The least.
    pub least: f32,
    /// The most, not under the least.
    pub most: f32,
}

impl Bounds {
    /// All numbers.
    pub const NONE: Self = Self { least: f32::NEG_INFINITY, most: f32::INFINITY };

    /// The value inside that is nearest to `x`.
    pub fn clamp(self, x: f32) -> f32 {
        x.clamp(self.least, self.most)
    }

    /// Whether a variable at `x` is at a bound.
    pub fn is_active(self, x: f32) -> bool {
        x <= self.least || x >= self.most
    }

    /// Whether a variable at `x` is at the bound towards which `direction` leads.
    pub fn blocks(self, x: f32, direction: f32) -> bool {
        x <= self.least && direction < 0.0 || x >= self.most && direction > 0.0
    }
}
