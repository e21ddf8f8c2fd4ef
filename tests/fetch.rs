//! weights fetch, from a server on loopback.
#![cfg(all(feature = "cli", feature = "fetch"))]

#[path = "common/command.rs"]
mod command;
#[path = "common/server.rs"]
mod server;

use std::fs;
use std::ops::Range;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use command::{Folder, Ran, reference_folder};
use impasto::vgg::{Architecture, Preprocessing};
use impasto::weights::fetch::{Checksum, Fetch};
use impasto::weights::{Naming, Weights};
use safetensors::SafeTensors;
use safetensors::tensor::TensorView;
use server::{Answer, Dripping, Drips, Server};

/// A VGG-11 under torchvision's names, with a classifier before its convolutions and something else
/// between them.
fn vgg11() -> Vec<u8> {
    let bytes = fs::read(reference_folder().join("tiny_tv11.safetensors")).unwrap();
    let file = SafeTensors::deserialize(&bytes).unwrap();
    let dtype = file.tensor("features.0.weight").unwrap().dtype();
    let other = vec![7; dtype.bitsize() / 8 * 1000];
    let other = TensorView::new(dtype, vec![1000], &other).unwrap();
    let tensors = file.tensors().into_iter().chain([("features.11.other".to_owned(), other)]);
    safetensors::serialize(tensors, None).unwrap()
}

/// The same network with nothing but its convolutions.
fn only_convolutions() -> Vec<u8> {
    let file = vgg11();
    let tensors = SafeTensors::deserialize(&file).unwrap();
    let is_convolution = |name: &str| name.starts_with("features.") && !name.ends_with("other");
    let convolutions = tensors.tensors().into_iter().filter(|(name, _)| is_convolution(name));
    safetensors::serialize(convolutions, None).unwrap()
}

/// An ETag that is a hash of the file, as the hub's are.
fn etag(file: &[u8]) -> String {
    format!("\"{}\"", Checksum::of(file))
}

/// Where in a file its header and its convolutions are.
fn extents(file: &[u8]) -> (usize, Vec<Range<usize>>) {
    let (len, header) = SafeTensors::read_metadata(file).unwrap();
    let data_start = 8 + len;
    let mut convolutions: Vec<_> = header
        .tensors()
        .into_iter()
        .filter(|(name, _)| {
            name.starts_with("features.") && (name.ends_with("weight") || name.ends_with("bias"))
        })
        .map(|(_, info)| data_start + info.data_offsets.0..data_start + info.data_offsets.1)
        .collect();
    convolutions.sort_by_key(|range| range.start);
    (data_start, convolutions)
}

/// The same without boundaries between neighbours.
fn united(ranges: &[Range<usize>]) -> Vec<Range<usize>> {
    let mut united: Vec<Range<usize>> = Vec::new();
    for range in ranges {
        match united.last_mut() {
            Some(last) if last.end == range.start => last.end = range.end,
            _ => united.push(range.clone()),
        }
    }
    united
}

fn command(folder: &Folder, arguments: &str) -> Command {
    let mut command = folder.command(&format!("weights fetch {arguments}"));
    command.env_remove("IMPASTO_WEIGHTS").env("IMPASTO_WEIGHTS_DIR", folder.path("installed"));
    for proxy in ["ALL_PROXY", "HTTPS_PROXY", "HTTP_PROXY", "NO_PROXY"] {
        command.env_remove(proxy).env_remove(proxy.to_lowercase());
    }
    command
}

fn fetch(folder: &Folder, arguments: &str) -> Ran {
    Ran::to_its_end(command(folder, arguments))
}

const INSTALLED: &str = "installed/vgg11.safetensors";
const PART: &str = "installed/vgg11.safetensors.part";

/// Asserts that the network is installed, as a whole, with the tensors of the file.
#[track_caller]
fn assert_installed(folder: &Folder, file: &[u8]) {
    let installed = Weights::open(folder.path(INSTALLED)).unwrap();
    assert_eq!(installed.architecture(), Architecture::A);
    assert_eq!(installed.naming(), Naming::Torchvision);
    assert_eq!(installed.preprocessing(), Preprocessing::Torchvision);
    assert_eq!(installed.convolutions().count(), 8);
    assert!(installed.dense(6).is_none());
    let tensors = SafeTensors::deserialize(file).unwrap();
    for convolution in installed.convolutions() {
        let found = installed.convolution(&convolution).unwrap();
        for tensor in [found.weight, found.bias] {
            assert_eq!(tensor.bytes, tensors.tensor(tensor.name).unwrap().data(), "{}", tensor.name);
            assert_eq!(tensor.shape, tensors.tensor(tensor.name).unwrap().shape(), "{}", tensor.name);
        }
    }
    // Other programs can read it too.
    assert_eq!(SafeTensors::deserialize(&folder.read(INSTALLED)).unwrap().len(), 16);
    assert!(!folder.path(PART).exists());
}

