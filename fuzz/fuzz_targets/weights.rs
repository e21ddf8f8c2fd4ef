//! Any bytes become a network's weights, or an error: no panic.
#![no_main]

use impasto::Weights;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    if let Err(error) = Weights::from_bytes("fuzzed", data.to_vec()) {
        // Every message is one line, whatever names the file has.
        assert!(!error.to_string().contains(char::is_control), "{error}");
    }
});
