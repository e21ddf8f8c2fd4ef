//! features, loss, classify and profile: their numbers against PyTorch's, and the form of their answers.

#[path = "common/command.rs"]
mod command;
#[path = "common/tensors.rs"]
mod tensors;

use command::{Folder, reference_folder};
use image::{ImageBuffer, Rgb};
use ndarray::{Array3, s};
use serde_json::Value;
use tensors::{Tensors, relative_error};

/// Relative error of a value, and of a feature map in the L2 norm.
const VALUE_TOLERANCE: f64 = 1e-4;
/// Relative error of a gradient in the L2 norm.
const GRADIENT_TOLERANCE: f64 = 1e-3;

#[test]
fn losses_and_their_gradient_are_pytorchs() {
    for case in [
        "case_max_relative",
        "case_max_gatys",
        "case_average_relative",
        "case_average_gatys",
        "case_same_size",
        "case_conv_taps",
        "case_lrn",
        "case_wasserstein",
        "case_replicate",
        "case_wrap",
    ] {
        let expected = Tensors::read(&reference_folder().join(format!("{case}.safetensors")));
        let folder = Folder::new();
        write_pictures(&folder);
        let of = |key: &str| expected.metadata[key].as_str();
        let or = |key: &str, default| expected.metadata.get(key).map_or(default, String::as_str);
        let layers = |option: &str, key: &str| -> String {
            of(key).split(',').map(|layer| format!(" {option} {layer}")).collect()
        };
        let answer = folder.run(&format!(
            "loss {}.png --content {}.png --style {}.png --weights {} --loss {} --pooling {} --content-weight {} \
             --style-weight {} --tv-weight {} --statistic {} --edges {}{}{} --json --gradient gradient.safetensors",
            of("image"),
            of("content"),
            of("style"),
            of("weights").trim_end_matches(".safetensors"),
            of("loss"),
            of("pooling"),
            of("alpha"),
            of("beta"),
            of("gamma"),
            or("statistic", "gram"),
            or("edges", "zero"),
            layers("--content-layer", "content_layers"),
            layers("--style-layer", "style_layers"),
        ));
        let answer = answer.json();
        let mut terms = 0;
        for (name, (_, value)) in &expected.tensors {
            let found = match name.split_once('.') {
                Some((kind @ ("content" | "style"), layer)) => &answer[kind][layer],
                None if name == "loss" || name == "tv" => &answer[name],
                _ => continue,
            };
            let found = found.as_f64().unwrap_or_else(|| panic!("{case}: no {name} in {answer}"));
            assert!(relative_error(&[found], value) <= VALUE_TOLERANCE, "{case}, {name}: {found}, {value:?}");
            terms += 1;
        }
        let count = |kind: &str| answer[kind].as_object().unwrap().len();
        assert_eq!(terms, 2 + count("content") + count("style"), "{case}: {answer}");

        let found = Tensors::read(&folder.path("gradient.safetensors"));
        assert_eq!(found.tensors.len(), 1);
        assert_eq!(found.shape("gradient"), expected.shape("gradient"));
        let error = relative_error(found.values("gradient"), expected.values("gradient"));
        assert!(error <= GRADIENT_TOLERANCE, "{case}, gradient: {error:.1e}");
    }
}

#[test]
fn features_are_pytorchs() {
    for (case, pooling) in [("case_max_relative", "max"), ("case_average_relative", "average")] {
        let expected = Tensors::read(&reference_folder().join(format!("{case}.safetensors")));
        let folder = Folder::new();
        write_pictures(&folder);
        let names: Vec<_> =
            expected.tensors.keys().filter_map(|name| name.strip_prefix("features.")).collect();
        assert!(names.len() > 10);
        let layers: String = names.iter().map(|layer| format!(" --layer {layer}")).collect();
        let notes =
            folder.run(&format!("features image.png --pooling {pooling}{layers} -o f.safetensors")).notes();
        assert!(notes.starts_with("wrote f.safetensors: ") && notes.ends_with("of 53×37\n"), "{notes}");

        let found = Tensors::read(&folder.path("f.safetensors"));
        assert_eq!(found.tensors.len(), names.len());
        for (key, value) in [
            ("network", "vgg19"),
            ("preprocessing", "caffe"),
            ("pooling", pooling),
            ("width", "53"),
            ("height", "37"),
        ] {
            assert_eq!(found.metadata[key], value);
        }
        for layer in names {
            let expected_name = format!("features.{layer}");
            assert_eq!(found.shape(layer), expected.shape(&expected_name), "{layer}");
            let error = relative_error(found.values(layer), expected.values(&expected_name));
            assert!(error <= VALUE_TOLERANCE, "{case}, {layer}: {error:.1e}");
        }
    }
}

