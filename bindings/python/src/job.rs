//! A job from Python's arguments: running it, and estimating what it takes.

use std::fs;
use std::num::NonZero;
use std::ops::ControlFlow;
use std::path::PathBuf;
use std::sync::mpsc::Sender;
use std::thread;
use std::time::{Duration, Instant};

use pyo3::exceptions::{PyFileExistsError, PyUserWarning};
use pyo3::prelude::*;
use pyo3::types::PyDict;
use rayon::{ThreadPool, ThreadPoolBuilder};

use impasto::network::Compute;
use impasto::picture::fit;
use impasto::simd::Isa;
use impasto::{
    Cancel, Checkpoint, Checkpoints, Colors, Edges, End, Form, Init, LayerWeight, Mask, Needed, Optimizer,
    Picture, Pooling, Preprocessing, Regions, Scales, Size, Statistic, Stylize,
};

use crate::arguments::Arguments;
use crate::arrays::{Samples, array_of};
use crate::failure::{Failure, Result};
use crate::progress::{self, Step, losses_of};
use crate::source::Source;
use crate::style::{LONGEST, Mixture, Styles};
use crate::watch::watched;
use crate::weights::{Network, preprocessing_of};

/// The most threads for each core, as on the command line: more only take time.
const MOST_PER_CORE: usize = 4;
const MOST_STEPS: u64 = 1_000_000;
const MOST_SCALES: u64 = 40;

/// A job as it was asked for, with nothing opened yet.
pub(crate) struct Request {
    start: Instant,
    content: Option<Source>,
    style: Option<Styles>,
    mixture: Mixture,
    init: Start,
    mask: Option<Source>,
    style_masks: Vec<Source>,
    regions: Vec<Source>,
    longest: Option<usize>,
    tileable: bool,
    content_layers: Option<Vec<LayerWeight>>,
    style_layers: Option<Vec<LayerWeight>>,
    network: Network,
    preprocessing: Option<Preprocessing>,
    threads: usize,
    max_time: Option<Duration>,
    checkpoint: Option<PathBuf>,
    checkpoint_every: Duration,
    resume: bool,
    /// All that is a plain value in the library, too.
    settings: Vec<Change>,
}

enum Start {
    Default,
    Content,
    Noise,
    Picture(Source),
}

type Change = Box<dyn FnOnce(Stylize) -> Stylize + Send>;

/// A job that is ready.
pub(crate) struct Prepared {
    pub(crate) job: Stylize,
    pub(crate) pool: ThreadPool,
    pub(crate) content: Option<Picture>,
    pub(crate) notes: Vec<String>,
}

impl Request {
    /// Reads a function's arguments.
    pub(crate) fn of(arguments: &Bound<'_, PyDict>) -> PyResult<Self> {
        let arguments = Arguments::new(arguments);
        let py = arguments.py();
        let of = |failure: Failure| failure.into_py(py);
        let source = |name: &str| arguments.get(name)?.map(|value| Source::of(name, &value)).transpose();
        let several =
            |name: &str| arguments.get(name)?.map_or(Ok(Vec::new()), |value| Source::several(name, &value));
        let init = match arguments.get("init")? {
            None => Start::Default,
            Some(value) => match value.extract::<String>().as_deref() {
                Ok("content") => Start::Content,
                Ok("noise") => Start::Noise,
                _ => Start::Picture(Source::of("init", &value)?),
            },
        };
        let longest = arguments.whole_number("size", 0..=LONGEST)?;
        let time = |name: &str| {
            let Some(seconds) = arguments.number(name)? else { return Ok(None) };
            let time = Duration::try_from_secs_f64(seconds).map(Some);
            time.map_err(|_| arguments.refused(name, &format!("must be 0 seconds or more, found {seconds}")))
        };
        let request = Self {
            start: Instant::now(),
            content: source("content")?,
            style: arguments.get("style")?.map(|value| Styles::of(&value)).transpose()?,
            mixture: Mixture::of(&arguments)?,
            init,
            mask: source("mask")?,
            style_masks: several("style_masks")?,
            regions: several("regions")?,
            longest: longest.filter(|longest| *longest > 0).map(|longest| longest as usize),
            tileable: arguments.is_set("tileable")?,
            content_layers: arguments.layers("content_layers")?,
            style_layers: arguments.layers("style_layers")?,
            network: Network::of("weights", arguments.get("weights")?.as_ref())?,
            preprocessing: preprocessing_of(arguments.text("preprocessing")?.as_deref()).map_err(of)?,
            threads: arguments.whole_number("threads", 0..=1024)?.unwrap_or(0) as usize,
            max_time: time("max_time")?,
            checkpoint: arguments.path("checkpoint")?,
            checkpoint_every: time("checkpoint_every")?.unwrap_or(Duration::from_secs(60)),
            resume: arguments.is_set("resume")?,
            settings: settings_of(&arguments)?,
        };
        request.check(&arguments)?;
        Ok(request)
    }

