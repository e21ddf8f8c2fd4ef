//! What a job may choose of a network beside its weights.

use crate::layers::conv::edges::Edges;
use crate::layers::pool::Pooling;

/// What a job may choose of a network beside its weights.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mode {
    /// The pooling.
    pub pooling: Pooling,
    /// What lies beyond the edges of the picture and the maps.
    pub edges: Edges,
}

impl Mode {
    /// The mode for a style's pictures: they do not repeat where the result does.
    pub fn of_style(self) -> Self {
        match self.edges {
            Edges::Wrap => Self { edges: Edges::Replicate, ..self },
            Edges::Zero | Edges::Replicate => self,
        }
    }
}

/// With zeros beyond the edges, as VGG was trained.
impl From<Pooling> for Mode {
    fn from(pooling: Pooling) -> Self {
        Self { pooling, edges: Edges::Zero }
    }
}
