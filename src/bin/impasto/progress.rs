//! How far the work is: a bar on stderr where that is a terminal.

use std::io;
use std::mem;

use console::Term;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle, TermLike};

use crate::terminal::Detail;
use impasto::stylize::Progress;

/// Positions of the bar.
const LENGTH: u64 = 10_000;

/// How often the bar is drawn, at most.
const UPDATES_A_SECOND: u8 = 20;

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
        let bar =
            ProgressBar::with_draw_target(Some(LENGTH), ProgressDrawTarget::hidden()).with_style(style());
        Self { bar, detail, is_shown: false, scale: ScaleStart::default() }
    }

    /// Shows where the work is.
    pub(crate) fn update(&mut self, progress: &Progress) {
        let Progress { scale, scales, width, height, step, steps, seconds, seconds_left, done, .. } =
            *progress;
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
        let left = clock(seconds_left);
        self.bar.set_position((done * LENGTH as f64) as u64);
        self.bar.set_message(format!(
            "step {step}/{steps}, loss {:.4}{laplacian}{speed}, {left} left",
            progress.losses.total
        ));
        if !mem::replace(&mut self.is_shown, true) {
            self.bar.set_draw_target(target(self.detail));
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

/// A bar on stderr, of a length to be told; never where that is no terminal or `--quiet` was given.
pub(crate) fn bar(detail: Detail) -> ProgressBar {
    ProgressBar::with_draw_target(None, target(detail)).with_style(style())
}

fn style() -> ProgressStyle {
    ProgressStyle::with_template("{prefix} {wide_bar} {percent:>3}% {msg}")
        .expect("the template is well-formed")
}

fn target(detail: Detail) -> ProgressDrawTarget {
    let terminal = Term::stderr();
    match detail {
        Detail::Normal | Detail::Verbose if terminal.is_term() => {
            ProgressDrawTarget::term_like_with_hz(Box::new(Narrowed(terminal)), UPDATES_A_SECOND)
        }
        _ => ProgressDrawTarget::hidden(),
    }
}

/// A terminal whose last columns are left free: it shows `^C` behind the bar where that key is pressed, and a bar that were
/// pushed to the next line by it could not be removed.
#[derive(Debug)]
struct Narrowed(Term);

/// Room for `^C` twice.
const FREE_COLUMNS: u16 = 4;

impl TermLike for Narrowed {
    fn width(&self) -> u16 {
        TermLike::width(&self.0).saturating_sub(FREE_COLUMNS).max(1)
    }

    fn height(&self) -> u16 {
        TermLike::height(&self.0)
    }

    fn move_cursor_up(&self, n: usize) -> io::Result<()> {
        self.0.move_cursor_up(n)
    }

    fn move_cursor_down(&self, n: usize) -> io::Result<()> {
        self.0.move_cursor_down(n)
    }

    fn move_cursor_right(&self, n: usize) -> io::Result<()> {
        self.0.move_cursor_right(n)
    }

    fn move_cursor_left(&self, n: usize) -> io::Result<()> {
        self.0.move_cursor_left(n)
    }

    fn write_line(&self, line: &str) -> io::Result<()> {
        self.0.write_line(line)
    }

    fn write_str(&self, text: &str) -> io::Result<()> {
        self.0.write_str(text)
    }

    fn clear_line(&self) -> io::Result<()> {
        self.0.clear_line()
    }

    fn flush(&self) -> io::Result<()> {
        self.0.flush()
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
