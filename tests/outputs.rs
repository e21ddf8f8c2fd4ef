//! Where pictures go: what is found out before the work, and that a file is replaced whole or not at all.

use std::fs;
use std::path::{Path, PathBuf};
#[cfg(unix)]
use std::{env, os::unix::fs as unix, os::unix::fs::PermissionsExt, process::Command};

use impasto::Error;
use impasto::picture::{Output, OutputFormat, Picture};
#[cfg(unix)]
use impasto::whole_file::destination;
use impasto::whole_file::{check_writable, write_whole};
use ndarray::Array3;
use tempfile::TempDir;

#[test]
fn a_picture_is_written_in_the_format_of_its_name() {
    let folder = TempDir::new().unwrap();
    for (name, start) in
        [("a.png", &b"\x89PNG"[..]), ("b.JPG", b"\xFF\xD8\xFF"), ("c.webp", b"RIFF"), ("d.tiff", b"II*\0")]
    {
        let path = folder.path().join(name);
        Output::new(&path).unwrap().write(&picture()).unwrap();
        assert!(fs::read(&path).unwrap().starts_with(start), "{name}");
        let written = Picture::open(&path).unwrap();
        assert_eq!((written.width(), written.height()), (31, 17), "{name}");
    }
    assert_eq!(names(&folder), ["a.png", "b.JPG", "c.webp", "d.tiff"]);
}

#[test]
fn an_output_that_cannot_be_written_is_found_before_the_work() {
    let folder = TempDir::new().unwrap();
    let inside = |name: &str| folder.path().join(name);
    fs::create_dir(inside("folder.png")).unwrap();
    fs::write(inside("file"), "").unwrap();
    for (path, reason) in [
        (inside("folder.png"), "it is a folder"),
        (inside(""), "it is a folder"),
        (inside("no/such/out.png"), "there is no folder"),
        (inside("file/out.png"), "there is no folder"),
        (inside(&format!("{}.png", "long".repeat(100))), "long"),
    ] {
        let error = Output::new(&path).unwrap_err();
        assert!(matches!(&error, Error::Write { path: named, .. } if *named == path), "{error:?}");
        let message = error.to_string().replace(folder.path().to_str().unwrap(), "");
        assert!(message.to_lowercase().contains(reason) && !message.contains('\n'), "{message}");
    }
    for name in ["out", "out.gif", "out.", ".png", "./-"] {
        let error = Output::new(&inside(name)).unwrap_err();
        assert!(matches!(error, Error::UnknownFormat { .. }), "{name}: {error:?}");
    }
    assert_eq!(names(&folder), ["file", "folder.png"]);
}

#[test]
fn checking_leaves_everything_as_it_was() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("out.png");
    let output = Output::new(&path).unwrap();
    assert_eq!((output.path(), output.format(), output.is_stdout()), (&*path, OutputFormat::Png, false));
    assert!(names(&folder).is_empty());

    fs::write(&path, "old").unwrap();
    Output::new(&path).unwrap();
    check_writable(&path).unwrap();
    assert_eq!(fs::read(&path).unwrap(), b"old");
    assert_eq!(names(&folder), ["out.png"]);
}

#[test]
fn a_name_without_a_folder_lies_in_the_current_one() {
    // Not `out.png`: whoever follows the README has one here when the tests run.
    let name = Path::new("a_name_without_a_folder.png");
    assert!(Output::new(name).is_ok());
    assert!(!name.exists());
}

#[test]
fn a_minus_is_standard_output() {
    let output = Output::new(Path::new("-")).unwrap();
    assert_eq!(
        (output.path(), output.format(), output.is_stdout()),
        (Path::new("-"), OutputFormat::Png, true)
    );
    assert_eq!(output.numbered(3), None);
}

