//! Pictures read within limits: the memory that decoding takes, sizes reduced to what is needed, decoders that panic.

use std::env;
use std::fs;
use std::io::Cursor;
use std::panic;
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};

use assert_cmd::cargo::cargo_bin;
use image::{DynamicImage, ImageBuffer, ImageFormat, Luma, Rgb, Rgba};
use impasto::picture::{Foreseen, Needed, OutputFormat, Picture, Reading, fit, is_decoding};
use impasto::{Error, memory};
use tempfile::TempDir;

// Decoders that panic, and what else was found by fuzzing.

/// Files that made a decoder panic or print.
const FINDINGS: &[(&str, &[u8])] =
    &[("a palette of four bytes", include_bytes!("findings/palette_of_four_bytes.png"))];

#[test]
fn findings_are_decode_errors() {
    for (name, bytes) in FINDINGS {
        assert_decode_error(Picture::from_bytes(bytes), name);
        let foreseen = Reading::default().foresee_bytes(bytes);
        assert!(matches!(foreseen, Ok(_) | Err(Error::Decode { .. })), "{name}: {foreseen:?}");
    }
    assert!(!is_decoding());
}

#[test]
fn a_hook_can_tell_a_decoders_panic_from_others() {
    static DECODING: AtomicUsize = AtomicUsize::new(0);
    let report = panic::take_hook();
    panic::set_hook(Box::new(move |info| match is_decoding() {
        true => _ = DECODING.fetch_add(1, Ordering::Relaxed),
        false => report(info),
    }));
    assert_decode_error(Picture::from_bytes(FINDINGS[0].1), "in this thread");
    std::thread::spawn(|| assert_decode_error(Picture::from_bytes(FINDINGS[0].1), "in another"))
        .join()
        .unwrap();
    assert!(DECODING.load(Ordering::Relaxed) >= 2);
}

#[test]
fn the_command_says_one_line_of_a_finding() {
    let folder = TempDir::new().unwrap();
    let mut findings: Vec<(&str, Vec<u8>)> =
        FINDINGS.iter().map(|(name, bytes)| (*name, bytes.to_vec())).collect();
    findings.push(("a long text for a number", tiff_with_text(256)));
    for (name, bytes) in findings {
        let file = folder.path().join("finding");
        fs::write(&file, bytes).unwrap();
        let output = Command::new(cargo_bin("impasto")).arg("stylize").args([&file, &file]).output().unwrap();
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{name}: {stderr}");
        assert_eq!(stderr.lines().count(), 1, "{name}: {stderr}");
        assert!(stderr.contains("is not a picture that impasto can read"), "{name}: {stderr}");
        assert!(output.stdout.is_empty(), "{name}");
    }
}

#[test]
fn text_in_place_of_numbers_is_refused_and_elsewhere_is_none_of_our_business() {
    for tag in [256, 257, 258, 262, 273, 277, 278, 279, 284] {
        let error = Picture::from_bytes(&tiff_with_text(tag)).unwrap_err();
        assert!(error.to_string().contains(&format!("tag {tag} is text")), "{error}");
    }
    // An orientation, a description.
    for tag in [274, 270] {
        let picture = Picture::from_bytes(&tiff_with_text(tag)).unwrap();
        assert_eq!((picture.width(), picture.height()), (24, 16));
    }
}

#[test]
fn an_orientation_of_text_prints_nothing() {
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("picture.tiff");
    fs::write(&file, tiff_with_text(274)).unwrap();
    let test = ["--exact", "--ignored", "--nocapture", "child_reads"];
    let child = Command::new(env::current_exe().unwrap()).args(test).env(PATH, &file).output().unwrap();
    assert!(child.status.success());
    assert_eq!(String::from_utf8(child.stderr).unwrap(), "");
}

// Limits of memory.

