//! Reading the arguments of a Python function from a dict. One that is absent or `None` has its default.

use std::fmt::Display;
use std::ops::RangeInclusive;
use std::path::PathBuf;

use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::types::PyDict;

use impasto::LayerWeight;
use impasto::named::Named;

use crate::failure::Failure;

/// The arguments of a function by their names.
pub(crate) struct Arguments<'a, 'py>(&'a Bound<'py, PyDict>);

impl<'a, 'py> Arguments<'a, 'py> {
    pub(crate) fn py(&self) -> Python<'py> {
        self.0.py()
    }

    pub(crate) fn new(dict: &'a Bound<'py, PyDict>) -> Self {
        Self(dict)
    }

    /// An argument that is set.
    pub(crate) fn get(&self, name: &str) -> PyResult<Option<Bound<'py, PyAny>>> {
        Ok(self.0.get_item(name)?.filter(|value| !value.is_none()))
    }

    /// The `ValueError` for an argument.
    pub(crate) fn refused(&self, name: &str, reason: &str) -> PyErr {
        Failure::argument(name, reason).into_py(self.0.py())
    }

    /// A whole number in a range.
    pub(crate) fn whole_number(&self, name: &str, range: RangeInclusive<u64>) -> PyResult<Option<u64>> {
        self.get(name)?.map(|value| self.whole_number_of(name, &value, &range)).transpose()
    }

    /// One whole number or several, in a range.
    pub(crate) fn whole_numbers(&self, name: &str, range: RangeInclusive<u64>) -> PyResult<Option<Vec<u64>>> {
        self.one_or_several(name, |value| self.whole_number_of(name, value, &range))
    }

    pub(crate) fn number(&self, name: &str) -> PyResult<Option<f64>> {
        self.get(name)?.map(|value| number_of(name, &value)).transpose()
    }

    /// One number or several.
    pub(crate) fn numbers(&self, name: &str) -> PyResult<Option<Vec<f64>>> {
        self.one_or_several(name, |value| number_of(name, value))
    }

    pub(crate) fn text(&self, name: &str) -> PyResult<Option<String>> {
        self.get(name)?.map(|value| value.extract().map_err(|_| expected(name, "a str", &value))).transpose()
    }

    pub(crate) fn path(&self, name: &str) -> PyResult<Option<PathBuf>> {
        self.get(name)?.map(|value| value.extract().map_err(|_| expected(name, "a path", &value))).transpose()
    }

    pub(crate) fn is_set(&self, name: &str) -> PyResult<bool> {
        self.get(name)?.map_or(Ok(false), |value| value.is_truthy())
    }

    /// A value of an enum by its name.
    pub(crate) fn named<T: Named + Display>(&self, name: &str) -> PyResult<Option<T>> {
        let Some(text) = self.text(name)? else { return Ok(None) };
        let found = T::from_name(&text).map(Some);
        found.ok_or_else(|| {
            let known: Vec<_> = T::ALL.iter().map(|value| value.name()).collect();
            self.refused(name, &format!("expected {}, found {text:?}", known.join(" or ")))
        })
    }

    /// Layers: pairs of a name and a weight, which may be `None`.
    pub(crate) fn layers(&self, name: &str) -> PyResult<Option<Vec<LayerWeight>>> {
        let Some(value) = self.get(name)? else { return Ok(None) };
        let pairs: Vec<(String, Option<f64>)> = value.extract()?;
        let layer = |(layer, weight): &(String, Option<f64>)| match weight {
            Some(weight) => LayerWeight::from((&**layer, *weight)),
            None => LayerWeight::from(&**layer),
        };
        Ok(Some(pairs.iter().map(layer).collect()))
    }

    fn one_or_several<T>(
        &self,
        name: &str,
        read: impl Fn(&Bound<'py, PyAny>) -> PyResult<T>,
    ) -> PyResult<Option<Vec<T>>> {
        let Some(value) = self.get(name)? else { return Ok(None) };
        match value.try_iter() {
            Ok(values) => values.map(|value| read(&value?)).collect::<PyResult<_>>().map(Some),
            Err(_) => read(&value).map(|value| Some(vec![value])),
        }
    }

    fn whole_number_of(
        &self,
        name: &str,
        value: &Bound<'_, PyAny>,
        range: &RangeInclusive<u64>,
    ) -> PyResult<u64> {
        // As Python's own functions take whole numbers: NumPy's as well, and no floats.
        let index = value.call_method0("__index__").map_err(|_| expected(name, "a whole number", value))?;
        match index.extract::<u64>() {
            Ok(number) if range.contains(&number) => Ok(number),
            _ => {
                Err(self
                    .refused(name, &format!("must be {} to {}, found {index}", range.start(), range.end())))
            }
        }
    }
}

fn number_of(name: &str, value: &Bound<'_, PyAny>) -> PyResult<f64> {
    value.extract().map_err(|_| expected(name, "a number", value))
}

/// The `TypeError` for an argument.
fn expected(name: &str, what: &str, found: &Bound<'_, PyAny>) -> PyErr {
    let found = found.repr().map_or_else(|_| "another".to_owned(), |text| text.to_string());
    PyTypeError::new_err(format!("{name}: expected {what}, found {found}"))
}
