//! `--report`: what was done as one page for a browser, which loads nothing else.

pub(crate) mod batch;
mod curves;
pub(crate) mod file;
mod job;
pub(crate) mod machine;
mod page;
mod picture;
pub(crate) mod profile;
mod record;
