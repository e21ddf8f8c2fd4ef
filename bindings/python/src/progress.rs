//! `impasto.Progress`, and the conversation about it between the thread that works and the one that called.

use std::ops::ControlFlow;
use std::sync::mpsc::{self, Sender};
use std::sync::{Mutex, PoisonError};

use pyo3::exceptions::PyRuntimeError;
use pyo3::prelude::*;
use pyo3::types::PyDict;

use impasto::{Losses, Picture};

use crate::arrays::{Samples, array_of};

/// What the calling thread asks the working one, which waits for it after each step.
pub(crate) enum Request {
    /// A copy of the current picture.
    Picture(Sender<Picture>),
    /// To go on, or to end.
    Next(ControlFlow<()>),
}

/// The state of a job after a step, as it goes from thread to thread.
pub(crate) struct Step {
    progress: Numbers,
    requests: Sender<Request>,
}

struct Numbers {
    scale: usize,
    scales: usize,
    width: usize,
    height: usize,
    step: usize,
    steps: usize,
    evaluations: usize,
    seconds: f64,
    seconds_left: f64,
    done: f64,
    memory: u64,
    losses: Losses,
    checkpoint_error: Option<String>,
}

/// Tells the calling thread of a step, and does what it asks for until it says how to go on. Where it is gone, the job
/// ends.
pub(crate) fn report(progress: &impasto::Progress<'_>, events: &Sender<Step>) -> ControlFlow<()> {
    let (requests, asked) = mpsc::channel();
    let numbers = Numbers {
        scale: progress.scale,
        scales: progress.scales,
        width: progress.width,
        height: progress.height,
        step: progress.step,
        steps: progress.steps,
        evaluations: progress.evaluations,
        seconds: progress.seconds,
        seconds_left: progress.seconds_left,
        done: progress.done,
        memory: progress.memory,
        losses: progress.losses.clone(),
        checkpoint_error: progress.checkpoint_error.map(ToString::to_string),
    };
    if events.send(Step { progress: numbers, requests }).is_err() {
        return ControlFlow::Break(());
    }
    loop {
        match asked.recv() {
            Ok(Request::Picture(to)) => {
                // Whoever asked waits for it.
                let _ = to.send(progress.picture());
            }
            Ok(Request::Next(flow)) => return flow,
            Err(_) => return ControlFlow::Break(()),
        }
    }
}

/// Calls Python's function with a step. It ends the job where it returns `False`.
pub(crate) fn call(py: Python<'_>, function: &Py<PyAny>, step: Step) -> PyResult<()> {
    let Step { progress, requests } = step;
    let progress =
        Bound::new(py, Progress { numbers: progress, requests: Mutex::new(Some(requests.clone())) })?;
    let returned = function.call1(py, (&progress,));
    progress.get().close();
    let returned = returned?;
    let is_false = returned.bind(py).is(pyo3::types::PyBool::new(py, false));
    let flow = if is_false { ControlFlow::Break(()) } else { ControlFlow::Continue(()) };
    // A job that ended meanwhile needs no answer.
    let _ = requests.send(Request::Next(flow));
    Ok(())
}

/// The losses as a dict.
pub(crate) fn losses_of<'py>(py: Python<'py>, losses: &Losses) -> PyResult<Bound<'py, PyDict>> {
    let dict = PyDict::new(py);
    dict.set_item("total", losses.total)?;
    dict.set_item("content", losses.content)?;
    dict.set_item("style", losses.style)?;
    dict.set_item("tv", losses.tv)?;
    if let Some(laplacian) = losses.laplacian {
        dict.set_item("laplacian", laplacian)?;
    }
    for (name, layers) in [("content_layers", &losses.content_layers), ("style_layers", &losses.style_layers)]
    {
        let of_layers = PyDict::new(py);
        for (layer, value) in layers {
            of_layers.set_item(layer.to_string(), value)?;
        }
        dict.set_item(name, of_layers)?;
    }
    Ok(dict)
}

/// The state of a job after a step of the optimiser.
#[pyclass(frozen, module = "impasto")]
pub(crate) struct Progress {
    numbers: Numbers,
    requests: Mutex<Option<Sender<Request>>>,
}

impl Progress {
    /// After the callback, the job is elsewhere.
    fn close(&self) {
        *self.requests.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }
}

#[pymethods]
impl Progress {
    /// The current scale, from 1.
    #[getter]
    fn scale(&self) -> usize {
        self.numbers.scale
    }

    /// How many scales there are.
    #[getter]
    fn scales(&self) -> usize {
        self.numbers.scales
    }

    /// The scale's width in pixels.
    #[getter]
    fn width(&self) -> usize {
        self.numbers.width
    }

    /// The scale's height in pixels.
    #[getter]
    fn height(&self) -> usize {
        self.numbers.height
    }

    /// Steps done, all scales together.
    #[getter]
    fn step(&self) -> usize {
        self.numbers.step
    }

    /// The most steps, all scales together.
    #[getter]
    fn steps(&self) -> usize {
        self.numbers.steps
    }

    /// Evaluations of the loss, all scales together.
    #[getter]
    fn evaluations(&self) -> usize {
        self.numbers.evaluations
    }

    /// Seconds since the job began.
    #[getter]
    fn seconds(&self) -> f64 {
        self.numbers.seconds
    }

    /// Seconds that the job still takes, as estimated.
    #[getter]
    fn seconds_left(&self) -> f64 {
        self.numbers.seconds_left
    }

    /// The share of the work that is done, 0 to 1.
    #[getter]
    fn done(&self) -> f64 {
        self.numbers.done
    }

    /// The estimated peak memory of the process in bytes.
    #[getter]
    fn memory(&self) -> u64 {
        self.numbers.memory
    }

    /// The current loss, weighted.
    #[getter]
    fn loss(&self) -> f64 {
        self.numbers.losses.total
    }

    /// The loss and its terms, as `Objective.losses` has them.
    #[getter]
    fn losses<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        losses_of(py, &self.numbers.losses)
    }

    /// Why a checkpoint could not be written, if one could not.
    #[getter]
    fn checkpoint_error(&self) -> Option<&str> {
        self.numbers.checkpoint_error.as_deref()
    }

    /// A copy of the current picture, a uint8 array. Only while the callback runs.
    fn picture<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        let over = || PyRuntimeError::new_err("picture() is for the progress callback, while it runs");
        let requests =
            self.requests.lock().unwrap_or_else(PoisonError::into_inner).clone().ok_or_else(over)?;
        let (sender, mut answer) = mpsc::channel();
        requests.send(Request::Picture(sender)).map_err(|_| over())?;
        let answer = &mut answer;
        let picture = py.detach(move || answer.recv()).map_err(|_| over())?;
        array_of(py, &picture, Samples::U8)
    }

    fn __repr__(&self) -> String {
        let Numbers { scale, scales, step, steps, ref losses, .. } = self.numbers;
        format!("Progress(scale={scale}/{scales}, step={step}/{steps}, loss={:.6})", losses.total)
    }
}