#[test]
fn features_can_be_of_another_size_and_are_the_same_bytes_each_time() {
    let folder = Folder::with_pictures();
    let command = "features content.png --size 20 --layer relu2_1 --layer relu1_1 --layer relu2_1 -q -o";
    assert_eq!(folder.run(&format!("{command} a.safetensors")).notes(), "");
    folder.run(&format!("{command} b.safetensors --threads 1")).notes();
    assert!(folder.read("a.safetensors") == folder.read("b.safetensors"));
    let found = Tensors::read(&folder.path("a.safetensors"));
    assert_eq!(found.tensors.len(), 2);
    assert_eq!((found.shape("relu1_1"), found.shape("relu2_1")), (&[6, 15, 20][..], &[10, 7, 10][..]));
}

#[test]
fn a_loss_may_have_either_term_and_any_size() {
    let folder = Folder::with_pictures();
    let of_itself = folder.run("loss content.png --content content.png --tv-weight 0 --json").json();
    assert_eq!((of_itself["loss"].as_f64(), of_itself["style"].as_object().unwrap().len()), (Some(0.0), 0));
    let of_style = folder.run("loss content.png --style style.png --json").json();
    assert!(of_style["loss"].as_f64().unwrap() > 0.0 && of_style["content"].as_object().unwrap().is_empty());
    let blended = folder
        .run("loss content.png --style style.png --style content.png --blend 0,1 --tv-weight 0 --statistic gram --json")
        .json();
    assert_eq!(blended["loss"], 0.0, "{blended}");
    // The Wasserstein target is not quite the picture's own: of small variances it has nothing.
    let of_itself = "--style content.png --tv-weight 0 --json";
    let [of_itself, of_another] = ["content", "style"].map(|picture| {
        folder.run(&format!("loss {picture}.png {of_itself}")).json()["loss"].as_f64().unwrap()
    });
    assert!(0.0 < of_itself && of_itself < of_another, "{of_itself} {of_another}");
    // Sizes that differ become the same where both pictures have one aspect.
    folder.picture("large.png", 80, 60);
    folder.run("loss large.png --content content.png").failed_with(&["80×60", "40×30"]);
    folder.run("loss large.png --content content.png --style style.png --size 40").answer();
}

#[test]
fn a_loss_is_a_table_as_well() {
    let folder = Folder::with_pictures();
    let command = "loss style.png --style content.png --style-layer relu1_1=0.25 --tv-weight 3";
    let json = folder.run(&format!("{command} --json")).json();
    let table = folder.run(command).answer();
    let rows: Vec<Vec<&str>> = table.lines().map(|line| line.split_whitespace().collect()).collect();
    assert_eq!(rows[0], ["term", "value", "weight", "weighted"]);
    let near = |text: &str, value: &Value| {
        let (found, value) = (text.parse::<f64>().unwrap(), value.as_f64().unwrap());
        assert!((found - value).abs() <= 1e-4 * value, "{found} for {value}");
    };
    assert_eq!((rows[1][..2].join(" "), rows[1][3]), ("style relu1_1".to_owned(), "2.50000"));
    near(rows[1][2], &json["style"]["relu1_1"]);
    assert_eq!((rows[2][..2].join(" "), rows[2][3]), ("total variation".to_owned(), "3.00000"));
    near(rows[2][2], &json["tv"]);
    assert_eq!((rows.len(), rows[3][0]), (4, "loss"));
    near(rows[3][1], &json["loss"]);
}

#[test]
fn classes_are_pytorchs() {
    let pictures = Tensors::read(&reference_folder().join("pictures.safetensors"));
    let folder = Folder::new();
    // The grid enlarged to 224×224, inside a border that the crop takes off.
    let grid = pictures.planes("grid");
    let bordered = Array3::from_shape_fn((3, 256, 256), |(c, y, x)| {
        let place = |at: usize| (at.clamp(16, 239) - 16) / 16;
        grid[[c, place(y), place(x)]]
    });
    write_picture(&folder, "grid.png", &bordered);
    let names: Vec<_> = (0..10).map(|class| format!("name of {class}")).collect();
    folder.write("labels.txt", names.join("\n"));
    for network in ["a_lrn", "c", "timm13", "tv11"] {
        let file = reference_folder().join(format!("case_classify_{network}.safetensors"));
        let expected = Tensors::read(&file);
        let expected = expected.values("probabilities");
        let command = format!("classify grid.png --weights tiny_{network} --labels labels.txt");
        let answer = folder.run(&format!("{command} --json")).json();
        let classes = answer["classes"].as_array().unwrap();
        assert_eq!(classes.len(), 5);
        let probability = |class: &Value| class["probability"].as_f64().unwrap();
        assert!(classes.is_sorted_by(|a, b| probability(a) >= probability(b)), "{answer}");
        for class in classes {
            let index = class["class"].as_u64().unwrap() as usize;
            assert!((probability(class) - expected[index]).abs() < 1e-4, "{network}: {answer}, {expected:?}");
            assert_eq!(class["name"], names[index]);
        }
        let most = expected.iter().copied().fold(0.0, f64::max);
        assert!((probability(&classes[0]) - most).abs() < 1e-4, "{network}");

        let text = folder.run(&command).answer();
        assert_eq!(text.lines().count(), 5);
        let index = classes[0]["class"].as_u64().unwrap();
        assert!(
            text.lines().next().unwrap().ends_with(&format!("class   {index}  name of {index}")),
            "{text}"
        );
    }
    let unnamed = folder.run("classify grid.png --weights tiny_c --json").json();
    assert!(unnamed["classes"][0]["name"].is_null(), "{unnamed}");
}

