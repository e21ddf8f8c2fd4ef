//! The layers of the table.

use std::cmp::Ordering;
use std::fmt;

/// A convolution of the table, with stride 1 and zero padding that preserves height and width.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct ConvSpec {
    /// Its group, 1 to 5: the B of `convB_I`.
    pub group: usize,
    /// Its place in the group, from 1: the I of `convB_I`.
    pub index: usize,
    /// Width and height of its kernel: 3, or 1 in network C's conv3_3, conv4_3 and conv5_3.
    pub kernel: usize,
    /// Output channels in the paper. A weights file may have fewer or more.
    pub channels: usize,
}

impl ConvSpec {
    /// The corresponding layer.
    pub fn layer(&self) -> Layer {
        Layer::Conv { group: self.group, index: self.index }
    }
}

/// A feature layer, by its usual name. The order is that of the forward pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Layer {
    /// `convB_I`: a convolution with its bias, before the ReLU.
    Conv {
        /// B, 1 to 5.
        group: usize,
        /// I, from 1.
        index: usize,
    },
    /// `reluB_I`: max(0, convB_I).
    Relu {
        /// B, 1 to 5.
        group: usize,
        /// I, from 1.
        index: usize,
    },
    /// `norm1`: network A-LRN's local response normalisation of relu1_1 (Krizhevsky 2012, section 3.3).
    Norm,
    /// `poolB`: 2×2, stride 2, after the last ReLU of group B; an odd last row or column is dropped.
    Pool {
        /// B, 1 to 5.
        group: usize,
    },
}

impl Layer {
    /// The stride between neighbouring positions in pixels of the picture: along a side of the picture, the layer has
    /// ⌊side / stride⌋ positions.
    pub fn stride(self) -> usize {
        match self {
            Self::Conv { group, .. } | Self::Relu { group, .. } => 1 << (group - 1),
            Self::Norm => 1,
            Self::Pool { group } => 1 << group,
        }
    }

    /// The shortest side, in pixels, of a picture for which the layer has at least one position.
    pub fn min_side(self) -> usize {
        self.stride()
    }

    /// The sort key: the order of the forward pass.
    fn order(self) -> (usize, usize, usize) {
        match self {
            Self::Conv { group, index } => (group, index, 0),
            Self::Relu { group, index } => (group, index, 1),
            Self::Norm => (1, 1, 2),
            Self::Pool { group } => (group, usize::MAX, 0),
        }
    }
}

impl Ord for Layer {
    fn cmp(&self, other: &Self) -> Ordering {
        self.order().cmp(&other.order())
    }
}

impl PartialOrd for Layer {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl fmt::Display for Layer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Conv { group, index } => write!(f, "conv{group}_{index}"),
            Self::Relu { group, index } => write!(f, "relu{group}_{index}"),
            Self::Norm => f.write_str("norm1"),
            Self::Pool { group } => write!(f, "pool{group}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vgg::Architecture;

    #[test]
    fn min_side_leaves_one_position() {
        for architecture in Architecture::ALL {
            for layer in architecture.layers() {
                let pools = architecture
                    .layers()
                    .into_iter()
                    .filter(|l| l <= &layer && matches!(l, Layer::Pool { .. }))
                    .count();
                let positions = |side| (0..pools).fold(side, |side: usize, _| side / 2);
                assert_eq!(positions(layer.min_side()), 1, "{layer}");
                assert_eq!(positions(layer.min_side() - 1), 0, "{layer}");
                assert_eq!(positions(100), 100 / layer.stride(), "{layer}");
            }
        }
    }
}
