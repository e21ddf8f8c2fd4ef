//! A job that is broken off anywhere goes on to the same bytes; and what is no checkpoint of it is refused in a line.

use std::fs;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use impasto::simd::Isa;
use impasto::{
    Cancel, Checkpoint, Checkpoints, End, Error, Init, Mask, Optimizer, Picture, Progress, Scales, Size,
    Stylize, Stylized, Weights,
};
use ndarray::{Array2, Array3};
use tempfile::TempDir;

fn weights() -> Weights {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/reference/tiny_vgg19.safetensors");
    Weights::open(path).unwrap()
}

/// A picture of waves.
fn picture(width: usize, height: usize, phase: f32) -> Picture {
    let wave = |(c, y, x): (usize, usize, usize)| {
        0.5 + 0.5 * (phase + 0.3 * c as f32 + 0.4 * x as f32 + 0.2 * (y * x) as f32).sin()
    };
    Picture::from_planes(Array3::from_shape_fn((3, height, width), wave)).unwrap()
}

/// A job of three scales, 24, 34 and 48 pixels wide.
fn job() -> Stylize {
    Stylize::new(&weights())
        .content(picture(48, 36, 0.0))
        .style(picture(40, 40, 1.0))
        .size(Size::Own)
        .scales(Scales::Count(3))
        .steps(21)
}

fn mask() -> Mask {
    Mask::from_plane(Array2::from_shape_fn((36, 48), |(_, x)| (36.0 - x as f32) / 16.0)).unwrap()
}

fn keep_on(_: &Progress) -> ControlFlow<()> {
    ControlFlow::Continue(())
}

#[track_caller]
fn assert_same(found: &Stylized, whole: &Stylized, when: &str) {
    let bits =
        |made: &Stylized| made.picture.planes().iter().map(|value| value.to_bits()).collect::<Vec<_>>();
    assert!(matches!(found.end, End::Done), "{when}: {:?}", found.end);
    assert!(bits(found) == bits(whole), "{when}: another picture");
    assert_eq!((found.steps, found.evaluations), (whole.steps, whole.evaluations), "{when}");
}

/// Asserts that the job goes on to the same picture from after every step, and from where it was cancelled in the evaluation that
/// follows a step.
fn goes_on_from_everywhere(job: &Stylize) {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("job.checkpoint");
    let kept = job.clone().checkpoints(Checkpoints::to(&path).every_step());
    let mut copies: Vec<PathBuf> = Vec::new();
    let whole = kept
        .run(|progress| {
            let copy = folder.path().join(format!("{}-{}", progress.scale, progress.step));
            fs::copy(&path, &copy).unwrap();
            copies.push(copy);
            ControlFlow::Continue(())
        })
        .unwrap();
    assert!(whole.checkpoint_error.is_none() && whole.steps == copies.len());
    assert_same(&job.run(keep_on).unwrap(), &whole, "without checkpoints");
    for copy in &copies {
        let found = job.clone().resume(&Checkpoint::open(copy).unwrap()).run(keep_on).unwrap();
        assert_same(&found, &whole, &format!("after {}", copy.display()));
    }
    for last in 0..copies.len() {
        fs::remove_file(&path).ok();
        let (cancel, mut steps) = (Cancel::new(), 0);
        if last == 0 {
            cancel.cancel();
        }
        let checkpoints = Checkpoints::to(&path).every(Duration::from_secs(3600));
        let ended = job.clone().checkpoints(checkpoints.clone()).cancelled_by(&cancel).run(|_| {
            steps += 1;
            if steps == last {
                cancel.cancel();
            }
            ControlFlow::Continue(())
        });
        assert!(matches!(ended.unwrap().end, End::Cancelled), "{last}");
        let resumed = job.clone().resume(&Checkpoint::open(&path).unwrap()).checkpoints(checkpoints);
        assert_same(&resumed.run(keep_on).unwrap(), &whole, &format!("cancelled after {last} steps"));
    }
}

#[test]
fn lbfgs_goes_on_from_everywhere() {
    goes_on_from_everywhere(&job());
}

#[test]
fn adam_goes_on_from_everywhere() {
    goes_on_from_everywhere(&job().optimizer(Optimizer::Adam));
}

#[test]
fn a_masked_job_from_noise_goes_on_from_everywhere() {
    goes_on_from_everywhere(&job().mask(mask()).init(Init::Noise).seed(3));
    goes_on_from_everywhere(&job().mask(mask()).optimizer(Optimizer::Adam).steps(9));
}

