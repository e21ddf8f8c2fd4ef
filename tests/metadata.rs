//! What results keep of a photograph: EXIF data and resolution.

#[path = "common/command.rs"]
mod command;

use std::io::Cursor;

use command::Folder;
use image::codecs::jpeg::{JpegEncoder, PixelDensity};
use image::codecs::png::PngEncoder;
use image::codecs::webp::WebPEncoder;
use image::{ExtendedColorType, ImageEncoder};
use impasto::picture::{Metadata, Picture, Reading};
use impasto::{Density, Encoding, Exif, OutputFormat};

/// The EXIF data that a camera may write, in both orders of bytes: type, tag and value by directory. `Text` and `Ratio` are
/// kept, if any; `Dropped` never is.
fn camera(big_endian: bool) -> Vec<u8> {
    let main = [
        (0x010F, text("Maker")),
        (0x0110, text("Model 7")),
        (0x0112, short(6)),
        (0x011A, ratio(&[(240, 1)])),
        (0x011B, ratio(&[(120, 1)])),
        (0x0128, short(2)),
        (0x0131, text("Dropped software")),
        (0x0132, text("2021:02:03 04:05:06")),
        (0x013B, text("Ann Artist")),
        (0x8298, text("(c) Ann")),
    ];
    let photograph = [
        (0x829A, ratio(&[(1, 125)])),
        (0x9003, text("2020:01:02 03:04:05")),
        (0x920A, ratio(&[(50, 1)])),
        (0x927C, (7, b"Dropped maker note".to_vec(), 1)),
        (0xA431, text("Dropped serial number")),
        (0xA432, ratio(&[(24, 1), (70, 1), (28, 10), (4, 1)])),
        (0xA434, text("A long lens")),
    ];
    let location = [
        (0x0000, (1, vec![2, 3, 0, 0], 1)),
        (0x0001, text("N")),
        (0x0002, ratio(&[(51, 1), (28, 1), (40, 1)])),
    ];
    block(big_endian, &main, &photograph, &location)
}

/// A type, the bytes in the order of big-endian numbers, and the bytes of a number.
type Tag = (u16, (u16, Vec<u8>, usize));

fn text(text: &str) -> (u16, Vec<u8>, usize) {
    (2, [text.as_bytes(), &[0]].concat(), 1)
}

fn short(value: u16) -> (u16, Vec<u8>, usize) {
    (3, value.to_be_bytes().to_vec(), 2)
}

fn ratio(values: &[(u32, u32)]) -> (u16, Vec<u8>, usize) {
    (5, values.iter().flat_map(|(a, b)| [a.to_be_bytes(), b.to_be_bytes()]).flatten().collect(), 4)
}

fn block(big_endian: bool, main: &[Tag], photograph: &[Tag], location: &[Tag]) -> Vec<u8> {
    let number = |big: &[u8]| -> Vec<u8> {
        if big_endian { big.to_vec() } else { big.iter().rev().copied().collect() }
    };
    let directory = |tags: &[Tag], at: usize| {
        let mut values_at = at + 2 + 12 * tags.len() + 4;
        let (mut entries, mut values) = (number(&(tags.len() as u16).to_be_bytes()), Vec::new());
        for (tag, (kind, data, width)) in tags {
            let size = if *kind == 5 { 8 } else { *width };
            entries.extend(number(&tag.to_be_bytes()));
            entries.extend(number(&kind.to_be_bytes()));
            entries.extend(number(&((data.len() / size) as u32).to_be_bytes()));
            let mut data: Vec<u8> = data.chunks(*width).flat_map(&number).collect();
            if data.len() <= 4 {
                data.resize(4, 0);
                entries.extend(data);
            } else {
                entries.extend(number(&(values_at as u32).to_be_bytes()));
                values_at += data.len();
                values.extend(data);
            }
        }
        entries.extend([0; 4]);
        entries.extend(values);
        entries
    };
    let offset = |at: usize| (4, (at as u32).to_be_bytes().to_vec(), 4);
    let with_offsets = |photograph_at, location_at| {
        let further = [(0x8769, offset(photograph_at)), (0x8825, offset(location_at))];
        directory(&[main, &further].concat(), 8)
    };
    let photograph_at = 8 + with_offsets(0, 0).len();
    let location_at = photograph_at + directory(photograph, photograph_at).len();
    let mut block = if big_endian { b"MM\0\x2A\0\0\0\x08".to_vec() } else { b"II\x2A\0\x08\0\0\0".to_vec() };
    block.extend(with_offsets(photograph_at, location_at));
    block.extend(directory(photograph, photograph_at));
    block.extend(directory(location, location_at));
    block
}