#[test]
fn decoding_is_refused_before_it_takes_more_than_allowed() {
    let folder = TempDir::new().unwrap();
    for (name, bytes) in [
        ("PNG", encoded(waves(400, 300), ImageFormat::Png)),
        ("JPEG", encoded(waves(400, 300), ImageFormat::Jpeg)),
        ("WebP", encoded(waves(400, 300), ImageFormat::WebP)),
        ("TIFF", encoded(waves(400, 300), ImageFormat::Tiff)),
        ("BMP", encoded(waves(400, 300), ImageFormat::Bmp)),
    ] {
        let needed = Reading::default().foresee_bytes(&bytes).unwrap().reading;
        assert!(needed >= 400 * 300 * 15, "{name}: {needed}");
        let path = folder.path().join(name);
        fs::write(&path, &bytes).unwrap();
        for memory in [0, 1, needed - 1] {
            let reading = Reading::default().within(memory);
            let of_file = Picture::open_with(&path, &reading).unwrap_err();
            assert!(of_file.to_string().contains(path.to_str().unwrap()), "{of_file}");
            for error in [of_file, Picture::from_bytes_with(&bytes, &reading).unwrap_err()] {
                let Error::OutOfMemory { width: 400, height: 300, available, .. } = error else {
                    panic!("{name}: {error:?}");
                };
                assert_eq!(available, memory);
            }
        }
        assert!(Picture::from_bytes_with(&bytes, &Reading::default().within(needed)).is_ok(), "{name}");
    }
}

/// Found by fuzzing: a strip's length, which is wrong, counted against the limit.
#[test]
fn what_is_foreseen_is_enough() {
    let file = include_bytes!("findings/strip_said_to_be_long.tiff");
    let foreseen = Reading::default().foresee_bytes(file).unwrap();
    let within = Picture::from_bytes_with(file, &Reading::default().within(foreseen.reading)).unwrap();
    assert_eq!(within, Picture::from_bytes(file).unwrap());
}

#[test]
fn small_files_of_huge_pictures_are_refused_at_once() {
    for (name, bytes) in bombs() {
        let start = std::time::Instant::now();
        let reading = Reading::new(Needed::Longest(64)).within(100_000_000);
        let error = Picture::from_bytes_with(&bytes, &reading).unwrap_err();
        assert!(matches!(error, Error::OutOfMemory { needed: 700_000_000.., .. }), "{name}: {error:?}");
        assert!(start.elapsed().as_secs() < 2, "{name}: {:?}", start.elapsed());
    }
}

#[test]
fn a_pipe_is_not_foreseen_and_a_folder_not_read() {
    let folder = TempDir::new().unwrap();
    let error = Reading::default().foresee(folder.path()).unwrap_err();
    assert!(matches!(error, Error::Read { .. }), "{error:?}");
    let error = Picture::open(folder.path()).unwrap_err();
    assert!(matches!(error, Error::Read { .. }), "{error:?}");
}

/// Without the check of a pipe's first bytes this takes a gigabyte.
#[cfg(unix)]
#[test]
fn an_endless_device_is_no_picture() {
    let start = std::time::Instant::now();
    assert_decode_error(Picture::open(Path::new("/dev/zero")), "zeros");
    assert!(start.elapsed().as_millis() < 200, "{:?}", start.elapsed());
}

/// Reads the picture that the parent names and prints by how many bytes the most memory ever taken grew.
#[test]
#[ignore = "run by other tests, as a process of its own"]
fn child_reads() {
    let Some(path) = env::var_os(PATH) else { return };
    let needed = match env::var("LONGEST") {
        Ok(longest) => Needed::Longest(longest.parse().unwrap()),
        Err(_) => Needed::Whole,
    };
    let before = memory::peak().unwrap();
    let picture = Picture::open_with(Path::new(&path), &Reading::new(needed)).unwrap();
    println!("\ntaken: {}", memory::peak().unwrap() - before);
    drop(picture);
}

const PATH: &str = "IMPASTO_TEST_PICTURE";

/// The bytes that reading takes in a process of its own.
fn taken(path: &Path, longest: Option<usize>) -> u64 {
    let mut child = Command::new(env::current_exe().unwrap());
    child.args(["--exact", "--ignored", "--nocapture", "child_reads"]).env(PATH, path);
    // Means are made by one thread, and the allocator doesn't round large blocks up to huge pages.
    child.env("RAYON_NUM_THREADS", "1").env("GLIBC_TUNABLES", "glibc.malloc.hugetlb=0");
    if let Some(longest) = longest {
        child.env("LONGEST", longest.to_string());
    }
    let output = child.output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let taken = text.lines().find_map(|line| line.strip_prefix("taken: "));
    taken.unwrap_or_else(|| panic!("{text}")).parse().unwrap()
}