/// With pairs in 16-bit fixed point, and in strips, the last bits are others than else.
#[test]
fn a_job_goes_on_in_the_memory_in_which_it_was_begun() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("job.checkpoint");
    let job = Stylize::new(&weights())
        .content(picture(64, 200, 0.0))
        .style(picture(60, 60, 1.0))
        .size(Size::Own)
        .scales(Scales::Count(1))
        .steps(8);
    let whole = job.run(keep_on).unwrap();
    let mut before = whole.picture.planes().to_owned();
    for less in [200_000, 3_200_000] {
        let limit = job.memory_foreseen().unwrap() - less;
        let bound = job.clone().memory_limit(Some(limit));
        assert!(bound.memory_foreseen().unwrap() <= limit);
        let in_less = bound.run(keep_on).unwrap();
        assert!(in_less.picture.planes() != before, "nothing was saved: {less} bytes");
        before = in_less.picture.planes().to_owned();
        let ended = bound.checkpoints(Checkpoints::to(&path)).run(|progress| match progress.step {
            3 => ControlFlow::Break(()),
            _ => ControlFlow::Continue(()),
        });
        assert!(matches!(ended.unwrap().end, End::Cancelled));
        let resumed = job.clone().resume(&Checkpoint::open(&path).unwrap());
        assert_same(&resumed.run(keep_on).unwrap(), &in_less, "without a limit");
    }
}

/// Whose history is not the one that other memory would choose, though no step was taken with it.
#[test]
fn a_scale_is_begun_with_the_history_of_the_scales_before_it() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("job.checkpoint");
    let limit = job().memory_foreseen().unwrap() - 100_000;
    let bound = job().memory_limit(Some(limit));
    let mut of_scale = None;
    let in_16_bits = bound.clone().checkpoints(Checkpoints::to(&path)).run(|progress| {
        if progress.scale == 2 && of_scale.is_none() {
            of_scale = fs::read(&path).ok();
        }
        ControlFlow::Continue(())
    });
    let in_16_bits = in_16_bits.unwrap();
    fs::write(&path, of_scale.expect("a checkpoint at the second scale's start")).unwrap();
    let checkpoint = Checkpoint::open(&path).unwrap();
    for memory in [Some(limit), None] {
        let mut resumed = job().resume(&checkpoint);
        if let Some(memory) = memory {
            resumed = resumed.memory_limit(Some(2 * memory));
        }
        assert_same(&resumed.run(keep_on).unwrap(), &in_16_bits, &format!("{memory:?}"));
    }
}

#[test]
fn other_strips_are_said() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("job.checkpoint");
    let job = Stylize::new(&weights())
        .content(picture(64, 200, 0.0))
        .style(picture(60, 60, 1.0))
        .size(Size::Own)
        .scales(Scales::Count(1))
        .steps(8);
    let limit = job.memory_foreseen().unwrap() - 3_200_000;
    let bound = job.clone().memory_limit(Some(limit));
    bound
        .checkpoints(Checkpoints::to(&path))
        .run(|progress| match progress.step {
            3 => ControlFlow::Break(()),
            _ => ControlFlow::Continue(()),
        })
        .unwrap();
    let resumed = job.resume(&Checkpoint::open(&path).unwrap());
    for (memory, is_said) in [(Some(limit), false), (None, true)] {
        let mut said = Vec::new();
        let made = resumed.clone().memory_limit(memory).run(|progress| {
            said.push(progress.in_other_strips);
            ControlFlow::Continue(())
        });
        assert!(matches!(made.unwrap().end, End::Done));
        assert_eq!(said, [is_said; 5], "{memory:?}");
    }
}

/// After every step.
#[test]
fn pairs_in_16_bits_come_back_exactly() {
    let limit = job().memory_foreseen().unwrap() - 100_000;
    let bound = job().memory_limit(Some(limit));
    let whole = job().run(keep_on).unwrap();
    let in_16_bits = bound.run(keep_on).unwrap();
    assert!(in_16_bits.picture.planes() != whole.picture.planes(), "nothing was saved");
    goes_on_from_everywhere(&bound);
}

