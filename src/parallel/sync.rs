//! The primitives that the team is built on: the standard library's, or loom's where its tests explore every order of
//! the threads' steps (`scripts/check_loom.sh`).

#[cfg(not(all(test, loom)))]
pub use std::{
    cell::Cell,
    hint::spin_loop,
    sync::Mutex,
    sync::atomic::{AtomicBool, AtomicU64, Ordering},
    thread::yield_now,
};

#[cfg(all(test, loom))]
pub use loom::{
    cell::Cell,
    hint::spin_loop,
    sync::Mutex,
    sync::atomic::{AtomicBool, AtomicU64, Ordering},
    thread::yield_now,
};
