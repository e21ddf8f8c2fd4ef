//! `impasto.Weights`.

use std::path::PathBuf;
use std::sync::OnceLock;

use pyo3::prelude::*;

use impasto::Preprocessing;
use impasto::named::Named;
use impasto::weights::{Places, Source};

use crate::failure::{Failure, Result};

/// Which network a job has.
#[derive(Clone)]
pub(crate) enum Network {
    /// The one to use by default.
    Default,
    /// A file, or the name of an installed network.
    Named(PathBuf),
    Open(impasto::Weights),
}

impl Network {
    pub(crate) fn of(argument: &str, value: Option<&Bound<'_, PyAny>>) -> PyResult<Self> {
        let Some(value) = value else { return Ok(Self::Default) };
        if let Ok(weights) = value.cast::<Weights>() {
            return Ok(Self::Open(weights.get().0.clone()));
        }
        value.extract().map(Self::Named).map_err(|_| {
            let found = value.get_type().name().map_or_else(|_| String::new(), |name| name.to_string());
            let message = format!("{argument}: expected a path, a name or a Weights, found {found}");
            pyo3::exceptions::PyTypeError::new_err(message)
        })
    }

    pub(crate) fn open(self, preprocessing: Option<Preprocessing>, mmap: bool) -> Result<impasto::Weights> {
        let open = |source: Source| match source {
            Source::Embedded => Ok(embedded()),
            source if mmap => source.open(),
            source => source.read(),
        };
        let weights = match self {
            Self::Default => open(Places::of_user().find_default()?)?,
            Self::Named(spec) => open(Places::of_user().find(spec)?)?,
            Self::Open(weights) => weights,
        };
        Ok(match preprocessing {
            Some(preprocessing) => weights.with_preprocessing(preprocessing),
            None => weights,
        })
    }
}

/// The embedded network, opened once: a style's targets are kept for clones of the same weights.
fn embedded() -> impasto::Weights {
    static EMBEDDED: OnceLock<impasto::Weights> = OnceLock::new();
    EMBEDDED.get_or_init(impasto::Weights::embedded).clone()
}

/// The preprocessing of this name.
pub(crate) fn preprocessing_of(name: Option<&str>) -> Result<Option<Preprocessing>> {
    let Some(name) = name else { return Ok(None) };
    let found = Preprocessing::from_name(name).map(Some);
    found.ok_or_else(|| {
        Failure::argument("preprocessing", format!("expected caffe or torchvision, found {name:?}"))
    })
}

/// A network's weights, opened once for many jobs.
///
/// `weights` is a safetensors file or the name of an installed network, by default the embedded one, `slim`. A file is
/// mapped into memory unless `mmap` is false; while it is in use it must not be written to.
#[pyclass(frozen, module = "impasto")]
pub(crate) struct Weights(pub(crate) impasto::Weights);

#[pymethods]
impl Weights {
    #[new]
    #[pyo3(signature = (weights=None, *, preprocessing=None, mmap=true))]
    fn new(
        py: Python<'_>,
        weights: Option<&Bound<'_, PyAny>>,
        preprocessing: Option<&str>,
        mmap: bool,
    ) -> PyResult<Self> {
        let network = Network::of("weights", weights)?;
        let opened = py.detach(|| network.open(preprocessing_of(preprocessing)?, mmap));
        opened.map(Self).map_err(|failure| failure.into_py(py))
    }

    /// The names of the embedded and the installed networks.
    #[staticmethod]
    fn available() -> Vec<String> {
        Places::of_user().networks().into_iter().map(|network| network.name).collect()
    }

    /// The file, or the name of what is not one.
    #[getter]
    fn path(&self) -> PathBuf {
        self.0.path().to_owned()
    }

    /// The network's name in the paper's table, such as `vgg19`.
    #[getter]
    fn architecture(&self) -> String {
        self.0.architecture().to_string()
    }

    /// How pictures are prepared for the network: `caffe` or `torchvision`.
    #[getter]
    fn preprocessing(&self) -> &'static str {
        self.0.preprocessing().name()
    }

    /// The layers that a loss can have, in forward order.
    #[getter]
    fn layers(&self) -> Vec<String> {
        self.0.layers().iter().map(ToString::to_string).collect()
    }

    fn __repr__(&self) -> String {
        format!("Weights({:?})", self.0.path().display().to_string())
    }
}
