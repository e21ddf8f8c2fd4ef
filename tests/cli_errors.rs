//! Bad input: a clear line on stderr, the exit code, and nothing lost.

#[path = "common/command.rs"]
mod command;

use std::fs;
use std::time::{Duration, Instant};

use command::{Folder, reference_folder};
use impasto::simd::Isa;

/// Runs the command where `out.png` and `metrics.jsonl` are there already, and asserts that it fails with these
/// words and changes nothing.
#[track_caller]
fn fails(folder: &Folder, arguments: &str, words: &[&str]) {
    let old = b"what was there before";
    folder.write("out.png", old);
    folder.write("metrics.jsonl", old);
    let names = folder.names();
    let start = Instant::now();
    folder.run(arguments).failed_with(words);
    assert!(start.elapsed() < Duration::from_secs(20), "{arguments} took {:?}", start.elapsed());
    assert_eq!(folder.names(), names, "{arguments}");
    for name in ["out.png", "metrics.jsonl"] {
        assert_eq!(folder.read(name), old, "{arguments} changed {name}");
    }
}

#[test]
fn files_that_are_no_pictures() {
    let folder = Folder::with_pictures();
    fs::create_dir(folder.path("folder")).unwrap();
    folder.write("text.png", "not a picture");
    folder.write("empty.png", "");
    let whole = folder.read("content.png");
    folder.write("cut.png", &whole[..whole.len() / 2]);
    folder.write("bomb.png", with_size(whole, 30_000, 30_000));
    for (bad, reason) in [
        ("missing.png", "No such file"),
        ("folder", "directory"),
        ("text.png", "not a picture"),
        ("empty.png", "empty"),
        ("cut.png", "not a picture"),
        ("bomb.png", "30000×30000"),
        ("-", "not from standard input"),
    ] {
        for arguments in [
            format!("stylize {bad} style.png -o out.png --metrics metrics.jsonl"),
            format!("stylize content.png {bad} -o out.png --metrics metrics.jsonl"),
            format!("stylize content.png style.png {bad} -o out.png --metrics metrics.jsonl"),
            format!("stylize content.png style.png --init {bad} -o out.png"),
            format!("texture {bad} -o out.png"),
            format!("reconstruct {bad} --layer relu1_1 -o out.png"),
            format!("features {bad} --layer relu1_1 -o out.png"),
            format!("loss {bad} --content content.png"),
            format!("loss content.png --style {bad} --gradient out.png"),
            format!("classify {bad} --weights tiny_tv11"),
        ] {
            // A folder in the place of a picture is bad usage of stylize: cli_batch.rs.
            if !(bad == "folder" && arguments.starts_with("stylize") && !arguments.contains("--init")) {
                fails(&folder, &arguments, &[bad, reason]);
            }
        }
    }
}

#[test]
fn settings_that_cannot_be() {
    let folder = Folder::with_pictures();
    for (options, words) in [
        ("--content-layer relu9_1", &["\"relu9_1\"", "vgg19", "conv and relu 1_1"][..]),
        ("--style-layer conv4_5", &["\"conv4_5\"", "4_1 to 4_4"]),
        ("--style-layer relu1_1 --style-layer relu1_1", &["relu1_1", "twice"]),
        ("--style-layer relu1_1=0", &["relu1_1", "above 0"]),
        ("--content-layer relu4_2=-1", &["relu4_2", "above 0", "-1"]),
        ("--content-layer relu4_2=NaN", &["relu4_2", "above 0", "NaN"]),
        ("--content-weight 0", &["content-weight", "above 0"]),
        ("--content-weight -2", &["content-weight", "-2"]),
        ("--content-weight 1e39", &["content-weight", "at most 1e38", "found 1e39"]),
        ("--style-weight 1e300", &["style-weight", "at most 1e38", "found 1e300"]),
        ("--tv-weight 1e39", &["tv-weight", "at most 1e38", "found 1e39"]),
        ("--style-layer relu1_1=1e39", &["style-layer", "relu1_1", "at most 1e38", "found 1e39"]),
        ("--style-weight NaN", &["style-weight", "NaN"]),
        ("--style-weight inf", &["style-weight", "inf"]),
        ("--style-weight -0.5", &["style-weight", "-0.5"]),
        ("--tv-weight -1", &["tv-weight", "0 or above", "-1"]),
        ("--tv-weight nan", &["tv-weight", "NaN"]),
        ("--blend 1,2", &["blend", "2 for 1"]),
        ("--blend 0", &["blend", "above 0"]),
        ("--blend NaN", &["blend", "NaN"]),
        ("--blend -1", &["blend", "-1"]),
        ("--size 9", &["9×7", "relu5_1", "at least 16×16", "--size"]),
        ("--size 100000", &["100000×75000", "GB of memory", "available", "smaller --size"]),
        ("--weights no-such-network", &["no-such-network", "safetensors"]),
        ("--weights no/such/file.safetensors", &["no/such/file.safetensors", "No such file"]),
        ("--weights content.png", &["content.png", "not safetensors"]),
    ] {
        let arguments = format!("stylize content.png style.png -o out.png --metrics metrics.jsonl {options}");
        fails(&folder, &arguments, words);
    }
    let arguments = "stylize content.png style.png style.png --blend 1 -o out.png";
    fails(&folder, arguments, &["blend", "1 for 2"]);
}

