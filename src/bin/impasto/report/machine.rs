//! What the work ran on.

use std::env::consts::{ARCH, OS};
use std::num::NonZero;
use std::thread;

use super::page::Page;
use crate::terminal;
use impasto::memory;

/// The CPU's name, where the system says it, or else its architecture.
pub(crate) fn cpu() -> String {
    let cpus = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let name = cpus.lines().find_map(|line| line.strip_prefix("model name")?.split_once(':'));
    name.map_or_else(|| ARCH.to_owned(), |(_, name)| name.trim().to_owned())
}

/// The section of a page that says what the work ran on, with instruction set and threads.
pub(super) fn section(page: &mut Page, isa: &str, threads: usize, memory: &[(&str, String)]) {
    let cores = thread::available_parallelism().map_or(1, NonZero::get);
    let mut rows = vec![
        ("CPU", cpu()),
        ("cores", cores.to_string()),
        ("threads", threads.to_string()),
        ("instruction set", isa.to_owned()),
        ("system", format!("{OS}, {ARCH}")),
    ];
    rows.extend(memory.iter().cloned());
    rows.push(("free at the end", terminal::bytes(memory::available())));
    rows.push(("impasto", env!("CARGO_PKG_VERSION").to_owned()));
    page.heading("Machine");
    page.properties(&rows);
}
