//! Checkpoints: a job's state in a file, from which it can go on later.

mod file;
mod inputs;
mod keeper;

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use crate::error::{Error, Result};
use crate::optimize::{History, Save};
use crate::tensor::Band;
use crate::whole_file;

use super::Stylize;

use file::{Header, Vectors};

/// More pairs than L-BFGS has.
const MOST_PAIRS: usize = 64;

pub(super) use file::Whole;
pub(super) use inputs::{Inputs, checksum_of_maps};
pub(super) use keeper::Keeper;

/// Where and when a job writes checkpoints.
///
/// One is written to the same file again and again: after a step once the time between two is over, at the start of every scale
/// but the first, and where the job is cancelled or its [time](crate::Stylize::max_time) is up. If writing took t seconds, the
/// next one comes no sooner than 50·t later, except for the last. The file is replaced only by a whole new one. One that can't be
/// written does not end the job: see [`Progress::checkpoint_error`](crate::Progress::checkpoint_error).
///
/// The file is as large as a picture in f32 (12 bytes a pixel), times 22 with L-BFGS and 5 with Adam. It is not removed when the
/// job is done.
#[derive(Clone, Debug)]
pub struct Checkpoints {
    path: PathBuf,
    /// If `None`, after every step, however long it takes.
    every: Option<Duration>,
    note: String,
}

impl Checkpoints {
    /// Checkpoints to this file, every minute.
    pub fn to(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into(), every: Some(Duration::from_secs(60)), note: String::new() }
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The time between two.
    #[must_use]
    pub fn every(self, time: Duration) -> Self {
        Self { every: Some(time), ..self }
    }

    /// One after every step, however long it takes.
    #[must_use]
    pub fn every_step(self) -> Self {
        Self { every: None, ..self }
    }

    /// A text that is kept in them, for the caller.
    #[must_use]
    pub fn note(self, note: impl Into<String>) -> Self {
        Self { note: note.into(), ..self }
    }
}

/// A checkpoint that was read.
///
/// ```no_run
/// use std::ops::ControlFlow;
///
/// use impasto::{Checkpoint, Checkpoints, Picture, Stylize, Weights};
///
/// let job = Stylize::new(&Weights::open("vgg19.safetensors")?)
///     .content(Picture::open("portrait.jpg")?)
///     .style(Picture::open("painting.jpg")?)
///     .checkpoints(Checkpoints::to("portrait.checkpoint"));
/// // Later, the same job again:
/// let job = job.resume(&Checkpoint::open("portrait.checkpoint")?);
/// let made = job.run(|_| ControlFlow::Continue(()))?;
/// # let _ = made;
/// # Ok::<(), impasto::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Checkpoint {
    path: PathBuf,
    header: Header,
}

impl Checkpoint {
    /// Reads the header of the checkpoint in the file `path`.
    ///
    /// # Errors
    /// [`Error::Read`] if the file cannot be read; [`Error::Checkpoint`] if it is not a whole checkpoint, or one of another
    /// version of impasto.
    pub fn open(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref().to_owned();
        Ok(Self { header: Header::read(&path)?, path })
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The [note](Checkpoints::note).
    pub fn note(&self) -> &str {
        &self.header.note
    }

    /// The name of the instruction set that the job was computed with. With another one it goes on, but the result may differ
    /// in some last bits.
    pub fn instruction_set(&self) -> &str {
        &self.header.isa
    }

    /// The bytes of memory that the job might take.
    pub(super) fn memory(&self) -> u64 {
        self.header.memory
    }

    /// L-BFGS's history.
    pub(super) fn history(&self) -> History {
        self.header.history
    }

    /// Whether evaluations are computed in other strips with these inputs, from the scale on in which the job was.
    pub(super) fn is_in_other_strips(&self, inputs: &Inputs) -> bool {
        let [before, now] = [&self.header.strips, &inputs.strips];
        !before.split(' ').skip(self.header.scale).eq(now.split(' ').skip(self.header.scale))
    }

    /// Where the job was, if it is the same one as that of these inputs, whose scales have these sizes. The optimiser's state is left
    /// in the file until it is wanted.
    ///
    /// # Errors
    /// [`Error::Checkpoint`] if it is not, or the file is damaged; [`Error::Read`] if it cannot be read.
    pub(super) fn check(&self, inputs: &Inputs, scales: &[Extent]) -> Result<Place<Option<Whole>>> {
        if let Some(difference) = inputs.difference_from(&self.header.inputs) {
            return Err(refused(&self.path, difference));
        }
        self.header.clone().check(&self.path, scales)
    }
}

/// # Time and checkpoints
impl Stylize {
    /// The time after which [`run`](Self::run) ends with the best picture until then: see [`End::TimeUp`](crate::End::TimeUp).
    /// An evaluation that is under way is broken off. By default none.
    #[must_use]
    pub fn max_time(mut self, time: Duration) -> Self {
        self.checkpointing.max_time = Some(time);
        self
    }

