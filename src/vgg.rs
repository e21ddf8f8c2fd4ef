//! VGG as data: table 1 of Simonyan and Zisserman, "Very Deep Convolutional Networks for Large-Scale
//! Image Recognition" (2014, arXiv:1409.1556), its layers' names, and how a picture is prepared for it.
//!
//! All six networks share one plan: five groups of convolutions, each convolution followed by a ReLU
//! and each group by a 2×2 pool of stride 2, then three dense layers. They differ in how many
//! convolutions a group has.

mod layer;
mod preprocessing;
mod table;

pub use layer::{ConvSpec, Layer};
pub use preprocessing::{InputChannel, Preprocessing};
pub use table::Architecture;

/// Groups of convolutions in every network.
pub const GROUPS: usize = 5;

/// Channels of a picture, and so of what conv1_1 takes.
pub const PICTURE_CHANNELS: usize = 3;

/// Width and height of pool5 for the 224×224 picture that the classifier was trained on, which is what
/// fc6 takes.
pub const POOLED_SIDE: usize = 7;
