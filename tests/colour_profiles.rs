//! Colour profiles: colours of other spaces come out right, bad profiles are passed over, results are said to be sRGB.

#[path = "common/command.rs"]
mod command;

use std::io::Cursor;

use command::Folder;
use image::codecs::jpeg::JpegEncoder;
use image::codecs::png::PngEncoder;
use image::codecs::tiff::TiffEncoder;
use image::codecs::webp::WebPEncoder;
use image::{ExtendedColorType, ImageEncoder, ImageFormat};
use impasto::picture::{ColourProfile, Metadata, Needed, OutputFormat, Picture, Reading};
use moxcms::ColorProfile;

const FORMATS: [ImageFormat; 4] = [ImageFormat::Png, ImageFormat::Jpeg, ImageFormat::WebP, ImageFormat::Tiff];

/// Colours that sRGB has as well.
const COLOURS: [[u8; 3]; 6] =
    [[128, 128, 128], [200, 120, 60], [30, 90, 160], [240, 240, 240], [90, 140, 80], [9, 8, 12]];

/// A file of one plain colour with a colour profile.
fn file(format: ImageFormat, colour: [u8; 3], profile: &[u8]) -> Vec<u8> {
    encoded(format, &colour.repeat(16 * 16), ExtendedColorType::Rgb8, profile)
}

fn encoded(format: ImageFormat, samples: &[u8], colour: ExtendedColorType, profile: &[u8]) -> Vec<u8> {
    fn write(mut encoder: impl ImageEncoder, samples: &[u8], colour: ExtendedColorType, profile: &[u8]) {
        encoder.set_icc_profile(profile.to_vec()).unwrap();
        encoder.write_image(samples, 16, 16, colour).unwrap();
    }
    let mut bytes = Vec::new();
    match format {
        ImageFormat::Png => write(PngEncoder::new(&mut bytes), samples, colour, profile),
        ImageFormat::Jpeg => write(JpegEncoder::new_with_quality(&mut bytes, 100), samples, colour, profile),
        ImageFormat::WebP => write(WebPEncoder::new_lossless(&mut bytes), samples, colour, profile),
        _ => write(TiffEncoder::new(Cursor::new(&mut bytes)), samples, colour, profile),
    }
    bytes
}

fn read(file: &[u8]) -> ([f64; 3], ColourProfile) {
    let (picture, metadata) = Picture::from_bytes_with_metadata(file, &Reading::default()).unwrap();
    let Metadata { profile, .. } = metadata;
    ([0, 1, 2].map(|plane| f64::from(picture.planes()[[plane, 8, 8]])), profile)
}

#[track_caller]
fn assert_near(found: [f64; 3], expected: [f64; 3], levels: f64, what: &str) {
    let is_near =
        found.iter().zip(expected).all(|(found, expected)| (found - expected).abs() < levels / 255.0);
    assert!(is_near, "{what}: {:?}, not {:?}", found.map(|v| v * 255.0), expected.map(|v| v * 255.0));
}

/// sRGB's tones, IEC 61966-2-1.
fn linear(value: f64) -> f64 {
    if value <= 0.04045 { value / 12.92 } else { ((value + 0.055) / 1.055).powf(2.4) }
}

fn toned(value: f64) -> f64 {
    let value = value.clamp(0.0, 1.0);
    if value <= 0.003_130_8 { value * 12.92 } else { 1.055 * value.powf(1.0 / 2.4) - 0.055 }
}

/// From Display P3, by the primaries' matrices: both have the white D65.
fn from_display_p3(colour: [u8; 3]) -> [f64; 3] {
    const MATRIX: [[f64; 3]; 3] = [
        [1.224_940_18, -0.224_940_18, 0.0],
        [-0.042_056_95, 1.042_056_95, 0.0],
        [-0.019_637_55, -0.078_636_05, 1.098_273_60],
    ];
    let colour = colour.map(|level| linear(f64::from(level) / 255.0));
    MATRIX.map(|row| toned(row.iter().zip(colour).map(|(a, b)| a * b).sum()))
}

