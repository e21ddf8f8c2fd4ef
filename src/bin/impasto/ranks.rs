//! The processes that MPI started together, which share the work of a picture. Each runs the same command, and the first one
//! reads the pictures, writes, and says what there is to say.

#[cfg(not(feature = "mpi"))]
use std::env;
use std::fs;
use std::path::Path;
#[cfg(feature = "mpi")]
use std::sync::atomic::{AtomicBool, Ordering};
#[cfg(feature = "mpi")]
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use crate::failure::{Failure, Result};
use impasto::Error;
use impasto::memory;
use impasto::parallel::ranks::Ranks;
#[cfg(feature = "mpi")]
use impasto::parallel::ranks::mpi::Session;
use impasto::picture::{Metadata, Picture, Reading};

#[cfg(feature = "mpi")]
static SESSION: Mutex<Option<Session>> = Mutex::new(None);

#[cfg(feature = "mpi")]
static IS_OVER: AtomicBool = AtomicBool::new(false);

/// Joins the processes that were started together with this one, if it was not started alone.
///
/// # Errors
/// Why it can't.
pub(crate) fn join() -> Result<()> {
    #[cfg(feature = "mpi")]
    {
        let session = Session::join().map_err(Failure::Mpi)?;
        *SESSION.lock().unwrap_or_else(PoisonError::into_inner) = session;
        Ok(())
    }
    #[cfg(not(feature = "mpi"))]
    {
        let of_launcher =
            ["OMPI_COMM_WORLD_SIZE", "PMI_SIZE"].into_iter().filter_map(|name| env::var(name).ok());
        match of_launcher.filter_map(|count| count.parse::<usize>().ok()).find(|count| *count > 1) {
            // Each would do all of it, and write the same files.
            Some(count) => Err(Failure::Mpi(format!(
                "{count} processes were started together, but this impasto was built without the feature `mpi`"
            ))),
            None => Ok(()),
        }
    }
}

/// The processes. Without MPI there is this one.
pub(crate) fn all() -> Ranks {
    #[cfg(feature = "mpi")]
    if let Some(session) = &*SESSION.lock().unwrap_or_else(PoisonError::into_inner) {
        return session.ranks().clone();
    }
    Ranks::ALONE
}

/// Whether this is the process that writes, and says what there is to say.
pub(crate) fn is_first() -> bool {
    all().is_first()
}

/// Before a process other than the first says why it failed: most often the first one fails for the same reason, says so, and
/// ends this one meanwhile.
pub(crate) fn let_the_first_fail() {
    if !is_first() {
        thread::sleep(Duration::from_secs(1));
    }
}

/// From now on this process works alone, and the others leave.
pub(crate) fn end_shared_work() {
    #[cfg(feature = "mpi")]
    IS_OVER.store(true, Ordering::Relaxed);
}

/// Leaves the others, once all is done. A process that failed, with an exit code other than 0, ends all of them instead, as they
/// would wait for it, unless the [shared work](end_shared_work) is over.
#[cfg_attr(not(feature = "mpi"), expect(unused_variables, reason = "one process has nobody to leave"))]
pub(crate) fn leave(code: i32) {
    #[cfg(feature = "mpi")]
    if let Some(session) = SESSION.lock().unwrap_or_else(PoisonError::into_inner).take()
        && code != 0
        && !IS_OVER.load(Ordering::Relaxed)
    {
        session.abort(code);
    }
}

/// Reads a picture; where there are several processes, the first one reads the file for all.
///
/// # Errors
/// Those of [`Picture::open`].
pub(crate) fn open(path: &Path, reading: &Reading) -> Result<(Picture, Metadata)> {
    let ranks = all();
    if ranks.is_alone() {
        return Ok(Picture::open_with_metadata(path, reading)?);
    }
    let mut bytes = match ranks.is_first() {
        true => fs::read(path).map_err(|source| Failure::Read { path: path.to_owned(), source })?,
        false => Vec::new(),
    };
    ranks.broadcast(&mut bytes);
    // The processes of a machine read it at the same time.
    let available = memory::available() / ranks.count_of_machine() as u64;
    let reading = reading.within(available.saturating_sub(bytes.len() as u64));
    let picture = Picture::from_bytes_with_metadata(&bytes, &reading).map_err(|mut error| {
        match &mut error {
            Error::Decode { name, .. } => *name = path.to_owned(),
            Error::OutOfMemory { what, .. } => *what = path.display().to_string(),
            _ => {}
        }
        error
    });
    Ok(picture?)
}
