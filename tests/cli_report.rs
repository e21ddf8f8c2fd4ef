//! `--report`: a page about the work, which loads nothing.

#[path = "common/command.rs"]
mod command;
#[path = "common/markup.rs"]
mod markup;

use std::fs;

use command::{Folder, demo};
use markup::{check_loads_nothing, elements};

/// Checks a page, and gives it.
#[track_caller]
fn page(folder: &Folder, name: &str) -> String {
    let html = String::from_utf8(folder.read(name)).unwrap();
    assert!(html.starts_with("<!DOCTYPE html>\n"));
    check_loads_nothing(&html);
    let names: Vec<_> = elements(&html).into_iter().map(|(name, _)| name).collect();
    assert_eq!(&names[..3], ["html", "head", "meta"]);
    for name in ["title", "style", "body", "h1", "table"] {
        assert!(names.iter().any(|found| found == name), "no {name}");
    }
    for word in ["prefers-color-scheme:dark", "width=device-width", "charset=\"utf-8\""] {
        assert!(html.contains(word), "no {word}");
    }
    html
}

#[track_caller]
fn check_has(html: &str, words: &[&str]) {
    for word in words {
        assert!(html.contains(word), "no {word:?}");
    }
}

/// Headings of the page's parts.
fn headings(html: &str) -> Vec<&str> {
    html.split("<h2>").skip(1).map(|rest| rest.split_once("</h2>").unwrap().0).collect()
}

/// The pictures in the page, each by its alternative text, with its width and height.
fn pictures(html: &str) -> Vec<(String, u32, u32)> {
    let images = elements(html).into_iter().filter(|(name, _)| name == "img");
    let picture = |(_, attributes): (String, Vec<(String, String)>)| {
        let value = |key: &str| attributes.iter().find(|(name, _)| name == key).unwrap().1.clone();
        assert!(value("src").len() > 100);
        (value("alt"), value("width").parse().unwrap(), value("height").parse().unwrap())
    };
    images.map(picture).collect()
}

#[cfg(unix)]
#[test]
fn a_page_has_pictures_curves_settings_times_and_machine() {
    let folder = Folder::new();
    folder.picture("<b>&\".png", 80, 60);
    folder.picture("a'<i>.png", 64, 64);
    folder
        .run("stylize <b>&\".png a'<i>.png --size 80 --steps 12 --scales 3 --report r.html -o out.png")
        .answer();
    let html = page(&folder, "r.html");
    assert_eq!(
        headings(&html),
        ["Pictures", "Scales before the last", "Losses", "Settings", "Times", "Machine"]
    );
    assert_eq!(
        pictures(&html),
        [
            ("result".to_owned(), 80, 60),
            ("content: &lt;b&gt;&amp;&quot;.png".to_owned(), 80, 60),
            ("style: a&#39;&lt;i&gt;.png".to_owned(), 64, 64),
            ("40×30".to_owned(), 40, 30),
            ("57×43".to_owned(), 57, 43),
        ]
    );
    assert!(!html.contains("<b>") && !html.contains("<i>"));
    check_has(
        &html,
        &[
            "<h1>out.png</h1>",
            "Done. 12 steps",
            "after step 4",
            "after step 8",
            // Each curve, with a line for each scale.
            ">loss</text>",
            ">content</text>",
            ">style</text>",
            ">total variation</text>",
            // The command as `show` prints it, and the settings in the result.
            "impasto stylize &#39;&lt;b&gt;&amp;&quot;.png&#39;",
            "--size 80",
            "content-weight = 1\n",
            "<td class=\"word\">80×60</td><td>4</td>",
            "instruction set",
            "memory foreseen",
            "memory taken",
            env!("CARGO_PKG_VERSION"),
        ],
    );
    assert_eq!(html.matches("class=\"line s1\"").count(), 3);
    assert_eq!(html.matches("class=\"mark\"").count(), 2 * 4);
    assert!(!html.contains("NaN"));
    // Not how it is done, nor where: as in a result.
    assert!(!html.contains("report =") && !html.contains(folder.path("").to_str().unwrap()));
}