/// A picture file of 40×30 pixels with these EXIF data.
fn with_exif(format: OutputFormat, exif: Vec<u8>) -> Vec<u8> {
    fn write(mut encoder: impl ImageEncoder, exif: Vec<u8>) {
        encoder.set_exif_metadata(exif).unwrap();
        let samples: Vec<u8> = (0..40 * 30 * 3).map(|at| (at * 7 % 251) as u8).collect();
        encoder.write_image(&samples, 40, 30, ExtendedColorType::Rgb8).unwrap();
    }
    let mut bytes = Vec::new();
    match format {
        OutputFormat::Png => write(PngEncoder::new(&mut bytes), exif),
        OutputFormat::Jpeg => write(JpegEncoder::new(&mut bytes), exif),
        _ => write(WebPEncoder::new_lossless(&mut bytes), exif),
    }
    bytes
}

fn metadata(file: &[u8]) -> Metadata {
    Picture::from_bytes_with_metadata(file, &Reading::default()).unwrap().1
}

fn contains(bytes: &[u8], text: &str) -> bool {
    bytes.windows(text.len()).any(|window| window == text.as_bytes())
}

const KEPT: [&str; 7] = [
    "Maker",
    "Model 7",
    "2021:02:03 04:05:06",
    "Ann Artist",
    "(c) Ann",
    "2020:01:02 03:04:05",
    "A long lens",
];

const FORMATS: [OutputFormat; 4] =
    [OutputFormat::Png, OutputFormat::Jpeg, OutputFormat::WebP, OutputFormat::Tiff];

#[test]
fn what_is_kept_goes_from_every_format_to_every_format() {
    let picture = Picture::from_rgb8(&[9; 12], 2, 2, 6).unwrap();
    for big_endian in [false, true] {
        for from in [OutputFormat::Png, OutputFormat::Jpeg, OutputFormat::WebP] {
            let Metadata { exif, density, .. } = metadata(&with_exif(from, camera(big_endian)));
            assert!(exif.has_location(), "{from}");
            // Orientation 6 turned the picture, and its resolution with it.
            assert_eq!(density, Density::of(120.0, 240.0), "{from}");
            for to in FORMATS {
                let encoding = Encoding::default().with_exif(exif.clone()).with_density(density);
                let file = picture.encode_with(to, &encoding).unwrap();
                let read = metadata(&file);
                assert_eq!(read.exif, exif, "{from} to {to}");
                let found = read.density.unwrap();
                assert!(
                    (found.x - 120.0).abs() < 0.02 && (found.y - 240.0).abs() < 0.02,
                    "{from} to {to}: {found:?}"
                );
                assert!(KEPT.iter().all(|text| contains(&file, text)), "{from} to {to}");
                assert!(!contains(&file, "Dropped"), "{from} to {to}");
                assert_eq!(Picture::from_bytes(&file).unwrap().width(), 2, "{from} to {to}");

                let encoding = encoding.with_exif(exif.clone().without_location());
                let read = metadata(&picture.encode_with(to, &encoding).unwrap());
                assert!(!read.exif.has_location() && !read.exif.is_empty(), "{from} to {to}");
            }
        }
    }
}