#[test]
fn every_scale_but_the_first_begins_with_a_checkpoint() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("job.checkpoint");
    let (mut found, mut scale) = (Vec::new(), 0);
    let whole = job().checkpoints(Checkpoints::to(&path)).run(|progress| {
        // Longer than the rest after a checkpoint that took 40 ms to write.
        if scale < progress.scale {
            scale = progress.scale;
            std::thread::sleep(Duration::from_secs(2));
        }
        if let Ok(file) = fs::read(&path)
            && found.last().is_none_or(|(_, last)| *last != file)
        {
            found.push((progress.scale, file));
        }
        ControlFlow::Continue(())
    });
    let whole = whole.unwrap();
    assert_eq!(found.iter().map(|(scale, _)| *scale).collect::<Vec<_>>(), [2, 3]);
    for (scale, file) in found {
        fs::write(&path, file).unwrap();
        let found = job().resume(&Checkpoint::open(&path).unwrap()).run(keep_on).unwrap();
        assert_same(&found, &whole, &format!("from scale {scale}"));
    }
}

#[test]
fn another_instruction_set_may_go_on() {
    let folder = TempDir::new().unwrap();
    let portable = Isa::available().into_iter().find(|isa| isa.name() == "portable").unwrap();
    let path = checkpoint_of(&job().compute(portable.into()), &folder);
    let checkpoint = Checkpoint::open(&path).unwrap();
    assert_eq!(checkpoint.instruction_set(), "portable");
    assert!(matches!(job().resume(&checkpoint).run(keep_on).unwrap().end, End::Done));
}

#[test]
fn threads_may_be_others() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("job.checkpoint");
    let whole = job().run(keep_on).unwrap();
    let ended = job().threads(2).checkpoints(Checkpoints::to(&path)).run(|progress| match progress.step {
        11 => ControlFlow::Break(()),
        _ => ControlFlow::Continue(()),
    });
    assert!(matches!(ended.unwrap().end, End::Cancelled));
    let found = job().threads(1).resume(&Checkpoint::open(&path).unwrap()).run(keep_on).unwrap();
    assert_same(&found, &whole, "on one thread");
}

/// A checkpoint of [`job`] after some steps.
fn checkpoint_of(job: &Stylize, folder: &TempDir) -> PathBuf {
    let path = folder.path().join("job.checkpoint");
    job.clone()
        .checkpoints(Checkpoints::to(&path).note("a note\nof two lines"))
        .run(|progress| match progress.step {
            11 => ControlFlow::Break(()),
            _ => ControlFlow::Continue(()),
        })
        .unwrap();
    path
}

#[track_caller]
fn refusal(job: &Stylize, path: &Path) -> String {
    let error = Checkpoint::open(path)
        .and_then(|checkpoint| job.clone().resume(&checkpoint).run(keep_on))
        .unwrap_err();
    let message = error.to_string();
    assert!(matches!(error, Error::Checkpoint { .. }), "{message}");
    assert_eq!(message.lines().count(), 1, "{message}");
    message
}

#[test]
fn another_job_is_refused_with_what_differs() {
    let folder = TempDir::new().unwrap();
    let path = checkpoint_of(&job(), &folder);
    let before = fs::read(&path).unwrap();
    assert_eq!(Checkpoint::open(&path).unwrap().note(), "a note\nof two lines");
    let alpha = Picture::from_planes(picture(48, 36, 0.0).planes().mapv(|value| (value + 1e-3).min(1.0)));
    for (other, words) in [
        (job().content(alpha.unwrap()), "the content is not the one"),
        (job().style(picture(40, 41, 1.0)), "style 1 is not the one"),
        (job().mask(mask()), "without the mask"),
        (job().steps(22), "24×7 34×7 48×7, not 24×7 34×7 48×8"),
        (job().scales(Scales::Count(2)), "the scales"),
        (job().size(Size::Longest(40)), "24×7 34×7 48×7, not 28×10"),
        (job().style_weight(3.0), "the loss"),
        (job().optimizer(Optimizer::Adam), "the optimiser lbfgs, not adam"),
        (job().init(Init::Noise).seed(1), "the start content, not noise of seed 1"),
    ] {
        let message = refusal(&other, &path);
        assert!(message.contains(words), "no {words:?} in: {message}");
    }
    let masked = TempDir::new().unwrap();
    let message = refusal(&job(), &checkpoint_of(&job().mask(mask()), &masked));
    assert!(message.contains("the mask is missing"), "{message}");
    assert_eq!(fs::read(&path).unwrap(), before);
}

