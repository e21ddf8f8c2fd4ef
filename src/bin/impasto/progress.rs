//! How far the work is: a bar on stderr where that is a terminal.

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::terminal::Detail;
use impasto::stylize::Progress;

/// Positions of the bar.
const LENGTH: u64 = 10_000;

pub(crate) struct Bar {
    bar: ProgressBar,
    scale: ScaleStart,
}

/// Where the current scale began, to tell its speed: steps of one scale take the same time each.
#[derive(Clone, Copy, Default)]
struct ScaleStart {
    scale: usize,
    step: usize,
    seconds: f64,
}

impl Bar {
    /// A bar that isn't seen before the first step; never where stderr is no terminal or `--quiet` was given.
    pub(crate) fn new(detail: Detail) -> Self {
        let bar = bar(detail);
        bar.set_length(LENGTH);
        Self { bar, scale: ScaleStart::default() }
    }

    /// Shows where the work is.
    pub(crate) fn update(&mut self, progress: &Progress) {
        let Progress { scale, scales, width, height, step, steps, seconds, done, .. } = *progress;
        if self.scale.scale != scale {
            self.scale = ScaleStart { scale, step, seconds };
            self.bar.set_prefix(format!("scale {scale}/{scales} {width}×{height}"));
        }
        let speed = match seconds - self.scale.seconds {
            0.0 => String::new(),
            since => format!(", {:.1} steps/s", (step - self.scale.step) as f64 / since),
        };
        let laplacian =
            progress.losses.laplacian.map_or(String::new(), |value| format!(", Laplacian {value:.4}"));
        let left = clock(seconds * (1.0 - done) / done);
        self.bar.set_position((done * LENGTH as f64) as u64);
        self.bar.set_message(format!(
            "step {step}/{steps}, loss {:.4}{laplacian}{speed}, {left} left",
            progress.losses.total
        ));
    }

    /// Says lines above the bar, which they would otherwise begin in the middle of.
    pub(crate) fn above(&self, say: impl FnOnce()) {
        self.bar.suspend(say);
    }

    /// What says a line on stderr, above the bar where there is one to be seen.
    pub(crate) fn teller(&self, detail: Detail) -> impl Fn(&str) + Send + Sync + use<> {
        let bar = self.bar.clone();
        move |line| bar.suspend(|| detail.normal(format_args!("{line}")))
    }

    /// Removes the bar.
    pub(crate) fn finish(self) {
        self.bar.finish_and_clear();
    }
}

/// A bar on stderr, of a length to be told; never where that is no terminal or `--quiet` was given.
pub(crate) fn bar(detail: Detail) -> ProgressBar {
    let target = match detail {
        Detail::Quiet => ProgressDrawTarget::hidden(),
        Detail::Normal | Detail::Verbose => ProgressDrawTarget::stderr(),
    };
    let style = ProgressStyle::with_template("{prefix} {wide_bar} {percent:>3}% {msg}")
        .expect("the template is well-formed");
    ProgressBar::with_draw_target(None, target).with_style(style)
}

/// Seconds as hours, minutes and seconds: `1:02:03`, or `2:03`.
fn clock(seconds: f64) -> String {
    // The cast saturates.
    let seconds = seconds.round() as u64;
    match (seconds / 3600, seconds / 60 % 60, seconds % 60) {
        (0, minutes, seconds) => format!("{minutes}:{seconds:02}"),
        (hours, minutes, seconds) => format!("{hours}:{minutes:02}:{seconds:02}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clocks_have_hours_where_there_are_some() {
        assert_eq!([0.4, 59.6, 754.0].map(clock), ["0:00", "1:00", "12:34"]);
        assert_eq!(clock(3723.0), "1:02:03");
    }
}
