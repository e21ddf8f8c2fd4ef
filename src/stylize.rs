//! The main job: a picture with one's content in another's style. Also a texture, of style alone, and a reconstruction, of
//! content alone.

mod memory;
mod progress;
mod run;
pub mod schedule;
mod settings;
mod style;

use std::ops::ControlFlow;
use std::sync::Arc;

use rayon::{ThreadPool, ThreadPoolBuilder};

use crate::error::{Error, Result, Setting};
use crate::layers::pool::Pooling;
use crate::loss::{Form, Objective, Terms};
use crate::network::{Compute, Network, check_size};
use crate::parallel::cancel::Cancel;
use crate::picture::{Picture, fit};
use crate::weights::Weights;

pub use progress::{End, Progress, Stylized};
pub use schedule::{Scale, Scales};
pub use settings::{Init, LayerWeight, Optimizer, Size, defaults};
pub use style::Style;

use settings::Settings;

/// What to make, and how: a builder. It owns what it is given, and may be cloned and sent to another thread.
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
    settings: Settings,
    cancel: Cancel,
}

/// Pictures and what they are to look like.
impl Stylize {
    /// The default settings with these weights, and no pictures yet.
    pub fn new(weights: &Weights) -> Self {
        Self {
            weights: weights.clone(),
            content: None,
            style: None,
            settings: Settings::default(),
            cancel: Cancel::new(),
        }
    }

    /// The picture of what is to be seen. Without one the result is a texture, of style alone.
    #[must_use]
    pub fn content(self, picture: Picture) -> Self {
        Self { content: Some(picture), ..self }
    }

    /// The style: a picture, or a [`Style`], which may be a blend and keeps its targets from one job to the next. Without one
    /// the result is a reconstruction, of content alone.
    #[must_use]
    pub fn style(self, style: impl Into<Style>) -> Self {
        Self { style: Some(style.into()), ..self }
    }

    /// How large the result is. By default its longest side has 512 pixels.
    #[must_use]
    pub fn size(self, size: Size) -> Self {
        self.with(|settings| settings.size = size)
    }

    /// The weight of the content term, α, above 0: 1 by default. Only its ratio to the other weights matters.
    #[must_use]
    pub fn content_weight(self, weight: f64) -> Self {
        self.with(|settings| settings.content_weight = weight)
    }

    /// The weight of the style term, β, above 0. By default 5, or 1000 with [`Form::Gatys`].
    #[must_use]
    pub fn style_weight(self, weight: f64) -> Self {
        self.with(|settings| settings.style_weight = Some(weight))
    }

    /// The weight of total variation, γ, 0 or above: more is smoother. By default 10, or 0 without a style.
    #[must_use]
    pub fn tv_weight(self, weight: f64) -> Self {
        self.with(|settings| settings.tv_weight = Some(weight))
    }

    /// How errors are measured: [`Form::Relative`] by default.
    #[must_use]
    pub fn form(self, form: Form) -> Self {
        self.with(|settings| settings.form = form)
    }

    /// Layers of the content term: `relu4_2` by default.
    #[must_use]
    pub fn content_layers<L: Into<LayerWeight>>(self, layers: impl IntoIterator<Item = L>) -> Self {
        self.with(|settings| settings.content_layers = layers.into_iter().map(L::into).collect())
    }

    /// Layers of the style term: `relu1_1`, `relu2_1`, `relu3_1`, `relu4_1` and `relu5_1` by default.
    #[must_use]
    pub fn style_layers<L: Into<LayerWeight>>(self, layers: impl IntoIterator<Item = L>) -> Self {
        self.with(|settings| settings.style_layers = layers.into_iter().map(L::into).collect())
    }

    /// What the network's pools do: [`Pooling::Max`] by default.
    #[must_use]
    pub fn pooling(self, pooling: Pooling) -> Self {
        self.with(|settings| settings.pooling = pooling)
    }
}

/// How the work is done.
impl Stylize {
    /// Steps of the optimiser over all scales, at most: 200 by default.
    #[must_use]
    pub fn steps(self, steps: usize) -> Self {
        self.with(|settings| settings.steps = steps)
    }

    /// Scales from coarse to fine: [`Scales::Auto`] by default.
    #[must_use]
    pub fn scales(self, scales: Scales) -> Self {
        self.with(|settings| settings.scales = scales)
    }

    /// The optimiser: [`Optimizer::Lbfgs`] by default.
    #[must_use]
    pub fn optimizer(self, optimizer: Optimizer) -> Self {
        self.with(|settings| settings.optimizer = optimizer)
    }

    /// What the first scale starts from: [`Init::Content`] by default.
    #[must_use]
    pub fn init(self, init: Init) -> Self {
        self.with(|settings| settings.init = init)
    }

    /// The seed of the noise that [`Init::Noise`], and any texture, starts from: 0 by default.
    #[must_use]
    pub fn seed(self, seed: u64) -> Self {
        self.with(|settings| settings.seed = seed)
    }

    /// Works on this many threads of its own. Without it the work is done on the rayon pool that [`run`](Self::run) is
    /// called in, which is the global one unless the caller has installed another. The result does not depend on it.
    #[must_use]
    pub fn threads(self, threads: usize) -> Self {
        self.with(|settings| settings.threads = Some(threads))
    }

    /// The most bytes of memory that the work may take: what the machine has available by default. `None` lifts the limit.
    #[must_use]
    pub fn memory_limit(self, bytes: Option<u64>) -> Self {
        self.with(|settings| settings.memory_limit = Some(bytes.unwrap_or(u64::MAX)))
    }

    /// Ends the work when `cancel` asks for it, within an evaluation too. [`run`](Self::run)'s callback can end it after a
    /// step alone.
    #[must_use]
    pub fn cancelled_by(self, cancel: &Cancel) -> Self {
        Self { cancel: cancel.clone(), ..self }
    }