#[cfg(target_os = "linux")]
#[test]
fn what_is_foreseen_is_what_is_taken() {
    let folder = TempDir::new().unwrap();
    let opaque = waves(3000, 2000);
    let transparent: DynamicImage = opaque.to_rgba8().into();
    let deep: DynamicImage = opaque.to_rgb16().into();
    let mut files = vec![
        ("PNG", encoded(opaque.clone(), ImageFormat::Png)),
        ("PNG with alpha", encoded(transparent.clone(), ImageFormat::Png)),
        ("PNG of 16 bits", encoded(deep.clone(), ImageFormat::Png)),
        ("JPEG", encoded(opaque.clone(), ImageFormat::Jpeg)),
        ("WebP", encoded(opaque.clone(), ImageFormat::WebP)),
        ("WebP with alpha", encoded(transparent, ImageFormat::WebP)),
        ("TIFF", encoded(opaque.clone(), ImageFormat::Tiff)),
        ("TIFF of 16 bits", encoded(deep, ImageFormat::Tiff)),
        ("BMP", encoded(opaque.clone(), ImageFormat::Bmp)),
    ];
    files.push(("turned JPEG", with_orientation(&encoded(opaque, ImageFormat::Jpeg), 6)));
    for (name, bytes) in files {
        let path = folder.path().join("picture");
        fs::write(&path, bytes).unwrap();
        for longest in [None, Some(100)] {
            let needed = longest.map_or(Needed::Whole, Needed::Longest);
            let Foreseen { reading, .. } = Reading::new(needed).foresee(&path).unwrap();
            let taken = taken(&path, longest);
            let ratio = taken as f64 / reading as f64;
            assert!((0.9..=1.1).contains(&ratio), "{name} {longest:?}: {taken} taken, {reading} foreseen");
        }
    }
}

// Sizes reduced to what is needed.

#[test]
fn what_is_not_much_larger_than_needed_is_read_as_it_is() {
    let bytes = encoded(waves(399, 300), ImageFormat::Png);
    let whole = Picture::from_bytes(&bytes).unwrap();
    for needed in [
        Needed::Longest(100),
        Needed::Longest(1000),
        Needed::Pixels(100 * 75),
        Needed::Size { width: 100, height: 76 },
    ] {
        assert_eq!(Picture::from_bytes_with(&bytes, &Reading::new(needed)).unwrap(), whole, "{needed:?}");
    }
}

#[test]
fn a_reduced_picture_resizes_to_nearly_what_the_whole_does() {
    let transparent = ImageBuffer::from_fn(1000, 700, |x, y| {
        let Rgb([red, green, blue]) = wave(x, y);
        Rgba([red, green, blue, if (x / 90 + y / 70) % 2 == 0 { 255 } else { (x % 200) as u8 }])
    });
    let grey = ImageBuffer::from_fn(1000, 700, |x, y| Luma([wave(x, y)[0]]));
    let pictures: [DynamicImage; 5] = [
        waves(1000, 700),
        transparent.into(),
        grey.clone().into(),
        waves(1000, 700).to_rgb16().into(),
        DynamicImage::from(grey).to_luma_alpha16().into(),
    ];
    for picture in pictures {
        let bytes = encoded(picture, ImageFormat::Png);
        let whole = Picture::from_bytes(&bytes).unwrap();
        for longest in [33, 64, 101, 249] {
            let reading = Reading::new(Needed::Longest(longest));
            let reduced = Picture::from_bytes_with(&bytes, &reading).unwrap();
            let (width, height) = fit(1000, 700, longest);
            assert_eq!((reduced.width(), reduced.height()), (2 * width, 2 * height));
            assert_eq!(fit(reduced.width(), reduced.height(), longest), (width, height));
            assert_eq!(reduced.alpha().is_some(), whole.alpha().is_some());
            let [reduced, whole] = [&reduced, &whole].map(|picture| picture.resized(width, height).unwrap());
            // What is transparent has no colour.
            let seen = |picture: &Picture| match picture.alpha() {
                Some(alpha) => &picture.planes() * &alpha,
                None => picture.planes().to_owned(),
            };
            let mean = (seen(&reduced) - seen(&whole)).mapv(f32::abs).mean().unwrap();
            // Boxes take 5 % off the contrast of waves of three of the result's pixels.
            assert!(mean < 0.012, "{mean} at {longest}");
            if let (Some(reduced), Some(whole)) = (reduced.alpha(), whole.alpha()) {
                let mean = (&reduced - &whole).mapv(f32::abs).mean().unwrap();
                assert!(mean < 0.012, "{mean} of alpha at {longest}");
            }
        }
    }
}

