//! Looks at HTML and SVG as text.

// Every test file compiles this module for itself and uses a part of it.
#![allow(dead_code)]

/// HTML's elements without an end.
const VOID: [&str; 2] = ["img", "meta"];

/// The starts of all elements, in their order: name and attributes. Checks that each has its end, that attributes are quoted, and
/// that no text has what would begin an element or an entity.
///
/// # Panics
/// Where that is not so.
#[track_caller]
pub fn elements(text: &str) -> Vec<(String, Vec<(String, String)>)> {
    let (mut rest, mut open, mut found) = (text, Vec::new(), Vec::new());
    loop {
        let (before, after) = match rest.split_once('<') {
            Some(split) => split,
            None => {
                check_text(rest);
                break;
            }
        };
        if open.last() != Some(&"style") {
            check_text(before);
        }
        let (tag, after) = after.split_once('>').unwrap_or_else(|| panic!("no end of a tag: {after:.80}"));
        rest = after;
        if tag.starts_with(['!', '?']) {
            continue;
        }
        if let Some(name) = tag.strip_prefix('/') {
            assert_eq!(open.pop(), Some(name), "ends, before {after:.80}");
            continue;
        }
        let is_empty = tag.ends_with('/');
        let tag = tag.trim_end_matches('/');
        let (name, attributes) = tag.split_once(' ').unwrap_or((tag, ""));
        found.push((name.to_owned(), self::attributes(attributes)));
        if !is_empty && !VOID.contains(&name) {
            open.push(name);
        }
    }
    assert!(open.is_empty(), "without an end: {open:?}");
    found
}

#[track_caller]
fn attributes(mut text: &str) -> Vec<(String, String)> {
    let mut found = Vec::new();
    while !text.trim().is_empty() {
        let (name, rest) =
            text.split_once("=\"").unwrap_or_else(|| panic!("no quoted attribute: {text:.80}"));
        let (value, rest) = rest.split_once('"').unwrap_or_else(|| panic!("no end: {rest:.80}"));
        check_text(value);
        let name = name.trim();
        assert!(name.chars().all(|c| c.is_ascii_alphanumeric() || "-:".contains(c)), "attribute {name:?}");
        found.push((name.to_owned(), value.to_owned()));
        text = rest;
    }
    found
}

#[track_caller]
fn check_text(text: &str) {
    assert!(!text.contains('>'), "a bare > in {text:.200}");
    for entity in text.split('&').skip(1) {
        let name = entity.split(';').next().unwrap_or_default();
        assert!(["amp", "lt", "gt", "quot", "#39"].contains(&name), "a bare & before {entity:.80}");
    }
}

/// Checks that nothing is loaded: all addresses are the page's own data.
#[track_caller]
pub fn check_loads_nothing(text: &str) {
    let without_namespace = text.replace("xmlns=\"http://www.w3.org/2000/svg\"", "");
    for word in ["http://", "https://", "//cdn", "url(", "@import", "<script", "<link", "<iframe"] {
        assert!(!without_namespace.contains(word), "{word} in the page");
    }
    for (name, attributes) in elements(text) {
        for (attribute, value) in attributes {
            if ["src", "href", "xlink:href", "srcset", "data"].contains(&&*attribute) {
                assert!(value.starts_with("data:"), "{name} loads {value:.60}");
            }
        }
    }
}
