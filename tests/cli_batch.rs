//! `impasto batch`: many photographs in one style.

#[path = "common/batch.rs"]
mod batch;
#[path = "common/command.rs"]
mod command;

use std::fs;

use batch::{QUICK, STEPS, failed, names_in, with_photographs};
use command::{Folder, Ran};

#[test]
fn each_photograph_of_a_folder_is_painted_as_stylize_does() {
    let folder = with_photographs(&["a.png", "b b.JPG", ".hidden.png"]);
    folder.write("photos/notes.txt", "no picture");
    let notes = folder.run(&format!("batch photos {QUICK} -o a/new/out")).notes();
    assert!(notes.contains("wrote a/new/out/b b.png: 32×27, "), "{notes}");
    assert!(notes.contains("2 made, 0 made already, 0 failed, 0:0"), "{notes}");
    assert!(notes.find("out/a.png") < notes.find("out/b b.png"), "not in the order of names: {notes}");
    assert_eq!(names_in(&folder, "a"), ["new/out/a.png", "new/out/b b.png"]);
    folder.run("stylize photos/a.png style.png --size 32 --steps 2 -o alone.png").notes();
    assert_eq!(folder.decode("a/new/out/a.png"), folder.decode("alone.png"));
    let shown = folder.run("show a/new/out/a.png").answer();
    assert_eq!(shown, folder.run("show alone.png").answer());
    assert!(shown.starts_with("impasto stylize a.png style.png --size 32 --steps 2 --weights"), "{shown}");
}

#[test]
fn all_settings_of_stylize_are_there() {
    let folder = with_photographs(&["a.png"]);
    folder.picture("other.png", 30, 30);
    folder.picture("mask.png", 40, 30);
    let settings = "--size 32 --steps 2 --blend 2,1 --style-scale 1,0.8 --mask mask.png --colors content --init noise \
                    --seed 3 --loss gatys --style-layer relu1_1 --optimizer adam --scales 1 --depth 16";
    folder.run(&format!("batch photos --style style.png --style other.png {settings} -o out")).notes();
    folder.run(&format!("stylize photos/a.png style.png other.png {settings} -o alone.png")).notes();
    assert_eq!(folder.decode("out/a.png"), folder.decode("alone.png"));
    assert_eq!(folder.run("show out/a.png").answer(), folder.run("show alone.png").answer());
    for (options, words) in [
        ("--blend 1", "1 for 2"),
        ("--style-layer relu9_9", "relu9_9"),
        ("--depth 16 --name {stem}.jpg", "JPEG"),
    ] {
        let arguments = format!("batch photos --style style.png --style other.png {options} -o new");
        folder.run(&arguments).failed_with(&[words]);
        assert!(!folder.path("new").exists());
    }

    folder.write("s.toml", "size = 32\nsteps = 3\nstyle = [\"style.png\"]\n");
    folder.run("batch photos --config s.toml --save-config saved.toml -o configured").notes();
    assert!(folder.run("show configured/a.png").answer().contains("--size 32 --steps 3"));
    assert_eq!(folder.read("saved.toml"), b"size = 32\nsteps = 3\n");
    folder.run("batch photos --preset draft --style style.png --steps 1 -o preset").notes();
    assert!(folder.run("show preset/a.png").answer().contains("--size 256 --steps 1 --weights"));
}

#[test]
fn what_is_made_already_stays_until_what_made_it_changes() {
    let folder = with_photographs(&["a.png", "b.png"]);
    let batch = |options: &str| folder.run(&format!("batch photos {QUICK} -o out {options}")).notes();
    batch("");
    let first = folder.read("out/a.png");
    let notes = batch("-v --jobs 2 --threads 1 --max-time 1h --overwrite");
    assert!(
        notes.contains("out/a.png is made already") && notes.contains("0 made, 2 made already"),
        "{notes}"
    );
    assert!(folder.read("out/a.png") == first);

    let notes = batch("--style-weight 3");
    assert!(
        notes.contains("again: --style-weight has changed") && notes.contains("2 made, 0 made"),
        "{notes}"
    );
    folder.picture("photos/a.png", 40, 24);
    let notes = batch("--style-weight 3");
    assert!(
        notes.contains("again: the photograph has changed") && notes.contains("1 made, 1 made"),
        "{notes}"
    );
    folder.picture("style.png", 36, 36);
    let notes = batch("--style-weight 3");
    assert!(notes.contains("again: the style has changed") && notes.contains("2 made, 0 made"), "{notes}");
    let notes = batch("--style-weight 3 --weights tiny_c");
    assert!(notes.contains("again: --weights has changed"), "{notes}");
}

