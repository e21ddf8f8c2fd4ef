//! A small HTTP server on loopback, which answers as a test says and remembers what it was asked.

use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::ops::Range;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

pub struct Server {
    address: String,
    requests: Arc<Mutex<Vec<Request>>>,
}

/// What a client asked.
#[derive(Clone, Debug)]
pub struct Request {
    /// `GET /net.safetensors`
    pub line: String,
    pub range: Option<Range<usize>>,
}

/// What the server answers.
#[derive(Clone)]
pub struct Answer {
    pub status: &'static str,
    pub headers: Vec<(&'static str, String)>,
    pub body: Vec<u8>,
    /// Bytes of the body after which the connection breaks.
    pub breaks_after: Option<usize>,
    /// What is sent a few bytes at a time.
    pub drips: Option<Drips>,
    /// Whether bytes follow the body for as long as the client reads.
    pub is_endless: bool,
}

/// A part of an answer that is sent so many bytes at a time, with a pause before them.
#[derive(Clone, Copy)]
pub struct Drips {
    pub part: Dripping,
    pub bytes: usize,
    pub pause: Duration,
}

/// A part of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dripping {
    Head,
    Body,
}

impl Server {
    /// One that answers until the test's process ends.
    pub fn start(answer: impl Fn(&Request) -> Answer + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let requests = Arc::new(Mutex::new(Vec::new()));
        let asked = Arc::clone(&requests);
        thread::spawn(move || {
            for stream in listener.incoming() {
                // A client that goes away is what some tests are about.
                let _ = serve(stream.unwrap(), &asked, &answer);
            }
        });
        Self { address, requests }
    }

    pub fn url(&self) -> String {
        format!("http://{}/net.safetensors", self.address)
    }

    /// What was asked since the last time.
    pub fn take_requests(&self) -> Vec<Request> {
        std::mem::take(&mut self.requests.lock().unwrap())
    }

    /// The ranges that were asked for since the last time.
    pub fn take_ranges(&self) -> Vec<Range<usize>> {
        self.take_requests().into_iter().map(|request| request.range.unwrap()).collect()
    }
}

fn serve(
    mut stream: TcpStream,
    asked: &Mutex<Vec<Request>>,
    answer: impl Fn(&Request) -> Answer,
) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream.try_clone()?);
    let mut request = read_request(&mut reader)?;
    if request.line.starts_with("CONNECT ") {
        asked.lock().unwrap().push(request);
        stream.write_all(b"HTTP/1.1 200 Connected\r\n\r\n")?;
        request = read_request(&mut reader)?;
    }
    let Answer { status, headers, body, breaks_after, drips, is_endless } = answer(&request);
    asked.lock().unwrap().push(request);
    let headers: String = headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    let head = format!("HTTP/1.1 {status}\r\n{headers}Connection: close\r\n\r\n");
    send(&mut stream, head.as_bytes(), drips.filter(|drips| drips.part == Dripping::Head))?;
    let body = &body[..breaks_after.unwrap_or(body.len())];
    send(&mut stream, body, drips.filter(|drips| drips.part == Dripping::Body))?;
    if !is_endless {
        return Ok(());
    }
    loop {
        stream.write_all(&[0; 4096])?;
    }
}

fn send(stream: &mut TcpStream, bytes: &[u8], drips: Option<Drips>) -> std::io::Result<()> {
    let Some(drips) = drips else { return stream.write_all(bytes) };
    stream.set_nodelay(true)?;
    for piece in bytes.chunks(drips.bytes) {
        thread::sleep(drips.pause);
        stream.write_all(piece)?;
    }
    Ok(())
}

fn read_request(reader: &mut impl BufRead) -> std::io::Result<Request> {
    let mut lines = Vec::new();
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line)? == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
        match line.trim_end() {
            "" => break,
            line => lines.push(line.to_owned()),
        }
    }
    let range = lines.iter().find_map(|line| {
        let (name, value) = line.split_once(": ")?;
        let (first, last) = value.strip_prefix("bytes=")?.split_once('-')?;
        name.eq_ignore_ascii_case("range").then(|| first.parse().unwrap()..last.parse::<usize>().unwrap() + 1)
    });
    Ok(Request { line: lines[0].trim_end_matches(" HTTP/1.1").to_owned(), range })
}

impl Answer {
    /// A part of a file, of which `len` is told as the size.
    pub fn part(file: &[u8], range: Range<usize>, len: usize) -> Self {
        let range = range.start..range.end.min(file.len());
        let body = file[range.clone()].to_vec();
        Self::new("206 Partial Content", body)
            .with("Content-Range", format!("bytes {}-{}/{len}", range.start, range.end - 1))
            .with("ETag", "\"first\"")
    }

    /// What the request asks for of a file.
    pub fn part_asked(file: &[u8], request: &Request) -> Self {
        Self::part(file, request.range.clone().unwrap(), file.len())
    }

    /// A whole file.
    pub fn whole(file: &[u8]) -> Self {
        Self::new("200 OK", file.to_vec()).with("ETag", "\"first\"")
    }

    pub fn new(status: &'static str, body: impl Into<Vec<u8>>) -> Self {
        let body = body.into();
        let headers = vec![("Content-Length", body.len().to_string())];
        Self { status, headers, body, breaks_after: None, drips: None, is_endless: false }
    }

    pub fn with(self, name: &'static str, value: impl Into<String>) -> Self {
        let mut answer = self.without(name);
        answer.headers.push((name, value.into()));
        answer
    }

    pub fn without(mut self, name: &str) -> Self {
        self.headers.retain(|(known, _)| *known != name);
        self
    }

    pub fn breaking_after(self, bytes: usize) -> Self {
        Self { breaks_after: Some(bytes), ..self }
    }

    pub fn dripping(self, drips: Drips) -> Self {
        Self { drips: Some(drips), ..self }
    }

    pub fn endless(self) -> Self {
        Self { is_endless: true, ..self }
    }
}
