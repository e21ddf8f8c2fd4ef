//! The loss: the content, style, total variation and Laplacian terms, each with its gradient, and their weighted sum as a function of
//! the picture.

pub mod content;
pub mod laplacian;
pub mod objective;
pub mod region;
pub mod statistic;
pub mod style;
pub mod terms;
pub mod total_variation;

pub use objective::{Losses, Objective};
pub use region::RegionTarget;
pub use statistic::Statistic;
pub use style::StyleTarget;
pub use terms::{Form, Terms};
