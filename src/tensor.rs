//! Channel-blocked feature maps with their rows and tiles; convolution filters; and shared weight values.

pub mod aligned;
mod band;
mod border;
pub mod feature_map;
pub mod filters;
mod part;
pub mod rows;
pub mod tiles;
pub mod values;

pub use band::Band;
pub use feature_map::FeatureMap;
pub use part::{Part, Place};
pub use values::Values;