fn display_p3() -> Vec<u8> {
    ColorProfile::new_display_p3().encode().unwrap()
}

#[test]
fn colours_of_display_p3_become_srgb_in_every_format() {
    for format in FORMATS {
        for colour in COLOURS {
            let (found, profile) = read(&file(format, colour, &display_p3()));
            let ColourProfile::Converted { name, .. } = &profile else { panic!("{profile:?}") };
            assert!(name.contains("P3"), "{name:?}");
            // JPEG rounds, and at 100 by less than a level or two.
            let levels = if format == ImageFormat::Jpeg { 2.5 } else { 0.6 };
            assert_near(found, from_display_p3(colour), levels, &format!("{format:?} {colour:?}"));
        }
    }
    // Pure red is more than sRGB has.
    assert_near(read(&file(ImageFormat::Png, [255, 0, 0], &display_p3())).0, [1.0, 0.0, 0.0], 0.1, "red");
}

#[test]
fn a_reduced_picture_is_converted_as_well() {
    let file = file(ImageFormat::Png, COLOURS[1], &display_p3());
    let reading = Reading::new(Needed::Longest(2));
    let (picture, _) = Picture::from_bytes_with_metadata(&file, &reading).unwrap();
    assert_eq!(picture.width(), 4);
    let found = [0, 1, 2].map(|plane| f64::from(picture.planes()[[plane, 1, 1]]));
    assert_near(found, from_display_p3(COLOURS[1]), 0.6, "reduced");
}

#[test]
fn grey_has_its_own_profiles() {
    let gamma = ColorProfile::new_gray_with_gamma(1.5).encode().unwrap();
    for (colour, channels) in [(ExtendedColorType::L8, 1), (ExtendedColorType::La8, 2)] {
        for level in [0_u8, 20, 100, 200, 255] {
            let samples = [level, 77].repeat(256);
            let samples: Vec<u8> = samples.chunks(2).flat_map(|pixel| &pixel[..channels]).copied().collect();
            let (found, profile) = read(&encoded(ImageFormat::Png, &samples, colour, &gamma));
            assert!(matches!(profile, ColourProfile::Converted { .. }), "{profile:?}");
            let expected = toned((f64::from(level) / 255.0).powf(1.5));
            assert_near(found, [expected; 3], 0.6, &format!("{level}"));
        }
    }
    // A grey picture may have a profile of colours, and a picture in colour none of grey.
    let (found, _) = read(&encoded(ImageFormat::Png, &[100; 256], ExtendedColorType::L8, &display_p3()));
    assert_near(found, from_display_p3([100; 3]), 0.6, "grey in P3");
    let (found, profile) = read(&file(ImageFormat::Png, [1, 2, 3], &gamma));
    assert!(
        matches!(&profile, ColourProfile::Unusable { reason, .. } if reason.contains("grey")),
        "{profile:?}"
    );
    assert_near(found, [1.0, 2.0, 3.0].map(|level| level / 255.0), 1e-6, "taken as sRGB");
}

#[test]
fn srgb_and_no_profile_change_no_value() {
    let srgb = ColorProfile::new_srgb().encode().unwrap();
    let plain = |format| {
        let mut bytes = Vec::new();
        let samples = COLOURS[1].repeat(256);
        image::write_buffer_with_format(
            &mut Cursor::new(&mut bytes),
            &samples,
            16,
            16,
            ExtendedColorType::Rgb8,
            format,
        )
        .unwrap();
        bytes
    };
    let expected = COLOURS[1].map(|level| f64::from(f32::from(level) / 255.0));
    for format in [ImageFormat::Png, ImageFormat::WebP, ImageFormat::Tiff] {
        assert_eq!(read(&file(format, COLOURS[1], &srgb)), (expected, ColourProfile::Srgb), "{format:?}");
        assert_eq!(read(&plain(format)), (expected, ColourProfile::None), "{format:?}");
    }
}

