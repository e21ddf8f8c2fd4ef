//! How far all photographs are: one bar on stderr where that is a terminal.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use indicatif::ProgressBar;

use crate::bar;
use crate::picture_file::stem;
use crate::progress::clock;
use crate::terminal::Detail;

/// Positions of the bar.
const LENGTH: u64 = 10_000;

pub(super) struct Bar {
    bar: ProgressBar,
    detail: Detail,
    at: Mutex<At>,
}

/// Where the work is.
struct At {
    start: Instant,
    /// Photographs to be painted.
    all: usize,
    /// Those of them that are done, in whichever way.
    done: usize,
    /// Those that are being painted, each with its part that is done.
    running: HashMap<PathBuf, f64>,
}

impl At {
    /// The part of all that is done.
    fn part(&self) -> f64 {
        (self.done as f64 + self.running.values().sum::<f64>()) / self.all.max(1) as f64
    }

    /// What is said behind the bar after so many seconds, the most important first.
    fn text(&self, seconds: f64) -> Vec<String> {
        let part = self.part();
        let mut text = Vec::new();
        if part > 0.0 {
            text.push(format!("{} left", clock(seconds * (1.0 - part) / part)));
        }
        let mut names: Vec<_> = self.running.keys().map(|path| stem(path)).collect();
        names.sort();
        text.extend((!names.is_empty()).then(|| names.join(" ")));
        if part > 0.0 {
            text.push(format!("{:.0} an hour", part * self.all as f64 / seconds * 3600.0));
        }
        text
    }
}

impl Bar {
    /// A bar that isn't seen before there is work; never where stderr is no terminal or `--quiet` was given.
    pub(super) fn new(detail: Detail) -> Self {
        let at = At { start: Instant::now(), all: 0, done: 0, running: HashMap::new() };
        Self { bar: bar::hidden(LENGTH), detail, at: Mutex::new(at) }
    }

    fn at(&self) -> MutexGuard<'_, At> {
        self.at.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Shows it from the start for so many photographs.
    pub(super) fn start(&self, photographs: usize) {
        *self.at() = At { start: Instant::now(), all: photographs, done: 0, running: HashMap::new() };
        // The first that is seen has its text.
        self.show();
        self.bar.set_draw_target(bar::target(self.detail));
        self.show();
    }

    /// Notes how much of a photograph is done.
    pub(super) fn update(&self, photograph: &Path, part: f64) {
        self.at().running.insert(photograph.to_owned(), part);
        self.show();
    }

    /// Notes that one is done.
    pub(super) fn next(&self, photograph: &Path) {
        let mut at = self.at();
        at.running.remove(photograph);
        at.done += 1;
        drop(at);
        self.show();
    }

    fn show(&self) {
        let at = self.at();
        self.bar.set_position((at.part() * LENGTH as f64) as u64);
        let text = at.text(at.start.elapsed().as_secs_f64());
        bar::set_text(&self.bar, &format!("{}/{}", (at.done + 1).min(at.all), at.all), &text);
    }

    /// Says lines above the bar, which they would otherwise begin in the middle of.
    pub(super) fn above(&self, say: impl FnOnce()) {
        self.bar.suspend(say);
    }

    /// What says a line on stderr above the bar.
    pub(super) fn teller(&self) -> impl Fn(&str) + Send + Sync + use<> {
        let (bar, detail) = (self.bar.clone(), self.detail);
        move |line| bar.suspend(|| detail.normal(format_args!("{line}")))
    }

    /// Takes it from the screen.
    pub(super) fn hide(&self) {
        bar::hide(&self.bar);
    }

    /// Removes it.
    pub(super) fn finish(&self) {
        self.bar.finish_and_clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_left_counts_what_is_done_of_those_that_are_painted() {
        let running = [("p/a.jpg".into(), 0.5), ("p/b.jpg".into(), 0.0)].into_iter().collect();
        let at = At { start: Instant::now(), all: 4, done: 1, running };
        assert_eq!(at.text(30.0), ["0:50 left", "a b", "180 an hour"]);
        let none = At { start: Instant::now(), all: 4, done: 0, running: HashMap::new() };
        assert!(none.text(3.0).is_empty());
        let last = At { start: Instant::now(), all: 4, done: 4, running: HashMap::new() };
        assert_eq!(last.text(40.0), ["0:00 left", "360 an hour"]);
    }
}