#[test]
fn steps_are_numbered() {
    let folder = TempDir::new().unwrap();
    let numbered = |name: &str, step| {
        Output::new(&folder.path().join(name)).unwrap().numbered(step).unwrap().path().to_owned()
    };
    assert_eq!(numbered("out.png", 50), folder.path().join("out-0050.png"));
    assert_eq!(numbered("a.b.JPG", 0), folder.path().join("a.b-0000.JPG"));
    assert_eq!(numbered("out.png", 12_345), folder.path().join("out-12345.png"));

    let output = Output::new(&folder.path().join("out.webp")).unwrap().numbered(7).unwrap();
    output.write(&picture()).unwrap();
    assert_eq!(Picture::open(folder.path().join("out-0007.webp")).unwrap().width(), 31);
}

#[test]
fn a_picture_too_large_for_its_format_leaves_the_old_file() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("out.webp");
    fs::write(&path, "old").unwrap();
    let error = Output::new(&path)
        .unwrap()
        .write(&Picture::from_planes(Array3::zeros((3, 1, 16_384))).unwrap())
        .unwrap_err();
    assert!(error.to_string().contains("16383"), "{error}");
    assert_eq!(fs::read(&path).unwrap(), b"old");
}

#[test]
fn a_file_is_replaced_by_a_longer_or_a_shorter_one() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("file");
    for bytes in [&b"first"[..], b"a second that is longer", b"", b"last"] {
        write_whole(&path, bytes).unwrap();
        assert_eq!(fs::read(&path).unwrap(), bytes);
    }
    assert_eq!(names(&folder), ["file"]);
}

#[cfg(unix)]
#[test]
fn a_new_file_has_the_permissions_of_any_new_file() {
    let folder = TempDir::new().unwrap();
    let (ours, any) = (folder.path().join("ours"), folder.path().join("any"));
    write_whole(&ours, b"new").unwrap();
    fs::write(&any, "new").unwrap();
    assert_eq!(mode(&ours), mode(&any));
}

#[cfg(unix)]
#[test]
fn a_replaced_file_keeps_its_permissions() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("file");
    fs::write(&path, "old").unwrap();
    for kept in [0o600, 0o664, 0o755] {
        fs::set_permissions(&path, fs::Permissions::from_mode(kept)).unwrap();
        write_whole(&path, b"new").unwrap();
        assert_eq!(mode(&path), kept);
    }
}

#[cfg(unix)]
#[test]
fn a_write_protected_file_is_kept() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("out.png");
    fs::write(&path, "old").unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o444)).unwrap();
    for error in [Output::new(&path).unwrap_err(), write_whole(&path, b"new").unwrap_err()] {
        assert!(error.to_string().contains("write-protected"), "{error}");
    }
    assert_eq!(fs::read(&path).unwrap(), b"old");
}

#[cfg(unix)]
#[test]
fn a_link_stays_a_link() {
    let folder = TempDir::new().unwrap();
    let (link, file) = (folder.path().join("link.png"), folder.path().join("elsewhere/file"));
    fs::create_dir(folder.path().join("elsewhere")).unwrap();
    fs::write(&file, "old").unwrap();
    unix::symlink("elsewhere/file", &link).unwrap();
    write_whole(&link, b"new").unwrap();
    assert!(link.is_symlink());
    assert_eq!(fs::read(&file).unwrap(), b"new");
}

#[cfg(unix)]
#[test]
fn a_link_to_a_file_that_is_not_there_stays_a_link() {
    let folder = TempDir::new().unwrap();
    let inside = |name: &str| folder.path().join(name);
    fs::create_dir(inside("elsewhere")).unwrap();
    unix::symlink("second.png", inside("first.png")).unwrap();
    unix::symlink("elsewhere/file.png", inside("second.png")).unwrap();
    Output::new(&inside("first.png")).unwrap();
    assert!(!inside("elsewhere/file.png").exists());
    write_whole(&inside("first.png"), b"new").unwrap();
    assert!(inside("first.png").is_symlink() && inside("second.png").is_symlink());
    assert_eq!(fs::read(inside("elsewhere/file.png")).unwrap(), b"new");

    let lost = inside("lost.png");
    unix::symlink("no/such/file.png", &lost).unwrap();
    for error in [Output::new(&lost).unwrap_err(), write_whole(&lost, b"new").unwrap_err()] {
        assert!(
            error.to_string().contains("there is no folder") && error.to_string().contains("no/such"),
            "{error}"
        );
    }
    assert!(lost.is_symlink());
    unix::symlink("round.png", inside("round.png")).unwrap();
    Output::new(&inside("round.png")).unwrap_err();
}