    /// Refuses what contradicts itself.
    fn check(&self, arguments: &Arguments<'_, '_>) -> PyResult<()> {
        let styles = self.style.as_ref().map(Styles::len);
        if let Some(styles) = styles {
            self.mixture.check(styles).map_err(|failure| failure.into_py(arguments.py()))?;
        }
        let masks = self.style_masks.len();
        if let Some(Some(styles)) = styles
            && masks > 0
            && masks != styles
        {
            let reason = format!("expected one for each style, found {masks} for {styles}");
            return Err(arguments.refused("style_masks", &reason));
        }
        if !self.regions.is_empty() && self.regions.len() != 2 {
            let reason =
                format!("expected two maps, of the content and of the style, found {}", self.regions.len());
            return Err(arguments.refused("regions", &reason));
        }
        if masks > 0 && !self.regions.is_empty() {
            return Err(arguments.refused("regions", "goes without style_masks"));
        }
        if self.tileable && arguments.get("edges")?.is_some() {
            return Err(arguments.refused("edges", "a tileable texture has edges of its own, wrap"));
        }
        if arguments.get("seed")?.is_some()
            && matches!(self.init, Start::Content | Start::Picture(_) | Start::Default)
            && self.content.is_some()
        {
            return Err(arguments.refused("seed", "is of the noise: it goes with init=\"noise\""));
        }
        for name in ["checkpoint_every", "resume"] {
            if self.checkpoint.is_none() && arguments.is_set(name)? {
                return Err(arguments.refused(name, "goes with checkpoint"));
            }
        }
        if let Some(path) = &self.checkpoint
            && path.exists()
            && !self.resume
        {
            let message = format!(
                "checkpoint: {} is there already: go on with resume=True, or remove it",
                path.display()
            );
            return Err(PyFileExistsError::new_err(message));
        }
        Ok(())
    }

    /// Starts the threads, opens the pictures and the network, and puts the job together.
    pub(crate) fn prepare(self, cancel: &Cancel) -> Result<Prepared> {
        let pool = pool(self.threads)?;
        let cancel = cancel.clone();
        let (job, content, notes) = pool.install(move || self.open(&cancel))?;
        Ok(Prepared { job, pool, content, notes })
    }

