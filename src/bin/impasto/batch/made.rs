//! What is known of results that are there: the settings in them, and a list of those that carry none.

use std::collections::HashSet;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::failure::{Failure, Result};
use crate::settings;
use crate::toml_file::{Entry, entries};
use impasto::OutputFormat;
use impasto::picture::Metadata;

/// The key of the photograph's SHA-256 in the settings of a result. Only results of a batch have it.
pub(super) const PHOTOGRAPH: &str = "content-sha256";

/// The list of results that carry no settings, in the output folder: one JSON object a line.
const LIST: &str = ".impasto-batch.jsonl";

/// The longest settings that a JPEG carries, in bytes.
const LONGEST_IN_JPEG: usize = 65_516;

/// A SHA-256 as text.
pub(super) fn checksum(bytes: &[u8]) -> String {
    text(Sha256::digest(bytes).as_slice())
}

/// That of a file.
pub(super) fn checksum_of(path: &Path) -> Result<String> {
    let hash = || {
        let (mut file, mut hasher, mut part) = (File::open(path)?, Sha256::new(), vec![0; 1 << 18]);
        loop {
            match file.read(&mut part)? {
                0 => return Ok(text(hasher.finalize().as_slice())),
                count => hasher.update(&part[..count]),
            }
        }
    };
    hash().map_err(|source: io::Error| Failure::Read { path: path.to_owned(), source })
}

fn text(hash: &[u8]) -> String {
    hash.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// What is in a result's place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Before {
    Nothing,
    /// The result itself.
    Made,
    /// A result that something else made, and what that is.
    Changed(String),
    /// What no batch made.
    Foreign,
}

/// What is known of the results in an output folder.
pub(super) struct Results {
    list: PathBuf,
    listed: Mutex<Listed>,
    strip: bool,
}

#[derive(Default)]
struct Listed {
    /// SHA-256 of settings and file.
    results: HashSet<(String, String)>,
    files: HashSet<String>,
}

impl Listed {
    fn add(&mut self, settings: String, file: String) {
        self.files.insert(file.clone());
        self.results.insert((settings, file));
    }
}

impl Results {
    /// Those in this folder; results made from now on carry their settings unless `strip`.
    ///
    /// # Errors
    /// Where the list is there but can't be read.
    pub(super) fn of(folder: &Path, strip: bool) -> Result<Self> {
        let list = folder.join(LIST);
        let bytes = match fs::read(&list) {
            Ok(bytes) => bytes,
            Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
                Vec::new()
            }
            Err(source) => return Err(Failure::Read { path: list, source }),
        };
        let mut listed = Listed::default();
        // A line that was not written to its end is none.
        for line in bytes.split(|byte| *byte == b'\n') {
            let value: Value = serde_json::from_slice(line).unwrap_or_default();
            if let (Some(settings), Some(file)) =
                (value["settings-sha256"].as_str(), value["sha256"].as_str())
            {
                listed.add(settings.to_owned(), file.to_owned());
            }
        }
        Ok(Self { list, listed: Mutex::new(listed), strip })
    }

    /// What is in the place of a result of these settings.
    pub(super) fn before(&self, path: &Path, settings: &str) -> Before {
        if fs::symlink_metadata(path).is_err() {
            return Before::Nothing;
        }
        let carried = carried(path);
        if !self.strip && carried.as_deref() == Some(settings) {
            return Before::Made;
        }
        let listed = self.listed.lock().unwrap_or_else(PoisonError::into_inner);
        let file = (!listed.files.is_empty()).then(|| checksum_of(path).ok()).flatten();
        match (file.filter(|file| listed.files.contains(file)), carried) {
            (Some(file), _) if listed.results.contains(&(checksum(settings.as_bytes()), file.clone())) => {
                Before::Made
            }
            (_, Some(carried)) if carried == settings => Before::Changed("--strip".to_owned()),
            (_, Some(carried)) if is_of_batch(&carried) => Before::Changed(difference(&carried, settings)),
            (Some(_), _) => Before::Changed("a setting or a picture".to_owned()),
            _ => Before::Foreign,
        }
    }

    /// Whether a file is a result of a batch.
    pub(super) fn has(&self, path: &Path) -> bool {
        !matches!(self.before(path, ""), Before::Nothing | Before::Foreign)
    }

    /// Lists a result that is about to be written as these bytes, if it does not carry its settings.
    ///
    /// # Errors
    /// Where the list can't be written.
    pub(super) fn add(&self, path: &Path, format: OutputFormat, settings: &str, bytes: &[u8]) -> Result<()> {
        let carries = match format {
            OutputFormat::Png => true,
            OutputFormat::Jpeg => settings.len() <= LONGEST_IN_JPEG,
            _ => false,
        };
        if carries && !self.strip {
            return Ok(());
        }
        let (settings, file) = (checksum(settings.as_bytes()), checksum(bytes));
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let line = json!({ "result": name, "settings-sha256": settings, "sha256": file });
        let mut listed = self.listed.lock().unwrap_or_else(PoisonError::into_inner);
        let written = OpenOptions::new()
            .append(true)
            .create(true)
            .open(&self.list)
            // The newline in front ends a line that was not.
            .and_then(|mut list| list.write_all(format!("\n{line}\n").as_bytes()));
        written.map_err(|source| Failure::Write { path: self.list.clone(), source })?;
        listed.add(settings, file);
        Ok(())
    }
}

