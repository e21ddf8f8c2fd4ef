//! Work on another thread, while the calling one waits without the GIL, looks for signals and serves the work's events.

use std::panic;
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::thread;
use std::time::Duration;

use pyo3::prelude::*;

use impasto::Cancel;

/// How long Ctrl-C may go unnoticed.
const INTERVAL: Duration = Duration::from_millis(50);

/// Does the work on a thread of its own and gives back what it returns. Where Python's handler of a signal raises, as
/// that of Ctrl-C does, or `serve` fails, the work is cancelled and the exception comes out once it has ended; a second
/// one comes out at once.
pub(crate) fn watched<T: Send + 'static, E: Send + 'static>(
    py: Python<'_>,
    cancel: &Cancel,
    work: impl FnOnce(Sender<E>) -> T + Send + 'static,
    mut serve: impl FnMut(E) -> PyResult<()>,
) -> PyResult<T> {
    let (sender, mut events) = mpsc::channel();
    let worker = thread::Builder::new().name("impasto".to_owned()).spawn(move || work(sender))?;
    let mut raised = None;
    loop {
        let events = &mut events;
        match py.detach(move || events.recv_timeout(INTERVAL)) {
            // The work ends where an event that waits for an answer is dropped.
            Ok(event) if raised.is_none() => raised = serve(event).err(),
            Ok(_) | Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => break,
        }
        match (py.check_signals(), &raised) {
            (Err(again), Some(_)) => return Err(again),
            (Err(first), None) => raised = Some(first),
            (Ok(()), _) => {}
        }
        if raised.is_some() {
            cancel.cancel();
        }
    }
    match (py.detach(|| worker.join()), raised) {
        (_, Some(exception)) => Err(exception),
        (Ok(returned), None) => Ok(returned),
        (Err(payload), None) => panic::resume_unwind(payload),
    }
}