    fn open(self, cancel: &Cancel) -> Result<(Stylize, Option<Picture>, Vec<String>)> {
        let weights = self.network.open(self.preprocessing, true)?;
        let mut notes = Vec::new();
        let mut job = Stylize::new(&weights).cancelled_by(cancel);
        job = job.size(self.longest.map_or(Size::Own, Size::Longest));
        for change in self.settings {
            job = change(job);
        }
        for (name, layers) in [("content_layers", &self.content_layers), ("style_layers", &self.style_layers)]
        {
            for layer in layers.iter().flatten() {
                let checked = weights.layer(&layer.layer);
                checked.map_err(|error| Failure::Of { argument: name.to_owned(), error })?;
            }
        }
        if let Some(layers) = &self.content_layers {
            job = job.content_layers(layers);
        }
        if let Some(layers) = &self.style_layers {
            job = job.style_layers(layers);
        }

        let content = match self.content {
            Some(content) => {
                Some(content.open(self.longest.map_or(Needed::Whole, Needed::Longest), &mut notes)?)
            }
            None => None,
        };
        let mut size = content.as_ref().map(|content| size_of(content, self.longest));
        job = match self.style {
            None => job,
            Some(Styles::Kept(style)) => job.style(self.mixture.with_sizes(style)?),
            Some(Styles::Pictures(sources)) => {
                let mut styles = Vec::with_capacity(sources.len());
                for (index, source) in sources.into_iter().enumerate() {
                    let needed = match size {
                        Some((width, height)) => self.mixture.needed(index, width * height),
                        None => self.mixture.needed_of_first(self.longest),
                    };
                    let style = source.open(needed, &mut notes)?;
                    size = size.or_else(|| Some(size_of(&style, self.longest)));
                    styles.push(style);
                }
                job.style(self.mixture.style(styles)?)
            }
        };
        if let Some(content) = &content {
            job = job.content(content.clone());
        }
        let (width, height) = job.result_size()?;
        let needed = Needed::Size { width, height };
        job = match self.init {
            Start::Default => job,
            Start::Content => job.init(Init::Content),
            Start::Noise => job.init(Init::Noise),
            Start::Picture(source) => job.init(Init::Picture(source.open(needed, &mut notes)?)),
        };
        if let Some(mask) = self.mask {
            job = job.mask(mask.open(needed, &mut notes)?);
        }
        if !self.style_masks.is_empty() {
            let masks =
                self.style_masks.into_iter().map(|mask| mask.open(needed, &mut notes).map(Mask::from));
            job = job.style_masks(masks.collect::<Result<Vec<_>>>()?);
        }
        // Reducing a map would mix its colours.
        let mut maps = self.regions.into_iter().map(|map| map.open(Needed::Whole, &mut notes));
        if let (Some(of_content), Some(of_style)) = (maps.next(), maps.next()) {
            let regions = Regions::new(&of_content?, &of_style?)?;
            drop(maps);
            job = job.regions(regions);
        }
        if self.tileable {
            let stride = job.terms()?.taps().iter().map(|layer| layer.min_side()).max().unwrap_or(1);
            let [width, height] =
                [width, height].map(|side| ((side + stride / 2) / stride * stride).max(stride));
            job = job.edges(Edges::Wrap).size(Size::Exactly { width, height });
        }
        if let Some(path) = &self.checkpoint {
            if path.exists() {
                job = job.resume(&Checkpoint::open(path)?);
            }
            job = job.checkpoints(Checkpoints::to(path).every(self.checkpoint_every));
        }
        if let Some(time) = self.max_time {
            job = job.max_time(time.saturating_sub(self.start.elapsed()));
        }
        Ok((job, content, notes))
    }
}

/// The settings that are plain values in the library as well.
fn settings_of(arguments: &Arguments<'_, '_>) -> PyResult<Vec<Change>> {
    let mut changes: Vec<Change> = Vec::new();
    macro_rules! set {
        ($value:expr, $method:ident) => {
            if let Some(value) = $value {
                changes.push(Box::new(move |job| job.$method(value)));
            }
        };
    }
    set!(arguments.number("content_weight")?, content_weight);
    set!(arguments.number("style_weight")?, style_weight);
    set!(arguments.number("tv_weight")?, tv_weight);
    set!(arguments.number("laplacian_weight")?, laplacian_weight);
    set!(arguments.named::<Form>("loss")?, form);
    set!(arguments.named::<Statistic>("statistic")?, statistic);
    set!(arguments.named::<Pooling>("pooling")?, pooling);
    set!(arguments.named::<Edges>("edges")?, edges);
    set!(arguments.named::<Colors>("colors")?, colors);
    set!(arguments.named::<Optimizer>("optimizer")?, optimizer);
    set!(arguments.whole_number("seed", 0..=u64::MAX)?, seed);
    set!(arguments.whole_number("steps", 1..=MOST_STEPS)?.map(|steps| steps as usize), steps);
    set!(arguments.whole_number("max_memory", 1..=u64::MAX)?.map(Some), memory_limit);
    set!(scales_of(arguments)?, scales);
    let mut compute = Compute::from(isa_of(arguments)?);
    compute.convolution = arguments.named("convolution")?.unwrap_or_default();
    compute.precision = arguments.named("precision")?.unwrap_or_default();
    if let Some(reason) = compute.reason_against_precision() {
        return Err(arguments.refused("precision", &format!("bf16, with {}: {reason}", compute.isa.name())));
    }
    changes.push(Box::new(move |job| job.compute(compute)));
    Ok(changes)
}