/// The settings that a file carries.
fn carried(path: &Path) -> Option<String> {
    Metadata::open(path).ok()?.settings
}

fn is_of_batch(settings: &str) -> bool {
    entries(settings).is_ok_and(|entries| entries.iter().any(|entry| entry.key == PHOTOGRAPH))
}

/// What differs first between settings, as it is called where they are given.
fn difference(before: &str, now: &str) -> String {
    let entries = |text| entries(text).unwrap_or_default();
    let (before, now) = (entries(before), entries(now));
    let value = |entries: &[Entry], key: &str| {
        entries.iter().find(|entry| entry.key == key).map(|entry| entry.value.clone())
    };
    let mut keys = now.iter().chain(&before).map(|entry| &*entry.key);
    let differing = keys.find(|key| value(&before, key) != value(&now, key));
    match differing {
        Some(PHOTOGRAPH | "content") => "the photograph".to_owned(),
        Some("style" | "style-sha256") => "the style".to_owned(),
        Some(settings::VERSION) => "impasto's version".to_owned(),
        Some(key) if settings::is_checksum(key) => {
            format!("the files of {}", key.trim_end_matches("-sha256"))
        }
        Some(key) => format!("--{key}"),
        None => "the order of the settings".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn checksums_are_those_of_the_standard() {
        // FIPS 180-2, appendix B.1.
        let expected = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(checksum(b"abc"), expected);
    }

    #[test]
    fn a_list_cut_short_is_read_as_far_as_it_goes() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.tiff");
        fs::write(&path, "a").unwrap();
        let results = Results::of(folder.path(), false).unwrap();
        assert_eq!(results.before(&path, "s"), Before::Foreign);
        results.add(&path, OutputFormat::Tiff, "s", b"a").unwrap();
        let list = folder.path().join(LIST);
        let whole = fs::read(&list).unwrap();
        fs::write(&list, [&whole[..], b"{\"result\": \"b.ti"].concat()).unwrap();
        let results = Results::of(folder.path(), false).unwrap();
        results.add(&path, OutputFormat::Tiff, "t", b"b").unwrap();
        let results = Results::of(folder.path(), false).unwrap();
        assert_eq!(results.before(&path, "s"), Before::Made);
        assert!(matches!(results.before(&path, "other"), Before::Changed(_)));
        fs::write(&path, "b").unwrap();
        assert_eq!(results.before(&path, "t"), Before::Made);
        fs::write(&path, "edited").unwrap();
        assert_eq!(results.before(&path, "t"), Before::Foreign);
        assert_eq!(results.before(&folder.path().join("none"), "t"), Before::Nothing);
    }
}