#[test]
fn results_without_settings_are_known_by_a_list() {
    for options in ["--strip", "--name {stem}.tiff", "--name {stem}.webp"] {
        let folder = with_photographs(&["a.png", "b.png"]);
        let batch = |steps: u32| folder.run(&format!("batch photos {STEPS} {steps} -o out {options}"));
        assert!(batch(2).notes().contains("2 made"));
        assert!(names_in(&folder, "out").contains(&".impasto-batch.jsonl".to_owned()));
        assert!(batch(2).notes().contains("0 made, 2 made already"), "{options}");
        assert!(batch(3).notes().contains("has changed"), "{options}");
        assert!(batch(3).notes().contains("0 made, 2 made already"), "{options}");
        // No longer the one that was made.
        let result = names_in(&folder, "out").into_iter().find(|name| name.starts_with("a.")).unwrap();
        folder.write(&format!("out/{result}"), "mine");
        failed(batch(3), &["no batch made it", "0 made, 1 made already, 1 failed"]);
        assert_eq!(folder.read(&format!("out/{result}")), b"mine");
    }
    // Results that have settings are made again without them.
    let folder = with_photographs(&["a.png"]);
    folder.run(&format!("batch photos {QUICK} -o out")).notes();
    assert!(
        folder
            .run(&format!("batch photos {QUICK} -o out --strip"))
            .notes()
            .contains("again: --strip has changed")
    );
    folder.run("show out/a.png").failed_with(&["no settings"]);
}

#[test]
fn what_fails_does_not_stop_the_rest() {
    let folder = with_photographs(&["a.png", "b.png"]);
    folder.write("photos/bad.png", "no picture");
    folder.picture("photos/c.png", 200, 2);
    let batch = format!("batch photos missing.png {QUICK} -o out");
    let said = failed(
        folder.run(&batch),
        &["2 made, 0 made already, 3 failed", "impasto: 3 of 5 photographs failed"],
    );
    for (name, reason) in [
        ("photos/bad.png", "not a picture"),
        ("photos/c.png", "needs at least 16×16"),
        ("missing.png", "No such"),
    ] {
        let lines: Vec<_> =
            said.lines().filter(|line| line.contains(name) && line.contains(reason)).collect();
        assert_eq!(lines.len(), 2, "{name}, as it happens and at the end: {said}");
    }
    assert_eq!(names_in(&folder, "out"), ["a.png", "b.png"]);
    // Nothing but what went wrong.
    let Ran { stderr, .. } = folder.run(&format!("{batch} -q"));
    assert_eq!(stderr.lines().count(), 4, "{stderr}");

    let Ran { code, stdout, .. } = folder.run(&format!("{batch} -q --json --name {{stem}}.jpg --jobs 2"));
    assert_eq!(code, Some(1));
    let lines: Vec<serde_json::Value> =
        String::from_utf8(stdout).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let of = |name: &str| lines.iter().find(|line| line["photograph"] == name).unwrap();
    assert_eq!(of("photos/a.png")["status"], "made");
    assert_eq!(
        (of("photos/a.png")["result"].as_str(), of("photos/a.png")["width"].as_u64()),
        (Some("out/a.jpg"), Some(32))
    );
    assert!(of("photos/bad.png")["reason"].as_str().unwrap().contains("not a picture"));
    let all = lines.last().unwrap();
    assert_eq!((all["made"].as_u64(), all["failed"].as_u64(), lines.len()), (Some(2), Some(3), 6));

    let again = folder.run(&format!("batch photos/a.png {QUICK} -q --json -o out")).answer();
    let again: Vec<serde_json::Value> =
        again.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!((&again[0]["status"], &again[0]["result"]), (&"skipped".into(), &"out/a.png".into()));
    assert_eq!((&again[1]["made"], &again[1]["skipped"], again.len()), (&0.into(), &1.into(), 2));
}

#[test]
fn the_style_is_read_once() {
    let folder = with_photographs(&["a.png", "b.png", "c.png"]);
    let notes = folder.run(&format!("batch photos {QUICK} -o out -v")).notes();
    assert_eq!(notes.matches("picture: style.png").count(), 1, "{notes}");
}

#[test]
fn nothing_to_do_is_said() {
    let folder = with_photographs(&[]);
    fs::create_dir(folder.path("photos/below")).unwrap();
    folder.picture("photos/below/a.png", 40, 30);
    folder.write("file", "");
    for (arguments, words) in [
        ("photos -o out", &["photos", "no pictures in this folder", "--recursive"][..]),
        ("photos/nothing -o out", &["photos/nothing", "No such file"]),
        ("photos -r -o file", &["--output", "file is a file"]),
        ("photos -r -o file/out", &["cannot write file/out"]),
        ("photos -r -o out --style missing.png", &["missing.png"]),
        ("photos -r -o out --style file", &["file"]),
    ] {
        folder.run(&format!("batch {arguments} {QUICK}")).failed_with(words);
        assert!(!folder.path("out").exists(), "{arguments}");
    }
    #[cfg(target_os = "linux")]
    folder.run(&format!("batch photos -r {QUICK} -o /proc/out")).failed_with(&["cannot write /proc/out"]);
    let Ran { code, stderr, .. } = folder.run("batch photos -o out");
    assert!(code == Some(2) && stderr.contains("--style"), "{stderr}");
}