/// Asserts that nothing is installed, nor begun.
#[track_caller]
fn assert_nothing_is_left(folder: &Folder) {
    assert!(!folder.path(INSTALLED).exists() && !folder.path(PART).exists());
}

#[test]
fn only_the_header_and_the_convolutions_are_asked_for() {
    let file = vgg11();
    let (data_start, convolutions) = extents(&file);
    let server = Server::start({
        let file = file.clone();
        move |request| Answer::part_asked(&file, request)
    });
    let folder = Folder::new();
    let notes = fetch(&folder, &format!("vgg11 --url {}", server.url())).notes();
    assert_installed(&folder, &file);
    let checksum = Checksum::of(&folder.read(INSTALLED)).to_string();
    assert_eq!(notes.lines().count(), 1, "{notes}");
    assert!(notes.contains(&checksum) && notes.contains("vgg11.safetensors"), "{notes}");

    let convolutions = united(&convolutions);
    assert!(convolutions.len() > 1 && convolutions[0].start > data_start, "the file is too simple");
    let mut expected = vec![0..32, 32..data_start];
    expected.extend(convolutions);
    assert_eq!(server.take_ranges(), expected);

    // It says where it is from, and is found by its name.
    let info = folder.command(&format!("weights info {}", folder.path(INSTALLED).display()));
    let info = Ran::to_its_end(info).answer();
    for words in
        ["network = vgg11", "preprocessing = torchvision", &format!("fetched_from = {}", server.url())]
    {
        assert!(info.contains(words), "{info}");
    }
    let mut list = folder.command("weights list");
    list.env_remove("IMPASTO_WEIGHTS").env("IMPASTO_WEIGHTS_DIR", folder.path("installed"));
    let list = Ran::to_its_end(list).answer();
    assert!(list.lines().any(|line| line.starts_with("vgg11") && line.contains("installed")), "{list}");
}

#[test]
fn after_a_broken_connection_only_the_rest_is_fetched() {
    let file = vgg11();
    let (_, convolutions) = extents(&file);
    let convolutions = united(&convolutions);
    let broken_at = convolutions[1].start + 100;
    let breaks = Arc::new(AtomicBool::new(true));
    let server = Server::start({
        let (file, breaks) = (file.clone(), Arc::clone(&breaks));
        move |request| {
            let answer = Answer::part_asked(&file, request);
            let is_second = request.range.as_ref().unwrap().start == broken_at - 100;
            if is_second && breaks.load(Ordering::Relaxed) { answer.breaking_after(100) } else { answer }
        }
    });
    let folder = Folder::new();
    let arguments = format!("vgg11 --url {}", server.url());
    fetch(&folder, &arguments).failed_with(&["cannot fetch", "connection broke", "try again"]);
    assert!(!folder.path(INSTALLED).exists() && folder.path(PART).exists());
    server.take_requests();

    breaks.store(false, Ordering::Relaxed);
    fetch(&folder, &arguments).notes();
    assert_installed(&folder, &file);
    let ranges = server.take_ranges();
    let mut rest = convolutions[1..].to_vec();
    rest[0].start = broken_at;
    assert_eq!(ranges[2..], rest);
}

#[test]
fn what_was_fetched_of_another_file_is_not_used() {
    let file = vgg11();
    for headers in [&["ETag"][..], &["Last-Modified"], &[]] {
        let attempts = Arc::new(AtomicUsize::new(0));
        let server = Server::start({
            let (file, attempts) = (file.clone(), Arc::clone(&attempts));
            move |request| {
                let attempt = attempts.load(Ordering::Relaxed);
                let mut answer = Answer::part_asked(&file, request).without("ETag");
                for header in headers {
                    answer = answer.with(header, format!("\"{attempt}\""));
                }
                let is_data =
                    request.range.as_ref().unwrap().end - request.range.as_ref().unwrap().start > 3000;
                if attempt == 0 && is_data { answer.breaking_after(1000) } else { answer }
            }
        });
        let folder = Folder::new();
        let arguments = format!("vgg11 --url {}", server.url());
        fetch(&folder, &arguments).failed_with(&["connection broke"]);
        attempts.fetch_add(1, Ordering::Relaxed);
        server.take_requests();
        fetch(&folder, &arguments).notes();
        assert_installed(&folder, &file);
        assert_eq!(server.take_ranges()[2..], united(&extents(&file).1), "{headers:?}");
    }
}

