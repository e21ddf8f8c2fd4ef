//! A style: its pictures, and the targets computed from them.

use std::borrow::Cow;
use std::fmt;
use std::sync::{Arc, OnceLock};

use crate::error::{Error, Result, Setting};
use crate::loss::{StyleTarget, Terms};
use crate::network::{Network, Passes, check_size};
use crate::picture::Picture;
use crate::weights::Weights;

use super::matching::ColourStatistics;
use super::style_size::StyleSize;
use super::targets::{Cache, Key, Kind};

/// A style: one picture, or a blend of several.
///
/// Its targets are computed when a job first needs them at some size, and cached for later jobs. Clones share the cache, so
/// one `Style` can serve many jobs on many threads.
#[derive(Clone)]
pub struct Style {
    parts: Arc<[Part]>,
    /// The size of each picture.
    sizes: Arc<[StyleSize]>,
    cache: Arc<Cache>,
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
    /// The target of the picture, used at this size, by what else the key says.
    ///
    /// # Errors
    /// [`Error::TooSmall`] if it is too small for a layer.
    fn target(&self, network: &Network, (width, height): (usize, usize), key: &Key) -> Result<StyleTarget> {
        check_size("the style", &key.layers, height, width)?;
        let picture = self.at_size((width, height), key.colours.as_ref());
        StyleTarget::of_picture(network, picture.planes(), &key.layers, key.mode)
    }
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

    /// The targets of this kind for pictures used at these [sizes](Self::sizes), with their colours matched to `colours` if there
    /// are some: those of an earlier job, or computed.
    ///
    /// # Errors
    /// [`Error::TooSmall`] if a picture is too small for a layer.
    pub(super) fn targets(
        &self,
        kind: Kind,
        (weights, network): (&Weights, &Network),
        terms: &Terms,
        sizes: Vec<(usize, usize)>,
        colours: Option<ColourStatistics>,
    ) -> Result<Vec<StyleTarget>> {
        let (layers, mode) = (terms.style_taps(), terms.mode());
        let windows_of = |&(width, height): &(usize, usize)| {
            let of_style = mode.of_style();
            network.cut(&layers, of_style, (height, width), Passes::Forward, network.room()).windows()
        };
        let windows = sizes.iter().map(windows_of).collect();
        let (compute, ranks) = (network.compute(), network.ranks().count());
        let key = Key { kind, compute, layers, mode, sizes, colours, windows, ranks };
        self.cache.get_or(weights, key, |key| self.computed(network, key))
    }

    fn computed(&self, network: &Network, key: &Key) -> Result<Vec<StyleTarget>> {
        if let Kind::Regions(regions) = &key.kind {
            let (width, height) = key.sizes[0];
            check_size("the style", &key.layers, height, width)?;
            let picture = self.parts[0].at_size((width, height), key.colours.as_ref());
            let regions = regions.planes(width, height);
            return StyleTarget::of_regions(network, picture.planes(), &key.layers, key.mode, &regions);
        }
        let parts = self.parts.iter().zip(&key.sizes);
        let targets =
            parts.map(|(part, size)| part.target(network, *size, key)).collect::<Result<Vec<_>>>()?;
        if key.kind == Kind::Parts {
            return Ok(targets);
        }
        let shares = self.parts.iter().map(|part| part.share);
        Ok(vec![StyleTarget::blend(&shares.zip(&targets).collect::<Vec<_>>())])
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
