//! The native part of the Python package `impasto`. `python/impasto/` has what users see: it brings arguments into the
//! forms that are taken here.
//!
//! Work runs on threads of its own, without the GIL, while the calling thread looks for signals: see `watch`.
#![deny(unsafe_code)]

mod arguments;
mod arrays;
mod failure;
mod files;
mod job;
mod objective;
mod progress;
mod source;
mod style;
mod watch;
mod weights;

use pyo3::prelude::*;

#[pymodule]
mod _impasto {
    use std::panic;

    use pyo3::prelude::*;

    use impasto::simd::Isa;

    #[pymodule_export]
    use super::files::{read, write};
    #[pymodule_export]
    use super::job::{defaults, estimate, run};
    #[pymodule_export]
    use super::objective::Objective;
    #[pymodule_export]
    use super::progress::Progress;
    #[pymodule_export]
    use super::style::Style;
    #[pymodule_export]
    use super::weights::Weights;

    /// The names of the instruction sets that this CPU has, the widest first.
    #[pyfunction]
    fn instruction_sets() -> Vec<&'static str> {
        Isa::available().into_iter().map(Isa::name).collect()
    }

    #[pymodule_init]
    fn init(module: &Bound<'_, PyModule>) -> PyResult<()> {
        module.add("__version__", env!("CARGO_PKG_VERSION"))?;
        // A decoder's panic becomes an exception, which says enough.
        let report = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            if !impasto::picture::is_decoding() {
                report(info);
            }
        }));
        Ok(())
    }
}
