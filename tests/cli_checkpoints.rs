//! Work that is ended, by whatever, and goes on with `impasto resume`.
#![cfg(unix)]

#[path = "common/command.rs"]
mod command;

use std::fs;
use std::process::{Child, Command};
use std::thread;
use std::time::{Duration, Instant};

use command::{Folder, Ran, finish, signal, start, wait_until};

/// Work of a few scales and a second or two.
const WORK: &str = "stylize content.png style.png --size 128 --steps 120 --scales 4 --threads 1";

/// Checkpoints as often as may be.
const OFTEN: &str = "--checkpoint work.checkpoint --checkpoint-every 0";

/// Waits until there is a checkpoint.
fn wait_for_checkpoint(folder: &Folder, child: &mut Child) {
    wait_until("checkpoint", || {
        folder.path("work.checkpoint").exists() || child.try_wait().unwrap().is_some()
    });
}

#[test]
fn after_a_signal_it_goes_on_to_the_same_bytes() {
    for (name, code, work) in [
        ("INT", 130, WORK),
        ("TERM", 143, "texture style.png --size 128 --steps 150 --seed 3 --optimizer adam"),
        ("INT", 130, "reconstruct content.png --layer relu3_1 --size 128 --steps 150 --tv-weight 0"),
    ] {
        let folder = Folder::with_pictures();
        folder.run(&format!("{work} -o whole.png")).notes();
        let mut child = start(folder.command(&format!("{work} {OFTEN} -o out.png")));
        wait_for_checkpoint(&folder, &mut child);
        signal(&child, name);
        let Ran { code: found, stderr, .. } = finish(child);
        assert_eq!(found, Some(code), "{stderr}");
        assert!(stderr.contains("to go on: impasto resume work.checkpoint"), "{stderr}");
        assert!(folder.read("out.png") != folder.read("whole.png"), "it was done before the signal");

        // From another folder, to the file that was asked for first.
        fs::create_dir(folder.path("elsewhere")).unwrap();
        let mut resume = folder.command("resume ../work.checkpoint --threads 2");
        let notes = Ran::to_its_end(resume.current_dir(folder.path("elsewhere")).take()).notes();
        assert!(notes.contains("resumed from ../work.checkpoint, now at step"), "{notes}");
        assert!(folder.read("out.png") == folder.read("whole.png"), "SIG{name}: other bytes");
        let mut names = vec!["content.png", "elsewhere", "out.png", "style.png", "whole.png"];
        names.sort_unstable();
        assert_eq!(folder.names(), names);
    }
}

/// A command by value, of which std's setters give a reference.
trait Take {
    fn take(&mut self) -> Command;
}

impl Take for Command {
    fn take(&mut self) -> Command {
        std::mem::replace(self, Command::new("true"))
    }
}

/// Ends [`WORK`] after its first checkpoint.
fn ended() -> Folder {
    ended_work(WORK)
}

fn ended_work(work: &str) -> Folder {
    let folder = Folder::with_pictures();
    let mut child = start(folder.command(&format!("{work} {OFTEN} -o out.png")));
    wait_for_checkpoint(&folder, &mut child);
    signal(&child, "TERM");
    assert_eq!(finish(child).code, Some(143));
    fs::remove_file(folder.path("out.png")).unwrap();
    folder
}

