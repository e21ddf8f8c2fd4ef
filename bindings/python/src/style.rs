//! `impasto.Style`: a style that is kept for many jobs, and the styles of one.

use pyo3::prelude::*;

use impasto::{Cancel, Needed, Picture, StyleSize};

use crate::arguments::Arguments;
use crate::failure::{Failure, Result};
use crate::job::warn;
use crate::source::Source;
use crate::watch::watched;

/// The style of a job.
pub(crate) enum Styles {
    Kept(impasto::Style),
    Pictures(Vec<Source>),
}

impl Styles {
    pub(crate) fn of(value: &Bound<'_, PyAny>) -> PyResult<Self> {
        match value.cast::<Style>() {
            Ok(style) => Ok(Self::Kept(style.get().0.clone())),
            Err(_) => Source::several("style", value).map(Self::Pictures),
        }
    }

    pub(crate) fn len(&self) -> Option<usize> {
        match self {
            Self::Kept(_) => None,
            Self::Pictures(pictures) => Some(pictures.len()),
        }
    }
}

/// How the styles are mixed, and how large their strokes are.
#[derive(Default)]
pub(crate) struct Mixture {
    blend: Option<Vec<f64>>,
    scales: Vec<f64>,
    sizes: Vec<usize>,
}

/// The longest side that a size may have, in pixels, as on the command line.
pub(crate) const LONGEST: u64 = 1_000_000;

impl Mixture {
    pub(crate) fn of(arguments: &Arguments<'_, '_>) -> PyResult<Self> {
        let sizes = arguments.whole_numbers("style_size", 1..=LONGEST)?.unwrap_or_default();
        let mixture = Self {
            blend: arguments.numbers("blend")?,
            scales: arguments.numbers("style_scale")?.unwrap_or_default(),
            sizes: sizes.into_iter().map(|size| size as usize).collect(),
        };
        if !mixture.scales.is_empty() && !mixture.sizes.is_empty() {
            return Err(arguments.refused("style_size", "goes without style_scale"));
        }
        if let Some(scale) = mixture.scales.iter().find(|scale| !(0.01..=100.0).contains(*scale)) {
            return Err(arguments.refused("style_scale", &format!("must be 0.01 to 100, found {scale:?}")));
        }
        Ok(mixture)
    }

    /// Refuses what does not fit that many styles, or a style that was mixed before.
    pub(crate) fn check(&self, styles: Option<usize>) -> Result<()> {
        let Some(styles) = styles else {
            return match self.blend {
                Some(_) => Err(Failure::argument("blend", "is set by the Style already")),
                None => Ok(()),
            };
        };
        if styles == 0 {
            return Err(Failure::argument("style", "expected a picture, or several, found none"));
        }
        let shares = self.blend.as_ref().map_or(styles, Vec::len);
        if shares != styles {
            return Err(Failure::argument(
                "blend",
                format!("expected a share for each style, found {shares} for {styles}"),
            ));
        }
        for (name, count) in [("style_scale", self.scales.len()), ("style_size", self.sizes.len())] {
            if count > 1 && count != styles {
                let reason = format!("expected one value, or one for each style, found {count} for {styles}");
                return Err(Failure::argument(name, reason));
            }
        }
        Ok(())
    }

    /// What is needed of the style with this index for a result of `pixels` pixels.
    pub(crate) fn needed(&self, index: usize, pixels: usize) -> Needed {
        match (one_of(&self.scales, index), one_of(&self.sizes, index)) {
            (_, Some(longest)) => Needed::Longest(longest),
            (Some(scale), None) => Needed::Pixels((pixels as f64 * scale * scale).ceil() as usize),
            (None, None) => Needed::Pixels(pixels),
        }
    }

    /// What is needed of the first style where the result, of this longest side, has its aspect.
    pub(crate) fn needed_of_first(&self, longest: Option<usize>) -> Needed {
        let Some(longest) = longest else { return Needed::Whole };
        let used = match (one_of(&self.scales, 0), one_of(&self.sizes, 0)) {
            (_, Some(of_style)) => of_style,
            (Some(scale), None) => (longest as f64 * scale).ceil() as usize,
            (None, None) => longest,
        };
        Needed::Longest(used.max(longest))
    }

    /// The pictures' style.
    pub(crate) fn style(&self, pictures: Vec<Picture>) -> Result<impasto::Style> {
        let shares = self.blend.clone().unwrap_or_else(|| vec![1.0; pictures.len()]);
        self.with_sizes(impasto::Style::blend(pictures.into_iter().zip(shares))?)
    }

    /// The style with the sizes that are set.
    pub(crate) fn with_sizes(&self, style: impasto::Style) -> Result<impasto::Style> {
        let scales = self.scales.iter().map(|scale| StyleSize::Scale(*scale));
        let sizes = self.sizes.iter().map(|longest| StyleSize::Longest(*longest));
        let sizes: Vec<_> = scales.chain(sizes).collect();
        match sizes.is_empty() {
            true => Ok(style),
            false => Ok(style.with_sizes(sizes)?),
        }
    }
}

/// The value for the style with this index: the one for all, its own, or none.
fn one_of<T: Copy>(values: &[T], index: usize) -> Option<T> {
    match values {
        [all] => Some(*all),
        each => each.get(index).copied(),
    }
}

/// The native part of `impasto.Style`.
#[pyclass(frozen, module = "impasto")]
pub(crate) struct Style(impasto::Style);

#[pymethods]
impl Style {
    #[new]
    fn new(
        py: Python<'_>,
        style: &Bound<'_, PyAny>,
        settings: &Bound<'_, pyo3::types::PyDict>,
    ) -> PyResult<Self> {
        let mixture = Mixture::of(&Arguments::new(settings))?;
        let sources = Source::several("style", style)?;
        mixture.check(Some(sources.len())).map_err(|failure| failure.into_py(py))?;
        let work = move |_| {
            let mut notes = Vec::new();
            let pictures = sources.into_iter().map(|source| source.open(Needed::Whole, &mut notes));
            let pictures = pictures.collect::<Result<Vec<_>>>()?;
            Ok((mixture.style(pictures)?, notes))
        };
        let made: Result<_> = watched(py, &Cancel::new(), work, |(): ()| Ok(()))?;
        let (style, notes) = made.map_err(|failure| failure.into_py(py))?;
        warn(py, &notes)?;
        Ok(Self(style))
    }
}
