//! weights list, weights info, and where `--weights` looks.

#[path = "common/command.rs"]
mod command;

use std::fs;

use command::{Folder, Ran, reference_folder};

#[test]
fn the_list_says_what_is_installed_and_where_it_looked() {
    let folder = Folder::new();
    let list = folder.run("weights list").answer();
    for name in ["tiny_vgg19", "tiny_a_lrn", "tiny_timm13"] {
        assert!(list.lines().any(|line| line.starts_with(&format!("{name} "))), "{list}");
    }
    let default = format!("default: {}", reference_folder().join("tiny_vgg19.safetensors").display());
    assert!(list.lines().any(|line| line == default), "{list}");
    assert!(list.contains(&format!("looked in: {}", reference_folder().display())), "{list}");
}

#[test]
fn where_nothing_is_installed_the_list_and_the_error_say_what_to_do() {
    let folder = Folder::with_pictures();
    let bare = |arguments: &str| {
        let mut command = folder.command(arguments);
        command.env_remove("IMPASTO_WEIGHTS").env_remove("IMPASTO_WEIGHTS_DIR");
        Ran::to_its_end(command)
    };
    let list = bare("weights list").answer();
    assert!(list.contains("no default") && list.contains("looked in: "), "{list}");
    bare("stylize content.png style.png").failed_with(&["--weights", "installed", "safetensors"]);
}

#[test]
fn the_best_installed_network_is_the_default() {
    let folder = Folder::with_pictures();
    fs::create_dir(folder.path("installed")).unwrap();
    for (from, to) in [("tiny_tv11", "vgg11"), ("tiny_vgg19", "vgg19"), ("tiny_c", "vgg16-c")] {
        let from = reference_folder().join(format!("{from}.safetensors"));
        fs::copy(from, folder.path("installed").join(format!("{to}.safetensors"))).unwrap();
    }
    let with_folder = |arguments: &str| {
        let mut command = folder.command(arguments);
        command.env_remove("IMPASTO_WEIGHTS").env("IMPASTO_WEIGHTS_DIR", folder.path("installed"));
        Ran::to_its_end(command)
    };
    let list = with_folder("weights list").answer();
    let names: Vec<_> = list.lines().take(3).map(|line| line.split(' ').next().unwrap()).collect();
    assert_eq!(names, ["vgg19", "vgg16-c", "vgg11"]);
    let network = |arguments: &str| with_folder(arguments).json()["network"].as_str().unwrap().to_owned();
    assert_eq!(network("profile --size 32 --rounds 1 --json"), "vgg19");
    assert_eq!(network("profile --size 32 --rounds 1 --json --weights vgg16-c"), "vgg16-c");
}

#[test]
fn info_says_what_is_in_a_file() {
    let folder = Folder::new();
    let of = |name: &str| {
        let text = folder.run(&format!("weights info {name}")).answer();
        move |key: &str| {
            let found = text.lines().find_map(|line| line.strip_prefix(key));
            found.unwrap_or_else(|| panic!("no {key} in {text}")).trim().to_owned()
        }
    };
    let info = of("tiny_vgg19");
    let len = fs::metadata(reference_folder().join("tiny_vgg19.safetensors")).unwrap().len();
    assert!(info("file").ends_with(&format!("tiny_vgg19.safetensors, {len} bytes")));
    let milliseconds: f64 = info("opened in").strip_suffix(" ms").unwrap().parse().unwrap();
    assert!(milliseconds < 1000.0);
    assert!(info("network").starts_with("vgg19 "));
    assert_eq!(
        (info("naming"), info("preprocessing"), info("dtype")),
        ("layers".into(), "caffe".into(), "F32".into())
    );
    assert!(info("layers, width").starts_with("conv1_1 6, conv1_2 6, conv2_1 10, "));
    assert!(info("parameters").parse::<usize>().unwrap() > 1000);
    assert_eq!(info("metadata"), "network = vgg19");

    let info = of(reference_folder().join("tiny_timm13.safetensors").to_str().unwrap());
    assert_eq!(
        (info("naming"), info("preprocessing"), info("dtype")),
        ("timm".into(), "torchvision".into(), "BF16".into())
    );
    assert!(info("layers, width").ends_with("fc8 10"));

    folder.run("weights info nothing.safetensors").failed_with(&["nothing.safetensors", "No such file"]);
    folder.run("weights info nothing").failed_with(&["nothing", "no file"]);
}