/// `"auto"`, or a count.
fn scales_of(arguments: &Arguments<'_, '_>) -> PyResult<Option<Scales>> {
    let Some(value) = arguments.get("scales")? else { return Ok(None) };
    match value.extract::<String>() {
        Ok(text) if text == "auto" => Ok(Some(Scales::Auto)),
        Ok(text) => {
            Err(arguments.refused("scales", &format!("expected auto or 1 to {MOST_SCALES}, found {text:?}")))
        }
        Err(_) => {
            let count = arguments.whole_number("scales", 1..=MOST_SCALES)?;
            Ok(count.map(|count| Scales::Count(count as usize)))
        }
    }
}

fn isa_of(arguments: &Arguments<'_, '_>) -> PyResult<Isa> {
    let available = Isa::available();
    match arguments.text("isa")?.as_deref() {
        None | Some("auto") => Ok(Isa::best()),
        Some(name) => available.iter().copied().find(|isa| isa.name() == name).ok_or_else(|| {
            let names: Vec<_> = available.iter().map(|isa| isa.name()).collect();
            arguments.refused("isa", &format!("this CPU has {}, not {name:?}", names.join(", ")))
        }),
    }
}

/// A pool of its own for each call: one that was kept would be without its threads after a fork, as Python's
/// `multiprocessing` makes them.
fn pool(asked: usize) -> Result<ThreadPool> {
    let cores = thread::available_parallelism().map_or(1, NonZero::get);
    let threads = if asked == 0 { cores } else { asked.min(MOST_PER_CORE * cores) };
    let pool = ThreadPoolBuilder::new().num_threads(threads).build();
    pool.map_err(|error| Failure::argument("threads", format!("{threads} can't be started: {error}")))
}

fn size_of(picture: &Picture, longest: Option<usize>) -> (usize, usize) {
    match longest {
        Some(longest) => fit(picture.width(), picture.height(), longest),
        None => (picture.width(), picture.height()),
    }
}

/// Issues a warning for each note.
pub(crate) fn warn(py: Python<'_>, notes: &[String]) -> PyResult<()> {
    for note in notes {
        let message = std::ffi::CString::new(note.replace('\0', "?")).expect("no NUL is left");
        PyErr::warn(py, &py.get_type::<PyUserWarning>(), &message, 3)?;
    }
    Ok(())
}

