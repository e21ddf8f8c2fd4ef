//! What a picture file says of itself beside its pixels.

use super::ColourProfile;

/// What a picture file says of itself beside its pixels.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct Metadata {
    /// What was made of its colour profile.
    pub profile: ColourProfile,
}
