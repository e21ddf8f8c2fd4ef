//! The progress of a job, and its result.

use std::fmt;

use ndarray::{Array2, Array3};

use crate::error::Error;
use crate::loss::Losses;
use crate::picture::Picture;
use crate::tensor::Band;
use crate::vgg::PICTURE_CHANNELS;

use super::colours::take_chroma;
use super::schedule::Scale;

/// The state of a job after an optimiser step.
#[non_exhaustive]
pub struct Progress<'p> {
    /// The current scale, counted from 1.
    pub scale: usize,
    /// The number of scales.
    pub scales: usize,
    /// The current scale's width in pixels.
    pub width: usize,
    /// The current scale's height in pixels.
    pub height: usize,
    /// Steps done, all scales together. The steps that a scale did not use, because it converged early, count as done.
    pub step: usize,
    /// The maximum number of steps, all scales together.
    pub steps: usize,
    /// Evaluations of the loss, all scales together.
    pub evaluations: usize,
    /// Seconds since the job started.
    pub seconds: f64,
    /// Seconds that the job still takes, estimated from those of the steps so far, if every scale takes all its steps.
    pub seconds_left: f64,
    /// The losses of the current picture.
    pub losses: &'p Losses,
    /// The fraction of the arithmetic that is done, 0 to 1.
    pub done: f64,
    /// All scales, each with its maximum number of steps.
    pub schedule: &'p [Scale],
    /// The estimated peak memory of the process in bytes.
    pub memory: u64,
    /// Why a checkpoint could not be written, the first one of those that could not. The job goes on without it.
    pub checkpoint_error: Option<&'p Error>,
    /// Whether the job goes on from a checkpoint and is computed in other strips of rows than before, because its memory limit or the
    /// number of threads is another one: then the result may differ in some last bits.
    pub in_other_strips: bool,
    /// This rank's rows of the current picture, 3×H×W.
    pub(super) pixels: &'p [f32],
    pub(super) band: &'p Band,
    /// The content's alpha plane, resized to this scale.
    pub(super) alpha: Option<&'p Array2<f32>>,
    /// The picture of this scale's size whose chroma the result has, if it is not its own.
    pub(super) chroma: Option<&'p Picture>,
}

impl Progress<'_> {
    /// A copy of the current picture, as a result: with the content's alpha, and the colours that the job asks for.
    pub fn picture(&self) -> Picture {
        // Where ranks share the job, all of them call it.
        let pixels = self.band.gather_for_all(self.pixels, PICTURE_CHANNELS, self.width);
        let planes = Array3::from_shape_vec((PICTURE_CHANNELS, self.height, self.width), pixels);
        finished(planes.expect("as many values as pixels"), self.chroma, self.alpha.cloned())
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

/// The result of a job.
#[derive(Debug)]
#[non_exhaustive]
pub struct Stylized {
    /// The best picture found, with the content's alpha.
    pub picture: Picture,
    /// Optimiser steps taken.
    pub steps: usize,
    /// Evaluations of the loss.
    pub evaluations: usize,
    /// How the job ended.
    pub end: End,
    /// Why a checkpoint could not be written, the first one of those that could not.
    pub checkpoint_error: Option<Error>,
}

/// How a job ended.
#[derive(Debug)]
#[non_exhaustive]
pub enum End {
    /// All scales were completed.
    Done,
    /// The callback returned `Break`, or the job was cancelled. The picture is the best so far, enlarged to the requested
    /// size if the job ended at a smaller scale.
    Cancelled,
    /// Its [time](crate::Stylize::max_time) was up. The picture is the best so far, as with [`End::Cancelled`].
    TimeUp,
    /// [`Error::NotFinite`], or [`Error::WeightsChanged`] or [`Error::Read`] if the weights file changed or disappeared
    /// between two scales. The picture is the best so far, enlarged to the requested size if the job ended at a smaller scale.
    Failed(Error),
}

/// A picture from 3×H×W planes with values in 0–1, and an alpha plane of the same size.
pub(super) fn picture_of(planes: Array3<f32>, alpha: Option<Array2<f32>>) -> Picture {
    Picture::of_parts(planes, alpha)
}

/// A picture for the user: with the chroma of another, if there is one, and an alpha plane of the same size.
pub(super) fn finished(
    mut planes: Array3<f32>,
    chroma: Option<&Picture>,
    alpha: Option<Array2<f32>>,
) -> Picture {
    if let Some(of) = chroma {
        take_chroma(planes.view_mut(), of.planes());
    }
    picture_of(planes, alpha)
}
