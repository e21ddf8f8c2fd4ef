//! Settings from a text in TOML: keys, the lines that they are on, and what is set.

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::settings::Value;

/// A key that is set.
#[derive(Debug)]
pub(crate) struct Entry {
    pub(crate) key: String,
    pub(crate) value: Value,
    /// From 1.
    pub(crate) line: usize,
}

/// What is wrong on a line.
#[derive(Debug)]
pub(crate) struct Wrong {
    /// From 1.
    pub(crate) line: usize,
    pub(crate) reason: String,
}

/// The keys of a text, in their order.
pub(crate) fn entries(text: &str) -> Result<Vec<Entry>, Wrong> {
    let line_of = |at: usize| 1 + text.bytes().take(at).filter(|byte| *byte == b'\n').count();
    let table = DeTable::parse(text).map_err(|error| {
        let span = error.span().unwrap_or_default();
        // Of a key that is there twice, its name.
        let part = text.get(span.clone()).unwrap_or_default();
        let is_key =
            !part.is_empty() && part.chars().all(|letter| letter.is_alphanumeric() || "-_".contains(letter));
        let named = if is_key { format!("{part}: ") } else { String::new() };
        Wrong { line: line_of(span.start), reason: format!("{named}{}", error.message().replace('\n', " ")) }
    })?;
    let mut entries = Vec::new();
    for (key, value) in table.into_inner() {
        let (at, key) = (key.span().start, key.into_inner().into_owned());
        match value_of(value) {
            Ok(value) => entries.push((at, Entry { key, value, line: line_of(at) })),
            Err(found) => {
                let reason =
                    format!("{key}: expected a number, a text, true or false, or a list, found {found}");
                return Err(Wrong { line: line_of(at), reason });
            }
        }
    }
    entries.sort_by_key(|(at, _)| *at);
    Ok(entries.into_iter().map(|(_, entry)| entry).collect())
}

fn value_of(value: Spanned<DeValue>) -> Result<Value, &'static str> {
    match value.into_inner() {
        DeValue::Boolean(is_on) => Ok(if is_on { Value::On } else { Value::Off }),
        DeValue::Array(values) => {
            let text = |value: Spanned<DeValue>| text_of(value.into_inner());
            Ok(Value::Several(values.into_iter().map(text).collect::<Result<_, _>>()?))
        }
        value => Ok(Value::One(text_of(value)?)),
    }
}

fn text_of(value: DeValue) -> Result<String, &'static str> {
    match value {
        DeValue::String(text) => Ok(text.into_owned()),
        DeValue::Integer(number) => match number.radix() {
            10 => Ok(number.as_str().replace('_', "")),
            _ => Err("a number that is not decimal"),
        },
        DeValue::Float(number) => Ok(number.as_str().replace('_', "")),
        DeValue::Boolean(_) => Err("true or false in a list"),
        DeValue::Datetime(_) => Err("a date"),
        DeValue::Array(_) => Err("a list in a list"),
        DeValue::Table(_) => Err("a table"),
    }
}
