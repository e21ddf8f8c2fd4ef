//! What the tests of the command share: running it in a folder of its own, on pictures made there.

// Every test file compiles this module for itself and uses a part of it.
#![allow(dead_code)]

use std::fs;
use std::ops::{Deref, DerefMut};
use std::path::{Path, PathBuf};
use std::process::{self, Child, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use image::{ImageBuffer, Rgb};
use tempfile::TempDir;

/// Longer than any of the tests takes on a busy machine.
const TIMEOUT: Duration = Duration::from_secs(120);

/// Longer than anything takes that is waited for.
const SOON: Duration = Duration::from_secs(60);

/// The folder of the small networks and of what PyTorch said of them.
pub fn reference_folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/reference")
}

/// A demonstration picture.
pub fn demo(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("demo").join(name);
    path.to_str().unwrap().to_owned()
}

/// An empty folder in which the command runs, with the small VGG-19 as the network by default and the other
/// small networks installed.
pub struct Folder(TempDir);

impl Folder {
    pub fn new() -> Self {
        Self(TempDir::new().unwrap())
    }

    /// One with the pictures `content.png`, 40×30, and `style.png`, 32×36.
    pub fn with_pictures() -> Self {
        let folder = Self::new();
        folder.picture("content.png", 40, 30);
        folder.picture("style.png", 32, 36);
        folder
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    pub fn write(&self, name: &str, bytes: impl AsRef<[u8]>) {
        fs::write(self.path(name), bytes).unwrap();
    }

    pub fn read(&self, name: &str) -> Vec<u8> {
        fs::read(self.path(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
    }

    /// Writes a picture of waves, other ones for another name.
    pub fn picture(&self, name: &str, width: u32, height: u32) {
        let phase = name.bytes().map(f32::from).sum::<f32>();
        let picture = ImageBuffer::from_fn(width, height, |x, y| {
            let (x, y) = (x as f32, y as f32);
            let wave = |x: f32| (127.5 + 127.5 * (x + phase).sin()) as u8;
            Rgb([wave(0.3 * x), wave(0.2 * x + 0.4 * y), wave(0.7 * y - 0.1 * x)])
        });
        picture.save(self.path(name)).unwrap();
    }

    /// Decodes a picture that the command wrote.
    pub fn decode(&self, name: &str) -> image::DynamicImage {
        image::open(self.path(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
    }

    /// Names of all that is there, sorted.
    pub fn names(&self) -> Vec<String> {
        let name = |entry: std::io::Result<fs::DirEntry>| entry.unwrap().file_name().into_string().unwrap();
        let mut names: Vec<_> = fs::read_dir(self.0.path()).unwrap().map(name).collect();
        names.sort();
        names
    }

    /// The command with these arguments, which are separated by spaces.
    pub fn command(&self, arguments: &str) -> process::Command {
        let mut command = process::Command::new(env!("CARGO_BIN_EXE_impasto"));
        command
            .args(arguments.split_whitespace())
            .current_dir(self.0.path())
            .env("IMPASTO_WEIGHTS", reference_folder().join("tiny_vgg19.safetensors"))
            .env("IMPASTO_WEIGHTS_DIR", reference_folder())
            .env("HOME", self.0.path())
            .env_remove("XDG_DATA_HOME");
        command
    }

    /// Runs it to its end.
    pub fn run(&self, arguments: &str) -> Ran {
        Ran::to_its_end(self.command(arguments))
    }

    /// The same, by a shell after `setup`: its `"$@"` is the command.
    pub fn by_shell(&self, setup: &str, arguments: &str) -> process::Command {
        let impasto = self.command(arguments);
        let mut command = process::Command::new("sh");
        command.args(["-c", setup, "sh"]).arg(impasto.get_program()).args(impasto.get_args());
        command.current_dir(self.0.path());
        for (name, value) in impasto.get_envs() {
            match value {
                Some(value) => command.env(name, value),
                None => command.env_remove(name),
            };
        }
        command
    }

    /// Waits until the command, started with `--metrics metrics.jsonl`, did this many steps.
    pub fn wait_for_steps(&self, steps: usize) {
        wait_until("a step", || {
            fs::read_to_string(self.path("metrics.jsonl")).is_ok_and(|text| text.lines().count() >= steps)
        });
    }
}

/// A command at work, which a test that fails doesn't leave running.
pub struct Running(Option<Child>);

impl From<Child> for Running {
    fn from(child: Child) -> Self {
        Self(Some(child))
    }
}

impl Deref for Running {
    type Target = Child;

    fn deref(&self) -> &Child {
        self.0.as_ref().unwrap()
    }
}

impl DerefMut for Running {
    fn deref_mut(&mut self) -> &mut Child {
        self.0.as_mut().unwrap()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Some(child) = &mut self.0 {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// Starts a command whose answers and notes are read at its end.
pub fn start(mut command: process::Command) -> Running {
    command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap().into()
}

/// Sends a process a signal: `INT`, `TERM`, `HUP`.
pub fn signal(child: &Child, name: &str) {
    let kill = process::Command::new("kill").args([&format!("-{name}"), &child.id().to_string()]).status();
    assert!(kill.unwrap().success());
}

/// Waits for something that comes soon.
#[track_caller]
pub fn wait_until(what: &str, mut is_so: impl FnMut() -> bool) {
    let start = Instant::now();
    while !is_so() {
        assert!(start.elapsed() < SOON, "no {what} in {SOON:?}");
        thread::sleep(Duration::from_millis(2));
    }
}

/// What a command said until its end, which must come soon.
#[track_caller]
pub fn finish(child: impl Into<Running>) -> Ran {
    let mut child = child.into();
    wait_until("end", || child.try_wait().unwrap().is_some());
    Ran::from(child.0.take().unwrap().wait_with_output().unwrap())
}

impl From<process::Output> for Ran {
    fn from(output: process::Output) -> Self {
        Self {
            code: output.status.code(),
            stdout: output.stdout,
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }
}

/// How a command ended and what it said.
#[derive(Debug)]
pub struct Ran {
    pub code: Option<i32>,
    pub stdout: Vec<u8>,
    pub stderr: String,
}

impl Ran {
    pub fn to_its_end(command: process::Command) -> Self {
        Self::from(assert_cmd::Command::from_std(command).timeout(TIMEOUT).output().unwrap())
    }

    /// What is on stdout of a command that succeeded.
    #[track_caller]
    pub fn answer(self) -> String {
        assert_eq!(self.code, Some(0), "stderr: {}", self.stderr);
        String::from_utf8(self.stdout).unwrap()
    }

    /// The same as JSON.
    #[track_caller]
    pub fn json(self) -> serde_json::Value {
        serde_json::from_str(&self.answer()).unwrap()
    }

    /// What is on stderr of a command that succeeded and answers nothing on stdout.
    #[track_caller]
    pub fn notes(self) -> String {
        assert_eq!((self.code, self.stdout.len()), (Some(0), 0), "stderr: {}", self.stderr);
        self.stderr
    }

    /// Asserts that it failed, said so in one line on stderr, with all of these words, and answered nothing.
    #[track_caller]
    pub fn failed_with(self, words: &[&str]) {
        let Self { code, stdout, stderr } = self;
        assert_eq!((code, stdout.len()), (Some(1), 0), "stderr: {stderr}");
        assert!(stderr.starts_with("impasto: ") && stderr.ends_with('\n'), "{stderr:?}");
        assert_eq!(stderr.lines().count(), 1, "{stderr}");
        for word in words {
            assert!(stderr.contains(word), "no {word:?} in: {stderr}");
        }
    }
}
