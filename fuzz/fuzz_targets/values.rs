//! Any text as one of the command's values: a value that makes sense, or an error in one line.
#![no_main]

#[allow(dead_code, reason = "the command uses the rest")]
#[path = "../../src/bin/impasto/values.rs"]
mod values;

use impasto::{Picture, Scales, Stylize, Weights};
use libfuzzer_sys::fuzz_target;

use values::{MOST_SCALES, layer_weight, scales};

fuzz_target!(|text: &str| {
    match scales(text) {
        Ok(Scales::Count(count)) => assert!((1..=MOST_SCALES).contains(&count)),
        Ok(_) => assert_eq!(text, "auto"),
        Err(reason) => assert!(!reason.contains(char::is_control), "{reason}"),
    }
    match layer_weight(text) {
        // Whether there is such a layer, and whether the weight can be, the job says.
        Ok(layer) => {
            let weights = Weights::embedded();
            let white = Picture::from_rgb8(&[255; 3], 1, 1, 3).expect("a pixel");
            match Stylize::new(&weights).content(white).content_layers([&layer]).terms() {
                Ok(terms) => assert!(terms.content_layers.iter().all(|(_, weight)| *weight > 0.0)),
                Err(error) => assert!(!error.to_string().contains('\n'), "{error}"),
            }
        }
        Err(reason) => assert!(!reason.contains(char::is_control), "{reason}"),
    }
});
