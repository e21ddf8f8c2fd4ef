//! Ctrl-C: the first one asks the work to end with what there is, the second ends the process.

use std::process;
use std::sync::atomic::{AtomicBool, Ordering};

static PRESSED: AtomicBool = AtomicBool::new(false);

/// From now on Ctrl-C is taken as a request, and confirmed. Where the system has no way to, it goes on to end the
/// process.
pub(crate) fn watch(confirm: impl Fn() + Send + 'static) {
    let _ = ctrlc::set_handler(move || {
        if PRESSED.swap(true, Ordering::Relaxed) {
            process::exit(130);
        }
        confirm();
    });
}

/// Whether Ctrl-C was pressed since [`watch`].
pub(crate) fn pressed() -> bool {
    PRESSED.load(Ordering::Relaxed)
}