#[test]
fn the_result_may_go_elsewhere_and_the_rest_of_the_steps_be_recorded() {
    let folder = ended();
    folder.run(&format!("{WORK} --metrics whole.jsonl -o whole.png")).notes();
    let notes = folder
        .run("resume work.checkpoint -o other.png --metrics rest.jsonl --checkpoint next.checkpoint -v")
        .notes();
    assert!(notes.contains("time: "), "{notes}");
    assert!(folder.read("other.png") == folder.read("whole.png"));
    let of = |name: &str| -> Vec<serde_json::Value> {
        let text = String::from_utf8(folder.read(name)).unwrap();
        let step = |line: &str| {
            let mut step: serde_json::Value = serde_json::from_str(line).unwrap();
            step["seconds"].take();
            step
        };
        text.lines().map(step).collect()
    };
    let (whole, rest) = (of("whole.jsonl"), of("rest.jsonl"));
    assert!(!rest.is_empty() && rest.len() < whole.len());
    assert_eq!(rest, whole[whole.len() - rest.len()..]);
    // What a killed process left in these folders is removed.
    folder.write(".impasto-a1B2c3", "");
    fs::create_dir(folder.path("results")).unwrap();
    folder.write("results/.impasto-a1B2c3", "");
    folder.run("resume work.checkpoint --checkpoint next.checkpoint -q -o results/other.png").notes();
    assert!(!folder.path(".impasto-a1B2c3").exists() && !folder.path("results/.impasto-a1B2c3").exists());
    // The new one is removed, and the one given stays.
    assert!(!folder.path("next.checkpoint").exists() && folder.path("work.checkpoint").exists());
}

#[test]
fn it_may_go_on_in_other_memory() {
    let folder = ended();
    let before = folder.read("work.checkpoint");
    folder
        .run("resume work.checkpoint --max-memory 17M -o other.png")
        .failed_with(&["17 MB is available", "--max-memory"]);
    assert!(!folder.path("other.png").exists() && folder.read("work.checkpoint") == before);
    folder.run(&format!("{WORK} -o whole.png")).notes();
    folder.run("resume work.checkpoint --max-memory 2G -o other.png").notes();
    // The files differ in the settings that they carry.
    assert!(folder.decode("other.png") == folder.decode("whole.png"));
}

#[test]
fn other_inputs_are_refused_and_nothing_is_touched() {
    let folder = ended();
    let before = (folder.names(), folder.read("work.checkpoint"));
    let content = folder.read("content.png");
    let resume = "resume work.checkpoint --metrics m.jsonl -o other.png";
    folder.picture("content.png", 40, 31);
    folder.run(resume).failed_with(&["work.checkpoint", "the content is not the one"]);
    folder.write("content.png", &content[..content.len() / 2]);
    folder.run(resume).failed_with(&["content.png"]);
    folder.write("content.png", &content);
    fs::rename(folder.path("style.png"), folder.path("hidden.png")).unwrap();
    folder.run(resume).failed_with(&["cannot read", "style.png"]);
    fs::rename(folder.path("hidden.png"), folder.path("style.png")).unwrap();
    let mut other_network = folder.command(resume);
    other_network.env("IMPASTO_WEIGHTS", "tiny_a_lrn");
    let Ran { code, stderr, .. } = Ran::to_its_end(other_network);
    assert!(code == Some(1) && stderr.contains("the network is not the one"), "{stderr}");
    folder.run("resume work.checkpoint --checkpoint style.png").failed_with(&["--checkpoint", "same file"]);
    folder.run("resume work.checkpoint -o work.checkpoint").failed_with(&["cannot tell the format"]);
    assert_eq!((folder.names(), folder.read("work.checkpoint")), before);
    fs::rename(folder.path("work.checkpoint"), folder.path("work.png")).unwrap();
    for checkpoint in ["", "--checkpoint other"] {
        let ran = folder.run(&format!("resume work.png -o work.png {checkpoint}"));
        ran.failed_with(&["work.png", "same file"]);
    }
    assert_eq!(folder.read("work.png"), before.1);
    folder.run("resume work.png").notes();
}

#[test]
fn a_checkpoint_that_is_there_is_not_written_over() {
    let folder = ended();
    let before = folder.read("work.checkpoint");
    let ran = folder.run(&format!("{WORK} {OFTEN} -o out.png"));
    ran.failed_with(&["--checkpoint", "there already", "impasto resume work.checkpoint"]);
    folder.run(&format!("{WORK} --checkpoint - -o out.png")).failed_with(&["--checkpoint"]);
    folder.run(&format!("{WORK} --checkpoint content.png -o out.png")).failed_with(&["--checkpoint", "same"]);
    folder.run(&format!("{WORK} --checkpoint none/c -o out.png")).failed_with(&["no folder"]);
    assert_eq!(folder.read("work.checkpoint"), before);
}

