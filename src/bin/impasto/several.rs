//! What `stylize` makes of several pictures: one photograph and its styles, where that can be told.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

use crate::shell::quoted;

/// From so many files of a folder on, all of one extension are taken for what a shell made of a pattern.
const PATTERN_FROM: usize = 3;

/// Refuses folders, patterns, and what a pattern may have been: `*.jpg painting.jpg`. `is_said`: an option says that there are
/// several styles.
pub(crate) fn check(content: &Path, styles: &[PathBuf], is_said: bool) -> Result<(), String> {
    let all: Vec<_> = [content].into_iter().chain(styles.iter().map(PathBuf::as_path)).collect();
    let batch = |photographs: &str| {
        format!("several photographs in one style: `impasto batch {photographs} --style PAINTING -o FOLDER`")
    };
    for path in &all {
        let (shown, word) = (path.display(), quoted(&path.display().to_string()));
        if path.is_dir() {
            return Err(format!("{shown} is a folder; {}", batch(&word)));
        }
        if is_pattern(path) && fs::symlink_metadata(path).is_err() {
            return Err(format!("there is no file {shown}; {}", batch(&word)));
        }
    }
    match of_pattern(&all) {
        Some((count, pattern)) if !is_said => {
            let shares = vec!["1"; styles.len()].join(",");
            let blend = format!("one photograph and {} styles: --blend {shares}", styles.len());
            Err(format!(
                "the first {count} pictures are all of {pattern}: are they photographs or styles? {}; {blend}",
                batch(&quoted(&pattern))
            ))
        }
        _ => Ok(()),
    }
}

/// A line that says how several pictures are understood, where no option says so.
pub(crate) fn understood(content: &Path, styles: &[PathBuf], is_said: bool) -> Option<String> {
    if styles.len() < 2 || is_said {
        return None;
    }
    let names: Vec<_> = styles.iter().map(|style| style.display().to_string()).collect();
    Some(format!(
        "1 photograph, {}, {} styles blended evenly: {}; for several photographs: impasto batch {} … --style …",
        content.display(),
        styles.len(),
        names.join(", "),
        quoted(&content.display().to_string())
    ))
}

/// Whether a name has what stands for other letters in a pattern.
pub(crate) fn is_pattern(path: &Path) -> bool {
    path.to_string_lossy().contains(['*', '?', '['])
}

/// How many pictures are all those of a folder with one extension, and the pattern that gives them, where the first ones are.
fn of_pattern(pictures: &[&Path]) -> Option<(usize, String)> {
    let first = pictures.first()?;
    let (folder, extension) = (first.parent()?, first.extension()?);
    let in_folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
    let names: BTreeSet<OsString> = fs::read_dir(in_folder)
        .ok()?
        .flatten()
        .map(|entry| entry.file_name())
        .filter(|name| {
            Path::new(name).extension() == Some(extension) && !name.to_string_lossy().starts_with('.')
        })
        .collect();
    let given: BTreeSet<OsString> = pictures
        .iter()
        .take(names.len())
        .filter(|path| path.parent() == Some(folder))
        .filter_map(|path| path.file_name().map(OsString::from))
        .collect();
    let pattern = folder.join("*").with_extension(extension);
    (names.len() >= PATTERN_FROM && given == names).then(|| (names.len(), pattern.display().to_string()))
}
