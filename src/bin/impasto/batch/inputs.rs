//! Which photographs there are: files, folders, patterns of names, and lists of paths.

use std::collections::HashSet;
use std::ffi::OsString;
use std::fs;
use std::io::{self, Read};
use std::path::{Component, Path, PathBuf};

use crate::failure::{Failure, Result};
use crate::hints::PICTURES;
use crate::several::is_pattern;
use impasto::whole_file;

/// A photograph to be painted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Photograph {
    pub(super) path: PathBuf,
    /// The folder it is in, below the one that was given.
    pub(super) below: PathBuf,
}

/// What was found.
#[derive(Debug, Default)]
pub(super) struct Found {
    pub(super) photographs: Vec<Photograph>,
    /// Inputs of which there are no photographs, each with the reason.
    pub(super) problems: Vec<(PathBuf, String)>,
}

/// What was given as photographs.
#[derive(Debug)]
pub(super) struct Inputs {
    given: Vec<Given>,
    recursive: bool,
    /// The output folder, without links, where it is there.
    output: Option<PathBuf>,
}

#[derive(Debug)]
struct Given {
    path: PathBuf,
    /// Whether it was on a list, where nothing stands for other names.
    is_listed: bool,
}

impl Inputs {
    /// Those that were given, with the list on standard input in the place of `-`.
    ///
    /// # Errors
    /// Where standard input can't be read.
    pub(super) fn new(given: &[PathBuf], recursive: bool, by_null: bool, output: &Path) -> Result<Self> {
        let mut all = Vec::new();
        for path in given {
            if path == Path::new("-") {
                let listed =
                    listed(by_null).map_err(|source| Failure::Read { path: path.clone(), source })?;
                all.extend(listed.into_iter().map(|path| Given { path: path.into(), is_listed: true }));
            } else {
                all.push(Given { path: path.clone(), is_listed: false });
            }
        }
        Ok(Self { given: all, recursive, output: whole_file::destination(output).ok() })
    }

    /// Looks for the photographs, each once, those of a folder in the order of their names. `is_result` knows results, which
    /// are not taken for photographs in the output folder.
    pub(super) fn look(&self, is_result: &dyn Fn(&Path) -> bool) -> Found {
        let mut found = Found::default();
        for given in &self.given {
            if let Err(reason) = self.add(given, is_result, &mut found) {
                found.problems.push((given.path.clone(), reason));
            }
        }
        let mut seen = HashSet::new();
        found.photographs.retain(|photograph| {
            let path = fs::canonicalize(&photograph.path).unwrap_or_else(|_| photograph.path.clone());
            seen.insert(path)
        });
        found
    }

    fn add(&self, given: &Given, is_result: &dyn Fn(&Path) -> bool, found: &mut Found) -> Result<(), String> {
        let path = &given.path;
        let found_before = found.photographs.len();
        match fs::metadata(path) {
            Ok(of_path) if of_path.is_dir() => {
                self.add_folder(path, Path::new(""), is_result, found)?;
                if found.photographs.len() == found_before && found.problems.is_empty() {
                    return Err(match self.recursive {
                        true => "there are no pictures in this folder and those below it".to_owned(),
                        false => "there are no pictures in this folder (with --recursive, in those below it)"
                            .to_owned(),
                    });
                }
            }
            Ok(_) => found.photographs.push(Photograph { path: path.clone(), below: PathBuf::new() }),
            Err(_) if is_pattern(path) && !given.is_listed => {
                for path in matching(path, &mut found.problems)? {
                    if is_picture(&path) && path.is_file() && !(self.is_in_output(&path) && is_result(&path))
                    {
                        found.photographs.push(Photograph { path, below: PathBuf::new() });
                    }
                }
                if found.photographs.len() == found_before {
                    return Err("no pictures have such a name".to_owned());
                }
            }
            Err(error) => return Err(error.to_string()),
        }
        Ok(())
    }

