//! `--dry-run`: what the work would take.

use std::fmt::Write;

use crate::progress::clock;
use crate::terminal;
use impasto::Estimate;

/// The scales with their steps and seconds, and the memory and seconds of all.
pub(crate) fn table(estimate: &Estimate, memory: u64) -> String {
    let Estimate { scales, seconds, .. } = estimate;
    let steps: usize = scales.iter().map(|scale| scale.steps).sum();
    let mut table = format!("{:<12} {:>7} {:>10}\n", "scale", "steps", "time");
    for scale in scales {
        let size = format!("{}×{}", scale.width, scale.height);
        let _ = writeln!(table, "{size:<12} {:>7} {:>10}", scale.steps, time(scale.seconds));
    }
    let _ = writeln!(table, "{:<12} {steps:>7} {:>10}", "all", time(*seconds));
    table + &format!("memory: {}", terminal::bytes(memory))
}

/// Seconds with a decimal below a minute, else as a clock.
pub(crate) fn time(seconds: f64) -> String {
    match seconds < 59.95 {
        true => format!("{seconds:.1} s"),
        false => clock(seconds),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_seconds_or_a_clock() {
        assert_eq!(
            [0.04, 3.25, 59.9, 59.97, 3723.0].map(time),
            ["0.0 s", "3.2 s", "59.9 s", "1:00", "1:02:03"]
        );
    }
}