#[test]
fn several_pictures_are_classified_as_each_alone() {
    let folder = Folder::with_pictures();
    let one = |name: &str| folder.run(&format!("classify {name} --weights tiny_tv11 --json")).json();
    let alone = ["content.png", "style.png"].map(one);
    let both = folder.run("classify content.png style.png --weights tiny_tv11 --json").json();
    for (picture, (name, alone)) in
        both["pictures"].as_array().unwrap().iter().zip(["content.png", "style.png"].iter().zip(&alone))
    {
        assert_eq!(picture["image"], **name);
        for (found, expected) in
            picture["classes"].as_array().unwrap().iter().zip(alone["classes"].as_array().unwrap())
        {
            assert_eq!(found["class"], expected["class"]);
            let [found, expected] = [found, expected].map(|class| class["probability"].as_f64().unwrap());
            assert!((found - expected).abs() < 1e-6, "{found} for {expected}");
        }
    }
    assert_ne!(alone[0], alone[1], "the pictures can't be told apart");
    let text = folder.run("classify content.png style.png --weights tiny_tv11").answer();
    assert_eq!(text.lines().filter(|line| line.ends_with(".png")).count(), 2, "{text}");
    assert_eq!(text.lines().count(), 2 * 6 + 1, "{text}");
}

/// Such a picture would be 256×12,800,000 pixels once its shorter side is 256.
#[test]
fn a_very_long_picture_is_classified_by_its_middle() {
    let folder = Folder::new();
    folder.picture("long.png", 50_000, 1);
    folder.run("classify long.png --weights tiny_c").answer();
}

#[test]
fn a_profile_has_every_layer() {
    let folder = Folder::new();
    let profile = folder.run("profile --size 40 --rounds 3 --threads 2 --isa portable --json").json();
    assert_eq!((&profile["network"], &profile["isa"]), (&"tiny_vgg19 (vgg19)".into(), &"portable".into()));
    assert_eq!(
        (&profile["width"], &profile["height"], &profile["threads"]),
        (&40.into(), &40.into(), &2.into())
    );
    let number = |value: &Value| value.as_f64().unwrap_or_else(|| panic!("{value} in {profile}"));
    let evaluation = &profile["evaluation_seconds"];
    assert!(number(&profile["peak_gflops"]) > 0.01);
    assert!(0.0 < number(&evaluation["min"]) && number(&evaluation["min"]) <= number(&evaluation["median"]));
    assert!(number(&profile["forward_seconds"]) > 0.0 && number(&profile["backward_seconds"]) > 0.0);
    if cfg!(target_os = "linux") {
        assert!(number(&profile["peak_rss_bytes"]) > 1e6);
    }
    let layers = profile["layers"].as_array().unwrap();
    let names: Vec<_> = layers.iter().map(|layer| layer["name"].as_str().unwrap()).collect();
    assert_eq!((names[0], names[2], *names.last().unwrap()), ("relu1_1", "pool1", "relu5_1"));
    for layer in layers {
        assert!(!layer["algorithm"].as_str().unwrap().is_empty());
        assert!(number(&layer["forward_seconds"]) > 0.0 && number(&layer["backward_seconds"]) > 0.0);
    }
    // 2 · 3·3 · 3 inputs · 6 outputs · 40·40 positions.
    assert!((number(&layers[0]["gflop"]) - 2.0 * 9.0 * 18.0 * 1600.0 / 1e9).abs() < 1e-12);

    let table = folder.run("profile --size 40 --rounds 1 --pooling max").answer();
    for word in ["GFLOP/s", "relu5_1", "pool4", "network", "one evaluation", "peak memory"] {
        assert!(table.contains(word), "no {word} in {table}");
    }
}

/// The reference's pictures as PNG files, which hold their whole 255ths exactly.
fn write_pictures(folder: &Folder) {
    let pictures = Tensors::read(&reference_folder().join("pictures.safetensors"));
    for name in pictures.tensors.keys() {
        write_picture(folder, &format!("{name}.png"), &pictures.planes(name));
    }
}

fn write_picture(folder: &Folder, name: &str, planes: &Array3<f32>) {
    let (_, height, width) = planes.dim();
    let picture = ImageBuffer::from_fn(width as u32, height as u32, |x, y| {
        let pixel = planes.slice(s![.., y as usize, x as usize]).mapv(|value| (value * 255.0).round() as u8);
        Rgb([pixel[0], pixel[1], pixel[2]])
    });
    picture.save(folder.path(name)).unwrap();
}
