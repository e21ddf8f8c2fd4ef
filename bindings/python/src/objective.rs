//! The native part of `impasto.Objective`: the loss and its gradient as a function of an array.

use std::sync::{Arc, Mutex, PoisonError};

use numpy::{IntoPyArray, PyArrayMethods, PyReadonlyArrayDyn, PyUntypedArrayMethods};
use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::types::PyDict;
use rayon::ThreadPool;

use impasto::ndarray::{Array3, ArrayView3, ArrayViewD, ArrayViewMut3};
use impasto::{Cancel, Losses, Picture};

use crate::arrays::{Samples, array_of};
use crate::failure::{Failure, Result};
use crate::job::{Prepared, Request, warn};
use crate::progress::losses_of;
use crate::watch::watched;

/// The loss of a job as a function of a picture.
#[pyclass(frozen, module = "impasto")]
pub(crate) struct Objective {
    /// The threads that evaluate it take turns.
    core: Arc<Mutex<Core>>,
    losses: Mutex<Losses>,
    height: usize,
    width: usize,
    content: Option<Picture>,
}

/// What is evaluated, on its own threads.
struct Core {
    /// Taken out to be given another `Cancel`.
    objective: Option<impasto::Objective>,
    threads: Threads,
}

impl Core {
    fn evaluate(
        &mut self,
        cancel: Cancel,
        picture: ArrayView3<'_, f32>,
        gradient: ArrayViewMut3<'_, f32>,
    ) -> Result<Losses> {
        let pool = self.threads.pool()?;
        let objective =
            self.objective.take().ok_or_else(|| Failure::argument("Objective", "failed before"))?;
        let objective = self.objective.insert(objective.cancelled_by(cancel));
        Ok(pool.install(|| objective.evaluate(picture, gradient).cloned())?)
    }
}

/// A pool, and the process that has its threads: a fork has none.
struct Threads {
    pool: ThreadPool,
    process: u32,
}

impl Threads {
    /// The pool, or a new one in a new process, which leaves the other as it is: dropping it would wait for its threads.
    fn pool(&mut self) -> Result<&ThreadPool> {
        if self.process != std::process::id() {
            let count = self.pool.current_num_threads();
            let pool = rayon::ThreadPoolBuilder::new().num_threads(count).build();
            let pool = pool.map_err(|error| Failure::argument("threads", error.to_string()))?;
            std::mem::forget(std::mem::replace(&mut self.pool, pool));
            self.process = std::process::id();
        }
        Ok(&self.pool)
    }
}

#[pymethods]
impl Objective {
    #[new]
    fn new(py: Python<'_>, arguments: &Bound<'_, PyDict>) -> PyResult<Self> {
        let request = Request::of(arguments)?;
        let cancel = Cancel::new();
        let of_worker = cancel.clone();
        let work = move |_| {
            let Prepared { job, pool, content, notes } = request.prepare(&of_worker)?;
            let objective = pool.install(|| job.objective())?;
            let (height, width) = objective.size();
            let content =
                content.map(|content| content.into_flattened().into_resized(width, height)).transpose()?;
            let threads = Threads { pool, process: std::process::id() };
            Ok((Core { objective: Some(objective), threads }, (width, height), content, notes))
        };
        let made: Result<_> = watched(py, &cancel, work, |(): ()| Ok(()))?;
        let (core, (width, height), content, notes) = made.map_err(|failure| failure.into_py(py))?;
        warn(py, &notes)?;
        Ok(Self { core: Arc::new(Mutex::new(core)), losses: Mutex::default(), height, width, content })
    }

    /// Height, width and 3: the shape of its pictures.
    #[getter]
    fn shape(&self) -> (usize, usize, usize) {
        (self.height, self.width, 3)
    }

    /// The content at this size, a float32 array; `None` without a content.
    #[getter]
    fn content<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyAny>>> {
        self.content.as_ref().map(|content| array_of(py, content, Samples::F32)).transpose()
    }

    /// The loss and its terms at the last evaluation.
    #[getter]
    fn losses<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let losses = self.losses.lock().unwrap_or_else(PoisonError::into_inner).clone();
        losses_of(py, &losses)
    }

    /// The loss of a picture and its gradient, an array of the same shape and type.
    fn evaluate<'py>(
        &self,
        py: Python<'py>,
        picture: &Bound<'py, PyAny>,
    ) -> PyResult<(f64, Bound<'py, PyAny>)> {
        if let Ok(array) = picture.extract::<PyReadonlyArrayDyn<'py, f32>>() {
            let (loss, gradient) = self.loss_and_gradient(py, &array.as_array(), |value| value)?;
            return Ok((loss, gradient.into_pyarray(py).reshape(array.shape().to_vec())?.into_any()));
        }
        if let Ok(array) = picture.extract::<PyReadonlyArrayDyn<'py, f64>>() {
            let (loss, gradient) = self.loss_and_gradient(py, &array.as_array(), |value| value as f32)?;
            let gradient = gradient.mapv(f64::from);
            return Ok((loss, gradient.into_pyarray(py).reshape(array.shape().to_vec())?.into_any()));
        }
        Err(PyTypeError::new_err("picture: expected an array of float32 or float64"))
    }
}

impl Objective {
    /// The loss of a picture, H×W×3 or flat in that order, and its gradient, H×W×3.
    fn loss_and_gradient<T: Copy>(
        &self,
        py: Python<'_>,
        picture: &ArrayViewD<'_, T>,
        value: impl Fn(T) -> f32,
    ) -> PyResult<(f64, Array3<f32>)> {
        let (height, width) = (self.height, self.width);
        let shape = picture.shape();
        if shape != [height, width, 3] && shape != [height * width * 3] {
            let reason =
                format!("expected {height}×{width}×3 values, in this shape or flat, found {shape:?}");
            return Err(Failure::argument("picture", reason).into_py(py));
        }
        let values: Vec<f32> = picture.iter().map(|sample| value(*sample)).collect();
        if let Some(found) = values.iter().find(|value| !value.is_finite()) {
            return Err(
                Failure::argument("picture", format!("expected finite values, found {found}")).into_py(py)
            );
        }
        let cancel = Cancel::new();
        let (core, of_worker) = (Arc::clone(&self.core), cancel.clone());
        let work = move |_| {
            let planes =
                ArrayView3::from_shape((height, width, 3), &values).expect("as many values as pixels");
            let planes = planes.permuted_axes([2, 0, 1]).as_standard_layout().into_owned();
            let mut gradient = Array3::zeros(planes.dim());
            let mut core = core.lock().unwrap_or_else(PoisonError::into_inner);
            let losses = core.evaluate(of_worker, planes.view(), gradient.view_mut())?;
            Ok((losses, gradient))
        };
        let evaluated: Result<_> = watched(py, &cancel, work, |(): ()| Ok(()))?;
        let (losses, gradient) = evaluated.map_err(|failure| failure.into_py(py))?;
        let total = losses.total;
        *self.losses.lock().unwrap_or_else(PoisonError::into_inner) = losses;
        Ok((total, gradient.permuted_axes([1, 2, 0]).as_standard_layout().into_owned()))
    }
}
