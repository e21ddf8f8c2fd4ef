//! Feature maps in channel blocks: their memory, their rows, tiles of them for parallel writing. Filters, and the
//! values of weights.

pub mod aligned;
pub mod feature_map;
pub mod filters;
pub mod rows;
pub mod tiles;
pub mod values;

pub use feature_map::FeatureMap;
pub use values::Values;