    /// What the network is computed with.
    #[doc(hidden)]
    #[must_use]
    pub fn compute(self, compute: Compute) -> Self {
        self.with(|settings| settings.compute = compute)
    }

    fn with(mut self, change: impl FnOnce(&mut Settings)) -> Self {
        change(&mut self.settings);
        self
    }
}

/// The job.
impl Stylize {
    /// Makes the picture, calling `progress` after every step. Where it breaks, the work ends with the best picture until
    /// then, as it does when [cancelled](Self::cancelled_by).
    ///
    /// # Errors
    /// All before the work starts: [`Error::Setting`] for settings that can't be; [`Error::UnknownLayer`] and
    /// [`Error::Weights`] for layers that the network lacks, weights that are not finite, and a weights file that changed;
    /// [`Error::TooSmall`] where a picture is too small for a layer; [`Error::OutOfMemory`].
    pub fn run(&self, progress: impl FnMut(&Progress) -> ControlFlow<()> + Send) -> Result<Stylized> {
        self.on_threads(|| run::run(self, progress))?
    }

    /// The loss that these settings describe, as a function of a picture of the [result's size](Self::result_size): for an
    /// optimiser of one's own. It is evaluated on the caller's rayon pool.
    ///
    /// # Errors
    /// As [`run`](Self::run).
    pub fn objective(&self) -> Result<Objective> {
        let (width, height) = self.result_size()?;
        self.on_threads(|| {
            let (network, terms) = self.network_and_terms()?;
            check_size("the result", &terms.taps(), height, width)?;
            self.require_memory(memory::of_objective(self, &network, &terms, width, height), width, height)?;
            let content = self.flat_content();
            let content = content.as_ref().map(|content| content.at_size(width, height));
            run::objective_at(self, &network, &terms, width, height, content.as_deref())
        })?
    }

    /// Bytes of memory that [`run`](Self::run) is foreseen to take at most, with what the process took before: an estimate
    /// within about a tenth.
    ///
    /// # Errors
    /// As [`run`](Self::run), but for [`Error::OutOfMemory`].
    pub fn memory_foreseen(&self) -> Result<u64> {
        let (width, height) = self.result_size()?;
        let (network, terms) = self.network_and_terms()?;
        Ok(memory::of_run(self, &network, &terms, width, height))
    }

    /// Width and height of the result in pixels.
    ///
    /// # Errors
    /// [`Error::Setting`] where there is no picture, or for a size of 0.
    pub fn result_size(&self) -> Result<(usize, usize)> {
        let shape = match (&self.content, &self.style) {
            (Some(content), _) => (content.width(), content.height()),
            (None, Some(style)) => style.first_size(),
            (None, None) => {
                let reason = "there is neither a content nor a style";
                return Err(Error::setting(Setting::Pictures, reason));
            }
        };
        match self.settings.size {
            Size::Own => Ok(shape),
            Size::Longest(0) | Size::Exactly { width: 0, .. } | Size::Exactly { height: 0, .. } => {
                Err(Error::setting(Setting::Size, "must be above 0"))
            }
            Size::Longest(longest) => Ok(fit(shape.0, shape.1, longest)),
            Size::Exactly { width, height } => Ok((width, height)),
        }
    }

    /// The terms of the loss: those for which there are pictures.
    ///
    /// # Errors
    /// [`Error::Setting`] for weights that can't be, [`Error::UnknownLayer`] and [`Error::Weights`] for layers
    /// that the network lacks.
    #[doc(hidden)]
    pub fn terms(&self) -> Result<Terms> {
        self.settings.terms(&self.weights, self.content.is_some(), self.style.is_some())
    }

    /// Bytes that an objective with content and style of `height` by `width` pixels takes, before there are such pictures.
    #[doc(hidden)]
    pub fn objective_bytes(&self, height: usize, width: usize) -> Result<u64> {
        let terms = self.settings.terms(&self.weights, true, true)?;
        let network = self.network(&terms)?;
        check_size("the picture", &terms.taps(), height, width)?;
        Ok(memory::PROGRAM + network.bytes() + Objective::bytes(&network, &terms, height, width))
    }

    fn network_and_terms(&self) -> Result<(Arc<Network>, Terms)> {
        let terms = self.terms()?;
        Ok((self.network(&terms)?, terms))
    }

    fn network(&self, terms: &Terms) -> Result<Arc<Network>> {
        self.weights.check_unchanged()?;
        let deepest = *terms.taps().last().expect("terms have at least one layer");
        Network::load(&self.weights, self.settings.compute, deepest).map(Arc::new)
    }

    /// Refuses work that needs more memory than there is.
    fn require_memory(&self, needed: u64, width: usize, height: usize) -> Result<()> {
        let available = self.settings.memory_limit.unwrap_or_else(crate::memory::available);
        match needed > available {
            true => Err(Error::OutOfMemory { what: "a result".to_owned(), width, height, needed, available }),
            false => Ok(()),
        }
    }

    /// Runs `work` on the threads that the settings ask for.
    fn on_threads<R: Send>(&self, work: impl FnOnce() -> R + Send) -> Result<R> {
        match self.settings.threads {
            None => Ok(work()),
            Some(threads) => Ok(pool(threads)?.install(work)),
        }
    }
}

/// A pool of so many threads.
fn pool(threads: usize) -> Result<ThreadPool> {
    if threads == 0 {
        return Err(Error::setting(Setting::Threads, "must be above 0"));
    }
    let pool = ThreadPoolBuilder::new().num_threads(threads).build();
    pool.map_err(|error| Error::setting(Setting::Threads, error.to_string()))
}
