//! The C interface of impasto: `include/impasto.h`, which is made from these files, says what each function does.
//!
//! Handles are boxes, parameters that may be NULL are `Option`s, and every function that can fail runs in
//! [`status::guard`], which turns errors and panics into a code and a text. Numbers of enums are taken as `int32_t` and
//! looked up in [`controls`]. Buffers and texts come from C through [`raw`].
//!
//! C calls these functions with valid pointers or NULL, as the header asks: so references can be parameters, and the
//! functions are not `unsafe`, though they are for C alone.
#![warn(missing_docs)]

// The header has the functions in this order.
mod version;

mod status;

mod weights;

mod picture;

mod style;

mod job;

mod settings;

mod checkpoint;

mod progress;

mod cancel;

mod objective;

mod buffer;
mod controls;
mod raw;