#[test]
fn the_picture_is_the_same_with_a_page() {
    let folder = Folder::with_pictures();
    let stylize = "stylize content.png style.png --size 40 --steps 4";
    folder.run(&format!("{stylize} -o without.png")).answer();
    folder.run(&format!("{stylize} -o with.png --report page.html")).answer();
    assert_eq!(folder.read("without.png"), folder.read("with.png"));
}

#[test]
fn a_large_picture_is_reduced_in_the_page() {
    let folder = Folder::with_pictures();
    folder
        .run(&format!("stylize {} style.png --size 32 --steps 1 --report page.html", demo("content.png")))
        .answer();
    // It was read at a reduced size; the page has at most 400 pixels of it.
    let pictures = pictures(&page(&folder, "page.html"));
    assert!(pictures.iter().all(|(_, width, height)| *width <= 400 && *height <= 400), "{pictures:?}");
    assert!(folder.read("page.html").len() < 200_000);
}

#[test]
fn texture_and_reconstruct_have_pages_too() {
    let folder = Folder::with_pictures();
    folder.run("texture style.png --size 32 --steps 3 --report texture.html -o t.png").answer();
    let html = page(&folder, "texture.html");
    check_has(&html, &["<h1>t.png</h1>", "style: style.png", "impasto texture style.png", ">style</text>"]);
    // There is no content.
    assert!(!html.contains(">content</text>"));
    folder
        .run("reconstruct content.png --layer relu2_1 --size 32 --steps 3 --report r.html -o r.png")
        .answer();
    let html = page(&folder, "r.html");
    check_has(&html, &["content: content.png", "impasto reconstruct content.png", ">content</text>"]);
    assert!(!html.contains(">style</text>"));
}

#[test]
fn masks_and_a_start_are_named() {
    let folder = Folder::with_pictures();
    folder.picture("start.png", 40, 30);
    folder.picture("mask.png", 40, 30);
    folder
        .run("stylize content.png style.png --size 40 --steps 2 --init start.png --mask mask.png --report page.html")
        .answer();
    let names: Vec<_> = pictures(&page(&folder, "page.html")).into_iter().map(|picture| picture.0).collect();
    for name in ["content: content.png", "style: style.png", "start: start.png", "mask: mask.png"] {
        assert!(names.iter().any(|found| found == name), "no {name} in {names:?}");
    }
}

#[test]
fn work_that_its_time_ends_has_a_page() {
    let folder = Folder::with_pictures();
    let ran = folder.run(
        "stylize content.png style.png --size 512 --scales 1 --optimizer adam --steps 1000000 --max-time 1s --report page.html -o out.png",
    );
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    let html = page(&folder, "page.html");
    check_has(&html, &["class=\"note\"", "The time of --max-time was up", "alt=\"result\""]);
    // However many steps there were.
    assert!(html.len() < 1_000_000, "{} bytes", html.len());
}

#[cfg(unix)]
#[test]
fn interrupted_work_has_a_page_and_goes_on_with_another() {
    use command::{finish, signal, start};

    let folder = Folder::with_pictures();
    // Some steps are done in three seconds, and fewer than the 50 after which Adam gives up here.
    let command = "stylize content.png style.png --size 1024 --scales 1 --optimizer adam --steps 1000000 --metrics metrics.jsonl \
                   --report page.html --checkpoint c -o out.png";
    let child = start(folder.command(command));
    folder.wait_for_steps(5);
    assert!(!folder.path("page.html").exists());
    signal(&child, "INT");
    assert_eq!(finish(child).code, Some(130));
    check_has(&page(&folder, "page.html"), &["class=\"note\"", "Ended early by Ctrl-C", "alt=\"result\""]);

    // The page is not what a checkpoint goes on with by itself.
    fs::remove_file(folder.path("page.html")).unwrap();
    assert_eq!(folder.run("resume c --max-time 0").code, Some(0));
    assert!(!folder.path("page.html").exists());
    assert_eq!(folder.run("resume c --max-time 3s --report later.html").code, Some(0));
    check_has(&page(&folder, "later.html"), &["Begun at step", "from a checkpoint"]);
}

