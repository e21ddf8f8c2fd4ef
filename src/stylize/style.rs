//! A style: pictures, and their targets once they are computed.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use crate::error::{Error, Result, Setting};
use crate::layers::pool::Pooling;
use crate::loss::{StyleTarget, Terms};
use crate::network::{Compute, Network, check_size};
use crate::picture::{Picture, fit};
use crate::vgg::Layer;
use crate::weights::Weights;

/// Targets that are kept: more than a job has scales, and one is at most 10 MB.
const MOST_KEPT: usize = 16;

/// A style, of one picture or a blend of several. Its targets are computed when a job first needs them at a size, and kept
/// for the next job; clones share them. So one `Style` serves many pictures, on many threads.
#[derive(Clone)]
pub struct Style {
    parts: Arc<[Part]>,
    scaled: bool,
    kept: Arc<Mutex<Vec<Kept>>>,
}

/// A picture without alpha and its share in the blend.
struct Part {
    picture: Picture,
    share: f64,
}

/// A target, and all that it depends on beside the pictures.
struct Kept {
    weights: Weights,
    key: Key,
    target: StyleTarget,
}

#[derive(PartialEq)]
struct Key {
    compute: Compute,
    layers: Vec<Layer>,
    pooling: Pooling,
    /// Width and height of each picture.
    sizes: Vec<(usize, usize)>,
}

impl Style {
    /// The style of one picture. What is transparent in it has no influence.
    pub fn new(picture: Picture) -> Self {
        Self::of_parts(vec![Part { picture: picture.into_flattened(), share: 1.0 }])
    }

    /// The blend of several pictures' styles, each with its share: 0 or above, and not all 0. Only their ratios matter.
    ///
    /// # Errors
    /// [`Error::Setting`] where there is no picture, or the shares are not such.
    pub fn blend(parts: impl IntoIterator<Item = (Picture, f64)>) -> Result<Self> {
        let parts =
            parts.into_iter().map(|(picture, share)| Part { picture: picture.into_flattened(), share });
        let parts: Vec<_> = parts.collect();
        let total: f64 = parts.iter().map(|part| part.share).sum();
        if let Some(part) = parts.iter().find(|part| !(part.share >= 0.0 && part.share.is_finite())) {
            return Err(Error::setting(Setting::Shares, format!("must be 0 or above, found {}", part.share)));
        }
        if !(total > 0.0 && total.is_finite()) {
            return Err(Error::setting(Setting::Shares, "one must be above 0"));
        }
        Ok(Self::of_parts(parts))
    }

    /// The same style with its pictures seen in their own sizes. As a rule each is resized to as many pixels as the result
    /// has, so that its strokes grow with the result.
    #[must_use]
    pub fn in_own_size(&self) -> Self {
        Self { scaled: false, parts: Arc::clone(&self.parts), kept: Arc::default() }
    }

    fn of_parts(parts: Vec<Part>) -> Self {
        Self { parts: parts.into(), scaled: true, kept: Arc::default() }
    }

    /// Width and height of the first picture.
    pub(super) fn first_size(&self) -> (usize, usize) {
        let picture = &self.parts[0].picture;
        (picture.width(), picture.height())
    }

    /// Pixels of all pictures.
    pub(super) fn pixels(&self) -> usize {
        self.parts.iter().map(|part| part.picture.width() * part.picture.height()).sum()
    }

    /// Width and height that each picture is seen in where the result has so many pixels.
    pub(super) fn sizes(&self, pixels: usize) -> Vec<(usize, usize)> {
        let size = |part: &Part| {
            let (width, height) = (part.picture.width(), part.picture.height());
            if !self.scaled {
                return (width, height);
            }
            let aspect = width.max(height) as f64 / width.min(height) as f64;
            let longest = (pixels as f64 * aspect).sqrt().round().max(1.0);
            fit(width, height, longest as usize)
        };
        self.parts.iter().map(size).collect()
    }

    /// The target for a result of so many pixels.
    ///
    /// # Errors
    /// [`Error::TooSmall`] where a picture is too small for a layer.
    pub(super) fn target(
        &self,
        weights: &Weights,
        network: &Network,
        terms: &Terms,
        pixels: usize,
    ) -> Result<StyleTarget> {
        let (layers, pooling) = (terms.style_taps(), terms.pooling);
        let key = Key { compute: network.compute(), layers, pooling, sizes: self.sizes(pixels) };
        let lock = || self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let is_it = |kept: &&Kept| kept.key == key && kept.weights.same_as(weights);
        if let Some(kept) = lock().iter().find(is_it) {
            return Ok(kept.target.clone());
        }
        let mut targets = Vec::with_capacity(self.parts.len());
        for (part, &(width, height)) in self.parts.iter().zip(&key.sizes) {
            check_size("the style", &key.layers, height, width)?;
            let picture = part.picture.at_size(width, height);
            targets.push(StyleTarget::of_picture(network, picture.planes(), &key.layers, pooling)?);
        }
        let shares = self.parts.iter().map(|part| part.share);
        let target = StyleTarget::blend(&shares.zip(&targets).collect::<Vec<_>>());
        let mut kept = lock();
        if kept.len() == MOST_KEPT {
            kept.remove(0);
        }
        kept.push(Kept { weights: weights.clone(), key, target: target.clone() });
        Ok(target)
    }
}

impl From<Picture> for Style {
    fn from(picture: Picture) -> Self {
        Self::new(picture)
    }
}

impl From<&Style> for Style {
    fn from(style: &Style) -> Self {
        style.clone()
    }
}

impl fmt::Debug for Style {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let parts: Vec<_> =
            self.parts.iter().map(|part| (part.picture.width(), part.picture.height(), part.share)).collect();
        f.debug_struct("Style").field("pictures", &parts).finish_non_exhaustive()
    }
}