#[test]
fn a_file_that_changes_meanwhile_is_refused() {
    let file = vgg11();
    let server = Server::start(move |request| {
        let etag = format!("\"{}\"", request.range.as_ref().unwrap().start);
        Answer::part_asked(&file, request).with("ETag", etag)
    });
    let folder = Folder::new();
    fetch(&folder, &format!("vgg11 --url {}", server.url())).failed_with(&["changed", "try again"]);
    assert_nothing_is_left(&folder);
}

#[test]
fn a_server_without_ranges_sends_the_whole_file() {
    let file = vgg11();
    let (_, convolutions) = extents(&file);
    let breaks = Arc::new(AtomicBool::new(true));
    let server = Server::start({
        let (file, breaks, end) = (file.clone(), Arc::clone(&breaks), convolutions[4].start);
        move |_| {
            let answer = Answer::whole(&file);
            if breaks.load(Ordering::Relaxed) { answer.breaking_after(end) } else { answer }
        }
    });
    let folder = Folder::new();
    let arguments = format!("vgg11 --url {}", server.url());
    fetch(&folder, &arguments).failed_with(&["connection broke"]);
    breaks.store(false, Ordering::Relaxed);
    assert_eq!(server.take_requests().len(), 1);
    fetch(&folder, &arguments).notes();
    assert_installed(&folder, &file);
    assert_eq!(server.take_requests().len(), 1);
}

#[test]
fn redirects_are_followed() {
    let file = vgg11();
    let server = Server::start({
        let file = file.clone();
        move |request| match request.line.as_str() {
            "GET /net.safetensors" => Answer::new("302 Found", "").with("Location", "/elsewhere?signed=1"),
            _ => Answer::part_asked(&file, request),
        }
    });
    let folder = Folder::new();
    fetch(&folder, &format!("vgg11 --url {}", server.url())).notes();
    assert_installed(&folder, &file);
}

#[test]
fn the_proxy_is_that_of_the_environment() {
    let file = vgg11();
    let server = Server::start({
        let file = file.clone();
        move |request| Answer::part_asked(&file, request)
    });
    let folder = Folder::new();
    let proxy = server.url().replace("/net.safetensors", "");
    let url = "http://hub.invalid/net.safetensors";
    for variable in ["HTTPS_PROXY", "http_proxy"] {
        let mut command = command(&folder, &format!("vgg11 --force --url {url}"));
        command.env(variable, &proxy);
        Ran::to_its_end(command).notes();
        assert_installed(&folder, &file);
        let asked = server.take_requests();
        assert!(asked.iter().any(|request| request.line.contains("hub.invalid")), "{asked:?}");
    }
    let mut command = command(&folder, &format!("vgg11 --force --url {url}"));
    command.env("HTTPS_PROXY", &proxy).env("NO_PROXY", "hub.invalid");
    Ran::to_its_end(command).failed_with(&["cannot fetch", url]);
    assert!(server.take_requests().is_empty());
}