#[test]
fn pictures_too_small_or_too_large() {
    let folder = Folder::with_pictures();
    folder.picture("1x1.png", 1, 1);
    folder.picture("3x5.png", 3, 5);
    folder.picture("thin.png", 300, 1);
    for (arguments, words) in [
        ("stylize 1x1.png style.png --size 0 -o out.png", &["1×1", "relu5_1", "16×16"][..]),
        ("stylize 3x5.png style.png --size 0 -o out.png", &["3×5", "relu5_1", "16×16"]),
        ("stylize content.png thin.png -o out.png", &["the style", "relu5_1", "16×16"]),
        ("texture 3x5.png --size 9 -o out.png", &["5×9", "relu5_1"]),
        ("reconstruct 1x1.png --layer conv3_1 --size 0 -o out.png", &["1×1", "conv3_1", "4×4"]),
        ("features 3x5.png --layer pool2 -o out.png", &["3x5.png", "3×5", "pool2", "4×4"]),
        ("features content.png --layer relu1_1 --size 400000 -o out.png", &["GB of memory"]),
        ("loss 3x5.png --style style.png", &["3x5.png", "3×5", "relu5_1", "16×16"]),
        ("loss content.png --style 3x5.png", &["3x5.png", "relu5_1"]),
        ("loss content.png --content style.png", &["--content", "40×30", "32×36"]),
        ("loss content.png --content content.png --size 200000", &["GB of memory"]),
        ("profile --size 9", &["9×9", "relu5_1"]),
        ("profile --size 300000", &["GB of memory"]),
        ("stylize content.png style.png -o out.jpg --size 70000", &["JPEG", "65535", "70000×52500"]),
    ] {
        fails(&folder, arguments, words);
    }
}

#[test]
fn outputs_that_cannot_be_written_are_found_before_the_work() {
    let folder = Folder::with_pictures();
    fs::create_dir(folder.path("folder.png")).unwrap();
    for (output, words) in [
        ("no/such/out.png", &["no/such/out.png", "there is no folder"][..]),
        ("folder.png", &["folder.png", "it is a folder"]),
        ("content.png/out.png", &["there is no folder"]),
        ("out.gif", &["out.gif", ".png"]),
        ("out", &["out", ".webp"]),
    ] {
        for command in [
            "stylize content.png style.png --steps 100000",
            "texture style.png --steps 100000",
            "reconstruct content.png --layer relu4_2 --steps 100000",
        ] {
            fails(&folder, &format!("{command} -o {output}"), words);
        }
    }
    for (arguments, words) in [
        (
            "stylize content.png style.png -o out.png --metrics no/such.jsonl",
            &["no/such.jsonl", "no folder"][..],
        ),
        ("stylize content.png style.png -o out.png --metrics folder.png", &["folder.png", "it is a folder"]),
        ("stylize content.png style.png -o out.png --metrics -", &["--metrics", "give a file"]),
        ("features content.png --layer relu1_1 -o no/such.safetensors", &["no/such.safetensors"]),
        ("features content.png --layer relu1_1 -o -", &["--output", "give a file"]),
        ("loss content.png --style style.png --gradient no/such.safetensors", &["no/such.safetensors"]),
        ("loss content.png --style style.png --gradient -", &["--gradient", "give a file"]),
    ] {
        fails(&folder, arguments, words);
    }
}

