//! A style: its pictures, and a cache of the targets computed from them.

use std::borrow::Cow;
use std::fmt;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use ndarray::Array2;

use crate::error::{Error, Result, Setting};
use crate::loss::{StyleTarget, Terms};
use crate::network::{Compute, Mode, Network, Passes, check_size};
use crate::picture::Picture;
use crate::vgg::Layer;
use crate::weights::Weights;

use super::matching::ColourStatistics;
use super::style_size::StyleSize;

/// The most targets that are cached: more than a job has scales, so that the next job finds all of them. With the
/// default layers of VGG-19 one target takes 2.4 MB, with all its ReLU layers 10 MB.
const MAX_CACHED_TARGETS: usize = 16;

/// A style: one picture, or a blend of several.
///
/// Its targets are computed when a job first needs them at some size, and cached for later jobs. Clones share the cache, so
/// one `Style` can serve many jobs on many threads.
#[derive(Clone)]
pub struct Style {
    parts: Arc<[Part]>,
    /// The size of each picture.
    sizes: Arc<[StyleSize]>,
    cache: Arc<Mutex<Vec<CachedTarget>>>,
}

/// A picture, with its alpha removed, and its share in the blend.
struct Part {
    picture: Picture,
    share: f64,
    /// The statistics of its colours, once they are needed.
    colours: OnceLock<ColourStatistics>,
}

impl Part {
    fn new(picture: Picture, share: f64) -> Self {
        Self { picture: picture.into_flattened(), share, colours: OnceLock::new() }
    }

    /// The picture at this size, with its colours matched to `colours` if there are some.
    fn at_size(
        &self,
        (width, height): (usize, usize),
        colours: Option<&ColourStatistics>,
    ) -> Cow<'_, Picture> {
        let picture = self.picture.at_size(width, height);
        let Some(to) = colours else { return picture };
        let from = self.colours.get_or_init(|| ColourStatistics::of(&self.picture));
        let mut planes = picture.into_owned().into_planes();
        from.map_to(to).apply(planes.view_mut());
        Cow::Owned(Picture::of_planes(planes))
    }
}

impl Part {
    /// The target of the picture at this size.
    ///
    /// # Errors
    /// [`Error::TooSmall`] if it is too small for a layer.
    fn target(
        &self,
        network: &Network,
        (width, height): (usize, usize),
        colours: Option<&ColourStatistics>,
        layers: &[Layer],
        mode: Mode,
    ) -> Result<StyleTarget> {
        check_size("the style", layers, height, width)?;
        let picture = self.at_size((width, height), colours);
        StyleTarget::of_picture(network, picture.planes(), layers, mode)
    }
}

/// A cached target, with everything besides the pictures that it depends on.
struct CachedTarget {
    weights: Weights,
    key: Key,
    target: StyleTarget,
}

#[derive(PartialEq)]
struct Key {
    compute: Compute,
    layers: Vec<Layer>,
    mode: Mode,
    /// Width and height of each picture.
    sizes: Vec<(usize, usize)>,
    /// What the pictures' colours are matched to.
    colours: Option<ColourStatistics>,
    /// Rows of the windows in which each picture is computed: sums in other parts have other last bits.
    windows: Vec<Vec<usize>>,
    /// The ranks that share them: the same.
    ranks: usize,
}

impl Style {
    /// The style of one picture. Transparent parts are replaced by the mean colour, as [`Picture::flattened`] does.
    pub fn new(picture: Picture) -> Self {
        Self::of_parts(vec![Part::new(picture, 1.0)])
    }

    /// The blend of several pictures' styles, each with its share. Shares are 0 or above, and at least one is above 0. Only
    /// their ratios matter.
    ///
    /// # Errors
    /// [`Error::Setting`] if there is no picture, or for invalid shares.
    pub fn blend(parts: impl IntoIterator<Item = (Picture, f64)>) -> Result<Self> {
        let parts: Vec<_> = parts.into_iter().map(|(picture, share)| Part::new(picture, share)).collect();
        let total: f64 = parts.iter().map(|part| part.share).sum();
        if let Some(part) = parts.iter().find(|part| !(part.share >= 0.0 && part.share.is_finite())) {
            return Err(Error::setting(Setting::Shares, format!("must be 0 or above, found {}", part.share)));
        }
        if !(total > 0.0 && total.is_finite()) {
            return Err(Error::setting(Setting::Shares, "one must be above 0"));
        }
        Ok(Self::of_parts(parts))
    }

    /// The same style with its pictures used at these sizes: one size for all of them, or one for each, in their order. By
    /// default each picture is used with as many pixels as the result has, so that its strokes scale with the result.
    ///
    /// ```
    /// use impasto::{Picture, Style, StyleSize};
    ///
    /// # let painting = Picture::from_rgb8(&[0; 3], 1, 1, 3)?;
    /// let finer_strokes = Style::new(painting).with_sizes([StyleSize::Scale(0.5)])?;
    /// # Ok::<(), impasto::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::Setting`] for another number of sizes, or a size out of its range.
    pub fn with_sizes(&self, sizes: impl IntoIterator<Item = StyleSize>) -> Result<Self> {
        let (mut sizes, pictures): (Vec<_>, _) = (sizes.into_iter().collect(), self.parts.len());
        sizes.iter().try_for_each(|size| size.check())?;
        if sizes.len() == 1 {
            sizes = vec![sizes[0]; pictures];
        }
        if sizes.len() != pictures {
            let reason =
                format!("expected one, or one for each of {pictures} pictures, found {}", sizes.len());
            return Err(Error::setting(Setting::StyleSizes, reason));
        }
        Ok(Self { sizes: sizes.into(), ..self.clone() })
    }

