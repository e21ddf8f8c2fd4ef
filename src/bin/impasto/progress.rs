//! How far the work is: a bar on stderr where that is a terminal.

use std::mem;

use indicatif::ProgressBar;

use crate::bar;
use crate::terminal::Detail;
use impasto::stylize::Progress;

/// Positions of the bar.
const LENGTH: u64 = 10_000;

pub(crate) struct Bar {
    bar: ProgressBar,
    detail: Detail,
    is_shown: bool,
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
        let bar = bar::hidden(LENGTH);
        Self { bar, detail, is_shown: false, scale: ScaleStart::default() }
    }

    /// Shows where the work is.
    pub(crate) fn update(&mut self, progress: &Progress) {
        let Progress { scale, scales, width, height, step, steps, seconds, seconds_left, done, .. } =
            *progress;
        if self.scale.scale != scale {
            self.scale = ScaleStart { scale, step, seconds };
        }
        let since = seconds - self.scale.seconds;
        let speed = (since > 0.0).then(|| format!("{:.1} steps/s", (step - self.scale.step) as f64 / since));
        let mut text = vec![
            format!("step {step}/{steps}"),
            format!("{} left", clock(seconds_left)),
            format!("loss {:.4}", progress.losses.total),
        ];
        text.extend(progress.losses.laplacian.map(|value| format!("Laplacian {value:.4}")));
        text.extend(speed);
        self.bar.set_position((done * LENGTH as f64) as u64);
        bar::set_text(&self.bar, &format!("scale {scale}/{scales} {width}×{height}"), &text);
        if !mem::replace(&mut self.is_shown, true) {
            self.bar.set_draw_target(bar::target(self.detail));
        }
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

/// Seconds as hours, minutes and seconds: `1:02:03`, or `2:03`.
pub(crate) fn clock(seconds: f64) -> String {
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
