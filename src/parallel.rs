//! Parallel loops, scratch memory of threads, and reductions that do not depend on the number of threads.

pub mod cancel;
pub mod reduce;
pub mod scratch;
pub mod team;