#[cfg(unix)]
#[test]
fn every_path_to_a_file_has_one_destination() {
    let folder = TempDir::new().unwrap();
    let inside = |name: &str| folder.path().join(name);
    let file = folder.path().canonicalize().unwrap().join("file.png");
    unix::symlink("file.png", inside("link.png")).unwrap();
    unix::symlink(".", inside("folder")).unwrap();
    for there in [false, true] {
        if there {
            fs::write(&file, "").unwrap();
        }
        for path in ["file.png", "./file.png", "link.png", "folder/file.png", "folder/folder/link.png"] {
            assert_eq!(destination(&inside(path)).unwrap(), file, "{path}");
        }
    }
    assert!(destination(&inside("no/such.png")).is_err());
}

/// Runs itself again in a process that closes its standard output.
#[cfg(unix)]
#[test]
fn a_closed_standard_output_is_an_error() {
    use std::os::fd::{FromRawFd, OwnedFd};
    const CLOSES: &str = "IMPASTO_TEST_CLOSED_STDOUT";
    if env::var_os(CLOSES).is_some() {
        // SAFETY: nothing else in this process holds standard output as its own.
        drop(unsafe { OwnedFd::from_raw_fd(1) });
        let error = Output::new(Path::new("-")).unwrap().write(&picture()).unwrap_err();
        assert!(matches!(&error, Error::Write { .. }), "{error:?}");
        return;
    }
    let child = Command::new(env::current_exe().unwrap())
        .args(["--exact", "a_closed_standard_output_is_an_error"])
        .env(CLOSES, "1")
        .output()
        .unwrap();
    assert!(child.status.success() && child.stdout.starts_with(b"\nrunning 1 test"), "{child:?}");
}

#[cfg(target_os = "linux")]
#[test]
fn a_device_is_written_to_and_never_replaced() {
    let folder = TempDir::new().unwrap();
    let link = folder.path().join("out.png");
    unix::symlink("/dev/full", &link).unwrap();
    let error = Output::new(&link).unwrap().write(&picture()).unwrap_err();
    assert!(matches!(error, Error::Write { .. }) && error.to_string().contains("No space left"), "{error}");
    assert!(link.is_symlink() && !fs::metadata(&link).unwrap().is_file());
}

/// Runs itself again in a process whose files can't grow beyond a few blocks, as on a disk that is nearly
/// full.
#[cfg(unix)]
#[test]
fn a_full_disk_keeps_the_old_file() {
    const TARGET: &str = "IMPASTO_TEST_FULL_DISK";
    if let Some(path) = env::var_os(TARGET).map(PathBuf::from) {
        let error = write_whole(&path, &[7; 1 << 20]).unwrap_err();
        assert!(matches!(&error, Error::Write { path: named, .. } if *named == path), "{error:?}");
        return;
    }
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("out.png");
    fs::write(&path, "old").unwrap();
    // Without the trap the system would end the process.
    let child = Command::new("sh")
        .args(["-c", r#"trap "" XFSZ; ulimit -f 16; exec "$@""#, "sh"])
        .arg(env::current_exe().unwrap())
        .args(["--exact", "a_full_disk_keeps_the_old_file"])
        .env(TARGET, &path)
        .output()
        .unwrap();
    assert!(child.status.success(), "{child:?}");
    assert!(String::from_utf8_lossy(&child.stdout).contains("1 passed"), "{child:?}");
    assert_eq!(fs::read(&path).unwrap(), b"old");
    assert_eq!(names(&folder), ["out.png"]);
}

fn picture() -> Picture {
    Picture::from_planes(Array3::from_shape_fn((3, 17, 31), |(plane, y, x)| {
        [x as f32 / 31.0, y as f32 / 17.0, 0.5][plane]
    }))
    .unwrap()
}

/// What the folder holds, sorted.
fn names(folder: &TempDir) -> Vec<String> {
    let mut names: Vec<_> = fs::read_dir(folder.path())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

#[cfg(unix)]
fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}