/// As root everything can be written, so that this is found only in the file's own mode.
#[cfg(unix)]
#[test]
fn a_write_protected_output_is_kept() {
    use std::os::unix::fs::PermissionsExt;
    let folder = Folder::with_pictures();
    folder.write("kept.png", "old");
    fs::set_permissions(folder.path("kept.png"), fs::Permissions::from_mode(0o444)).unwrap();
    folder.run("stylize content.png style.png -o kept.png").failed_with(&["kept.png", "write-protected"]);
    assert_eq!(folder.read("kept.png"), b"old");
}

#[test]
fn weights_that_are_damaged() {
    let folder = Folder::with_pictures();
    let whole = fs::read(reference_folder().join("tiny_vgg19.safetensors")).unwrap();
    folder.write("cut.safetensors", &whole[..whole.len() - 100]);
    folder.write("empty.safetensors", "");
    fs::create_dir(folder.path("folder.safetensors")).unwrap();
    let mut nan = whole.clone();
    let header = 8 + u64::from_le_bytes(*whole.first_chunk().unwrap()) as usize;
    for value in nan[header..].as_chunks_mut::<4>().0 {
        *value = f32::NAN.to_le_bytes();
    }
    folder.write("nan.safetensors", nan);
    for (weights, words) in [
        ("cut.safetensors", &["cut.safetensors", "truncated"][..]),
        ("empty.safetensors", &["empty.safetensors", "empty"]),
        ("folder.safetensors", &["folder.safetensors", "directory"]),
        ("nan.safetensors", &["nan.safetensors", "conv", "expected finite values, found NaN"]),
    ] {
        let arguments =
            format!("stylize content.png style.png -o out.png --metrics metrics.jsonl --weights {weights}");
        fails(&folder, &arguments, words);
    }
    let no_classifier = "classify content.png --weights tiny_vgg19";
    fails(&folder, no_classifier, &["tiny_vgg19", "no classifier", "fc6"]);
    folder.write("two.txt", "one\ntwo\n");
    let few_labels = "classify content.png --weights tiny_tv11 --labels two.txt";
    fails(&folder, few_labels, &["--labels", "expected 10 lines, found 2"]);
    let no_labels = "classify content.png --weights tiny_tv11 --labels no.txt";
    fails(&folder, no_labels, &["no.txt", "No such file"]);
}

#[test]
fn instruction_sets_that_the_cpu_lacks_are_refused_with_those_that_it_has() {
    let folder = Folder::with_pictures();
    let available: Vec<_> = Isa::available().into_iter().map(Isa::name).collect();
    for isa in ["portable", "avx2", "avx512"].into_iter().filter(|isa| !available.contains(isa)) {
        let arguments = format!("stylize content.png style.png -o out.png --isa {isa}");
        fails(&folder, &arguments, &["--isa", isa, &available.join(", ")]);
    }
}

#[test]
fn a_precision_that_would_be_ignored_or_slow_is_refused() {
    let folder = Folder::with_pictures();
    let stylize = "stylize content.png style.png -o out.png --size 32 --steps 1 --precision bf16";
    fails(&folder, &format!("{stylize} --convolution im2col"), &["--precision", "bf16", "im2col"]);
    fails(&folder, &format!("{stylize} --isa portable"), &["--precision", "AVX-512 BF16", "portable"]);
    match Isa::best().has_bf16() {
        true => assert!(folder.run(&format!("{stylize} -q")).notes().is_empty()),
        false => fails(&folder, stylize, &["--precision", "AVX-512 BF16"]),
    }
}

#[test]
fn a_loss_that_is_not_finite_is_an_error_and_the_best_picture_is_kept() {
    let folder = Folder::with_pictures();
    let overflow = "--style-weight 1e38 --style-layer relu1_1=1e38";
    let ran = folder.run(&format!("stylize content.png style.png -o out.png --size 32 --steps 5 {overflow}"));
    assert_eq!(ran.code, Some(1), "{}", ran.stderr);
    let last = ran.stderr.lines().last().unwrap();
    assert!(last.starts_with("impasto: the loss became") && last.contains("--style-weight"), "{last}");
    assert_eq!(folder.decode("out.png").width(), 32);
}

