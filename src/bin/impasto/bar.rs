//! A bar on stderr that takes one line, whatever the terminal's width.

use std::io;

use console::{Term, measure_text_width};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle, TermLike};

use crate::terminal::Detail;

/// How often a bar is drawn, at most.
const UPDATES_A_SECOND: u8 = 20;

/// The fewest columns that are left to the bar itself.
const SHORTEST: usize = 6;

/// Columns of the percentage, with the spaces around it and in front of the bar.
const PERCENTAGE: usize = 7;

/// A bar on stderr, of a length to be told; never where that is no terminal or `--quiet` was given.
#[cfg(feature = "fetch")]
pub(crate) fn of_detail(detail: Detail) -> ProgressBar {
    ProgressBar::with_draw_target(None, target(detail)).with_style(style())
}

/// A bar that is not seen until it is given a [`target`].
pub(crate) fn hidden(length: u64) -> ProgressBar {
    ProgressBar::with_draw_target(Some(length), ProgressDrawTarget::hidden()).with_style(style())
}

/// Where a bar is drawn.
pub(crate) fn target(detail: Detail) -> ProgressDrawTarget {
    let terminal = Term::stderr();
    match detail {
        Detail::Normal | Detail::Verbose if terminal.is_term() => {
            ProgressDrawTarget::term_like_with_hz(Box::new(Narrowed(terminal)), UPDATES_A_SECOND)
        }
        _ => ProgressDrawTarget::hidden(),
    }
}

/// Sets the words in front of a bar, and behind it as many of `parts`, the most important first, as the line has room for.
pub(crate) fn set_text(bar: &ProgressBar, prefix: &str, parts: &[String]) {
    let (prefix, message) = fitting(TermLike::width(&Narrowed(Term::stderr())).into(), prefix, parts);
    bar.set_prefix(prefix);
    bar.set_message(message);
}

/// Takes a bar from the screen, so that what is said next begins a line. Given a [`target`] it is shown again.
pub(crate) fn hide(bar: &ProgressBar) {
    // Without a target it could no longer be removed.
    bar.finish_and_clear();
    bar.set_draw_target(ProgressDrawTarget::hidden());
    bar.reset();
}

/// The words in front of and behind a bar in a line of `columns` columns.
fn fitting(columns: usize, prefix: &str, parts: &[String]) -> (String, String) {
    let Some(room) = columns.checked_sub(measure_text_width(prefix) + SHORTEST + PERCENTAGE) else {
        return Default::default();
    };
    let mut message = String::new();
    for part in parts {
        let longer = if message.is_empty() { part.clone() } else { format!("{message}, {part}") };
        if measure_text_width(&longer) > room {
            break;
        }
        message = longer;
    }
    (prefix.to_owned(), message)
}

fn style() -> ProgressStyle {
    ProgressStyle::with_template("{prefix} {wide_bar} {percent:>3}% {msg}")
        .expect("the template is well-formed")
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_has_what_there_is_room_for() {
        let parts = ["step 1/200", "0:12 left", "loss 1.2345", "9.8 steps/s"].map(str::to_owned);
        let prefix = "scale 1/5 128×85";
        let (found, message) = fitting(120, prefix, &parts);
        assert_eq!((found.as_str(), message.as_str()), (prefix, &*parts.join(", ")));
        assert_eq!(fitting(76, prefix, &parts).1, "step 1/200, 0:12 left, loss 1.2345, 9.8 steps/s");
        assert_eq!(fitting(75, prefix, &parts).1, "step 1/200, 0:12 left, loss 1.2345");
        assert_eq!(fitting(40, prefix, &parts), (prefix.to_owned(), "step 1/200".to_owned()));
        assert_eq!(fitting(20, prefix, &parts), (String::new(), String::new()));
        // Each takes two columns.
        let wide = ["写真".to_owned()];
        assert_eq!(fitting(SHORTEST + PERCENTAGE + 4, "", &wide).1, "写真");
        assert_eq!(fitting(SHORTEST + PERCENTAGE + 3, "", &wide).1, "");
        for columns in 0..100 {
            let (prefix, message) = fitting(columns, prefix, &parts);
            let taken = prefix.chars().count() + message.chars().count();
            assert!(taken == 0 || taken + SHORTEST + PERCENTAGE <= columns, "{columns}");
        }
    }
}