#[test]
fn what_is_no_whole_checkpoint_is_refused_in_a_line() {
    let folder = TempDir::new().unwrap();
    let path = checkpoint_of(&job(), &folder);
    let whole = fs::read(&path).unwrap();
    let header = 8 + u64::from_le_bytes(whole[..8].try_into().unwrap()) as usize;
    let tried = |bytes: &[u8]| {
        fs::write(&path, bytes).unwrap();
        refusal(&job(), &path)
    };
    for len in [0, 1, 7, 8, 9, 100, header - 1, header, header + 1, whole.len() - 1] {
        tried(&whole[..len]);
    }
    tried(&[&whole[..], b"x"].concat());
    tried(b"\x89PNG\r\n\x1a\n0123456789012345678901234567890123456789");
    tried(&u64::MAX.to_le_bytes().repeat(8));
    tried(
        &fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/reference/tiny_vgg19.safetensors"))
            .unwrap(),
    );
    // A byte of the data, and any of the header.
    for at in [header, whole.len() - 1].into_iter().chain((0..header).step_by(29)) {
        let mut damaged = whole.clone();
        damaged[at] ^= 1;
        fs::write(&path, &damaged).unwrap();
        let opened = Checkpoint::open(&path);
        let made = opened.and_then(|checkpoint| job().resume(&checkpoint).run(keep_on));
        assert!(matches!(made, Err(Error::Checkpoint { .. })), "byte {at}");
    }
    // Numbers of the header that promise more than there is.
    let text = String::from_utf8(whole[8..header].to_vec()).unwrap();
    for (from, to) in [
        ("\"width\":\"", "\"width\":\"4294967295"),
        ("\"state/pairs\":\"", "\"state/pairs\":\"429496729"),
        ("\"pairs\":\"", "\"pairs\":\"429496729"),
        ("\"scale\":\"", "\"scale\":\"9"),
        ("\"impasto checkpoint\":\"", "\"impasto checkpoint\":\"9."),
    ] {
        let text = text.replace(from, to);
        let mut file = (text.len() as u64).to_le_bytes().to_vec();
        file.extend(text.as_bytes());
        file.extend(&whole[header..]);
        let message = tried(&file);
        assert!(!message.contains("panicked"), "{message}");
    }
    let error = Checkpoint::open(folder.path()).unwrap_err();
    assert!(error.to_string().contains("not a regular file"), "{error}");
    assert!(matches!(Checkpoint::open(folder.path().join("none")), Err(Error::Read { .. })));
}

#[test]
fn one_that_cannot_be_written_does_not_end_the_job() {
    let path = Path::new("no such folder").join("job.checkpoint");
    let mut said = 0;
    let made = job().checkpoints(Checkpoints::to(path).every_step()).run(|progress| {
        said += usize::from(progress.checkpoint_error.is_some());
        ControlFlow::Continue(())
    });
    let made = made.unwrap();
    assert!(matches!(made.checkpoint_error, Some(Error::Write { .. })));
    assert_eq!(said, made.steps);
    assert_same(&made, &job().run(keep_on).unwrap(), "without its checkpoints");
}

#[test]
fn when_the_time_is_up_the_best_picture_is_kept_and_the_job_goes_on_from_there() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("job.checkpoint");
    let job = job().optimizer(Optimizer::Adam).steps(60);
    let start = Instant::now();
    let whole = job.run(keep_on).unwrap();
    let quarter = start.elapsed() / 4;
    let mut ends = 0;
    let mut timed = job.clone().max_time(quarter).checkpoints(Checkpoints::to(&path));
    let made = loop {
        let start = Instant::now();
        let made = timed.run(keep_on).unwrap();
        if matches!(made.end, End::Done) {
            break made;
        }
        assert!(matches!(made.end, End::TimeUp), "{:?}", made.end);
        assert!(start.elapsed() >= quarter);
        assert_eq!((made.picture.width(), made.picture.height()), (48, 36));
        ends += 1;
        // A machine that has become slower may need longer to get anywhere.
        timed = timed.max_time(quarter * (1 + ends)).resume(&Checkpoint::open(&path).unwrap());
    };
    assert!(ends > 0, "it was done before its time was up");
    assert_same(&made, &whole, "after its times");
}

#[test]
fn writing_takes_little_of_the_time() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("job.checkpoint");
    let written = |checkpoints: Checkpoints| {
        let (mut written, mut last) = (0, None);
        fs::remove_file(&path).ok();
        job()
            .scales(Scales::Count(1))
            .checkpoints(checkpoints)
            .run(|_| {
                let now = fs::metadata(&path).ok().map(|found| found.modified().unwrap());
                written += usize::from(now != last);
                last = now;
                ControlFlow::Continue(())
            })
            .unwrap();
        written
    };
    assert_eq!(written(Checkpoints::to(&path).every_step()), 21);
    // Fifty times as long as the first one took is longer than some steps.
    assert!(written(Checkpoints::to(&path).every(Duration::ZERO)) < 21);
    assert_eq!(written(Checkpoints::to(&path)), 0);
}
