//! Feature maps in channel blocks: their memory, their rows, tiles of them for parallel writing, and filters.

pub mod aligned;
pub mod feature_map;
pub mod filters;
pub mod rows;
pub mod tiles;

pub use feature_map::FeatureMap;