#[test]
fn a_result_is_upright() {
    let exif = metadata(&with_exif(OutputFormat::Jpeg, camera(true))).exif;
    let picture = Picture::from_rgb8(&[9; 18], 3, 2, 9).unwrap();
    for format in FORMATS {
        let file = picture.encode_with(format, &Encoding::default().with_exif(exif.clone())).unwrap();
        let read = Picture::from_bytes(&file).unwrap();
        assert_eq!((read.width(), read.height()), (3, 2), "{format}");
    }
}

#[test]
fn resolutions_are_those_of_each_format() {
    let picture = Picture::from_rgb8(&[9; 12], 2, 2, 6).unwrap();
    for (x, y) in [(300.0, 300.0), (72.0, 144.0), (299.72, 299.72), (0.5, 9e5), (1.0, 70_000.0)] {
        let density = Density::of(x, y);
        for format in FORMATS {
            let file = picture.encode_with(format, &Encoding::default().with_density(density)).unwrap();
            let found = metadata(&file).density.unwrap();
            let expected = match format {
                // Whole numbers of 16 bits.
                OutputFormat::Jpeg => (x.round().max(1.0), y.min(65_535.0).round()),
                _ => (x, y),
            };
            // PNG's are a metre, so that a step is 0.0254.
            let is_near = (found.x - expected.0).abs() < 0.013 && (found.y - expected.1).abs() < 0.013;
            assert!(is_near, "{format}: {found:?} for {expected:?}");
        }
    }
    for (x, y) in [(0.0, 1.0), (-1.0, 1.0), (f64::NAN, 1.0), (1.0, f64::INFINITY), (1.0, 1e7)] {
        assert_eq!(Density::of(x, y), None);
    }
    let plain = picture.encode(OutputFormat::Jpeg).unwrap();
    assert_eq!((metadata(&plain).density, metadata(&plain).exif), (None, Exif::default()));
}

#[test]
fn hostile_exif_is_passed_over() {
    let whole = camera(true);
    let picture = Picture::from_rgb8(&[9; 12], 2, 2, 6).unwrap();
    let mut formats = FORMATS.into_iter().cycle();
    let mut check = |exif: Vec<u8>| {
        let Metadata { exif, .. } = metadata(&with_exif(OutputFormat::Png, exif));
        let format = formats.next().unwrap();
        let file = picture.encode_with(format, &Encoding::default().with_exif(exif.clone())).unwrap();
        assert_eq!(metadata(&file).exif, exif, "{format}");
    };
    (0..whole.len()).for_each(|length| check(whole[..length].to_vec()));
    for at in 0..whole.len() {
        for byte in [1, 0xFF] {
            let mut damaged = whole.clone();
            damaged[at] = byte;
            check(damaged);
        }
    }
    // Directories that lead to themselves and to one another, values said to be endless, and too many tags.
    let offset = |at: u32| (4, at.to_be_bytes().to_vec(), 4);
    let round = [(0x8769, offset(8)), (0x8825, offset(8)), (0x8769, offset(8))];
    check(block(true, &round, &[], &[]));
    let endless = block(true, &[(0x010F, text("abcde"))], &[], &[]);
    for count in [[0xFF; 4], [0x40, 0, 0, 0], [0, 0, 0xFF, 0xFF]] {
        let mut endless = endless.clone();
        endless[14..18].copy_from_slice(&count);
        check(endless);
    }
    let many: Vec<_> = (0..5000).map(|_| (0x010F, text("a longer text"))).collect();
    check(block(false, &many, &[], &[]));
    // Texts too long to be kept, the second for the 0 behind it that it has not.
    for long in [text(&"x".repeat(1000)), (2, vec![b'x'; 1000], 1)] {
        let block = block(true, &[(0x8298, long)], &[], &[]);
        check(block.clone());
        assert!(metadata(&with_exif(OutputFormat::Png, block)).exif.is_empty());
    }
}

