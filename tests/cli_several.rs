//! `impasto stylize` given several pictures.

#[path = "common/batch.rs"]
mod batch;
#[path = "common/command.rs"]
mod command;

use batch::with_photographs;
use command::Ran;

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
