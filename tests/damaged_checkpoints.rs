//! A checkpoint with any byte of its header changed, or cut off anywhere: an error in its own words or the same picture, and no
//! memory for what isn't there.

use std::alloc::{GlobalAlloc, Layout, System};
use std::fs::{self, File};
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};

use impasto::{Checkpoint, Checkpoints, End, Error, Picture, Scales, Size, Stylize, Stylized, Weights};
use ndarray::Array3;
use tempfile::TempDir;

/// The most bytes that were asked for at once.
static LARGEST: AtomicUsize = AtomicUsize::new(0);

struct Watching;

// SAFETY: all requests are the system allocator's.
unsafe impl GlobalAlloc for Watching {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        LARGEST.fetch_max(layout.size(), Ordering::Relaxed);
        // SAFETY: the caller's promises are those that the system allocator asks for.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        LARGEST.fetch_max(layout.size(), Ordering::Relaxed);
        // SAFETY: as above.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        LARGEST.fetch_max(size, Ordering::Relaxed);
        // SAFETY: as above.
        unsafe { System.realloc(block, layout, size) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        // SAFETY: as above.
        unsafe { System.dealloc(block, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Watching = Watching;

/// A job of a few pixels and steps.
fn job() -> Stylize {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/reference/tiny_vgg19.safetensors");
    let picture = |phase: f32| {
        let wave = |(c, y, x): (usize, usize, usize)| 0.5 + 0.5 * (phase + (c + 2 * y + 3 * x) as f32).sin();
        Picture::from_planes(Array3::from_shape_fn((3, 8, 8), wave)).unwrap()
    };
    Stylize::new(&Weights::open(path).unwrap())
        .content(picture(0.0))
        .style(picture(1.0))
        .content_layers(["relu2_1"])
        .style_layers(["relu1_1"])
        .size(Size::Own)
        .scales(Scales::Count(1))
        .threads(1)
        .steps(3)
}

/// What becomes of the job with the checkpoint that is in the file.
fn resumed(job: &Stylize, path: &Path) -> impasto::Result<Stylized> {
    let checkpoint = Checkpoint::open(path)?;
    job.clone().resume(&checkpoint).run(|_| ControlFlow::Continue(()))
}

#[track_caller]
fn assert_refused(error: &Error, what: &str) {
    // What a damaged header says of the memory may be less than the job needs.
    let is_typed = matches!(error, Error::Checkpoint { .. } | Error::OutOfMemory { .. });
    assert!(is_typed && !error.to_string().contains(char::is_control), "{what}: {error:?}");
}

#[test]
fn damage_anywhere_is_refused_or_changes_nothing() {
    let (job, folder) = (job(), TempDir::new().unwrap());
    let path = folder.path().join("job.checkpoint");
    let ended = job.clone().checkpoints(Checkpoints::to(&path)).run(|progress| match progress.step {
        2 => ControlFlow::Break(()),
        _ => ControlFlow::Continue(()),
    });
    assert!(matches!(ended.unwrap().end, End::Cancelled));
    let file = fs::read(&path).unwrap();
    let whole = resumed(&job, &path).unwrap();
    let enough = LARGEST.load(Ordering::Relaxed);
    let header = 8 + u64::from_le_bytes(file[..8].try_into().unwrap()) as usize;
    let mut damaged = file.clone();
    for at in 0..header {
        // Another digit or letter.
        damaged[at] ^= 1;
        fs::write(&path, &damaged).unwrap();
        let what = format!("byte {at} of {header}");
        match resumed(&job, &path) {
            Ok(made) => assert_eq!(made.picture.planes(), whole.picture.planes(), "{what}"),
            Err(error) => assert_refused(&error, &what),
        }
        damaged[at] ^= 1;
    }
    fs::write(&path, &file).unwrap();
    let cut = File::options().write(true).open(&path).unwrap();
    for len in (0..file.len()).rev() {
        cut.set_len(len as u64).unwrap();
        let what = format!("{len} of {} bytes", file.len());
        assert_refused(&resumed(&job, &path).map(drop).expect_err(&what), &what);
    }
    let most = LARGEST.load(Ordering::Relaxed);
    assert!(most <= 2 * enough, "{most} bytes at once, where {enough} are enough");
}
