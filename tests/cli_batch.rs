//! `impasto batch`: many photographs in one style.

#[path = "common/command.rs"]
mod command;

use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::Stdio;

use command::{Folder, Ran};

/// Work of a moment for each photograph.
const QUICK: &str = "--style style.png --size 32 --steps 2";

/// The same with steps to be said.
const STEPS: &str = "--style style.png --size 32 --steps";

/// A folder with a style, and photographs in `photos`.
fn with_photographs(names: &[&str]) -> Folder {
    let folder = Folder::with_pictures();
    fs::create_dir(folder.path("photos")).unwrap();
    for (index, name) in names.iter().enumerate() {
        folder.picture(&format!("photos/{name}"), 40 - 4 * index as u32, 30);
    }
    folder
}

/// Names of all that is in a folder and those below it, sorted.
fn names_in(folder: &Folder, name: &str) -> Vec<String> {
    fn add(folder: &Path, below: &str, names: &mut Vec<String>) {
        let Ok(entries) = fs::read_dir(folder) else { return };
        for entry in entries.map(Result::unwrap) {
            let name = format!("{below}{}", entry.file_name().to_string_lossy());
            match entry.path().is_dir() {
                true => add(&entry.path(), &format!("{name}/"), names),
                false => names.push(name),
            }
        }
    }
    let mut names = Vec::new();
    add(&folder.path(name), "", &mut names);
    names.sort();
    names
}

/// The command with arguments that may have spaces.
fn run(folder: &Folder, arguments: &[&str], others: &str) -> Ran {
    let mut command = folder.command("batch");
    command.args(arguments).args(others.split_whitespace());
    Ran::to_its_end(command)
}

/// What a command said that could not do all.
#[track_caller]
fn failed(ran: Ran, words: &[&str]) -> String {
    assert_eq!((ran.code, ran.stdout.len()), (Some(1), 0), "stderr: {}", ran.stderr);
    assert!(words.iter().all(|word| ran.stderr.contains(word)), "not all of {words:?} in: {}", ran.stderr);
    ran.stderr
}

