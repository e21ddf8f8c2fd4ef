//! The main job: a picture with the content of one picture and the style of another. Without a content it is a texture,
//! without a style a reconstruction.

mod builder;
mod checkpoint;
mod colours;
mod cost;
mod estimate;
mod masked;
mod matching;
mod memory;
mod pace;
mod placement;
mod progress;
mod regions;
mod run;
pub mod schedule;
mod settings;
mod start;
mod style;
mod style_size;
mod targets;

use std::ops::ControlFlow;

use rayon::{ThreadPool, ThreadPoolBuilder};

use crate::error::{Error, Result, Setting};
use crate::loss::{Objective, Terms};
use crate::network::{Network, check_size};
use crate::parallel::cancel::Cancel;
use crate::picture::Picture;
use crate::weights::Weights;

pub use checkpoint::{Checkpoint, Checkpoints};
pub use colours::Colors;
pub use estimate::{Estimate, ScaleEstimate};
pub use progress::{End, Progress, Stylized};
pub use regions::Regions;
pub use schedule::{Scale, Scales};
pub use settings::{Init, LayerWeight, Optimizer, Size, defaults};
pub use style::Style;
pub use style_size::StyleSize;

use checkpoint::Checkpointing;
use placement::Placement;
use settings::Settings;

/// A builder for a style transfer job: pictures, settings, and [`run`](Self::run).
///
/// It owns its pictures and can be cloned and sent to another thread. Settings are checked when the job is run.
///
/// ```no_run
/// use std::ops::ControlFlow;
///
/// use impasto::{Picture, Stylize, Weights};
///
/// let weights = Weights::open("vgg19.safetensors")?;
/// let made = Stylize::new(&weights)
///     .content(Picture::open("portrait.jpg")?)
///     .style(Picture::open("painting.jpg")?)
///     .run(|progress| {
///         eprintln!("{}/{} {:.4}", progress.step, progress.steps, progress.losses.total);
///         ControlFlow::Continue(())
///     })?;
/// # let _ = made.picture;
/// # Ok::<(), impasto::Error>(())
/// ```
#[derive(Clone)]
pub struct Stylize {
    weights: Weights,
    content: Option<Picture>,
    style: Option<Style>,
    placement: Placement,
    settings: Settings,
    checkpointing: Checkpointing,
    cancel: Cancel,
}

/// # Running
impl Stylize {
    /// Makes the picture, calling `progress` after every optimiser step. If `progress` returns `Break`, or the job is
    /// [cancelled](Self::cancelled_by), it ends with the best picture so far: see [`Stylized::end`].
    ///
    /// # Errors
    /// - [`Error::Setting`] for an invalid setting, if there is no picture, or for masks or regions that do not fit the
    ///   pictures or are empty.
    /// - [`Error::UnknownLayer`] or [`Error::Weights`] for a layer that the network or its weights file lacks.
    /// - [`Error::Weights`] if a weight is not finite, [`Error::WeightsChanged`] if the file changed since it was opened, and
    ///   [`Error::Read`] if that cannot be determined.
    /// - [`Error::TooSmall`] if a picture is too small for a layer.
    /// - [`Error::OutOfMemory`] if the job needs more memory than its [limit](Self::memory_limit) in any way.
    pub fn run(&self, progress: impl FnMut(&Progress) -> ControlFlow<()> + Send) -> Result<Stylized> {
        self.on_threads(|| run::run(self, progress))?
    }

    /// The loss of this job as a function of a picture of the [result's size](Self::result_size), for use with your own
    /// optimiser. It is evaluated on the caller's rayon pool.
    ///
    /// # Errors
    /// The same as for [`run`](Self::run).
    pub fn objective(&self) -> Result<Objective> {
        let (width, height) = self.result_size()?;
        self.on_threads(|| {
            let (network, terms) = self.network_and_terms()?;
            check_size("the result", &terms.taps(), height, width)?;
            let budget = self.budget_of_objective(&network, &terms, (width, height));
            self.require_memory(budget.needed, width, height)?;
            let network = budget.bound(network);
            let content = self.flat_content();
            let content = content.as_ref().map(|content| content.at_size(width, height));
            let content = content.as_deref();
            run::objective_at(self, &network, &terms, width, height, content, self.colours_to_match())
        })?
    }