#[test]
fn alpha_is_no_colour() {
    let samples = [200, 120, 60, 9].repeat(256);
    let file = encoded(ImageFormat::Png, &samples, ExtendedColorType::Rgba8, &display_p3());
    let picture = Picture::from_bytes(&file).unwrap();
    assert_eq!(picture.alpha().unwrap()[[3, 3]], 9.0 / 255.0);
    assert_near(read(&file).0, from_display_p3([200, 120, 60]), 0.6, "with alpha");
}

/// Profiles that can't be used: damaged in each way, and CMYK's.
fn unusable() -> Vec<(&'static str, Vec<u8>)> {
    let whole = display_p3();
    let mut cmyk = whole.clone();
    cmyk[16..20].copy_from_slice(b"CMYK");
    let mut no_signature = whole.clone();
    no_signature[36..40].copy_from_slice(b"none");
    vec![
        ("cut short", whole[..whole.len() / 2].to_vec()),
        ("a few bytes", b"not a profile".to_vec()),
        ("no signature", no_signature),
        ("CMYK", cmyk),
    ]
}

#[test]
fn a_profile_that_cannot_be_used_is_passed_over() {
    let expected = COLOURS[2].map(|level| f64::from(f32::from(level) / 255.0));
    for (name, profile) in unusable() {
        let (found, profile) = read(&file(ImageFormat::Png, COLOURS[2], &profile));
        assert_eq!(found, expected, "{name}");
        let ColourProfile::Unusable { reason, .. } = profile else { panic!("{name}: {profile:?}") };
        assert_eq!(reason.contains("CMYK"), name == "CMYK", "{name}: {reason}");
    }
}

#[test]
fn damage_anywhere_in_a_profile_is_no_panic_and_no_error() {
    for whole in [display_p3(), of_tables()] {
        // The header, the table of tags and the start of the first of them, and of the rest some.
        for at in (0..220).chain((220..whole.len()).step_by(whole.len() / 40)) {
            for byte in [0xFF, whole[at] ^ 0x10] {
                let mut damaged = whole.clone();
                damaged[at] = byte;
                let (found, _) = read(&file(ImageFormat::Tiff, COLOURS[2], &damaged));
                assert!(found.iter().all(|value| (0.0..=1.0).contains(value)), "{at}: {found:?}");
            }
        }
    }
}

#[test]
fn memory_for_a_profile_is_foreseen() {
    let plain = Reading::default().foresee_bytes(&file(ImageFormat::Png, COLOURS[0], &[])).unwrap();
    let file = file(ImageFormat::Png, COLOURS[0], &display_p3());
    let foreseen = Reading::default().foresee_bytes(&file).unwrap();
    assert!(foreseen.reading > plain.reading + 1_000_000, "{foreseen:?} {plain:?}");
    let within = |memory| Picture::from_bytes_with(&file, &Reading::default().within(memory));
    assert!(within(foreseen.reading).is_ok() && within(foreseen.reading - 1).is_err());
}

#[test]
fn results_say_that_they_are_srgb() {
    let picture = Picture::from_rgb8(&COLOURS[1].repeat(4), 2, 2, 6).unwrap();
    for format in [OutputFormat::Jpeg, OutputFormat::WebP, OutputFormat::Tiff] {
        let file = picture.encode(format).unwrap();
        assert_eq!(read_whole(&file).1.profile, ColourProfile::Srgb, "{format}");
        assert_eq!(picture.encode(format).unwrap(), file, "{format}: the profile has no time");
        let signature = file.windows(4).position(|name| name == b"acsp").unwrap();
        assert_eq!(file[signature - 12..signature], [7, 208, 0, 1, 0, 1, 0, 0, 0, 0, 0, 0], "{format}");
    }
    let png = picture.encode(OutputFormat::Png).unwrap();
    assert!(png.windows(4).any(|name| name == b"sRGB") && !png.windows(4).any(|name| name == b"iCCP"));
}

fn read_whole(file: &[u8]) -> (Picture, Metadata) {
    Picture::from_bytes_with_metadata(file, &Reading::default()).unwrap()
}

