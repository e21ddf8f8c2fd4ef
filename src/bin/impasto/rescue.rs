//! A finished picture that can't be written where it was asked for goes to the system's temporary folder.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use crate::failure::Failure;
use impasto::Error;
use impasto::picture::{Output, Picture};

/// Writes a picture that `error` kept from its output to another place.
///
/// # Errors
/// `error` itself where that isn't worth it or fails too.
pub(crate) fn write_elsewhere(output: &Output, picture: &Picture, error: Error) -> Failure {
    let Error::Write { source, .. } = &error else { return error.into() };
    // A reader of standard output that went away wants no picture.
    if output.is_stdout() && source.kind() == io::ErrorKind::BrokenPipe {
        return error.into();
    }
    match write_to(&std::env::temp_dir(), output, picture) {
        Some(path) => Failure::Elsewhere { error, path },
        None => error.into(),
    }
}

/// Writes the picture to a new file in `folder`, in its output's format, and gives the file's path.
fn write_to(folder: &Path, output: &Output, picture: &Picture) -> Option<PathBuf> {
    let bytes = output.encode(picture).ok()?;
    let extension = output.path().extension().map_or("png".into(), |extension| extension.to_string_lossy());
    let mut file = tempfile::Builder::new()
        .prefix("impasto-")
        .suffix(&format!(".{extension}"))
        .tempfile_in(folder)
        .ok()?;
    file.write_all(&bytes).and_then(|()| file.as_file().sync_all()).ok()?;
    let (_, path) = file.keep().ok()?;
    Some(path)
}