#[test]
fn what_is_not_the_network_is_refused() {
    let file = vgg11();
    let refused = |answer: Answer, words: &[&str]| {
        let server = Server::start(move |_| answer.clone());
        let folder = Folder::new();
        let url = server.url();
        let words = [&["cannot fetch", &url], words].concat();
        fetch(&folder, &format!("vgg11 --url {url}")).failed_with(&words);
        assert_nothing_is_left(&folder);
    };
    refused(Answer::new("404 Not Found", "no such thing"), &["404 Not Found"]);
    refused(Answer::new("401 Unauthorized", ""), &["401 Unauthorized"]);
    refused(Answer::new("503 Service Unavailable", ""), &["503", "try again later"]);
    refused(Answer::new("416 Range Not Satisfiable", ""), &["empty"]);
    refused(Answer::whole(b""), &["empty"]);
    let page = Answer::new("200 OK", "<!DOCTYPE html><html><title>Log in</title></html>");
    refused(page.clone(), &["expected safetensors", "HTML"]);
    refused(page.without("Content-Length"), &["expected safetensors", "HTML"]);
    refused(Answer::whole(&file).without("Content-Length"), &["how long"]);
    let pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 9\n";
    refused(Answer::whole(pointer.as_bytes()), &["Git LFS"]);
    refused(Answer::whole(&file[..file.len() - 10]), &["truncated"]);
    refused(Answer::whole(&[&file[..], b"more"].concat()), &["bytes of data"]);
    let vgg19 = fs::read(reference_folder().join("tiny_vgg19.safetensors")).unwrap();
    refused(Answer::whole(&vgg19), &["expected vgg11, found vgg19"]);
    let vgg13 = fs::read(reference_folder().join("tiny_timm13.safetensors")).unwrap();
    refused(Answer::whole(&vgg13), &["vgg11 was asked for"]);
}

#[test]
fn a_length_that_is_wrong_is_found() {
    let file = vgg11();
    for wrong in [file.len() - 4, file.len() + 4] {
        let server = Server::start({
            let file = file.clone();
            move |request| Answer::part(&file, request.range.clone().unwrap(), wrong)
        });
        let folder = Folder::new();
        fetch(&folder, &format!("vgg11 --url {}", server.url())).failed_with(&[
            "cannot fetch",
            "expected",
            "bytes",
        ]);
        assert_nothing_is_left(&folder);
    }
}

#[test]
fn where_no_server_answers_that_is_said() {
    let folder = Folder::new();
    // Nobody listens on the port of a server that is gone.
    let address = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    fetch(&folder, &format!("vgg11 --url http://{address}/x")).failed_with(&["cannot fetch", "HTTPS_PROXY"]);
    for url in ["nonsense", "ftp://127.0.0.1/x"] {
        fetch(&folder, &format!("vgg11 --url {url}")).failed_with(&["cannot fetch", url]);
    }
    assert_nothing_is_left(&folder);
}

#[test]
fn the_sha_256_is_checked() {
    let file = vgg11();
    let server = Server::start({
        let file = file.clone();
        move |request| Answer::part_asked(&file, request)
    });
    let folder = Folder::new();
    let url = server.url();
    let wrong = Checksum::of(b"").to_string();
    fetch(&folder, &format!("vgg11 --url {url} --sha256 {wrong}")).failed_with(&["SHA-256", &wrong]);
    assert_nothing_is_left(&folder);

    fetch(&folder, &format!("vgg11 --url {url}")).notes();
    let right = Checksum::of(&folder.read(INSTALLED)).to_string();
    fetch(&folder, &format!("vgg11 --url {url} --sha256 {right} --force")).notes();
    assert_installed(&folder, &file);
    // An installed file is checked as well.
    server.take_requests();
    let notes = fetch(&folder, &format!("vgg11 --url {url} --sha256 {right}")).notes();
    assert!(notes.contains("there already"), "{notes}");
    fetch(&folder, &format!("vgg11 --url {url} --sha256 {wrong}")).failed_with(&[&right, &wrong, "--force"]);
    assert!(server.take_requests().is_empty());
    assert_eq!(fetch(&folder, "vgg11 --sha256 12").code, Some(2));
}

#[test]
fn an_installed_file_stays_until_a_new_one_is_whole() {
    let file = vgg11();
    let breaks = Arc::new(AtomicBool::new(true));
    let server = Server::start({
        let (file, breaks) = (file.clone(), Arc::clone(&breaks));
        move |request| {
            let answer = Answer::part_asked(&file, request);
            let is_data = request.range.as_ref().unwrap().start > 32;
            if is_data && breaks.load(Ordering::Relaxed) { answer.breaking_after(10) } else { answer }
        }
    });
    let folder = Folder::new();
    fs::create_dir(folder.path("installed")).unwrap();
    fs::copy(reference_folder().join("tiny_tv11.safetensors"), folder.path(INSTALLED)).unwrap();
    let before = folder.read(INSTALLED);
    let arguments = format!("vgg11 --url {}", server.url());

    let notes = fetch(&folder, &arguments).notes();
    assert!(notes.contains("there already") && notes.contains("--force"), "{notes}");
    assert!(server.take_requests().is_empty());
    fetch(&folder, &format!("{arguments} --force")).failed_with(&["connection broke"]);
    assert_eq!(folder.read(INSTALLED), before);

    breaks.store(false, Ordering::Relaxed);
    let ran = fetch(&folder, &format!("{arguments} --force --quiet"));
    assert_eq!(ran.notes(), "");
    assert_installed(&folder, &file);

    // One that is damaged is replaced without being told to.
    folder.write(INSTALLED, "damaged");
    fetch(&folder, &arguments).notes();
    assert_installed(&folder, &file);
}

