//! Memory of a control group, as the kernel sets it: work that doesn't fit is refused, and nothing is killed.
//!
//! Needs Linux, the right to make groups (root) and a memory controller, of version 1 or 2. Without them the tests say so
//! and check nothing.
#![cfg(target_os = "linux")]

#[path = "common/command.rs"]
mod command;

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use command::{Folder, Ran, demo};

const MB: u64 = 1 << 20;

/// A group with a limit, and one inside it without. Both go when it is dropped.
struct Group {
    limited: PathBuf,
    inner: PathBuf,
}

impl Group {
    /// With a limit of 300 MB.
    fn new(name: &str) -> io::Result<Self> {
        let (hierarchy, limit) = match Path::new("/sys/fs/cgroup/memory/memory.limit_in_bytes").exists() {
            true => ("/sys/fs/cgroup/memory", "memory.limit_in_bytes"),
            false => ("/sys/fs/cgroup", "memory.max"),
        };
        let limited = Path::new(hierarchy).join(format!("impasto-{name}-{}", std::process::id()));
        let group = Self { inner: limited.join("inner"), limited };
        fs::create_dir(&group.limited)?;
        fs::write(group.limited.join(limit), (300 * MB).to_string())?;
        fs::create_dir(&group.inner)?;
        Ok(group)
    }

    /// `None`, with the reason on stderr, where no group can be made.
    fn new_or_skip(name: &str) -> Option<Self> {
        let group = Self::new(name);
        group
            .map_err(|error| {
                eprintln!("SKIPPED {name}: can't make a control group with a memory limit: {error}")
            })
            .ok()
    }

    /// Runs a command in the inner group, after `before`, a line of shell.
    fn run(&self, before: &str, command: &Command) -> Ran {
        let mut shell = Command::new("sh");
        let script =
            format!("echo $$ > '{}/cgroup.procs' && {before} && exec \"$0\" \"$@\"", self.inner.display());
        shell.arg("-c").arg(script).arg(command.get_program()).args(command.get_args());
        shell.envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
        shell.current_dir(command.get_current_dir().unwrap());
        Ran::to_its_end(shell)
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        for folder in [&self.inner, &self.limited] {
            // The kernel may still be about to remove the processes.
            for _ in 0..50 {
                match fs::remove_dir(folder) {
                    Err(error) if error.kind() == io::ErrorKind::ResourceBusy => {
                        std::thread::sleep(Duration::from_millis(20));
                    }
                    _ => break,
                }
            }
        }
    }
}

#[test]
fn work_beyond_a_groups_limit_is_refused_in_one_line() {
    let Some(group) = Group::new_or_skip("refused") else { return };
    let folder = Folder::new();
    let stylize = |size: u32| {
        let (content, style) = (demo("content.png"), demo("style.jpg"));
        let command =
            format!("stylize {content} {style} --weights slim --steps 1 --size {size} -o {size}.png");
        group.run("true", &folder.command(&command))
    };
    stylize(2048).failed_with(&["memory", "available"]);
    assert_eq!(folder.names(), [""; 0]);
    stylize(64).notes();
    assert_eq!(folder.names(), ["64.png"]);
}

#[test]
fn files_that_a_group_has_cached_are_no_reason_to_refuse() {
    let Some(group) = Group::new_or_skip("cached") else { return };
    // On a disk: what is on a tmpfs can't be given up.
    let cached = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("cached-{}", std::process::id()));
    let folder = Folder::new();
    let command = format!("texture {} --weights slim --steps 1 --size 128 -o out.png", demo("style.jpg"));
    let before = format!("head -c {} /dev/zero > '{}' && sync", 280 * MB, cached.display());
    let ran = group.run(&before, &folder.command(&command));
    let used =
        ["memory.usage_in_bytes", "memory.current"].map(|name| fs::read_to_string(group.limited.join(name)));
    fs::remove_file(&cached).unwrap();
    let used: u64 = used.into_iter().find_map(Result::ok).unwrap().trim().parse().unwrap();
    assert!(used > 200 * MB, "the group has cached too little for this to be a test: {used} bytes");
    ran.notes();
}
