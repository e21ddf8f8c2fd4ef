//! Parallel loops, scratch memory of threads, and reductions that do not depend on the number of threads.

mod backoff;
pub mod cancel;
mod gate;
pub mod ranks;
pub mod reduce;
pub mod scratch;
mod share;
mod sync;
pub mod team;
pub mod trace;
