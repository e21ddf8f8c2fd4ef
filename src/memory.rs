//! How much memory this process can take, and how much it took.

#[cfg(target_os = "linux")]
mod control_groups;

use crate::error::{Error, Result};

/// Bytes that this process can take without swapping: what the machine has available, on Linux within the limits of the
/// process's control groups. `u64::MAX` where the system does not say.
#[cfg(target_os = "linux")]
pub fn available() -> u64 {
    available_by(std::path::Path::new("/"))
}

/// Bytes that this process can take without swapping: what the machine has available, on Linux within the limits of the
/// process's control groups. `u64::MAX` where the system does not say.
#[cfg(not(target_os = "linux"))]
pub fn available() -> u64 {
    if !sysinfo::IS_SUPPORTED_SYSTEM {
        return u64::MAX;
    }
    let mut system = sysinfo::System::new();
    system.refresh_memory();
    system.available_memory()
}

/// [`available`], by the files below `root`.
#[cfg(target_os = "linux")]
fn available_by(root: &std::path::Path) -> u64 {
    let machine = of_machine_by(root, "MemAvailable:").unwrap_or(u64::MAX);
    machine.min(control_groups::available(root).unwrap_or(u64::MAX))
}

/// Bytes of memory of the whole machine, whatever this process can take of it, and of those that are available; `None` where the
/// system does not say.
#[cfg(target_os = "linux")]
pub fn of_machine() -> Option<(u64, u64)> {
    let of = |label| of_machine_by(std::path::Path::new("/"), label);
    Some((of("MemTotal:")?, of("MemAvailable:")?))
}

/// Bytes of memory of the whole machine, whatever this process can take of it, and of those that are available; `None` where the
/// system does not say.
#[cfg(not(target_os = "linux"))]
pub fn of_machine() -> Option<(u64, u64)> {
    if !sysinfo::IS_SUPPORTED_SYSTEM {
        return None;
    }
    let mut system = sysinfo::System::new();
    system.refresh_memory();
    Some((system.total_memory(), system.available_memory()))
}

#[cfg(target_os = "linux")]
fn of_machine_by(root: &std::path::Path, label: &str) -> Option<u64> {
    kibibytes_after(&std::fs::read_to_string(root.join("proc/meminfo")).ok()?, label)
}

/// Refuses work on `width`×`height` pixels that needs more memory than there is.
///
/// # Errors
/// [`Error::OutOfMemory`].
pub fn require(what: &str, needed: u64, width: usize, height: usize) -> Result<()> {
    require_of(available(), what, needed, width, height)
}

/// Refuses work on `width`×`height` pixels that needs more than the `available` bytes of memory.
///
/// # Errors
/// [`Error::OutOfMemory`].
pub fn require_of(available: u64, what: &str, needed: u64, width: usize, height: usize) -> Result<()> {
    match needed > available {
        true => Err(Error::OutOfMemory { what: what.to_owned(), width, height, needed, available }),
        false => Ok(()),
    }
}

/// The most bytes that this process ever had in memory, on Linux; `None` elsewhere.
pub fn peak() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    kibibytes_after(&status, "VmHWM:")
}

/// Bytes, from the line of a file in /proc that gives them in kB after `label`.
fn kibibytes_after(file: &str, label: &str) -> Option<u64> {
    let value = file.lines().find_map(|line| line.strip_prefix(label))?;
    let kibibytes: u64 = value.trim().strip_suffix("kB")?.trim().parse().ok()?;
    kibibytes.checked_mul(1024)
}

#[cfg(all(test, target_os = "linux"))]
mod tests;
