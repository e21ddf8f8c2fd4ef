//! classify, of one picture and of several together.
#![cfg(feature = "cli")]

#[path = "common/command.rs"]
mod command;

use command::{Folder, reference_folder};
use impasto::classify::classify;
use impasto::network::Compute;
use impasto::{Picture, Weights};

/// Three different pictures.
fn folder() -> Folder {
    let folder = Folder::with_pictures();
    folder.picture("third.png", 300, 260);
    folder
}

const NAMES: [&str; 3] = ["content.png", "style.png", "third.png"];

#[test]
fn several_pictures_have_the_classes_that_each_has_alone() {
    let folder = folder();
    let pictures = NAMES.map(|name| Picture::open(&folder.path(name)).unwrap());
    for network in ["tiny_tv11", "tiny_timm13", "tiny_c"] {
        let path = reference_folder().join(format!("{network}.safetensors"));
        for weights in [Weights::open(&path).unwrap(), Weights::read(&path).unwrap()] {
            let compute = Compute::default();
            let together = classify(&weights, compute, &pictures).unwrap();
            assert_eq!(together.len(), 3);
            for (picture, together) in pictures.iter().zip(&together) {
                let alone = classify(&weights, compute, [picture]).unwrap();
                assert_eq!((alone.len(), alone[0].len()), (1, 10));
                assert!((together.iter().sum::<f32>() - 1.0).abs() < 1e-5);
                for (alone, together) in alone[0].iter().zip(together) {
                    assert!((alone - together).abs() < 1e-5, "{network}: {alone} and {together}");
                }
            }
            assert!(together[0] != together[1] && together[1] != together[2], "{network}");
            assert!(classify(&weights, compute, [] as [&Picture; 0]).unwrap().is_empty());
        }
    }
}

#[test]
fn several_pictures_are_told_in_their_order() {
    let folder = folder();
    let labels: Vec<_> = (0..10).map(|class| format!("name of {class}")).collect();
    folder.write("labels.txt", labels.join("\n"));
    let options = "--weights tiny_tv11 --labels labels.txt";
    let of = |images: &str| folder.run(&format!("classify {images} {options}")).answer();
    let json = |images: &str| folder.run(&format!("classify {images} {options} --json")).json();

    let together = of(&NAMES.join(" "));
    let alone = NAMES.map(|name| format!("{name}:\n{}", of(name)));
    assert_eq!(together, alone.join("\n"));

    let together = json(&NAMES.join(" "));
    let pictures = together["pictures"].as_array().unwrap();
    assert_eq!(pictures.len(), 3);
    for (picture, name) in pictures.iter().zip(NAMES) {
        assert_eq!(picture["image"], name);
        let alone = json(name);
        assert!(alone.get("image").is_none() && alone.get("pictures").is_none(), "{alone}");
        let names = |answer: &serde_json::Value| {
            let classes = answer["classes"].as_array().unwrap().iter();
            classes.map(|class| class["name"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
        };
        assert_eq!(names(picture), names(&alone));
    }
}

#[test]
fn one_bad_picture_of_several_is_named() {
    let folder = folder();
    folder.write("bad.png", "no picture");
    folder.run("classify content.png bad.png style.png --weights tiny_tv11").failed_with(&["bad.png"]);
    folder.run("classify content.png missing.png --weights tiny_tv11").failed_with(&["missing.png"]);
    assert_eq!(folder.run("classify --weights tiny_tv11").code, Some(2));
}

#[test]
fn weights_that_changed_are_not_used() {
    let folder = folder();
    let path = folder.path("net.safetensors");
    let bytes = std::fs::read(reference_folder().join("tiny_tv11.safetensors")).unwrap();
    folder.write("net.safetensors", &bytes);
    let weights = Weights::open(&path).unwrap();
    folder.write("net.safetensors", &bytes[..100]);
    let picture = Picture::open(&folder.path("content.png")).unwrap();
    let error = classify(&weights, Compute::default(), [&picture]).unwrap_err();
    assert!(matches!(error, impasto::Error::WeightsChanged { .. }), "{error:?}");
}
