//! Where the styles of a job act: in a mask, each in its own mask, or by regions.

use ndarray::{Array2, Zip};

use crate::error::{Error, Result, Setting};
use crate::loss::{RegionTarget, Terms};
use crate::network::Network;
use crate::picture::Mask;

use super::matching::ColourStatistics;
use super::targets::Kind;
use super::{Regions, Stylize};

/// Fewer pixels than this are no region.
const MIN_PIXELS: f64 = 1.0;

/// Where the styles act. By default everywhere.
#[derive(Clone, Default)]
pub(super) struct Placement {
    /// Where the picture may differ from the content.
    pub(super) mask: Option<Mask>,
    /// Where each style goes, in the order of the styles; empty if they are blended everywhere.
    pub(super) style_masks: Vec<Mask>,
    /// Which parts of the content take after which parts of the style.
    pub(super) regions: Option<Regions>,
}

impl Placement {
    /// Whether the styles act everywhere.
    pub(super) fn is_everywhere(&self) -> bool {
        self.region_count() == 0
    }

    /// The regions with a style term of their own; 0 if the styles act everywhere.
    pub(super) fn region_count(&self) -> usize {
        match (&self.regions, &self.style_masks[..], &self.mask) {
            (Some(regions), ..) => regions.len(),
            (None, [], mask) => usize::from(mask.is_some()),
            (None, masks, _) => masks.len(),
        }
    }

    /// Bytes of memory of the masks and maps.
    pub(super) fn memory(&self) -> u64 {
        let masks: u64 = self.mask.iter().chain(&self.style_masks).map(Mask::memory).sum();
        masks + self.regions.as_ref().map_or(0, Regions::memory)
    }
}

impl Stylize {
    /// Refuses masks and regions that do not fit the pictures or one another, or that are empty at the result's size.
    ///
    /// # Errors
    /// [`Error::Setting`].
    pub(super) fn check_placement(&self) -> Result<()> {
        let Placement { mask, style_masks, regions } = &self.placement;
        if self.placement.is_everywhere() {
            return Ok(());
        }
        let (width, height) = self.result_size()?;
        let pictured = match (&self.content, &self.style) {
            (Some(content), _) => (content.width(), content.height()),
            (None, _) => (width, height),
        };
        if let Some(mask) = mask {
            let refuse = |reason: String| Err(Error::setting(Setting::Mask, reason));
            if self.content.is_none() || self.style.is_none() {
                return refuse("needs a content, which is kept outside it, and a style".to_owned());
            }
            check_aspect(Setting::Mask, "the mask", (mask.width(), mask.height()), "the picture", pictured)?;
            check_amount(Setting::Mask, "the mask is black", &mask.at_size(width, height))?;
        }
        if !style_masks.is_empty() {
            let refuse = |reason: String| Err(Error::setting(Setting::StyleMasks, reason));
            let styles = self.style.as_ref().map_or(0, |style| style.len());
            if style_masks.len() != styles {
                return refuse(format!(
                    "expected one for each style, found {} for {styles}",
                    style_masks.len()
                ));
            }
            if regions.is_some() {
                return refuse("cannot be combined with regions".to_owned());
            }
            for (at, mask) in style_masks.iter().enumerate() {
                let what = format!("mask {}", at + 1);
                let size = (mask.width(), mask.height());
                check_aspect(Setting::StyleMasks, &what, size, "the picture", pictured)?;
                let plane = mask.at_size(width, height);
                check_amount(Setting::StyleMasks, &format!("{what} is black"), &plane)?;
            }
        }
        if let Some(regions) = regions {
            let Some(style) = self.style.as_ref().filter(|style| style.len() == 1) else {
                let styles = self.style.as_ref().map_or(0, |style| style.len());
                let reason = format!("expected one style picture, found {styles}");
                return Err(Error::setting(Setting::Regions, reason));
            };
            let [content_size, style_size] = regions.sizes();
            let (setting, picture) = (Setting::Regions, "the picture");
            check_aspect(setting, "the content's map", content_size, picture, pictured)?;
            check_aspect(setting, "the style's map", style_size, "the style", style.first_size())?;
            let in_style = style.sizes(width * height, width * height)[0];
            for (what, planes) in [
                ("content", regions.in_content(width, height)),
                ("style", regions.of_style().planes(in_style.0, in_style.1)),
            ] {
                for (region, plane) in planes.iter().enumerate() {
                    let what = format!("the region {} of the {what} is empty", regions.color(region));
                    check_amount(setting, &what, plane)?;
                }
            }
        }
        Ok(())
    }