#[test]
fn what_transparent_pixels_hide_does_not_bleed_into_a_reduced_picture() {
    // Opaque red beside transparent green, in columns.
    let columns = ImageBuffer::from_fn(640, 64, |x, _| match x % 2 {
        0 => Rgba([255_u8, 0, 0, 255]),
        _ => Rgba([0, 255, 0, 0]),
    });
    let bytes = encoded(columns.into(), ImageFormat::Png);
    let reduced = Picture::from_bytes_with(&bytes, &Reading::new(Needed::Longest(32))).unwrap();
    assert_eq!((reduced.width(), reduced.height()), (64, 6));
    for pixel in reduced.to_rgba8().as_chunks::<4>().0 {
        assert_eq!(*pixel, [255, 0, 0, 128]);
    }
}

#[test]
fn a_reduced_picture_is_turned_as_the_whole_is() {
    let jpeg = encoded(waves(800, 400), ImageFormat::Jpeg);
    for orientation in 1..=8 {
        let bytes = with_orientation(&jpeg, orientation);
        let whole = Picture::from_bytes(&bytes).unwrap();
        let reading = Reading::new(Needed::Longest(100));
        let reduced = Picture::from_bytes_with(&bytes, &reading).unwrap();
        let foreseen = reading.foresee_bytes(&bytes).unwrap();
        assert_eq!((foreseen.width, foreseen.height), (reduced.width(), reduced.height()));
        assert_eq!(foreseen.kept, reduced.memory());
        assert_eq!(reduced.width() > reduced.height(), whole.width() > whole.height());
        let whole = whole.resized(reduced.width(), reduced.height()).unwrap();
        let mean = (&reduced.planes() - &whole.planes()).mapv(f32::abs).mean().unwrap();
        assert!(mean < 0.02, "{mean} with orientation {orientation}");
    }
}

#[test]
fn the_command_reads_large_pictures_at_the_size_needed() {
    let folder = TempDir::new().unwrap();
    let [content, style, output] = ["c.png", "s.png", "o.png"].map(|name| folder.path().join(name));
    fs::write(&content, encoded(waves(1500, 1001), ImageFormat::Png)).unwrap();
    fs::write(&style, encoded(waves(900, 1200), ImageFormat::Png)).unwrap();
    let run = Command::new(cargo_bin("impasto"))
        .args(["stylize", "--size", "64", "--steps", "1", "--init"])
        .args([&style, &content, &style])
        .args(["--verbose".as_ref(), "-o".as_ref(), output.as_os_str()])
        .output()
        .unwrap();
    let stderr = String::from_utf8(run.stderr).unwrap();
    assert!(run.status.success(), "{stderr}");
    // The content, the style with as many pixels, and the start at the result's own size.
    for size in ["128×86", "92×122", "128×86"] {
        assert!(stderr.contains(size), "{size}: {stderr}");
    }
    assert_eq!(image::image_dimensions(output).unwrap(), (64, 43));
}

// Helpers.

#[track_caller]
fn assert_decode_error(read: impasto::Result<Picture>, name: &str) {
    let error = read.map(|picture| (picture.width(), picture.height())).unwrap_err();
    assert!(matches!(error, Error::Decode { .. }), "{name}: {error:?}");
    assert!(!error.to_string().contains(char::is_control), "{name}: {error}");
}

fn wave(x: u32, y: u32) -> Rgb<u8> {
    let wave = |phase: f32| (127.5 + 127.5 * phase.sin()) as u8;
    let (x, y) = (x as f32, y as f32);
    Rgb([wave(0.03 * x), wave(0.02 * x + 0.04 * y), wave(0.07 * y - 0.05 * x)])
}

fn waves(width: u32, height: u32) -> DynamicImage {
    ImageBuffer::from_fn(width, height, wave).into()
}

fn encoded(image: DynamicImage, format: ImageFormat) -> Vec<u8> {
    let mut bytes = Cursor::new(Vec::new());
    image.write_to(&mut bytes, format).unwrap();
    bytes.into_inner()
}