    /// The same style with its pictures at their own sizes: [`with_sizes`](Self::with_sizes) of [`StyleSize::Own`].
    #[must_use]
    pub fn in_own_size(&self) -> Self {
        Self { sizes: vec![StyleSize::Own; self.parts.len()].into(), ..self.clone() }
    }

    fn of_parts(parts: Vec<Part>) -> Self {
        let sizes = vec![StyleSize::default(); parts.len()].into();
        Self { parts: parts.into(), sizes, cache: Arc::default() }
    }

    /// Width and height of the first picture.
    pub(super) fn first_size(&self) -> (usize, usize) {
        let picture = &self.parts[0].picture;
        (picture.width(), picture.height())
    }

    /// Pixels of all pictures together.
    pub(super) fn pixels(&self) -> usize {
        self.parts.iter().map(|part| part.picture.width() * part.picture.height()).sum()
    }

    /// Width and height at which each picture is used for a picture of `pixels` pixels on the way to a result of `of_result`
    /// pixels.
    pub(super) fn sizes(&self, pixels: usize, of_result: usize) -> Vec<(usize, usize)> {
        let size = |(part, size): (&Part, &StyleSize)| {
            size.size((part.picture.width(), part.picture.height()), pixels, of_result)
        };
        self.parts.iter().zip(&*self.sizes).map(size).collect()
    }

    /// Each picture, with its alpha removed, and its share.
    pub(super) fn parts(&self) -> impl Iterator<Item = (&Picture, f64)> {
        self.parts.iter().map(|part| (&part.picture, part.share))
    }

    /// How many pictures there are.
    pub(super) fn len(&self) -> usize {
        self.parts.len()
    }

    /// The share of each picture.
    pub(super) fn shares(&self) -> Vec<f64> {
        self.parts.iter().map(|part| part.share).collect()
    }

    /// The targets of each picture on its own, used at these [sizes](Self::sizes), with their colours matched to `colours` if
    /// there are some. They are not cached.
    ///
    /// # Errors
    /// [`Error::TooSmall`] if a picture is too small for a layer.
    pub(super) fn part_targets(
        &self,
        network: &Network,
        terms: &Terms,
        sizes: &[(usize, usize)],
        colours: Option<ColourStatistics>,
    ) -> Result<Vec<StyleTarget>> {
        let (layers, mode) = (terms.style_taps(), terms.mode());
        let parts = self.parts.iter().zip(sizes);
        parts.map(|(part, size)| part.target(network, *size, colours.as_ref(), &layers, mode)).collect()
    }

    /// The targets of regions of the first picture, from the weights of each region's pixels, H×W, at the size at which it is
    /// used, with its colours matched to `colours` if there are some. They are not cached.
    ///
    /// # Errors
    /// [`Error::TooSmall`] if the picture is too small for a layer.
    pub(super) fn region_targets(
        &self,
        network: &Network,
        terms: &Terms,
        regions: &[Array2<f32>],
        colours: Option<ColourStatistics>,
    ) -> Result<Vec<StyleTarget>> {
        let layers = terms.style_taps();
        let (height, width) = regions.first().map_or((1, 1), |region| region.dim());
        check_size("the style", &layers, height, width)?;
        let picture = self.parts[0].at_size((width, height), colours.as_ref());
        StyleTarget::of_regions(network, picture.planes(), &layers, terms.mode(), regions)
    }

    /// The target for pictures used at these [sizes](Self::sizes), with their colours matched to `colours` if there are some,
    /// from the cache or computed.
    ///
    /// # Errors
    /// [`Error::TooSmall`] if a picture is too small for a layer.
    pub(super) fn target(
        &self,
        weights: &Weights,
        network: &Network,
        terms: &Terms,
        sizes: Vec<(usize, usize)>,
        colours: Option<ColourStatistics>,
    ) -> Result<StyleTarget> {
        let (layers, mode) = (terms.style_taps(), terms.mode());
        let windows_of = |&(width, height): &(usize, usize)| {
            let of_style = mode.of_style();
            network.cut(&layers, of_style, (height, width), Passes::Forward, network.room()).windows()
        };
        let windows = sizes.iter().map(windows_of).collect();
        let ranks = network.ranks().count();
        let key = Key { compute: network.compute(), layers, mode, sizes, colours, windows, ranks };
        let lock = || self.cache.lock().unwrap_or_else(PoisonError::into_inner);
        let is_match = |cached: &&CachedTarget| cached.key == key && cached.weights.same_as(weights);
        if let Some(cached) = lock().iter().find(is_match) {
            return Ok(cached.target.clone());
        }
        let mut targets = Vec::with_capacity(self.parts.len());
        for (part, &size) in self.parts.iter().zip(&key.sizes) {
            targets.push(part.target(network, size, key.colours.as_ref(), &key.layers, mode)?);
        }
        let shares = self.parts.iter().map(|part| part.share);
        let target = StyleTarget::blend(&shares.zip(&targets).collect::<Vec<_>>());
        let mut cache = lock();
        if cache.len() == MAX_CACHED_TARGETS {
            cache.remove(0);
        }
        cache.push(CachedTarget { weights: weights.clone(), key, target: target.clone() });
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