#[test]
fn bad_usage() {
    let folder = Folder::with_pictures();
    let names = folder.names();
    for arguments in [
        "",
        "paint content.png style.png",
        "stylize",
        "stylize content.png",
        "stylize content.png style.png --no-such-option",
        "stylize content.png style.png --steps 0",
        "stylize content.png style.png --steps many",
        "stylize content.png style.png --steps 1000001",
        "stylize content.png style.png --steps 18446744073709551615",
        "stylize content.png style.png --size -5",
        "stylize content.png style.png --size 9999999999999",
        "stylize content.png style.png --scales 0",
        "stylize content.png style.png --scales 99999",
        "stylize content.png style.png --scales all",
        "stylize content.png style.png --save-every 0",
        "stylize content.png style.png --save-every 2 -o -",
        "stylize content.png style.png --seed 1",
        "stylize content.png style.png --seed 1 --init style.png",
        "stylize content.png style.png --loss l2",
        "stylize content.png style.png --pooling min",
        "stylize content.png style.png --optimizer sgd",
        "stylize content.png style.png --isa sse9",
        "stylize content.png style.png --threads -1",
        "stylize content.png style.png --preprocessing none",
        "stylize content.png style.png --style-layer relu1_1=x",
        "stylize content.png style.png --blend 1,x",
        "stylize content.png style.png -q -v",
        "texture",
        "texture style.png --content-weight 1",
        "reconstruct content.png",
        "features content.png -o f.safetensors",
        "features content.png --layer relu1_1",
        "loss content.png",
        "loss content.png --style style.png --content-weight 2",
        "loss content.png --style style.png --content-layer relu4_2",
        "loss content.png --content content.png --style-weight 2",
        "loss content.png --content content.png --style-layer relu4_1",
        "loss content.png --content content.png --blend 1",
        "classify",
        "profile --rounds 0",
        "profile --size 0",
        "weights",
        "weights info",
    ] {
        let ran = folder.run(arguments);
        assert_eq!((ran.code, ran.stdout.len()), (Some(2), 0), "{arguments}: {}", ran.stderr);
        assert!(ran.stderr.contains("help"), "{arguments}: {}", ran.stderr);
    }
    assert_eq!(folder.names(), names);
}

#[test]
fn scales_that_there_is_no_room_for_are_said() {
    let folder = Folder::with_pictures();
    let command = "stylize content.png style.png --size 64 --steps 4 -o out.png --scales";
    let notes = folder.run(&format!("{command} 40")).notes();
    // From 22 pixels, whose shorter side has 16, to 64.
    assert!(notes.contains("--scales 40: ") && notes.contains("there are 4 at most"), "{notes}");
    let notes = folder.run(&format!("{command} 4")).notes();
    assert!(!notes.contains("--scales"), "{notes}");
}

#[test]
fn more_threads_than_cores_take_no_time() {
    let folder = Folder::with_pictures();
    let start = Instant::now();
    let notes =
        folder.run("stylize content.png style.png --size 32 --steps 4 -v -o out.png --threads 1024").notes();
    assert!(notes.contains("threads of 1024 asked for: more than 4 a core"), "{notes}");
    assert!(start.elapsed() < Duration::from_secs(2), "it took {:?}", start.elapsed());
}

/// A PNG file with another size in its header.
fn with_size(mut png: Vec<u8>, width: u32, height: u32) -> Vec<u8> {
    png[16..20].copy_from_slice(&width.to_be_bytes());
    png[20..24].copy_from_slice(&height.to_be_bytes());
    let crc = crc32(&png[12..29]);
    png[29..33].copy_from_slice(&crc.to_be_bytes());
    png
}

fn crc32(bytes: &[u8]) -> u32 {
    let shifted = |crc: u32| if crc & 1 == 1 { crc >> 1 ^ 0xEDB8_8320 } else { crc >> 1 };
    !bytes.iter().fold(!0, |crc, byte| (0..8).fold(crc ^ u32::from(*byte), |crc, _| shifted(crc)))
}
