//! How far the work is, and what came out.

use std::fmt;

use ndarray::{Array2, Array3};

use crate::error::Error;
use crate::loss::Losses;
use crate::picture::Picture;

use super::schedule::Scale;

/// Where the work is, after a step.
#[non_exhaustive]
pub struct Progress<'p> {
    /// The scale, from 1.
    pub scale: usize,
    /// Scales in all.
    pub scales: usize,
    /// The scale's width in pixels.
    pub width: usize,
    /// The scale's height in pixels.
    pub height: usize,
    /// Steps done over all scales. Where a scale stopped early, its steps count as done.
    pub step: usize,
    /// Steps in all.
    pub steps: usize,
    /// Evaluations of the loss over all scales.
    pub evaluations: usize,
    /// Seconds since the work began.
    pub seconds: f64,
    /// The picture's losses.
    pub losses: &'p Losses,
    /// Share of the arithmetic that is done, 0 to 1.
    pub done: f64,
    /// All scales, with the steps that each has at most.
    pub schedule: &'p [Scale],
    /// Bytes of memory that the work was foreseen to take.
    pub memory: u64,
    /// The picture's values, plane by plane.
    pub(super) pixels: &'p [f32],
    /// The content's alpha at this scale.
    pub(super) alpha: Option<&'p Array2<f32>>,
}

impl Progress<'_> {
    /// The picture as it is, with the content's alpha.
    pub fn picture(&self) -> Picture {
        let planes = Array3::from_shape_vec((3, self.height, self.width), self.pixels.to_vec());
        picture_of(planes.expect("as many values as pixels"), self.alpha.cloned())
    }
}

impl fmt::Debug for Progress<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Progress")
            .field("scale", &self.scale)
            .field("step", &self.step)
            .field("losses", &self.losses)
            .finish_non_exhaustive()
    }
}

/// What came out.
#[derive(Debug)]
#[non_exhaustive]
pub struct Stylized {
    /// The picture, the best one found, with the content's alpha.
    pub picture: Picture,
    /// Steps done.
    pub steps: usize,
    /// Evaluations of the loss.
    pub evaluations: usize,
    /// How it ended.
    pub end: End,
}

/// How the work ended.
#[derive(Debug)]
#[non_exhaustive]
pub enum End {
    /// All scales are done.
    Done,
    /// The callback broke off, or the work was cancelled. The picture is the best until then, at the size asked for.
    Cancelled,
    /// [`Error::NotFinite`], or [`Error::Weights`] where the weights file changed. The picture is the best until then, at the
    /// size asked for.
    Failed(Error),
}

/// A picture of planes that the work made, with an alpha plane of the same size.
pub(super) fn picture_of(planes: Array3<f32>, alpha: Option<Array2<f32>>) -> Picture {
    Picture::of_parts(planes, alpha)
}
