//! How much memory there is, and how much this process took.

use sysinfo::System;

use crate::error::{Error, Result};

/// Bytes that can be had without swapping, inside the limit of the process's control group where it has one.
pub fn available() -> u64 {
    let mut system = System::new();
    system.refresh_memory();
    let group = system.cgroup_limits().map_or(u64::MAX, |limits| limits.free_memory);
    system.available_memory().min(group)
}

/// Refuses work on `width`×`height` pixels that needs more memory than there is.
///
/// # Errors
/// [`Error::OutOfMemory`].
pub fn require(what: &str, needed: u64, width: usize, height: usize) -> Result<()> {
    match available() {
        available if needed > available => {
            Err(Error::OutOfMemory { what: what.to_owned(), width, height, needed, available })
        }
        _ => Ok(()),
    }
}

/// The most bytes that this process ever had in memory: `VmHWM` of Linux. Nothing elsewhere.
pub fn peak() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kibibytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kibibytes * 1024)
}
