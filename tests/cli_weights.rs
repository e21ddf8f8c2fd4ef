//! weights list, weights info, and where `--weights` looks.

#[path = "common/command.rs"]
mod command;

use std::fs;
use std::io::{BufRead, BufReader};
use std::process::Stdio;

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

/// The command where a user has nothing in the environment and these networks installed.
fn with_installed(folder: &Folder, networks: &[(&str, &str)], arguments: &str) -> Ran {
    let installed = folder.path("installed");
    fs::create_dir_all(&installed).unwrap();
    for (from, to) in networks {
        let from = reference_folder().join(format!("{from}.safetensors"));
        fs::copy(from, installed.join(format!("{to}.safetensors"))).unwrap();
    }
    let mut command = folder.command(arguments);
    command.env_remove("IMPASTO_WEIGHTS").env("IMPASTO_WEIGHTS_DIR", installed);
    Ran::to_its_end(command)
}

#[test]
#[cfg(feature = "embedded")]
fn where_nothing_is_installed_the_embedded_network_is_the_default() {
    let folder = Folder::with_pictures();
    let bare = |arguments: &str| with_installed(&folder, &[], arguments);
    let list = bare("weights list").answer();
    assert!(list.lines().any(|line| line == "slim  embedded"), "{list}");
    assert!(list.lines().any(|line| line == "default: slim (embedded)"), "{list}");
    let info = bare("weights info slim").answer();
    assert!(info.contains("slim (embedded), ") && info.contains("CC BY 4.0"), "{info}");

    let verbose = |arguments: &str| bare(&format!("{arguments} -v")).stderr;
    for arguments in
        ["loss content.png --style style.png", "loss content.png --style style.png --weights slim"]
    {
        let notes = verbose(arguments);
        assert!(notes.contains("weights: slim (embedded), vgg19 "), "{notes}");
    }
    bare("stylize content.png style.png --steps 2 --size 32 -o out.png").notes();
    assert!(folder.path("out.png").exists());
    let missing = bare("loss content.png --style style.png --weights vgg19");
    missing.failed_with(&["--weights", "no file vgg19, and no vgg19.safetensors", "safetensors file"]);
}

#[test]
#[cfg(not(feature = "embedded"))]
fn where_nothing_is_installed_the_list_and_the_error_say_what_to_do() {
    let folder = Folder::with_pictures();
    let bare = |arguments: &str| with_installed(&folder, &[], arguments);
    let list = bare("weights list").answer();
    assert!(list.contains("no default") && list.contains("looked in: "), "{list}");
    bare("stylize content.png style.png").failed_with(&["--weights", "installed", "safetensors"]);
}

#[test]
fn installed_networks_are_listed_the_deepest_first_and_found_by_name() {
    let folder = Folder::new();
    let networks = [("tiny_tv11", "vgg11"), ("tiny_vgg19", "vgg19"), ("tiny_c", "vgg16-c")];
    let with_some = |arguments: &str| with_installed(&folder, &networks, arguments);
    let list = with_some("weights list").answer();
    let names: Vec<_> = list.lines().map(|line| line.split(' ').next().unwrap()).collect();
    let embedded: &[&str] = if cfg!(feature = "embedded") { &["slim"] } else { &[] };
    assert_eq!(names[..embedded.len() + 3], [embedded, &["vgg19", "vgg16-c", "vgg11"]].concat());
    let vgg19 = folder.path("installed/vgg19.safetensors");
    let line = format!("vgg19    installed  {}", vgg19.display());
    assert!(list.lines().any(|found| found == line), "{list}");
    // The default is the same for everybody unless they say otherwise.
    let default =
        if cfg!(feature = "embedded") { "slim (embedded)".to_owned() } else { vgg19.display().to_string() };
    assert!(list.contains(&format!("default: {default}\n")), "{list}");

    let network = |arguments: &str| with_some(arguments).json()["network"].as_str().unwrap().to_owned();
    let used = if cfg!(feature = "embedded") { "slim (vgg19)" } else { "vgg19" };
    assert_eq!(network("profile --size 32 --rounds 1 --json"), used);
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

/// Mapped, the weights would be gone: the next use of them would end the process.
#[test]
fn weights_that_are_read_may_change_while_the_command_runs() {
    let folder = Folder::with_pictures();
    fs::copy(reference_folder().join("tiny_vgg19.safetensors"), folder.path("net.safetensors")).unwrap();
    let mut command = folder.command(
        "stylize content.png style.png -o out.png --weights net.safetensors --no-mmap --steps 30 -v",
    );
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines().map(Result::unwrap);
    let opened = lines.find(|line| line.starts_with("weights: ")).expect("no line of the weights");
    assert!(opened.contains(", read in "), "{opened}");
    folder.write("net.safetensors", "");
    let rest: Vec<_> = lines.collect();
    assert_eq!(child.wait().unwrap().code(), Some(0), "{rest:?}");
    assert!(folder.path("out.png").exists());
}

#[test]
#[cfg(feature = "embedded")]
fn the_embedded_network_needs_no_copy() {
    let folder = Folder::with_pictures();
    folder.run("loss content.png --style style.png --weights slim --no-mmap").answer();
}
