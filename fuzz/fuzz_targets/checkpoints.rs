//! Any file as a checkpoint: the job goes on from it, or there is an error in one line. No panic, and no memory for what isn't there.
//!
//! The fuzzer's bytes are a list of changes to a checkpoint that this program wrote, so that it fits whatever the format is by
//! now; or, where the first byte is odd, the whole file. Under a fuzzer the checksum is not compared, which no mutation could keep.
#![no_main]

use std::cell::Cell;
use std::fs;
use std::ops::ControlFlow;
use std::path::PathBuf;
use std::sync::LazyLock;

use impasto::{Checkpoint, Checkpoints, Error, Optimizer, Picture, Scales, Size, Stylize, Weights};
use libfuzzer_sys::fuzz_target;

/// A job of one small scale by each optimiser, and a checkpoint of it after some steps.
static JOBS: LazyLock<[(Stylize, Vec<u8>); 2]> = LazyLock::new(|| {
    let weights = Weights::embedded();
    let picture = |phase: usize| {
        let bytes: Vec<u8> = (0..3 * 16 * 16).map(|at| (at * (7 + phase) % 251) as u8).collect();
        Picture::from_rgb8(&bytes, 16, 16, 3 * 16).expect("as many bytes")
    };
    [Optimizer::Lbfgs, Optimizer::Adam].map(|optimizer| {
        let job = Stylize::new(&weights)
            .content(picture(0))
            .style(picture(1))
            .content_layers(["relu2_1"])
            .style_layers(["relu1_1"])
            .size(Size::Own)
            .scales(Scales::Count(1))
            .optimizer(optimizer)
            .threads(1)
            .steps(4);
        job.clone()
            .checkpoints(Checkpoints::to(&*FILE))
            .run(|progress| match progress.step {
                3 => ControlFlow::Break(()),
                _ => ControlFlow::Continue(()),
            })
            .expect("the job runs");
        (job, fs::read(&*FILE).expect("there is a checkpoint"))
    })
});

/// Where the checkpoints are written.
static FILE: LazyLock<PathBuf> =
    LazyLock::new(|| tempfile::tempdir().expect("there is a folder").keep().join("fuzzed.checkpoint"));

fuzz_target!(|data: &[u8]| {
    let Some((first, rest)) = data.split_first() else { return };
    let (job, whole) = &JOBS[usize::from(first / 2 % 2)];
    let mut file = match first % 2 {
        0 => whole.clone(),
        _ => rest.to_vec(),
    };
    if first % 2 == 0 {
        let len = Cell::new(file.len());
        for change in rest.chunks_exact(4) {
            let at = usize::from(u16::from_le_bytes([change[0], change[1]])) % file.len();
            match change[2] {
                0 => len.set(at),
                // Digits, of which numbers and lengths are made.
                1 => file[at] = b'0' + change[3] % 10,
                _ => file[at] ^= change[3],
            }
        }
        file.truncate(len.get());
    }
    fs::write(&*FILE, file).expect("the folder is there");
    let made = Checkpoint::open(&*FILE)
        .and_then(|checkpoint| job.clone().resume(&checkpoint).run(|_| ControlFlow::Continue(())));
    if let Err(error) = made {
        assert!(!error.to_string().contains(char::is_control), "{error}");
        assert!(matches!(error, Error::Checkpoint { .. } | Error::OutOfMemory { .. }), "{error:?}");
    }
});