#[test]
fn damaged_checkpoints_end_in_a_line() {
    let folder = ended();
    let whole = folder.read("work.checkpoint");
    for len in [0, 10, 1000, whole.len() - 1] {
        folder.write("work.checkpoint", &whole[..len]);
        folder.run("resume work.checkpoint").failed_with(&["work.checkpoint"]);
    }
    folder.write("work.checkpoint", folder.read("content.png"));
    folder.run("resume work.checkpoint").failed_with(&["not a whole checkpoint"]);
    folder.run("resume none").failed_with(&["cannot read none"]);
    // One of another version, and one whose settings name what nobody may set there.
    let text = String::from_utf8_lossy(&whole[8..]).into_owned();
    let end = text.find("}}").unwrap() + 2;
    let with = |from: &str, to: &str| {
        let header = text[..end].replacen(from, to, 1);
        assert_ne!(header, text[..end], "{from}");
        let old = u64::from_le_bytes(whole[..8].try_into().unwrap()) as usize;
        [&(header.len() as u64).to_le_bytes(), header.as_bytes(), &whole[8 + old..]].concat()
    };
    let version = format!("\"impasto checkpoint\":\"{}\"", env!("CARGO_PKG_VERSION"));
    folder.write("work.checkpoint", with(&version, "\"impasto checkpoint\":\"0.0.7\""));
    folder.run("resume work.checkpoint").failed_with(&["impasto 0.0.7", env!("CARGO_PKG_VERSION")]);
    for (to, words) in [
        ("save-config = \\\"x.toml\\\"", "save-config"),
        ("nothing = 1", "nothing"),
        ("size = \\\"wide\\\"", "size"),
        ("= 1", "line"),
    ] {
        folder.write("work.checkpoint", with("size = 128", to));
        folder.run("resume work.checkpoint").failed_with(&["work.checkpoint", "settings are damaged", words]);
    }
    // Settings that fit, but not what was begun with them.
    let names = folder.names();
    folder.write("work.checkpoint", with("steps = 120", "steps = 121"));
    folder.run("resume work.checkpoint").failed_with(&["work.checkpoint", "begun with"]);
    assert_eq!(folder.names(), names);
}