    /// The pictures of a folder, and of those below it.
    fn add_folder(
        &self,
        folder: &Path,
        below: &Path,
        is_result: &dyn Fn(&Path) -> bool,
        found: &mut Found,
    ) -> Result<(), String> {
        let mut entries = fs::read_dir(folder)
            .and_then(Iterator::collect::<io::Result<Vec<_>>>)
            .map_err(|error| error.to_string())?;
        entries.sort_by_key(fs::DirEntry::file_name);
        for entry in entries {
            let (name, path) = (entry.file_name(), entry.path());
            // Hidden, as are other programs' notes on pictures: ._a.jpg.
            if name.to_string_lossy().starts_with('.') {
                continue;
            }
            // Not through links, which may lead in a circle.
            if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                if self.recursive
                    && !self.is_output(&path)
                    && let Err(reason) = self.add_folder(&path, &below.join(name), is_result, found)
                {
                    found.problems.push((path, reason));
                }
                continue;
            }
            if is_picture(&path) && path.is_file() && !(self.is_in_output(&path) && is_result(&path)) {
                found.photographs.push(Photograph { path, below: below.to_owned() });
            }
        }
        Ok(())
    }

    fn is_output(&self, folder: &Path) -> bool {
        self.output.is_some() && fs::canonicalize(folder).ok() == self.output
    }

    fn is_in_output(&self, path: &Path) -> bool {
        let path = fs::canonicalize(path);
        self.output.as_ref().zip(path.ok()).is_some_and(|(output, path)| path.starts_with(output))
    }
}

/// Whether a file is a picture by its extension.
fn is_picture(path: &Path) -> bool {
    let extension = path.extension().unwrap_or_default().to_string_lossy().to_lowercase();
    PICTURES.contains(&&*extension)
}

/// The files and folders that a pattern stands for, in the order of their names. Those whose names are not Unicode have to be
/// given in another way. Folders that can't be read are `problems`.
fn matching(pattern: &Path, problems: &mut Vec<(PathBuf, String)>) -> Result<Vec<PathBuf>, String> {
    let text = pattern.to_str().ok_or("a pattern is Unicode")?;
    let options = glob::MatchOptions {
        case_sensitive: !cfg!(windows),
        require_literal_separator: true,
        // It panics at names that are not Unicode.
        require_literal_leading_dot: false,
    };
    let is_hidden = |path: &PathBuf| {
        let mut parts = path.components().filter(|part| matches!(part, Component::Normal(_)));
        parts.any(|part| {
            part.as_os_str().to_string_lossy().starts_with('.')
                && !pattern.components().any(|own| own == part)
        })
    };
    let paths = glob::glob_with(text, options).map_err(|error| error.to_string())?;
    let mut found = Vec::new();
    for path in paths {
        match path {
            Ok(path) if is_hidden(&path) => {}
            Ok(path) => found.push(path),
            Err(error) => problems.push((error.path().to_owned(), error.error().to_string())),
        }
    }
    Ok(found)
}

/// The paths on standard input: one a line, or with a NUL behind each.
fn listed(by_null: bool) -> io::Result<Vec<OsString>> {
    let mut bytes = Vec::new();
    io::stdin().lock().read_to_end(&mut bytes)?;
    let end = if by_null { b'\0' } else { b'\n' };
    let paths = bytes.split(|byte| *byte == end).map(|path| match by_null {
        true => path,
        false => path.strip_suffix(b"\r").unwrap_or(path),
    });
    paths.filter(|path| !path.is_empty()).map(of_bytes).collect()
}

#[cfg(unix)]
fn of_bytes(bytes: &[u8]) -> io::Result<OsString> {
    use std::os::unix::ffi::OsStrExt;
    Ok(std::ffi::OsStr::from_bytes(bytes).to_owned())
}

#[cfg(not(unix))]
fn of_bytes(bytes: &[u8]) -> io::Result<OsString> {
    let text = std::str::from_utf8(bytes);
    text.map(OsString::from).map_err(|_| io::Error::other("its paths are not in UTF-8"))
}
