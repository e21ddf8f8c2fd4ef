//! Signals that ask the process to end: Ctrl-C, SIGTERM, and the SIGHUP of a terminal that closes.
//!
//! While a picture is being made, they end the work with the best picture so far; otherwise, the process.

use std::process;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use impasto::Cancel;
use impasto::whole_file;

/// How long after the first signal others mean the same request: a supervisor sends SIGTERM and SIGHUP together, and
/// a picture of 1024² with VGG-19 takes up to 2 s until its evaluation is broken off.
const SAME_REQUEST: Duration = Duration::from_secs(2);

/// A signal that asks the process to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Signal {
    /// SIGINT: Ctrl-C.
    Interrupt,
    /// SIGTERM: a supervisor, a container's stop, `timeout`.
    #[cfg(unix)]
    Terminate,
    /// SIGHUP: the terminal is closed.
    #[cfg(unix)]
    HangUp,
}

impl Signal {
    /// The exit code of a process that it ended, as shells say it: 128 and the signal's number.
    pub(crate) fn exit_code(self) -> u8 {
        match self {
            Self::Interrupt => 130,
            #[cfg(unix)]
            Self::Terminate => 143,
            #[cfg(unix)]
            Self::HangUp => 129,
        }
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Interrupt => "Ctrl-C",
            #[cfg(unix)]
            Self::Terminate => "SIGTERM",
            #[cfg(unix)]
            Self::HangUp => "SIGHUP",
        }
    }
}

/// The work that is being done, if some is.
static WORK: Mutex<Option<Work>> = Mutex::new(None);

struct Work {
    cancel: Cancel,
    lines: Lines,
    tell: Arc<dyn Fn(&str) + Send + Sync>,
    /// The first signal, and when it came.
    first: Option<(Signal, Instant)>,
}

/// What is said of the work's end.
#[derive(Clone, Copy)]
struct Lines {
    /// On the first signal, behind its name.
    first: &'static str,
    /// On others that mean the same.
    again: &'static str,
}

fn work() -> MutexGuard<'static, Option<Work>> {
    WORK.lock().unwrap_or_else(PoisonError::into_inner)
}

/// From now on signals end the process only once its temporary files are removed. A SIGHUP that is ignored, as with
/// `nohup`, stays ignored.
pub(crate) fn watch() {
    // Without a way to watch them, they end the process as they always do.
    let _ = platform::watch(receive);
}

/// From now on a signal makes the request that is returned, and `tell` says so. Signals within the next 2 s
/// change nothing; one after that ends the process at once.
pub(crate) fn keep_picture(tell: impl Fn(&str) + Send + Sync + 'static) -> Cancel {
    const LINES: Lines = Lines {
        first: "ending with the best picture so far; after 2 s, once more ends without it",
        again: "ending, the picture is being written",
    };
    watch_work(LINES, tell)
}

/// The same for work whose state is kept, to go on later.
pub(crate) fn keep_state(tell: impl Fn(&str) + Send + Sync + 'static) -> Cancel {
    const LINES: Lines = Lines {
        first: "ending, the state of the work is kept; after 2 s, once more ends without it",
        again: "ending, the state of the work is being written",
    };
    watch_work(LINES, tell)
}

fn watch_work(lines: Lines, tell: impl Fn(&str) + Send + Sync + 'static) -> Cancel {
    let cancel = Cancel::new();
    *work() = Some(Work { cancel: cancel.clone(), lines, tell: Arc::new(tell), first: None });
    cancel
}

/// The first signal since [`keep_picture`] or [`keep_state`].
pub(crate) fn received() -> Option<Signal> {
    work().as_ref()?.first.map(|(signal, _)| signal)
}

fn receive(signal: Signal) {
    let mut current = work();
    let Some(work) = &mut *current else { end_as_usual(signal) };
    let line = match work.first {
        None => {
            work.first = Some((signal, Instant::now()));
            work.cancel.cancel();
            format!("{}: {}", signal.name(), work.lines.first)
        }
        Some((_, first)) if first.elapsed() < SAME_REQUEST => work.lines.again.to_owned(),
        Some(_) => {
            whole_file::remove_temporary_files();
            process::exit(signal.exit_code().into())
        }
    };
    let tell = work.tell.clone();
    // The work must not wait for whoever reads the line.
    drop(current);
    tell(&line);
}

/// Ends the process as the signal does where nobody watches it, but without leaving temporary files.
fn end_as_usual(signal: Signal) -> ! {
    whole_file::remove_temporary_files();
    platform::end(signal);
    process::exit(signal.exit_code().into())
}

#[cfg(unix)]
mod platform {
    use std::{io, process, thread};

    use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
    use signal_hook::iterator::Signals;
    use signal_hook::low_level::emulate_default_handler;

    use super::Signal;
    use crate::unix::is_ignored;

    const SIGNALS: [(Signal, i32); 3] =
        [(Signal::Interrupt, SIGINT), (Signal::Terminate, SIGTERM), (Signal::HangUp, SIGHUP)];

    /// Calls `receive` on every signal, on a thread of its own.
    pub(super) fn watch(receive: fn(Signal)) -> io::Result<()> {
        let watched =
            SIGNALS.iter().filter(|(signal, number)| *signal != Signal::HangUp || !is_ignored(*number));
        let mut signals = Signals::new(watched.map(|(_, number)| number))?;
        thread::Builder::new().name("signals".to_owned()).spawn(move || {
            for number in signals.forever() {
                if let Some((signal, _)) = SIGNALS.iter().find(|(_, known)| *known == number) {
                    receive(*signal);
                }
            }
        })?;
        Ok(())
    }

    /// Lets the signal end the process, so that a shell sees what ended it.
    pub(super) fn end(signal: Signal) {
        // No signal ends a container's first process unless it is handled.
        let number = SIGNALS.iter().find(|(known, _)| *known == signal).map(|(_, number)| *number);
        if let Some(number) = number.filter(|_| process::id() != 1) {
            let _ = emulate_default_handler(number);
        }
    }
}

#[cfg(not(unix))]
mod platform {
    use super::Signal;

    /// Calls `receive` on every Ctrl-C, on a thread of its own.
    pub(super) fn watch(receive: fn(Signal)) -> Result<(), ctrlc::Error> {
        ctrlc::set_handler(move || receive(Signal::Interrupt))
    }

    /// The exit code alone says what ended the process.
    pub(super) fn end(_: Signal) {}
}