#[test]
fn the_command_warns_once_of_a_profile_that_it_cannot_use() {
    let folder = Folder::with_pictures();
    folder.write("p3.jpg", file(ImageFormat::Jpeg, COLOURS[1], &display_p3()));
    folder.write("bad.png", file(ImageFormat::Png, COLOURS[1], b"no profile"));
    let command = "--size 32 --steps 2 -o out.png";
    let notes = folder.run(&format!("stylize bad.png p3.jpg {command}")).notes();
    let warnings: Vec<_> = notes.lines().filter(|line| line.contains("colour profile")).collect();
    assert_eq!(
        warnings,
        ["bad.png: its colours are taken as sRGB: its colour profile is not used: it is damaged"]
    );
    assert_eq!(folder.run(&format!("stylize bad.png p3.jpg {command} -q")).notes(), "");
    let notes = folder.run(&format!("stylize p3.jpg style.png {command} -v")).notes();
    assert!(notes.contains("from the colour profile \"Display P3\""), "{notes}");
}

/// A profile of tables rather than of primaries, as scanners and printers have: sRGB's primaries with a gamma of 1.8, in D50.
fn of_tables() -> Vec<u8> {
    const PRIMARIES: [[f64; 3]; 3] =
        [[0.436_07, 0.222_50, 0.013_93], [0.385_06, 0.716_88, 0.097_10], [0.143_08, 0.060_62, 0.714_17]];
    const ENTRIES: u16 = 1024;
    let mut table = b"mft2\0\0\0\0\x03\x03\x02\0".to_vec();
    let fixed = |value: f64| ((value * 65536.0).round() as i32).to_be_bytes();
    for at in 0..9 {
        table.extend(fixed(if at % 4 == 0 { 1.0 } else { 0.0 }));
    }
    table.extend(ENTRIES.to_be_bytes());
    table.extend(2_u16.to_be_bytes());
    for _ in 0..3 {
        for at in 0..ENTRIES {
            let value = (f64::from(at) / f64::from(ENTRIES - 1)).powf(1.8);
            table.extend(((value * 65535.0).round() as u16).to_be_bytes());
        }
    }
    // The corners of the cube, of which red changes least often. XYZ of 1 is 32768.
    for corner in 0..8 {
        let is_in = |channel: &usize| corner >> (2 - channel) & 1 == 1;
        let colour = (0..3).filter(is_in).map(|channel| PRIMARIES[channel]);
        let sum = colour.fold([0.0; 3], |sum, colour| [0, 1, 2].map(|axis| sum[axis] + colour[axis]));
        table.extend(sum.into_iter().flat_map(|value| ((value * 32768.0).round() as u16).to_be_bytes()));
    }
    for _ in 0..3 {
        table.extend([0, 0, 0xFF, 0xFF]);
    }
    let white: Vec<u8> = [0.9642, 1.0, 0.8249].into_iter().flat_map(fixed).collect();
    let tags = [(b"A2B0", table), (b"wtpt", [b"XYZ \0\0\0\0", &white[..]].concat())];
    let mut profile = vec![0; 128];
    profile[8..12].copy_from_slice(&[4, 0, 0, 0]);
    profile[12..24].copy_from_slice(b"mntrRGB XYZ ");
    profile[36..40].copy_from_slice(b"acsp");
    profile[68..80].copy_from_slice(&white);
    profile.extend((tags.len() as u32).to_be_bytes());
    let mut at = profile.len() + 12 * tags.len();
    for (name, data) in &tags {
        profile.extend(*name);
        profile.extend((at as u32).to_be_bytes());
        profile.extend((data.len() as u32).to_be_bytes());
        at += data.len();
    }
    tags.into_iter().for_each(|(_, data)| profile.extend(data));
    let length = (profile.len() as u32).to_be_bytes();
    profile[..4].copy_from_slice(&length);
    profile
}

#[test]
fn profiles_of_tables_work_too() {
    for colour in COLOURS {
        let (found, profile) = read(&file(ImageFormat::Png, colour, &of_tables()));
        assert!(matches!(profile, ColourProfile::Converted { .. }), "{profile:?}");
        let expected = colour.map(|level| toned((f64::from(level) / 255.0).powf(1.8)));
        assert_near(found, expected, 1.5, &format!("{colour:?}"));
    }
}