#[cfg(unix)]
#[test]
fn without_permission_the_rest_is_done() {
    use std::os::unix::fs::PermissionsExt;
    let folder = with_photographs(&["a.png", "b.png"]);
    fs::create_dir(folder.path("photos/locked")).unwrap();
    let set =
        |name: &str, mode| fs::set_permissions(folder.path(name), fs::Permissions::from_mode(mode)).unwrap();
    set("photos/b.png", 0o000);
    set("photos/locked", 0o000);
    // Root may read all.
    if fs::read(folder.path("photos/b.png")).is_err() {
        let ran = folder.run(&format!("batch photos -r {QUICK} -o out"));
        failed(ran, &["photos/b.png", "photos/locked", "1 made", "2 failed"]);
        set(".", 0o555);
        folder.run(&format!("batch photos/a.png {QUICK} -o new")).failed_with(&["cannot write new"]);
        set(".", 0o755);
    }
    set("photos/locked", 0o755);
}

#[test]
fn several_at_once_make_the_same_pictures() {
    let folder = with_photographs(&["a.png", "b.png", "c.png", "d.png"]);
    folder.run(&format!("batch photos {QUICK} -o one")).notes();
    let notes = folder.run(&format!("batch photos {QUICK} -o three --jobs 3 --threads 4")).notes();
    assert!(notes.contains("4 made") && !notes.contains("at once"), "{notes}");
    for name in names_in(&folder, "one") {
        assert!(folder.read(&format!("one/{name}")) == folder.read(&format!("three/{name}")), "{name}");
    }
    let foreseen = folder.run(&format!("batch photos {STEPS} 3 -o one --dry-run --json"));
    let foreseen =
        foreseen.answer().lines().last().map(serde_json::from_str::<serde_json::Value>).unwrap().unwrap();
    let memory = foreseen["memory"].as_u64().unwrap();
    for (share, at_once) in [(25, "2 at once"), (15, "1 at once")] {
        let options = format!("--jobs 4 --max-memory {}", memory * share / 10);
        let notes = folder.run(&format!("batch photos {QUICK} -o {share} {options}")).notes();
        assert!(notes.contains("--jobs 4") && notes.contains(at_once) && notes.contains("4 made"), "{notes}");
    }
}

#[test]
fn a_dry_run_tells_what_would_be_done_and_writes_nothing() {
    let folder = with_photographs(&["a.png", "b.png", "c.png"]);
    folder.run(&format!("batch photos/a.png {QUICK} -o out")).notes();
    folder.write("photos/bad.png", "no picture");
    folder.write("out/c.png", "mine");
    let before = names_in(&folder, ".");
    let Ran { code, stdout, stderr } = folder.run(&format!("batch photos {QUICK} -o out --dry-run"));
    let said = String::from_utf8(stdout).unwrap();
    assert_eq!(code, Some(1), "{stderr}");
    for line in [
        "photos/a.png → out/a.png: made already\n",
        "photos/b.png → out/b.png: 32×27\n",
        "1 to be made, 1 made already, 2 would fail\n",
    ] {
        assert!(said.contains(line), "no {line:?}: {said}");
    }
    assert!(said.contains("photos/bad.png → out/bad.png: would fail: "), "{said}");
    assert!(said.contains("photos/c.png → out/c.png: would fail: --overwrite: out/c.png is there"), "{said}");
    assert!(said.contains("time: 0:0") && said.contains("; memory: "), "{said}");
    assert_eq!(names_in(&folder, "."), before);
    assert!(
        folder.run(&format!("batch photos/b.png {QUICK} -o new --dry-run")).answer().contains("1 to be made")
    );
    assert!(!folder.path("new").exists());
}

#[test]
fn after_its_time_the_same_command_goes_on() {
    let folder = with_photographs(&["a.png", "b.png"]);
    let notes = folder.run(&format!("batch photos {QUICK} -o out --max-time 0")).notes();
    assert!(notes.contains("0 made, 0 made already, 0 failed, 2 left"), "{notes}");
    assert!(folder.run(&format!("batch photos {QUICK} -o out")).notes().contains("2 made"));
}

#[test]
fn the_help_is_as_that_of_the_others() {
    let folder = Folder::new();
    let short = folder.run("batch -h").answer();
    assert!(short.lines().count() <= 48 && short.lines().all(|line| line.chars().count() <= 100), "{short}");
    for words in ["--style", "--output", "--name", "--recursive", "--jobs", "--watch", "impasto batch --help"]
    {
        assert!(short.contains(words), "no {words}: {short}");
    }
    let long = folder.run("batch --help").answer();
    for words in [
        "Photographs:",
        "Strokes:",
        "Loss:",
        "Work:",
        "Result:",
        "Settings:",
        "Examples:",
        "--null",
        "--json",
    ] {
        assert!(long.contains(words), "no {words}: {long}");
    }
    for other in ["--metrics", "--save-every", "--checkpoint"] {
        assert!(!long.contains(other), "{other}: {long}");
    }
}