#[test]
fn each_photograph_of_a_folder_is_painted_as_stylize_does() {
    let folder = with_photographs(&["a.png", "b b.JPG", ".hidden.png"]);
    folder.write("photos/notes.txt", "no picture");
    let notes = folder.run(&format!("batch photos {QUICK} -o a/new/out")).notes();
    assert!(notes.contains("wrote a/new/out/b b.png: 32×27, "), "{notes}");
    assert!(notes.contains("2 made, 0 made already, 0 failed, 0:0"), "{notes}");
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
fn no_other_file_is_written_over() {
    let folder = with_photographs(&["a.png", "b.png", "c.png"]);
    fs::create_dir(folder.path("out")).unwrap();
    folder.write("out/a.png", "mine");
    folder.run("stylize photos/b.png style.png --size 32 --steps 1 -q -o out/b.png").notes();
    let of_stylize = folder.read("out/b.png");
    let batch = format!("batch photos {QUICK} -o out");
    let said =
        failed(folder.run(&batch), &["out/a.png is there, and no batch made it", "out/b.png is there"]);
    assert!(said.contains("1 made, 0 made already, 2 failed"), "{said}");
    assert!(said.ends_with("impasto: 2 of 3 photographs failed\n"), "{said}");
    assert!(folder.read("out/a.png") == b"mine" && folder.read("out/b.png") == of_stylize);
    let notes = folder.run(&format!("{batch} --overwrite")).notes();
    assert!(notes.contains("2 made, 1 made already"), "{notes}");
}

#[test]
fn photographs_and_styles_are_never_written_over() {
    let folder = with_photographs(&["a.png", "b.jpg"]);
    let files = || names_in(&folder, ".").iter().map(|name| folder.read(name)).collect::<Vec<_>>();
    let before = files();
    for (arguments, words) in [
        ("photos -o photos --overwrite", ["--output", "photos/a.png"]),
        (
            "photos/b.jpg -o photos --name a.png --style photos/a.png --overwrite",
            ["--output", "photos/a.png"],
        ),
        ("photos/b.jpg photos/a.png -o photos --overwrite", ["--output", "photos/a.png"]),
    ] {
        folder.run(&format!("batch {arguments} {QUICK}")).failed_with(&words);
        assert!(files() == before, "{arguments}");
    }
}

#[test]
fn two_photographs_of_one_result_are_refused_before_any_work() {
    let folder = with_photographs(&["a.png", "a.jpg", "b.png"]);
    folder.run(&format!("batch photos {QUICK} -o out")).failed_with(&[
        "--name",
        "photos/a.jpg and photos/a.png would both be out/a.png",
        "{name}",
    ]);
    assert!(!folder.path("out").exists());
    folder.run(&format!("batch photos {QUICK} -o out --name {{name}}.png")).notes();
    assert_eq!(names_in(&folder, "out"), ["a.jpg.png", "a.png.png", "b.png.png"]);
    // One photograph given twice is one.
    let notes = folder.run(&format!("batch photos/b.png photos/../photos/b.png {QUICK} -o once")).notes();
    assert!(notes.contains("1 made"), "{notes}");
}

#[test]
fn names_of_results_follow_the_pattern() {
    let folder = with_photographs(&["a.png", "b.jpg"]);
    folder.run(&format!("batch photos {QUICK} -o out --name {{n}}-{{stem}}-{{style}}.{{ext}}")).notes();
    assert_eq!(names_in(&folder, "out"), ["0001-a-style.png", "0002-b-style.jpg"]);
    for (pattern, words) in
        [("{stam}.png", "{stem}, {name}"), ("x/{stem}.png", "no folder"), ("{stem", "without }")]
    {
        let Ran { code, stderr, .. } = folder.run(&format!("batch photos {QUICK} -o out2 --name {pattern}"));
        assert!(code == Some(2) && stderr.contains(words), "{stderr}");
    }
    folder.run(&format!("batch photos {QUICK} -o out2 --name {{stem}}.bmp")).failed_with(&["bmp"]);
    assert!(!folder.path("out2").exists());
}

#[test]
fn folders_below_are_kept_and_results_are_no_photographs() {
    let folder = with_photographs(&["a.png"]);
    fs::create_dir_all(folder.path("photos/x/y")).unwrap();
    folder.picture("photos/x/a.png", 30, 40);
    folder.picture("photos/x/y/c.png", 30, 30);
    folder.run(&format!("batch photos {QUICK} -o flat")).notes();
    assert_eq!(names_in(&folder, "flat"), ["a.png"]);
    // In the folder of the photographs: the second time, results are there.
    for made in ["3 made, 0 made already", "0 made, 3 made already"] {
        let notes = folder.run(&format!("batch photos --recursive {QUICK} -o photos/out")).notes();
        assert!(notes.contains(made), "{notes}");
        assert_eq!(names_in(&folder, "photos/out"), ["a.png", "x/a.png", "x/y/c.png"]);
    }
    fs::remove_dir_all(folder.path("photos/out")).unwrap();
    for inputs in ["photos -r", "photos/*.png photos/**/c.png"] {
        for made in ["made, 0 made already", "0 made, "] {
            let notes = folder
                .run(&format!("batch {inputs} {QUICK} -o photos --name {{stem}}-{{style}}.png"))
                .notes();
            assert!(notes.contains(made), "{inputs}: {notes}");
        }
        assert!(names_in(&folder, "photos").iter().all(|name| !name.contains("style-style")));
        fs::remove_file(folder.path("photos/a-style.png")).unwrap();
    }
}

#[cfg(unix)]
#[test]
fn patterns_stand_for_names_unless_a_file_has_that_name() {
    let folder = with_photographs(&["a.png", "b.png", "[a].png", "c?.png", "notes.txt.png"]);
    fs::create_dir_all(folder.path("photos/x/.hidden")).unwrap();
    folder.picture("photos/x/d.png", 30, 40);
    folder.picture("photos/x/.hidden/e.png", 30, 40);
    folder.write("photos/b.txt", "no picture");
    for (pattern, expected) in [
        ("photos/[ab].png", &["a.png", "b.png"][..]),
        ("photos/[a].png", &["[a].png"]),
        ("photos/c?.png", &["c?.png"]),
        ("photos/?.*", &["a.png", "b.png"]),
        ("photos/**/d*", &["d.png"]),
        ("photos/**/[a-e].png", &["a.png", "b.png", "d.png"]),
    ] {
        run(&folder, &[pattern], &format!("{QUICK} -o out")).notes();
        assert_eq!(names_in(&folder, "out"), expected, "{pattern}");
        fs::remove_dir_all(folder.path("out")).unwrap();
    }
    for pattern in ["photos/*.tiff", "photos/*.txt", "nowhere/*"] {
        run(&folder, &[pattern], &format!("{QUICK} -o out"))
            .failed_with(&[pattern, "no pictures have such a name"]);
    }
    failed(
        run(&folder, &["*.tiff", "photos/a.png"], &format!("{QUICK} -o out")),
        &["*.tiff", "1 made", "1 failed"],
    );
    run(&folder, &["photos/[z.png"], &format!("{QUICK} -o out")).failed_with(&["[z.png", "range pattern"]);
}

#[cfg(unix)]
#[test]
fn a_list_of_paths_comes_on_standard_input() {
    let folder = with_photographs(&["a.png", "b b.png", "c\nd.png", "*.png"]);
    let listed = |list: &str, options: &str| {
        let mut command = folder.command(&format!("batch - {QUICK} -o out {options}"));
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        child.stdin.take().unwrap().write_all(list.as_bytes()).unwrap();
        let ran = Ran::from(child.wait_with_output().unwrap());
        let names = names_in(&folder, "out");
        let _ = fs::remove_dir_all(folder.path("out"));
        (ran, names)
    };
    let (ran, names) = listed("photos/a.png\r\n\nphotos/b b.png", "");
    ran.notes();
    assert_eq!(names, ["a.png", "b b.png"]);
    let (ran, names) = listed("photos/c\nd.png\0photos/*.png\0", "--null");
    ran.notes();
    assert_eq!(names, ["*.png", "c\nd.png"]);
    assert_eq!(listed("photos/a.png\0", "-0").1, ["a.png"]);
    listed("", "").0.failed_with(&["standard input: the list is empty"]);
    listed("photos/?.png\n", "").0.failed_with(&["photos/?.png"]);
}

#[cfg(unix)]
#[test]
fn names_need_not_be_unicode() {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt;
    let folder = with_photographs(&["a.png"]);
    let name = OsStr::from_bytes(b"\xFF x.png");
    fs::copy(folder.path("photos/a.png"), folder.path("photos").join(name)).unwrap();
    for (options, made) in
        [("", "2 made, 0"), ("", "0 made, 2"), ("--strip", "2 made, 0"), ("--strip", "0 made, 2")]
    {
        let notes = folder.run(&format!("batch photos {QUICK} -o out {options}")).notes();
        assert!(notes.contains(made), "{notes}");
        assert!(folder.path("out").join(name).exists());
    }
    // A pattern passes it over.
    assert!(run(&folder, &["photos/*"], &format!("{QUICK} -o of-pattern")).notes().contains("1 made"));
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
        ("photos -r -o file", &["cannot write file"]),
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

#[test]
fn stylize_says_what_it_takes_several_pictures_for() {
    let folder = with_photographs(&["a.jpg", "b.jpg", "c.jpg"]);
    folder.picture("other.png", 30, 30);
    folder.picture("fourth.png", 30, 30);
    let quick = "--size 32 --steps 1";
    let notes = folder.run(&format!("stylize content.png style.png other.png {quick} -o out.png")).notes();
    let line = "1 photograph, content.png, 2 styles blended evenly: style.png, other.png; for several photographs: impasto batch";
    assert!(notes.lines().next().unwrap().starts_with(line), "{notes}");
    for options in ["--blend 1,1", "-q", "--style-scale 1,1"] {
        let arguments = format!("stylize content.png style.png other.png {quick} {options} -o out.png");
        assert!(!folder.run(&arguments).notes().contains("photograph,"), "{options}");
    }
    assert!(
        !folder
            .run(&format!("stylize content.png style.png {quick} -o out.png"))
            .notes()
            .contains("photograph,")
    );

    // What a shell makes of photos/*.jpg, in any order.
    let three = "photos/b.jpg photos/a.jpg photos/c.jpg";
    for (pictures, words) in [
        (
            format!("{three} style.png"),
            &["photos/*.jpg", "impasto batch 'photos/*.jpg' --style", "--blend 1,1,1"][..],
        ),
        (three.to_owned(), &["photos/*.jpg", "impasto batch"]),
        ("photos style.png".to_owned(), &["photos is a folder", "impasto batch photos --style"]),
        ("content.png photos".to_owned(), &["photos is a folder"]),
        (
            "photos/?.jpg style.png".to_owned(),
            &["no file photos/?.jpg", "impasto batch 'photos/?.jpg' --style"],
        ),
    ] {
        let Ran { code, stdout, stderr } = folder.run(&format!("stylize {pictures} {quick} -o new.png"));
        assert_eq!((code, stdout.len()), (Some(2), 0), "{pictures}: {stderr}");
        assert!(words.iter().all(|word| stderr.contains(word)), "{stderr}");
        assert!(!folder.path("new.png").exists());
    }
    folder.run(&format!("stylize {three} --blend 1,1 {quick} -o new.png")).notes();
    folder.run(&format!("stylize photos/a.jpg photos/b.jpg style.png {quick} -o new.png")).notes();
}

#[cfg(unix)]
mod signals {
    use super::*;
    use command::{finish, signal, start, wait_until};

    /// Work of a second or two for each photograph.
    const LONG: &str = "--style style.png --size 128 --steps 200 --scales 2 --threads 1";

    #[test]
    fn after_ctrl_c_the_same_command_goes_on_to_the_same_bytes() {
        for (name, code, options) in [("INT", 130, ""), ("TERM", 143, "--jobs 2")] {
            let folder = with_photographs(&["a.png", "b.png", "c.png", "d.png"]);
            folder.run(&format!("batch photos {LONG} -o whole")).notes();
            let mut child = start(folder.command(&format!("batch photos {LONG} -o out {options}")));
            wait_until("result", || {
                !names_in(&folder, "out").iter().all(|name| name.starts_with('.'))
                    || child.try_wait().unwrap().is_some()
            });
            std::thread::sleep(std::time::Duration::from_millis(150));
            signal(&child, name);
            let Ran { code: found, stderr, .. } = finish(child);
            assert_eq!(found, Some(code), "{stderr}");
            assert!(
                stderr.contains("the state of the work is kept") && stderr.contains(" left, "),
                "{stderr}"
            );
            let names = names_in(&folder, "out");
            assert!(names.iter().any(|name| name.ends_with(".png.checkpoint")), "{names:?}: {stderr}");
            for name in names.iter().filter(|name| !name.ends_with(".checkpoint")) {
                assert!(
                    folder.read(&format!("out/{name}")) == folder.read(&format!("whole/{name}")),
                    "{name}"
                );
            }
            assert!(names.iter().all(|name| !name.starts_with(".impasto-")), "{names:?}");

            let notes = folder.run(&format!("batch photos {LONG} -o out {options}")).notes();
            assert!(notes.contains("gone on from where it was ended"), "{notes}");
            assert_eq!(names_in(&folder, "out"), ["a.png", "b.png", "c.png", "d.png"]);
            for name in names_in(&folder, "out") {
                assert!(
                    folder.read(&format!("out/{name}")) == folder.read(&format!("whole/{name}")),
                    "{name}"
                );
            }
        }
    }

    #[test]
    fn a_checkpoint_of_other_settings_or_a_damaged_one_is_of_no_use() {
        let folder = with_photographs(&["a.png"]);
        fs::create_dir(folder.path("out")).unwrap();
        folder.write("out/.a.png.checkpoint", "damaged");
        folder.run(&format!("batch photos {QUICK} -o out")).notes();
        assert_eq!(names_in(&folder, "out"), ["a.png"]);
    }

    #[test]
    fn new_photographs_are_taken_as_they_come() {
        let folder = with_photographs(&[]);
        let child = start(folder.command(&format!("batch photos {QUICK} -o out --watch --json")));
        let has = |name: &str| folder.path(name).exists();
        folder.picture("photos/a.png", 40, 30);
        wait_until("result", || has("out/a.png"));
        // One that comes in parts.
        folder.picture("b.png", 40, 30);
        let whole = folder.read("b.png");
        folder.write("photos/b.png", &whole[..whole.len() / 2]);
        std::thread::sleep(std::time::Duration::from_millis(300));
        folder.write("photos/b.png", &whole);
        wait_until("result", || has("out/b.png"));
        folder.write("photos/0bad.png", "no picture");
        let first = folder.read("out/a.png");
        folder.picture("photos/a.png", 40, 20);
        wait_until("another result", || folder.read("out/a.png") != first);
        signal(&child, "INT");
        let Ran { code, stdout, stderr } = finish(child);
        assert_eq!(code, Some(1), "{stderr}");
        assert!(
            stderr.contains("3 made, 0 made already, 1 failed") && stderr.contains("0bad.png"),
            "{stderr}"
        );
        assert_eq!(stdout.split(|byte| *byte == b'\n').count(), 6);
        assert_eq!(names_in(&folder, "out"), ["a.png", "b.png"]);
    }

    #[test]
    fn a_watch_that_is_idle_ends_by_ctrl_c() {
        let folder = with_photographs(&["a.png"]);
        let child = start(folder.command(&format!("batch photos later/*.png {QUICK} -o out --watch")));
        wait_until("result", || folder.path("out/a.png").exists());
        std::thread::sleep(std::time::Duration::from_millis(200));
        signal(&child, "INT");
        let Ran { code, stderr, .. } = finish(child);
        assert_eq!(code, Some(130), "{stderr}");
        assert!(stderr.contains("1 made") && stderr.contains("waiting: later/*.png"), "{stderr}");
    }
}
