//! VGG as data: table 1 of Simonyan and Zisserman, "Very Deep Convolutional Networks for Large-Scale
//! Image Recognition" (2014, arXiv:1409.1556), the layers' names, and the preprocessing of pictures.
//!
//! All six networks have the same structure: five groups of convolutions, each convolution followed by a ReLU
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

/// Channels of a picture, which is the input of conv1_1.
pub const PICTURE_CHANNELS: usize = 3;

/// Width and height of pool5 for a picture of 224×224 pixels, the size on which the classifier was trained. The input of fc6.
pub const POOLED_SIDE: usize = 7;