#[test]
fn when_the_time_is_up_the_best_picture_is_written() {
    let folder = Folder::with_pictures();
    // Adam gives up here after 50 steps without gain, which takes several seconds at this size.
    let long = "stylize content.png style.png --steps 1000000 --optimizer adam --size 768 --scales 1";
    let begun = Instant::now();
    let notes = folder.run(&format!("{long} --max-time 1s --checkpoint c -o out.png")).notes();
    assert!(begun.elapsed() >= Duration::from_secs(1));
    assert!(notes.contains("time is up") && notes.contains("to go on: impasto resume c"), "{notes}");
    assert_eq!(folder.decode("out.png").width(), 768);
    let size = fs::metadata(folder.path("c")).unwrap().len();
    // The picture, and Adam's moments beside it if there was time for a step.
    assert!(size > 3 * 768 * 576 * 4, "{size}");
    // Neither the time nor the checkpoint is that of the result.
    let shown = folder.run("show out.png").answer();
    assert!(!shown.contains("time") && !shown.contains("checkpoint"), "{shown}");
    assert!(folder.run("resume c --max-time 0 -q").notes().is_empty());
    assert!(folder.path("c").exists());
    let Ran { code, stderr, .. } = folder.run(&format!("{long} --max-time soon"));
    assert!(code == Some(2) && stderr.contains("1h30m"), "{stderr}");
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_costs_the_checkpoint_and_not_the_picture() {
    let folder = Folder::with_pictures();
    folder.run(&format!("{WORK} -q -o whole.png")).notes();
    let ran = folder.run(&format!("{WORK} --checkpoint /dev/full --checkpoint-every 0 -q -o out.png"));
    let notes = ran.notes();
    assert_eq!(notes.lines().count(), 1, "{notes}");
    assert!(notes.contains("cannot write /dev/full") && notes.contains("goes on without"), "{notes}");
    assert!(folder.read("out.png") == folder.read("whole.png"));
    assert!(fs::metadata("/dev/full").is_ok());
}

/// A file that can't be written whole: the limit on sizes of files is above the picture and below each checkpoint, of
/// which the smaller scales would have smaller ones.
#[test]
fn a_checkpoint_that_breaks_off_leaves_nothing_and_the_last_whole_one() {
    const WORK: &str = "stylize content.png style.png --size 128 --steps 120 --scales 1 --threads 1";
    let folder = ended_work(WORK);
    let before = folder.read("work.checkpoint");
    let limited = |arguments: &str| {
        Ran::to_its_end(folder.by_shell(r#"trap "" XFSZ; ulimit -f 200; exec "$@""#, arguments))
    };
    let notes = limited("resume work.checkpoint --checkpoint-every 0 --max-time 0").notes();
    assert!(notes.contains("cannot write work.checkpoint") && notes.contains("time is up"), "{notes}");
    assert!(folder.read("work.checkpoint") == before);
    assert_eq!(folder.names(), ["content.png", "out.png", "style.png", "work.checkpoint"]);
    let notes = limited(&format!("{WORK} --checkpoint other --checkpoint-every 0 -q -o other.png")).notes();
    assert_eq!(notes.lines().count(), 1, "{notes}");
    folder.run(&format!("{WORK} -q -o whole.png")).notes();
    assert!(folder.read("other.png") == folder.read("whole.png"));
    assert!(!folder.path("other").exists());
}

#[test]
fn all_settings_come_back() {
    let folder = Folder::with_pictures();
    folder.picture("second.png", 30, 30);
    folder.write("map.png", {
        let map = image::RgbImage::from_fn(40, 30, |x, _| {
            image::Rgb(if x < 20 { [255, 0, 0] } else { [0, 0, 255] })
        });
        let mut bytes = std::io::Cursor::new(Vec::new());
        map.write_to(&mut bytes, image::ImageFormat::Png).unwrap();
        bytes.into_inner()
    });
    folder.write("some.toml", "style-layer = [\"relu1_1=0.5\", \"relu2_1\"]\nsteps = 6\n");
    let network = command::reference_folder().join("tiny_a_lrn.safetensors");
    fs::copy(network, folder.path("copied.safetensors")).unwrap();
    for arguments in [
        "stylize content.png style.png second.png --blend 2,0.5 --style-size 30 --colors match",
        "stylize content.png style.png --mask map.png --size 32 --init noise --seed 7",
        "stylize content.png style.png second.png --style-mask content.png --style-mask map.png --size 30",
        "stylize content.png content.png --regions map.png map.png --init second.png --optimizer adam",
        "stylize content.png style.png --config some.toml --preset portrait --colors content",
        "stylize content.png ./style.png --weights copied.safetensors --no-mmap --style-layer relu2_1=1e-1",
        "stylize content.png style.png --weights tiny_a_lrn --preprocessing torchvision --depth 16",
        "texture style.png second.png --tileable --seed 3 --statistic gram --pooling average",
        "reconstruct content.png --layer conv2_1=1.5 --layer relu1_1 --keep-location",
    ] {
        let size = if arguments.contains("--size") { "" } else { "--size 36" };
        let steps = if arguments.contains("--config") { "" } else { "--steps 6" };
        let work = format!("{arguments} {size} {steps}");
        folder.run(&format!("{work} -q -o whole.png")).notes();
        folder.run(&format!("{work} --checkpoint c --max-time 0 -q -o out.png")).notes();
        folder.run("resume c -q").notes();
        assert!(folder.read("out.png") == folder.read("whole.png"), "{arguments}");
        fs::remove_file(folder.path("out.png")).unwrap();
        // Without a name for the result, its place is where it would have been.
        folder.run(&format!("{work} --checkpoint c --max-time 0 -q")).notes();
        let names = folder.names();
        fs::create_dir(folder.path("elsewhere")).unwrap();
        let mut resume = folder.command("resume ../c -q");
        Ran::to_its_end(resume.current_dir(folder.path("elsewhere")).take()).notes();
        fs::remove_dir(folder.path("elsewhere")).unwrap();
        let result = names
            .iter()
            .find(|name| name.contains("-in-") || name.contains("-texture") || name.contains("-from-"));
        assert!(folder.read(result.unwrap()) == folder.read("whole.png"), "{arguments}");
        fs::remove_file(folder.path(result.unwrap())).unwrap();
    }
}

#[test]
fn names_that_are_no_text_are_refused_at_the_start() {
    use std::os::unix::ffi::OsStrExt;
    let folder = Folder::with_pictures();
    let name = std::ffi::OsStr::from_bytes(b"\xff.png");
    fs::copy(folder.path("style.png"), folder.path("").join(name)).unwrap();
    let mut command = folder.command("stylize content.png --size 32 --steps 2 -q -o out.png --checkpoint c");
    command.arg(name);
    Ran::to_its_end(command).failed_with(&["--checkpoint", "style", "Unicode"]);
}

/// Seeded numbers below `below`.
fn random(state: &mut u64, below: u64) -> u64 {
    *state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
    (*state >> 33) % below
}

/// Kills work again and again, which goes on each time, until it is done; and asserts that it is done as if nothing had been.
/// Returns how many kills left a temporary file.
fn kill(kills: usize, seed: u64) -> usize {
    let folder = Folder::with_pictures();
    let begun = Instant::now();
    folder.run(&format!("{WORK} -q -o whole.png")).notes();
    let whole = begun.elapsed();
    let (mut state, mut killed, mut left) = (seed, 0, 0);
    while killed < kills {
        let resumed = folder.path("work.checkpoint").exists();
        let command = match resumed {
            true => "resume work.checkpoint -q".to_owned(),
            false => format!("{WORK} {OFTEN} -q -o out.png"),
        };
        let mut child = start(folder.command(&command));
        let until = Instant::now() + whole * random(&mut state, 400) as u32 / 1000;
        while Instant::now() < until && child.try_wait().unwrap().is_none() {
            thread::sleep(Duration::from_micros(200));
        }
        let is_done = child.try_wait().unwrap().is_some();
        if !is_done {
            child.kill().unwrap();
            killed += 1;
        }
        let Ran { code, stderr, .. } = finish(child);
        let temporary = folder.names().iter().filter(|name| name.starts_with(".impasto-")).count();
        assert!(temporary <= 1, "{:?}", folder.names());
        left += temporary;
        if is_done {
            assert_eq!(code, Some(0), "{stderr}");
            assert!(
                folder.read("out.png") == folder.read("whole.png"),
                "seed {seed}, {killed} kills: other bytes"
            );
            assert_eq!(folder.names(), ["content.png", "out.png", "style.png", "whole.png"]);
            fs::remove_file(folder.path("out.png")).unwrap();
        }
    }
    if folder.path("work.checkpoint").exists() {
        folder.run("resume work.checkpoint -q").notes();
        assert!(folder.read("out.png") == folder.read("whole.png"), "seed {seed}: other bytes");
        assert_eq!(folder.names(), ["content.png", "out.png", "style.png", "whole.png"]);
    }
    left
}

#[test]
fn after_kills_it_goes_on_to_the_same_bytes() {
    kill(20, 1);
}

/// Takes a minute or two.
#[test]
#[ignore = "takes long"]
fn after_a_hundred_kills_it_goes_on_to_the_same_bytes() {
    let left = kill(100, 2);
    eprintln!("{left} kills left a temporary file");
}
