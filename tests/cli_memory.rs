//! Memory that is foreseen is what is taken, within a tenth.
#![cfg(target_os = "linux")]

#[path = "common/command.rs"]
mod command;

use std::env;

use command::{Folder, Ran, demo};

/// Bytes behind `name` in a line such as `memory foreseen: 254.8 MB`.
fn bytes(notes: &str, name: &str) -> f64 {
    let text = notes.split(name).nth(1).unwrap_or_else(|| panic!("no {name} in {notes}"));
    let mut words = text.split_whitespace();
    let number: f64 = words.next().unwrap().parse().unwrap();
    match words.next().unwrap() {
        "kB" => 1e3 * number,
        "MB" => 1e6 * number,
        "GB" => 1e9 * number,
        other => panic!("{other}"),
    }
}

/// Makes a picture in enough steps for the optimiser's whole history, and compares.
#[track_caller]
fn check(folder: &Folder, weights: &str, arguments: &str) {
    // On two threads, for the same memory on any machine.
    let arguments = format!("stylize {arguments} --steps 12 --scales 1 --threads 2 -v -o out.png");
    let mut command = folder.command(&arguments);
    command.env("IMPASTO_WEIGHTS", weights);
    let notes = Ran::to_its_end(command).notes();
    let (foreseen, taken) = (bytes(&notes, "memory foreseen: "), bytes(&notes, "peak memory "));
    let ratio = foreseen / taken;
    assert!((0.9..1.1).contains(&ratio), "{arguments}: foreseen {foreseen:.3e}, taken {taken:.3e}");
}

#[test]
#[cfg(feature = "embedded")]
fn what_is_foreseen_is_taken_with_the_network_inside() {
    let folder = Folder::new();
    let (content, style) = (demo("content.png"), demo("style.jpg"));
    for size in [128, 256, 512] {
        check(&folder, "slim", &format!("{content} {style} --size {size}"));
    }
}

#[test]
#[cfg(feature = "embedded")]
fn a_limit_is_kept() {
    let folder = Folder::new();
    let (content, style) = (demo("content.png"), demo("style.jpg"));
    for limit in [220, 180, 130, 100] {
        let arguments = format!("{content} {style} --size 512 --max-memory {limit}M");
        let notes = folder
            .run(&format!("stylize {arguments} --steps 12 --scales 1 --threads 2 -v -o out.png"))
            .notes();
        let (foreseen, taken) = (bytes(&notes, "memory foreseen: "), bytes(&notes, "peak memory "));
        assert!(foreseen <= 1e6 * f64::from(limit) && taken <= 1e6 * f64::from(limit), "{limit} MB: {notes}");
        assert!(
            (0.9..1.15).contains(&(foreseen / taken)),
            "{limit} MB: foreseen {foreseen:.3e}, taken {taken:.3e}"
        );
    }
    folder
        .run(&format!("stylize {content} {style} --size 512 --max-memory 40M -o out.png"))
        .failed_with(&["40 MB is available", "--max-memory"]);
}

/// What is read of the checkpoint, and the style's features beside it, take no more than a new start.
#[test]
#[cfg(feature = "embedded")]
fn a_limit_is_kept_where_the_work_goes_on() {
    let folder = Folder::new();
    let (content, style) = (demo("content.png"), demo("style.jpg"));
    // With ten pairs, and with three.
    for limit in [180, 100] {
        let arguments = format!("{content} {style} --size 512 --max-memory {limit}M --steps 500 --scales 1");
        let ended = "--threads 2 --checkpoint work.checkpoint --max-time 6s -q -o out.png";
        folder.run(&format!("stylize {arguments} {ended}")).notes();
        let notes = folder.run("resume work.checkpoint --max-time 2s -v").notes();
        let taken = bytes(&notes, "peak memory ");
        assert!(taken <= 1e6 * f64::from(limit), "{limit} MB: {notes}");
        std::fs::remove_file(folder.path("work.checkpoint")).unwrap();
    }
}

/// The limit of the process's whole address space ends it where it takes more: beside the limit that it keeps to, it may have what
/// it maps without using it, such as stacks and the allocator's arenas.
#[test]
#[cfg(feature = "embedded")]
fn under_a_limit_of_the_system_the_picture_is_made_in_strips() {
    let folder = Folder::new();
    let (content, style) = (demo("content.png"), demo("style.jpg"));
    let in_limit = |options: &str| {
        let arguments = format!(
            "stylize {content} {style} --size 640 --steps 3 --scales 1 --threads 1 --weights slim {options} -o out.png"
        );
        let mut command = folder.by_shell(r#"ulimit -v 300000; exec "$@""#, &arguments);
        command.env("MALLOC_ARENA_MAX", "1");
        Ran::to_its_end(command)
    };
    // So much is not there.
    assert_ne!(in_limit("--max-memory 2G").code, Some(0));
    in_limit("--max-memory 240M -q").notes();
    assert_eq!(folder.decode("out.png").width(), 640);
}

/// Large files for small results: reading them takes the most.
#[test]
#[cfg(feature = "embedded")]
fn pictures_given_and_their_decoding_are_foreseen() {
    let folder = Folder::new();
    folder.picture("large.png", 5000, 4000);
    let (content, style) = (demo("content.png"), demo("style.jpg"));
    check(&folder, "slim", &format!("large.png {style} --size 128"));
    check(&folder, "slim", &format!("{content} large.png --size 128"));
    check(&folder, "slim", &format!("{content} {style} --init large.png --size 128"));
}

#[test]
#[ignore = "needs the real VGG-19: IMPASTO_VGG19=vgg19.safetensors"]
fn what_is_foreseen_is_taken_with_vgg19() {
    let folder = Folder::new();
    let weights = env::var("IMPASTO_VGG19").expect("IMPASTO_VGG19 is set");
    let (content, style) = (demo("content.png"), demo("style.jpg"));
    for size in [128, 256, 512] {
        check(&folder, &weights, &format!("{content} {style} --size {size}"));
    }
}