/// As long as values may be, they fit in one segment of JPEG.
#[test]
fn all_that_is_kept_fits_everywhere() {
    let long = text(&"x".repeat(999));
    let all = |tags: &[u16]| tags.iter().map(|tag| (*tag, long.clone())).collect::<Vec<_>>();
    let photograph = [0x9003, 0x9004, 0x9010, 0x9011, 0x9012, 0x9290, 0x9291, 0x9292, 0xA433, 0xA434];
    let main = [0x010F, 0x0110, 0x0132, 0x013B, 0x8298];
    let location: Vec<u16> = (0..=0x1F).collect();
    let block = block(false, &all(&main), &all(&photograph), &all(&location));
    let exif = metadata(&with_exif(OutputFormat::Png, block)).exif;
    let picture = Picture::from_rgb8(&[9; 12], 2, 2, 6).unwrap();
    for format in FORMATS {
        let file = picture.encode_with(format, &Encoding::default().with_exif(exif.clone())).unwrap();
        assert_eq!(metadata(&file).exif, exif, "{format}");
    }
}

#[test]
fn the_command_keeps_them_of_the_content() {
    let folder = Folder::with_pictures();
    folder.write("photo.jpg", with_exif(OutputFormat::Jpeg, camera(true)));
    let quick = "--size 32 --steps 2 -o";
    for name in ["out.png", "out.jpg", "out.webp", "out.tiff"] {
        for command in ["stylize photo.jpg style.png", "reconstruct photo.jpg --layer relu2_1"] {
            folder.run(&format!("{command} {quick} {name}")).notes();
            let file = folder.read(name);
            let Metadata { exif, density, .. } = metadata(&file);
            assert!(KEPT.iter().all(|text| contains(&file, text)), "{command} {name}");
            assert!(!exif.has_location() && density.is_some(), "{command} {name}");

            folder.run(&format!("{command} --keep-location {quick} {name}")).notes();
            assert!(metadata(&folder.read(name)).exif.has_location(), "{command} {name}");

            folder.run(&format!("{command} --strip {quick} {name}")).notes();
            let stripped = metadata(&folder.read(name));
            assert_eq!(
                (stripped.exif.is_empty(), stripped.density.is_some()),
                (true, true),
                "{command} {name}"
            );
        }
        // A texture is made from no photograph.
        folder.run(&format!("texture photo.jpg {quick} {name}")).notes();
        assert!(metadata(&folder.read(name)).exif.is_empty());
    }
    let mut plain = Vec::new();
    let mut encoder = JpegEncoder::new(Cursor::new(&mut plain));
    encoder.set_pixel_density(PixelDensity::dpi(200));
    encoder.write_image(&[77; 3 * 32 * 32], 32, 32, ExtendedColorType::Rgb8).unwrap();
    folder.write("plain.jpg", plain);
    folder.run(&format!("stylize plain.jpg style.png {quick} out.jpg")).notes();
    assert_eq!(metadata(&folder.read("out.jpg")).density, Density::of(200.0, 200.0));
    let ran = folder.run("stylize photo.jpg style.png --strip --keep-location");
    assert_eq!(ran.code, Some(2));
}

/// The decoder would take as much memory as is said: 4 GB.
#[cfg(target_os = "linux")]
#[test]
fn metadata_that_are_said_to_be_endless_take_no_memory() {
    let folder = Folder::with_pictures();
    let mut webp = with_exif(OutputFormat::WebP, camera(true));
    let at = webp.windows(4).position(|name| name == b"EXIF").unwrap();
    webp[at + 4..at + 8].copy_from_slice(&0xF000_0000_u32.to_le_bytes());
    assert!(metadata(&webp).exif.is_empty());
    folder.write("endless.webp", webp);
    let show = folder.by_shell(r#"ulimit -v 2000000; exec "$@""#, "show endless.webp");
    command::Ran::to_its_end(show).failed_with(&["endless.webp", "no settings"]);
}