#[test]
fn a_folder_that_cannot_be_written_is_told_before_anything_is_fetched() {
    let file = vgg11();
    let server = Server::start(move |request| Answer::part_asked(&file, request));
    let folder = Folder::new();
    folder.write("installed", "a file");
    fetch(&folder, &format!("vgg11 --url {}", server.url())).failed_with(&["cannot write", "installed"]);
    assert!(server.take_requests().is_empty());
}

#[test]
fn two_at_once_do_not_mix() {
    let file = vgg11();
    let server = Server::start(move |request| Answer::part_asked(&file, request));
    let folder = Folder::new();
    fs::create_dir(folder.path("installed")).unwrap();
    let other = fs::File::create(folder.path(PART)).unwrap();
    other.lock().unwrap();
    let arguments = format!("vgg11 --url {}", server.url());
    fetch(&folder, &arguments).failed_with(&["cannot fetch", "another impasto"]);
    drop(other);
    fetch(&folder, &arguments).notes();
}

#[test]
fn only_networks_of_the_hub_have_a_name() {
    let ran = fetch(&Folder::new(), "vgg16-c");
    assert_eq!(ran.code, Some(2));
    for name in ["vgg11", "vgg13", "vgg16", "vgg19"] {
        assert!(ran.stderr.contains(name), "{}", ran.stderr);
    }
}

/// The file with a few other bits in the first convolution's weights.
fn damaged(file: &[u8]) -> Vec<u8> {
    let mut damaged = file.to_vec();
    damaged[extents(file).1[0].start] ^= 1;
    damaged
}

#[test]
fn the_hash_of_a_file_that_is_sent_whole_is_compared_with_the_servers() {
    type Send = fn(&[u8], &server::Request) -> Answer;
    let whole: Send = |file, _| Answer::whole(file);
    // Where the file has nothing but convolutions all of it is fetched in ranges, too.
    for (file, send) in
        [(vgg11(), whole), (only_convolutions(), whole), (only_convolutions(), Answer::part_asked)]
    {
        let expected = etag(&file);
        for sent in [file.clone(), damaged(&file)] {
            let folder = Folder::new();
            let server = Server::start({
                let (sent, expected) = (sent.clone(), expected.clone());
                move |request| send(&sent, request).with("ETag", &*expected)
            });
            let ran = fetch(&folder, &format!("vgg11 --url {}", server.url()));
            let hash = expected.trim_matches('"');
            if sent == file {
                ran.notes();
                assert_installed(&folder, &file);
                let installed = Weights::open(folder.path(INSTALLED)).unwrap();
                assert!(installed.metadata()["fetched_sha256"].starts_with(hash));
            } else {
                let found = Checksum::of(&sent).to_string();
                ran.failed_with(&["cannot fetch", hash, &found, "as the server says"]);
                assert_nothing_is_left(&folder);
            }
        }
    }
}

/// Parts of a file can't be checked by its hash, but which file they were asked of is written down. Other ETags are no
/// hashes.
#[test]
fn the_hash_of_a_file_of_which_parts_are_fetched_is_written_down() {
    let file = vgg11();
    for (header, is_hash) in [(etag(&file), true), (format!("W/{}", etag(&file)), false)] {
        let server = Server::start({
            let file = file.clone();
            move |request| Answer::part_asked(&file, request).with("ETag", &*header)
        });
        let folder = Folder::new();
        fetch(&folder, &format!("vgg11 --url {}", server.url())).notes();
        assert_installed(&folder, &file);
        let installed = Weights::open(folder.path(INSTALLED)).unwrap();
        let written = installed.metadata().get("fetched_sha256");
        let expected = format!("{} (of the whole file)", Checksum::of(&file));
        assert_eq!(written, is_hash.then_some(&expected));
    }
}

