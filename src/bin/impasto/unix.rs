//! What the standard library doesn't say of the process on Unix.

use std::mem::MaybeUninit;
use std::ptr;

/// Whether the process was started with this signal ignored, as `nohup` does with SIGHUP.
pub(crate) fn is_ignored(signal: libc::c_int) -> bool {
    let mut action = MaybeUninit::<libc::sigaction>::uninit();
    // SAFETY: without a new action the call only reads the current one, into memory that is there for it. What it
    // reports as written is initialised.
    unsafe {
        libc::sigaction(signal, ptr::null(), action.as_mut_ptr()) == 0
            && action.assume_init().sa_sigaction == libc::SIG_IGN
    }
}

/// Lets glibc's allocator give large buffers back to the system as soon as they are freed. By itself it keeps more and larger
/// ones the longer the process runs, beyond the memory that was foreseen.
pub(crate) fn give_large_buffers_back() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    {
        const LARGE: libc::c_int = 1 << 20;
        // SAFETY: sets a number of the allocator, before there is another thread.
        unsafe { libc::mallopt(libc::M_MMAP_THRESHOLD, LARGE) };
    }
}

/// Whether the process was started with standard output closed. Before `main` Rust's runtime opens /dev/null in its
/// place, which takes every write for nothing.
pub(crate) fn stdout_was_closed() -> bool {
    #[cfg(target_os = "linux")]
    return at_start::STDOUT_WAS_CLOSED.load(std::sync::atomic::Ordering::Relaxed);
    #[cfg(not(target_os = "linux"))]
    false
}

#[cfg(target_os = "linux")]
mod at_start {
    use std::sync::atomic::{AtomicBool, Ordering};

    pub(super) static STDOUT_WAS_CLOSED: AtomicBool = AtomicBool::new(false);

    /// What the C library calls before it calls the runtime.
    #[used]
    // SAFETY: the section holds pointers to functions of the C calling convention, and this is one. It relies on
    // nothing that the runtime sets up.
    #[unsafe(link_section = ".init_array")]
    static LOOK: extern "C" fn() = look;

    extern "C" fn look() {
        // SAFETY: asks for a descriptor's flags, and touches no memory.
        let flags = unsafe { libc::fcntl(libc::STDOUT_FILENO, libc::F_GETFD) };
        STDOUT_WAS_CLOSED.store(flags == -1, Ordering::Relaxed);
    }
}