#[test]
fn a_page_is_never_written_over_an_input_or_another_output() {
    let folder = Folder::with_pictures();
    let content = folder.read("content.png");
    for (report, word) in [
        ("content.png", "the input content.png"),
        ("style.png", "the input style.png"),
        ("out.png", "the output out.png"),
        ("m.jsonl", "the output m.jsonl"),
        ("-", "standard output"),
        ("no/page.html", "no/page.html"),
        (".", "is a folder"),
    ] {
        let arguments = format!(
            "stylize content.png style.png --size 32 --steps 2 --metrics m.jsonl -o out.png --report {report}"
        );
        let ran = folder.run(&arguments);
        assert_eq!((ran.code, ran.stdout.len()), (Some(1), 0), "{report}: {}", ran.stderr);
        assert!(ran.stderr.contains(word) && ran.stderr.lines().count() == 1, "{report}: {}", ran.stderr);
    }
    assert_eq!(folder.read("content.png"), content);
    assert_eq!(folder.names(), ["content.png", "style.png"]);
}

#[test]
fn a_failed_start_leaves_an_old_page() {
    let folder = Folder::with_pictures();
    folder.write("page.html", "old");
    assert_eq!(folder.run("stylize content.png missing.png --report page.html").code, Some(1));
    assert_eq!(folder.run("stylize content.png style.png --dry-run --report page.html").code, Some(0));
    assert_eq!(folder.read("page.html"), b"old");
}

#[test]
fn a_profile_has_a_page() {
    let folder = Folder::new();
    folder.run("profile --size 48 --rounds 2 --report page.html").answer();
    let html = page(&folder, "page.html");
    assert_eq!(headings(&html), ["Roofline", "Layers", "Machine"]);
    check_has(
        &html,
        &[
            "Profile of tiny_vgg19 (vgg19) at 48×48 pixels",
            "<title>relu1_1 forward: ",
            "<td class=\"word\">relu5_1</td>",
            "GFLOP/s of multiply-adds",
            "hardware counters",
            "memory foreseen",
            "instruction set",
        ],
    );
}

#[test]
fn a_page_of_a_batch_has_each_photograph_beside_its_result() {
    let folder = Folder::with_pictures();
    fs::create_dir(folder.path("photos")).unwrap();
    folder.picture("photos/a.png", 40, 30);
    folder.picture("photos/b.png", 30, 40);
    let batch = "batch photos --style style.png --size 32 --steps 2 -o out --report r.html";
    folder.run(batch).notes();
    let html = page(&folder, "r.html");
    assert_eq!(headings(&html), ["Style", "Pictures", "Photographs", "Settings", "Machine"]);
    let expected =
        [("style.png", 32, 36), ("a.png", 40, 30), ("a.png", 32, 24), ("b.png", 30, 40), ("b.png", 24, 32)];
    assert_eq!(pictures(&html), expected.map(|(name, width, height)| (name.to_owned(), width, height)));
    check_has(
        &html,
        &[
            "2 made, 0 made already, 0 failed",
            "photographs an hour",
            "impasto stylize a.png style.png --size 32",
            // A long one is broken where the page is narrow.
            "<td class=\"word path\">photos/a.png</td>",
            // The words come last, where a long reason has room.
            "<td>32×24</td>",
            "<td class=\"word\">made</td></tr>",
        ],
    );
    assert!(!html.contains("class=\"note\""));

    // Again, with one that fails: what was made already is shown as well.
    folder.write("photos/<bad>.png", "no picture");
    assert_eq!(folder.run(batch).code, Some(1));
    let html = page(&folder, "r.html");
    assert_eq!(pictures(&html).len(), 5);
    check_has(
        &html,
        &["class=\"note\">0 made, 2 made already, 1 failed", "photos/&lt;bad&gt;.png", "not a picture"],
    );

    // In the folder of the results, which is not there before.
    let beside = "batch photos/a.png --style style.png --size 32 --steps 2 -o new --report new/r.html";
    folder.run(beside).notes();
    check_has(&page(&folder, "new/r.html"), &["1 made"]);

    for (file, words) in [
        ("-", "standard output"),
        ("photos/a.png", "photos/a.png"),
        ("out/a.png", "out/a.png"),
        ("no/r.html", "no/r.html"),
    ] {
        let arguments =
            format!("batch photos/a.png --style style.png --size 32 --steps 3 -o out --report {file}");
        folder.run(&arguments).failed_with(&["--report", words][usize::from(file == "no/r.html")..]);
    }
    assert_eq!(folder.run(&format!("{batch} --dry-run")).code, Some(2));
}