/// The hub says the hash where it redirects to a server that has ETags of its own.
#[test]
fn the_hash_is_that_of_the_redirect() {
    let file = vgg11();
    let damaged = damaged(&file);
    for sent in [&file, &damaged] {
        let server = Server::start({
            let (hash, sent) = (etag(&file), sent.clone());
            move |request| match request.line.as_str() {
                "GET /net.safetensors" => {
                    Answer::new("302 Found", "").with("Location", "/elsewhere").with("X-Linked-ETag", &*hash)
                }
                _ => Answer::whole(&sent).with("ETag", "\"another\""),
            }
        });
        let folder = Folder::new();
        let ran = fetch(&folder, &format!("vgg11 --url {}", server.url()));
        if *sent == file {
            ran.notes();
            assert_installed(&folder, &file);
        } else {
            ran.failed_with(&["SHA-256", &Checksum::of(&file).to_string(), &Checksum::of(sent).to_string()]);
            assert_nothing_is_left(&folder);
        }
    }
}

/// A file that comes whole is checked whole: nothing of it is from another time.
#[test]
fn what_was_fetched_before_is_not_used_where_all_is_sent_again() {
    let file = vgg11();
    let end = extents(&file).1[4].start;
    let breaks = Arc::new(AtomicBool::new(true));
    let server = Server::start({
        let (file, breaks) = (file.clone(), Arc::clone(&breaks));
        move |_| {
            let answer = Answer::whole(&file).with("ETag", etag(&file));
            if breaks.load(Ordering::Relaxed) { answer.breaking_after(end) } else { answer }
        }
    });
    let folder = Folder::new();
    let arguments = format!("vgg11 --url {}", server.url());
    fetch(&folder, &arguments).failed_with(&["connection broke"]);
    let mut part = folder.read(PART);
    let last = part.len() - 1;
    part[last] ^= 1;
    folder.write(PART, part);
    breaks.store(false, Ordering::Relaxed);
    fetch(&folder, &arguments).notes();
    assert_installed(&folder, &file);
}

#[test]
fn weights_that_are_not_finite_are_not_installed() {
    let mut file = vgg11();
    let start = extents(&file).1[1].start;
    // NaN in F32, F16 and BF16.
    file[start..start + 4].fill(0xff);
    let server = Server::start(move |request| Answer::part_asked(&file, request));
    let folder = Folder::new();
    fetch(&folder, &format!("vgg11 --url {}", server.url())).failed_with(&[
        "cannot fetch",
        "features.",
        "expected finite values, found NaN at index 0",
    ]);
    assert_nothing_is_left(&folder);
}

/// However large a file a header promises, what is read of it is bounded.
#[test]
fn sizes_are_bounded() {
    let refused = |header: &str, file_len: usize, words: &[&str]| {
        let start = [&(header.len() as u64).to_le_bytes(), header.as_bytes()].concat();
        let server =
            Server::start(move |request| Answer::part(&start, request.range.clone().unwrap(), file_len));
        let folder = Folder::new();
        fetch(&folder, &format!("vgg11 --url {}", server.url())).failed_with(words);
        assert_nothing_is_left(&folder);
        server.take_ranges()
    };
    // Two gigabytes.
    let outputs = 20_000_000;
    let (weight, bias) = (outputs * 27 * 4, outputs * 4);
    let header = format!(
        r#"{{"conv1_1.weight":{{"dtype":"F32","shape":[{outputs},3,3,3],"data_offsets":[0,{weight}]}},"#
    ) + &format!(
        r#""conv1_1.bias":{{"dtype":"F32","shape":[{outputs}],"data_offsets":[{weight},{}]}}}}"#,
        weight + bias
    );
    let ranges = refused(
        &header,
        8 + header.len() + weight + bias,
        &["cannot fetch", "at most 1073741824 bytes of convolutions, found 2240000000"],
    );
    assert_eq!(ranges.last(), Some(&(32..8 + header.len())));

    let ranges = refused(&format!("{{{}}}", " ".repeat(9 << 20)), 1 << 40, &["a header of at most"]);
    assert_eq!((ranges.len(), ranges.first()), (1, Some(&(0..32))));
}

