//! What a few measurements of the same say.

/// Seconds of the rounds.
pub(crate) struct Samples(Vec<f64>);

/// Rounds from which on the least and the most of them bound the median well enough to tell two medians apart: that all of
/// four are beyond all of four others happens by chance 1 time in 35.
const ENOUGH: usize = 4;

/// By how much the median of so many rounds may miss: the probability that the bounds leave it out, where there are enough.
const MISSED: f64 = 0.01;

/// Rounds from which on the bounds are those of a normal distribution: 0.5 to the power of as many is still a number.
const MANY: usize = 500;

impl Samples {
    /// # Panics
    /// If there is none.
    pub(crate) fn new(values: &[f64]) -> Self {
        assert!(!values.is_empty(), "nothing was measured");
        let mut values = values.to_vec();
        values.sort_by(f64::total_cmp);
        Self(values)
    }

    pub(crate) fn least(&self) -> f64 {
        self.0[0]
    }

    /// The middle value, or the mean of the middle two.
    pub(crate) fn median(&self) -> f64 {
        let values = &self.0;
        let (low, high) = ((values.len() - 1) / 2, values.len() / 2);
        0.5 * (values[low] + values[high])
    }

    /// Bounds of the median by order statistics, whatever the distribution: as many of the least and of the most values are left
    /// out as keep the probability that the median is beyond the bounds at 1 % or less. With fewer than eight rounds none are.
    /// `None` with fewer than four, which say too little of their spread.
    pub(crate) fn bounds_of_median(&self) -> Option<(f64, f64)> {
        let count = self.0.len();
        if count < ENOUGH {
            return None;
        }
        if count > MANY {
            // The coins' heads are nearly normally distributed.
            let left_out = 0.5 * count as f64 - 0.5 * 2.576 * (count as f64).sqrt();
            let at = left_out as usize;
            return Some((self.0[at], self.0[count - 1 - at]));
        }
        // The median is below the value of index k with the probability of at most k of `count` coins being heads.
        let (mut left_out, mut probability, mut coins) = (0, 0.0, 0.5f64.powi(count as i32));
        while left_out < count / 2 {
            probability += coins;
            if 2.0 * probability > MISSED {
                break;
            }
            left_out += 1;
            coins *= (count - left_out + 1) as f64 / left_out as f64;
        }
        let at = left_out.saturating_sub(1);
        Some((self.0[at], self.0[count - 1 - at]))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn median_is_in_the_middle() {
        let median = |values: &[f64]| Samples::new(values).median();
        assert_eq!(median(&[3.0, 1.0, 2.0]), 2.0);
        assert_eq!(median(&[4.0, 1.0, 2.0, 3.0]), 2.5);
        assert_eq!(median(&[7.0]), 7.0);
        assert_eq!(Samples::new(&[3.0, 1.0, 2.0]).least(), 1.0);
    }

    #[test]
    fn bounds_are_those_of_the_sign_test() {
        let bounds = |count: usize| {
            let values: Vec<_> = (1..=count).map(|value| value as f64).collect();
            Samples::new(&values).bounds_of_median()
        };
        assert_eq!([1, 2, 3].map(bounds), [None; 3]);
        assert_eq!([4, 5, 7].map(bounds), [Some((1.0, 4.0)), Some((1.0, 5.0)), Some((1.0, 7.0))]);
        // Tables of the sign test at 1 %: 0 of 8, 3 of 20.
        assert_eq!(bounds(8), Some((1.0, 8.0)));
        assert_eq!(bounds(20), Some((4.0, 17.0)));
        let (of_many, of_more) = (bounds(MANY).unwrap(), bounds(MANY + 2).unwrap());
        assert!(
            (of_more.0 - of_many.0).abs() <= 2.0 && of_more.1 - of_many.1 <= 3.0,
            "{of_many:?} {of_more:?}"
        );
    }
}
