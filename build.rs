//! Tells the command what it is compiled from, by and for: `impasto --version --verbose`. The library needs nothing of it.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-env-changed=IMPASTO_COMMIT");
    if env::var_os("CARGO_FEATURE_CLI").is_none() {
        return;
    }
    println!("cargo::rustc-env=IMPASTO_TARGET={}", variable("TARGET"));
    let compiler = said_by(Command::new(variable("RUSTC")).arg("--version"));
    println!("cargo::rustc-env=IMPASTO_COMPILER={}", compiler.as_deref().unwrap_or("unknown"));
    if let Some(commit) = commit() {
        println!("cargo::rustc-env=IMPASTO_BUILT_FROM={commit}");
    }
}

/// The commit: given by the packager, or of the packed crate, or of the clone.
fn commit() -> Option<String> {
    let given = env::var("IMPASTO_COMMIT").ok().filter(|given| !given.is_empty());
    let folder = PathBuf::from(variable("CARGO_MANIFEST_DIR"));
    given.or_else(|| of_package(&folder)).or_else(|| of_clone(&folder))
}

/// `cargo package` puts a file with `"sha1": "…"` into the crate.
fn of_package(folder: &Path) -> Option<String> {
    let text = fs::read_to_string(folder.join(".cargo_vcs_info.json")).ok()?;
    let hash = text.split("\"sha1\"").nth(1)?.split('"').nth(1)?;
    (hash.len() >= 40 && hash.bytes().all(|byte| byte.is_ascii_hexdigit())).then(|| hash.to_owned())
}

/// Only in optimised builds: with others, whoever works on impasto would compile it all again after each commit.
fn of_clone(folder: &Path) -> Option<String> {
    if variable("PROFILE") != "release" {
        return None;
    }
    let git = |arguments: &[&str]| said_by(Command::new("git").arg("-C").arg(folder).args(arguments));
    // Not that of a repository which has impasto's source among others.
    let top = PathBuf::from(git(&["rev-parse", "--show-toplevel"])?);
    if fs::canonicalize(top).ok()? != fs::canonicalize(folder).ok()? {
        return None;
    }
    let commit = git(&["rev-parse", "HEAD"])?;
    // The file that names the branch, the branch's own, and all branches' once they are packed.
    let branch = git(&["symbolic-ref", "--quiet", "HEAD"]);
    for file in ["HEAD", "packed-refs"].into_iter().chain(branch.as_deref()) {
        // A file that doesn't exist would count as changed in every build.
        if let Some(path) = git(&["rev-parse", "--git-path", file]).map(|path| folder.join(path))
            && path.exists()
        {
            println!("cargo::rerun-if-changed={}", path.display());
        }
    }
    for part in ["src", "weights", "Cargo.toml", "Cargo.lock"] {
        println!("cargo::rerun-if-changed={part}");
    }
    let changed = git(&["status", "--porcelain", "--untracked-files=no"])?;
    Some(if changed.is_empty() { commit } else { commit + ", changed" })
}

/// What a program that succeeds prints; `None` where it isn't there or fails.
fn said_by(command: &mut Command) -> Option<String> {
    let output = command.output().ok().filter(|output| output.status.success())?;
    Some(String::from_utf8(output.stdout).ok()?.trim().to_owned())
}

/// A variable that cargo sets.
fn variable(name: &str) -> String {
    env::var(name).unwrap_or_else(|_| panic!("cargo sets {name}"))
}