/// Of an answer that does not end, or has more than was asked for, only that is read.
#[test]
fn answers_without_an_end_are_cut_off() {
    let file = vgg11();
    let server = Server::start({
        let file = file.clone();
        move |request| Answer::part_asked(&file, request).without("Content-Length").endless()
    });
    let folder = Folder::new();
    fetch(&folder, &format!("vgg11 --url {}", server.url())).notes();
    assert_installed(&folder, &file);
}

#[test]
#[cfg(unix)]
fn a_part_file_that_is_a_link_or_a_pipe_is_refused() {
    let file = vgg11();
    let server = Server::start(move |request| Answer::part_asked(&file, request));
    let arguments = format!("vgg11 --url {}", server.url());
    type Make = fn(&Folder);
    let kinds: [Make; 4] = [
        |folder| std::os::unix::fs::symlink(folder.path("mine"), folder.path(PART)).unwrap(),
        |folder| std::os::unix::fs::symlink(folder.path("nowhere"), folder.path(PART)).unwrap(),
        |folder| fs::hard_link(folder.path("mine"), folder.path(PART)).unwrap(),
        |folder| assert!(Command::new("mkfifo").arg(folder.path(PART)).status().unwrap().success()),
    ];
    for make in kinds {
        let folder = Folder::new();
        fs::create_dir(folder.path("installed")).unwrap();
        folder.write("mine", "precious");
        make(&folder);
        fetch(&folder, &arguments).failed_with(&[
            "cannot write",
            "vgg11.safetensors.part",
            "no regular file",
        ]);
        assert_eq!(folder.read("mine"), b"precious");
        assert!(!folder.path("nowhere").exists() && !folder.path(INSTALLED).exists());
        assert!(folder.path(PART).symlink_metadata().is_ok(), "what is not ours was removed");
    }
}

/// A server that sends a byte now and then must not hold the program for as long as it likes.
#[test]
fn a_dripping_server_is_given_up() {
    let patience = Duration::from_millis(600);
    let slowly = |part| Drips { part, bytes: 1, pause: Duration::from_millis(20) };
    let file = vgg11();
    let data_start = extents(&file).0;
    type When = fn(usize, usize) -> bool;
    let cases: [(Dripping, When); 4] = [
        (Dripping::Head, |_, _| true),
        (Dripping::Body, |_, _| true),
        (Dripping::Body, |start, _| start == 32),
        (Dripping::Body, |start, data_start| start >= data_start),
    ];
    for (at, (part, when)) in cases.into_iter().enumerate() {
        let server = Server::start({
            let file = file.clone();
            move |request| {
                let answer = Answer::part_asked(&file, request);
                let drips = when(request.range.as_ref().unwrap().start, data_start);
                if drips { answer.dripping(slowly(part)) } else { answer }
            }
        });
        let folder = Folder::new();
        let start = Instant::now();
        let fetch = Fetch::from_url(Architecture::A, server.url()).with_patience(patience);
        let error = fetch.into_folder(&folder.path("installed"), |_| {}).unwrap_err().to_string();
        assert!(start.elapsed() < 10 * patience, "case {at}: {:?}", start.elapsed());
        assert!(error.starts_with("cannot fetch http://") && !error.contains('\n'), "{error}");
        match part {
            Dripping::Head => assert!(error.contains("timeout"), "case {at}: {error}"),
            Dripping::Body => assert!(
                error.contains("a second are the least") && error.contains("try again"),
                "case {at}: {error}"
            ),
        }
        assert!(!folder.path(INSTALLED).exists());
    }
}

/// One that is slow, but steadily so, is waited for.
#[test]
fn patience_is_for_a_rate_not_for_the_whole() {
    // 13 kB/s.
    let steadily = Drips { part: Dripping::Body, bytes: 256, pause: Duration::from_millis(20) };
    let file = vgg11();
    let data_start = extents(&file).0;
    let server = Server::start({
        let file = file.clone();
        move |request| {
            let answer = Answer::part_asked(&file, request);
            let is_data = request.range.as_ref().unwrap().start >= data_start;
            if is_data { answer.dripping(steadily) } else { answer }
        }
    });
    let folder = Folder::new();
    let fetch = Fetch::from_url(Architecture::A, server.url()).with_patience(Duration::from_millis(200));
    let start = Instant::now();
    fetch.into_folder(&folder.path("installed"), |_| {}).unwrap();
    assert!(start.elapsed() > Duration::from_millis(400), "nobody's patience was tried");
    assert_installed(&folder, &file);
}