    /// Lets [`run`](Self::run) write checkpoints. By default it writes none.
    #[must_use]
    pub fn checkpoints(mut self, checkpoints: Checkpoints) -> Self {
        self.checkpointing.to = Some(checkpoints);
        self
    }

    /// Lets [`run`](Self::run) go on from a checkpoint of the same job: the same pictures, weights and settings, but for
    /// [`threads`](Self::threads), [`memory_limit`](Self::memory_limit), [`max_time`](Self::max_time) and
    /// [`checkpoints`](Self::checkpoints). On the same instruction set the result has the same bytes as that of a job that was
    /// not ended, whatever memory the machine has now, unless [`Progress::in_other_strips`](crate::Progress::in_other_strips) says
    /// otherwise. If it is another job's, or is damaged, `run` returns [`Error::Checkpoint`].
    #[must_use]
    pub fn resume(mut self, checkpoint: &Checkpoint) -> Self {
        self.checkpointing.from = Some(checkpoint.clone());
        self
    }

    /// When a job ends that started at this time, if it has a time. A time beyond all clocks is none.
    pub(super) fn deadline(&self, start: Instant) -> Option<Instant> {
        start.checked_add(self.checkpointing.max_time?)
    }
}

/// What a job does about checkpoints, and when it ends.
#[derive(Clone, Default)]
pub(super) struct Checkpointing {
    pub(super) to: Option<Checkpoints>,
    pub(super) from: Option<Checkpoint>,
    pub(super) max_time: Option<Duration>,
}

/// A scale's size and its steps.
#[derive(Clone, Copy, Debug)]
pub(super) struct Extent {
    pub(super) width: usize,
    pub(super) height: usize,
    pub(super) steps: usize,
}

/// Where a job is: in which scale, and where the optimiser is in it.
#[derive(Clone, Copy)]
pub(super) struct Place<S> {
    /// The scale's index.
    pub(super) scale: usize,
    /// Steps taken in the scales before it.
    pub(super) steps: usize,
    /// Evaluations in the scales before it.
    pub(super) evaluations: usize,
    pub(super) state: S,
}

impl<S> Place<S> {
    /// The same with another state.
    pub(super) fn with<T>(&self, state: T) -> Place<T> {
        let Self { scale, steps, evaluations, .. } = *self;
        Place { scale, steps, evaluations, state }
    }
}

impl Place<Option<Whole>> {
    /// Before the first scale.
    pub(super) const START: Self = Self { scale: 0, steps: 0, evaluations: 0, state: None };

    /// Takes the state out of it.
    pub(super) fn take(&mut self) -> (Place<()>, Option<Whole>) {
        (self.with(()), self.state.take())
    }
}

impl Place<&dyn Save> {
    /// Writes the checkpoint, of which each rank has its `band`: the first rank writes, and the others give it their rows.
    fn write(&self, to: &Checkpoints, inputs: &Inputs, extent: Extent, band: &Band) -> Result<()> {
        let saved = self.state.saved();
        let vectors = Vectors { saved: &saved, width: extent.width, band };
        let header = Header::of(self, &vectors, to, inputs, extent);
        if !band.ranks().is_first() {
            if band.ranks().first_says(false) {
                vectors.for_each(|_| {});
            }
            return Ok(());
        }
        let mut is_told = false;
        let written = whole_file::write_whole_with(&to.path, |file| {
            is_told = band.ranks().first_says(true);
            header.write(&vectors, file)
        });
        if !is_told {
            band.ranks().first_says(false);
        }
        written
    }
}

/// The error for a file that is no checkpoint of this job. The reason may have texts of the file, and must stay one line.
fn refused(path: &Path, reason: impl Into<String>) -> Error {
    Error::Checkpoint { path: path.to_owned(), reason: reason.into().replace(char::is_control, "?") }
}
