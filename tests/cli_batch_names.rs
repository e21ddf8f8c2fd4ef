//! `impasto batch`: which photographs it takes, and where their results go.

#[path = "common/batch.rs"]
mod batch;
#[path = "common/command.rs"]
mod command;

use std::fs;
#[cfg(unix)]
use std::io::Write;
#[cfg(unix)]
use std::process::Stdio;

use batch::{QUICK, failed, names_in, run, with_photographs};
use command::Ran;

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
    run(&folder, &["photos/a.png"], &format!("{QUICK} -o style.png"))
        .failed_with(&["--output", "style.png is a file"]);
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