    /// The weights of the pixels of each region, H×W. At a pixel they sum to the mask at most: where several are above that,
    /// they share the place.
    fn region_weights(&self, width: usize, height: usize) -> Vec<Array2<f32>> {
        let Placement { mask, style_masks, regions } = &self.placement;
        let mut planes = match (regions, &style_masks[..]) {
            (Some(regions), _) => regions.in_content(width, height),
            (None, []) => vec![Array2::ones((height, width))],
            (None, masks) => {
                let shares = self.style.as_ref().map_or_else(Vec::new, |style| style.shares());
                let most = shares.iter().copied().fold(f64::MIN_POSITIVE, f64::max);
                let weighted =
                    |(mask, share): (&Mask, f64)| mask.at_size(width, height) * (share / most) as f32;
                masks.iter().zip(shares).map(weighted).collect()
            }
        };
        let mut scale =
            mask.as_ref().map_or_else(|| Array2::ones((height, width)), |mask| mask.at_size(width, height));
        let sum = planes.iter().fold(Array2::zeros((height, width)), |sum: Array2<f32>, plane| sum + plane);
        Zip::from(&mut scale).and(&sum).for_each(|scale, sum| *scale /= sum.max(1.0));
        planes.iter_mut().for_each(|plane| *plane *= &scale);
        planes
    }

    /// The regions of a picture of `width` by `height` pixels, each with its style, whose pictures are used at these sizes, with
    /// their colours matched to `colours` if there are some.
    ///
    /// # Errors
    /// [`Error::TooSmall`] if a style picture is too small for a layer.
    pub(super) fn region_targets(
        &self,
        network: &Network,
        terms: &Terms,
        (width, height): (usize, usize),
        style_sizes: Vec<(usize, usize)>,
        colours: Option<ColourStatistics>,
    ) -> Result<Vec<RegionTarget>> {
        let Some(style) = &self.style else { return Ok(Vec::new()) };
        let Placement { style_masks, regions, .. } = &self.placement;
        let kind = match regions {
            Some(regions) => Kind::Regions(regions.of_style().clone()),
            None if style_masks.is_empty() => Kind::Blend,
            None => Kind::Parts,
        };
        let styles = style.targets(kind, (&self.weights, network), terms, style_sizes, colours)?;
        let weights = self.region_weights(width, height);
        Ok(weights.into_iter().zip(styles).map(|(weights, style)| RegionTarget { weights, style }).collect())
    }
}

/// Refuses a mask of another aspect than its picture's, but for the rounding of both to whole pixels.
fn check_aspect(
    setting: Setting,
    what: &str,
    mask: (usize, usize),
    of: &str,
    picture: (usize, usize),
) -> Result<()> {
    let aspect = |(width, height): (usize, usize)| width as f64 / height as f64;
    // A side that is rounded to whole pixels is off by a half, and here two pictures are.
    let rounding = |(width, height): (usize, usize)| 1.0 / width.min(height) as f64;
    if (aspect(mask) / aspect(picture)).ln().abs() <= rounding(mask) + rounding(picture) {
        return Ok(());
    }
    let size = |(width, height): (usize, usize)| format!("{width}×{height}");
    let reason = format!("{what} of {} pixels has another aspect than {of} of {}", size(mask), size(picture));
    Err(Error::setting(setting, reason))
}

/// Refuses weights that amount to less than one pixel.
fn check_amount(setting: Setting, what: &str, weights: &Array2<f32>) -> Result<()> {
    let amount: f64 = weights.iter().map(|t| f64::from(*t)).sum();
    if amount >= MIN_PIXELS {
        return Ok(());
    }
    let (height, width) = weights.dim();
    Err(Error::setting(setting, format!("{what}: it amounts to less than one pixel of {width}×{height}")))
}