    /// Estimates what [`run`](Self::run) takes, by evaluating the loss of some small pictures: a fraction of a second with the
    /// embedded network, more with larger ones or on a slow machine. Seconds are accurate to about 25 % on a machine whose load
    /// does not change.
    ///
    /// # Errors
    /// The same as for [`run`](Self::run); [`Error::Cancelled`] if the job is [cancelled](Self::cancelled_by).
    pub fn estimate(&self) -> Result<Estimate> {
        self.on_threads(|| estimate::estimate(self))?
    }

    /// Estimated peak memory of the process during [`run`](Self::run) in bytes, accurate to about 10 %.
    ///
    /// # Errors
    /// The same as for [`run`](Self::run), except [`Error::OutOfMemory`].
    pub fn memory_foreseen(&self) -> Result<u64> {
        let (width, height) = self.result_size()?;
        let (network, terms) = self.network_and_terms()?;
        Ok(self.budget_of_run(&network, &terms, (width, height)).needed)
    }

    /// Width and height of the result in pixels.
    ///
    /// # Errors
    /// [`Error::Setting`] if there is no picture, or for a size of 0 or above 1 000 000 pixels a side.
    pub fn result_size(&self) -> Result<(usize, usize)> {
        let shape = match (&self.content, &self.style) {
            (Some(content), _) => (content.width(), content.height()),
            (None, Some(style)) => style.first_size(),
            (None, None) => {
                let reason = "neither a content nor a style picture is given";
                return Err(Error::setting(Setting::Pictures, reason));
            }
        };
        self.settings.size.of(shape)
    }

    /// Width and height in pixels at which each style picture is used for a result of full size, in their order. Empty without
    /// a style.
    ///
    /// # Errors
    /// The same as for [`result_size`](Self::result_size).
    pub fn style_sizes(&self) -> Result<Vec<(usize, usize)>> {
        let (width, height) = self.result_size()?;
        let pixels = width * height;
        Ok(self.style.as_ref().map_or_else(Vec::new, |style| style.sizes(pixels, pixels)))
    }

    /// The terms of the loss. A term without a picture has no layers.
    ///
    /// # Errors
    /// [`Error::Setting`] for invalid weights; [`Error::UnknownLayer`] or [`Error::Weights`] for layers that the network or its
    /// weights file lacks.
    #[doc(hidden)]
    pub fn terms(&self) -> Result<Terms> {
        self.settings.terms(&self.weights, self.content.is_some(), self.style.is_some())
    }

    /// Bytes of memory of an objective with a content and a style of `height` by `width` pixels each. Needs no pictures.
    #[doc(hidden)]
    pub fn objective_bytes(&self, height: usize, width: usize) -> Result<u64> {
        let terms = self.settings.terms(&self.weights, true, true)?;
        let network = self.network(&terms)?;
        check_size("the picture", &terms.taps(), height, width)?;
        let beside = memory::PROGRAM + network.bytes();
        let available = self.settings.memory_limit.unwrap_or(u64::MAX);
        let room = available.saturating_sub(
            beside + Objective::bytes_beside_maps(&network, &terms, (height, width), 1, true),
        );
        Ok(beside + Objective::bytes(&network.within(room), &terms, (height, width), 1))
    }

    fn network_and_terms(&self) -> Result<(Network, Terms)> {
        self.check_placement()?;
        let terms = self.terms()?;
        Ok((self.network(&terms)?, terms))
    }

    fn network(&self, terms: &Terms) -> Result<Network> {
        self.weights.check_unchanged()?;
        let deepest = *terms.taps().last().expect("terms have at least one layer");
        let network = Network::load(&self.weights, self.settings.compute, deepest)?;
        Ok(network.among(self.settings.ranks.clone()))
    }

    /// Runs `work` on the threads that the settings select.
    fn on_threads<R: Send>(&self, work: impl FnOnce() -> R + Send) -> Result<R> {
        match self.settings.threads {
            None => Ok(work()),
            Some(threads) => Ok(pool(threads)?.install(work)),
        }
    }
}

/// A pool of `threads` threads.
fn pool(threads: usize) -> Result<ThreadPool> {
    if threads == 0 {
        return Err(Error::setting(Setting::Threads, "must be above 0"));
    }
    let pool = ThreadPoolBuilder::new().num_threads(threads).build();
    pool.map_err(|error| Error::setting(Setting::Threads, error.to_string()))
}