/// Makes a picture: an array, and a dict of what is to be known of it.
#[pyfunction]
pub(crate) fn run<'py>(
    py: Python<'py>,
    arguments: &Bound<'py, PyDict>,
    progress: Option<Py<PyAny>>,
    output: &str,
) -> PyResult<(Bound<'py, PyAny>, Bound<'py, PyDict>)> {
    let samples = Samples::named(output).map_err(|failure| failure.into_py(py))?;
    let request = Request::of(arguments)?;
    let (cancel, checkpoint) = (Cancel::new(), request.checkpoint.clone());
    let (has_callback, of_worker) = (progress.is_some(), cancel.clone());
    let work = move |events: Sender<Step>| {
        let Prepared { job, pool, notes, .. } = request.prepare(&of_worker)?;
        let mut losses = None;
        let start = Instant::now();
        let made = pool.install(|| {
            job.run(|progress| {
                losses = Some(progress.losses.clone());
                match has_callback {
                    true => progress::report(progress, &events),
                    false => ControlFlow::Continue(()),
                }
            })
        })?;
        Ok((made, losses, start.elapsed().as_secs_f64(), notes))
    };
    let serve = |step| match &progress {
        Some(function) => progress::call(py, function, step),
        None => Ok(()),
    };
    let made: Result<_> = watched(py, &cancel, work, serve)?;
    let (made, losses, seconds, mut notes) = made.map_err(|failure| failure.into_py(py))?;
    let picture = array_of(py, &made.picture, samples)?;
    let end = match made.end {
        End::Done => "done",
        End::TimeUp => "time_up",
        End::Failed(error) => {
            let exception = Failure::from(error).into_py(py);
            exception.value(py).setattr("picture", picture)?;
            return Err(exception);
        }
        _ => "ended",
    };
    if let (Some(path), "done") = (checkpoint.filter(|path| path.is_file()), end)
        && let Err(error) = fs::remove_file(&path)
    {
        notes.push(format!("{} is not removed: {error}", path.display()));
    }
    notes.extend(made.checkpoint_error.map(|error| error.to_string()));
    warn(py, &notes)?;
    let details = PyDict::new(py);
    details.set_item("end", end)?;
    details.set_item("steps", made.steps)?;
    details.set_item("evaluations", made.evaluations)?;
    details.set_item("seconds", seconds)?;
    details.set_item("losses", losses.map(|losses| losses_of(py, &losses)).transpose()?)?;
    Ok((picture, details))
}

/// What a job would take.
#[pyfunction]
pub(crate) fn estimate<'py>(py: Python<'py>, arguments: &Bound<'py, PyDict>) -> PyResult<Bound<'py, PyDict>> {
    let request = Request::of(arguments)?;
    let cancel = Cancel::new();
    let of_worker = cancel.clone();
    let work = move |_| {
        let Prepared { job, pool, notes, .. } = request.prepare(&of_worker)?;
        Ok((pool.install(|| job.estimate())?, notes))
    };
    let estimated: Result<_> = watched(py, &cancel, work, |(): ()| Ok(()))?;
    let (estimate, notes) = estimated.map_err(|failure| failure.into_py(py))?;
    warn(py, &notes)?;
    let scales = estimate.scales.iter().map(|scale| {
        let of_scale = PyDict::new(py);
        of_scale.set_item("width", scale.width)?;
        of_scale.set_item("height", scale.height)?;
        of_scale.set_item("steps", scale.steps)?;
        of_scale.set_item("seconds", scale.seconds)?;
        Ok(of_scale)
    });
    let estimated = PyDict::new(py);
    estimated.set_item("seconds", estimate.seconds)?;
    estimated.set_item("memory", estimate.memory)?;
    estimated.set_item("scales", scales.collect::<PyResult<Vec<_>>>()?)?;
    Ok(estimated)
}

/// The library's defaults, by the names of arguments: what the package's signatures say.
#[pyfunction]
pub(crate) fn defaults(py: Python<'_>) -> PyResult<Bound<'_, PyDict>> {
    use impasto::defaults;
    use impasto::named::Named;
    let dict = PyDict::new(py);
    dict.set_item("size", defaults::SIZE)?;
    dict.set_item("steps", defaults::STEPS)?;
    dict.set_item("content_weight", defaults::CONTENT_WEIGHT)?;
    dict.set_item("loss", defaults::FORM.name())?;
    dict.set_item("pooling", defaults::POOLING.name())?;
    dict.set_item("optimizer", defaults::OPTIMIZER.name())?;
    dict.set_item("colors", Colors::default().name())?;
    dict.set_item("content_layers", defaults::CONTENT_LAYERS.to_vec())?;
    Ok(dict)
}