/// Small files of 16384×16384 and 16383×16383 pixels.
fn bombs() -> [(&'static str, Vec<u8>); 3] {
    let side = 16384_u32;
    let mut png = Picture::from_rgb8(&[0; 3], 1, 1, 3).unwrap().encode(OutputFormat::Png).unwrap();
    png[16..20].copy_from_slice(&side.to_be_bytes());
    png[20..24].copy_from_slice(&side.to_be_bytes());
    let checksum = crc32(&png[12..29]).to_be_bytes();
    png[29..33].copy_from_slice(&checksum);

    let mut jpeg = encoded(waves(16, 16), ImageFormat::Jpeg);
    let frame = jpeg.windows(2).position(|window| window == [0xFF, 0xC0]).unwrap() + 5;
    jpeg[frame..frame + 2].copy_from_slice(&(side as u16).to_be_bytes());
    jpeg[frame + 2..frame + 4].copy_from_slice(&(side as u16).to_be_bytes());
    [("PNG", png), ("JPEG", jpeg), ("WebP", plain_webp())]
}

/// A lossless WebP of 16383×16383 equal pixels, which take no bits.
fn plain_webp() -> Vec<u8> {
    // Width and height less one, no alpha, version 0, no transforms, colour cache or groups of codes.
    let mut bits = vec![(16382, 14), (16382, 14), (0, 1), (0, 3), (0, 1), (0, 1), (0, 1)];
    // Five simple codes of one symbol, of one bit.
    bits.extend([[(1, 1), (0, 1), (0, 1), (0, 1)]; 5].concat());
    let mut data = vec![0x2F];
    let (mut pending, mut count) = (0_u64, 0);
    for (value, length) in bits {
        pending |= (value as u64) << count;
        count += length;
        while count >= 8 {
            data.push(pending as u8);
            (pending, count) = (pending >> 8, count - 8);
        }
    }
    data.push(pending as u8);
    data.resize(data.len().next_multiple_of(2), 0);
    let chunk = [&b"WEBPVP8L"[..], &(data.len() as u32).to_le_bytes(), &data].concat();
    [&b"RIFF"[..], &(chunk.len() as u32).to_le_bytes(), &chunk].concat()
}

/// A TIFF of 24×16 pixels in which the entry of this tag is, or another becomes, text of 300 MB, which the file
/// doesn't have.
fn tiff_with_text(tag: u16) -> Vec<u8> {
    let mut bytes = encoded(waves(24, 16), ImageFormat::Tiff);
    let at = u32::from_le_bytes(bytes[4..8].try_into().unwrap()) as usize;
    let count = u16::from_le_bytes([bytes[at], bytes[at + 1]]) as usize;
    let tag_of = |bytes: &[u8], entry: usize| u16::from_le_bytes([bytes[entry], bytes[entry + 1]]);
    let entries: Vec<_> = (0..count).map(|index| at + 2 + 12 * index).collect();
    // Any that the decoder can do without: resolutions and the like come after 280.
    let entry = entries.iter().find(|entry| tag_of(&bytes, **entry) == tag).or_else(|| {
        entries
            .iter()
            .find(|entry| (280..284).contains(&tag_of(&bytes, **entry)) || tag_of(&bytes, **entry) == 296)
    });
    let entry = *entry.expect("an entry to replace");
    bytes[entry..entry + 2].copy_from_slice(&tag.to_le_bytes());
    bytes[entry + 2..entry + 4].copy_from_slice(&2_u16.to_le_bytes());
    bytes[entry + 4..entry + 8].copy_from_slice(&300_000_000_u32.to_le_bytes());
    bytes
}

/// The JPEG with EXIF metadata in which the orientation is the only entry.
fn with_orientation(jpeg: &[u8], orientation: u8) -> Vec<u8> {
    let exif =
        [b'I', b'I', 42, 0, 8, 0, 0, 0, 1, 0, 0x12, 1, 3, 0, 1, 0, 0, 0, orientation, 0, 0, 0, 0, 0, 0, 0];
    let segment = [&[0xFF, 0xE1, 0, 2 + 6 + 26], &b"Exif\0\0"[..], &exif].concat();
    [&jpeg[..2], &segment, &jpeg[2..]].concat()
}

fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| match crc & 1 {
            1 => crc >> 1 ^ 0xEDB8_8320,
            _ => crc >> 1,
        })
    })
}
