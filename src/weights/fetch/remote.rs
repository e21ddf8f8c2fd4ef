//! A safetensors file on a server, read in ranges: each by a request of its own, or from the one response
//! that has it all where the server can't send ranges.

use std::io::{self, Read};
use std::ops::Range;
use std::time::{Duration, Instant};

use ureq::http::header::{CONTENT_LENGTH, CONTENT_RANGE, ETAG, HeaderName, LAST_MODIFIED, RANGE};
use ureq::http::{Response, StatusCode, Uri};
use ureq::{Agent, Body, BodyReader, ResponseExt};

use crate::checksum::{Checksum, Hasher};
use crate::error::{Error, Result};
use crate::weights::container::header_end;

/// Bytes to begin with: enough for the header's length, and for the kind of a file that is not
/// safetensors.
const START: u64 = 32;

/// Bytes that are read at a time.
const PIECE: usize = 64 << 10;

/// The longest wait for a connection, for an answer, and for more of it. curl gives up a connection after
/// 300 s and pip a read after 15 s; a minute outlasts a change of the wireless network.
pub(super) const PATIENCE: Duration = Duration::from_secs(60);

/// Bytes a second that a server must send on average once it has had [`PATIENCE`]: a fifth of what the
/// slowest modems still in use have. It would take VGG-19's convolutions a day.
const LEAST_RATE: u64 = 1000;

/// The header in which the Hugging Face hub gives the ETag of what it redirects to: for a large file its
/// SHA-256.
const LINKED_ETAG: HeaderName = HeaderName::from_static("x-linked-etag");

/// A file on a server.
pub(super) struct Remote {
    agent: Agent,
    url: String,
    patience: Duration,
    start: Vec<u8>,
    len: u64,
    validator: Option<String>,
    content: Option<Checksum>,
    /// The response that has all of it, where the server sends no ranges.
    whole: Option<Stream>,
}

impl Remote {
    /// Asks for the file's first bytes.
    pub(super) fn connect(url: &str, patience: Duration) -> Result<Self> {
        let agent = Agent::config_builder()
            .user_agent(concat!("impasto/", env!("CARGO_PKG_VERSION")))
            // Places in a compressed body are not those in the file.
            .accept_encoding("identity")
            // No redirect leads from a connection that can be trusted to one that can't.
            .https_only(url.starts_with("https:"))
            .http_status_as_error(false)
            .timeout_resolve(Some(patience))
            .timeout_connect(Some(patience))
            .timeout_recv_response(Some(patience))
            .timeout_per_read(Some(patience))
            .build()
            .new_agent();
        let response = get(&agent, url, 0..START, None)?;
        let validator = validator(&response);
        let in_ranges = response.status() == StatusCode::PARTIAL_CONTENT;
        let len = if in_ranges { content_range(&response).map(|(_, len)| len) } else { body_len(&response) };
        let was_redirected = url.parse::<Uri>().is_ok_and(|asked| asked != *response.get_uri());
        let etag = header(&response, ETAG).and_then(sha256_of_etag);

        let mut stream = Stream::new(response, 0, patience, Some(Hasher::new()));
        let mut start = Vec::new();
        let read = stream.read_until(len.unwrap_or(START).min(START), url, &mut |piece| {
            start.extend_from_slice(piece);
            Ok(())
        });
        let Some(len) = len else {
            // Pages that are made as they are asked for are often sent without a length.
            header_end(&start, u64::MAX).map_err(|reason| failed(url, reason))?;
            return Err(failed(url, "the server does not say how long the file is"));
        };
        read?;
        let whole = (!in_ranges).then_some(stream);
        let content = if was_redirected { linked_sha256(&agent, url)?.or(etag) } else { etag };
        Ok(Self { agent, url: url.to_owned(), patience, start, len, validator, content, whole })
    }

    /// The whole file's size in bytes, as the server tells it.
    pub(super) fn len(&self) -> u64 {
        self.len
    }

    /// What changes when the file on the server does, where the server says such a thing.
    pub(super) fn validator(&self) -> Option<&str> {
        self.validator.as_deref()
    }

    /// The whole file's SHA-256, where the server says it.
    pub(super) fn content(&self) -> Option<Checksum> {
        self.content
    }

    /// Whether parts can be read without those before them being sent.
    pub(super) fn has_ranges(&self) -> bool {
        self.whole.is_none()
    }

    /// The file's beginning, to the end of the safetensors header.
    pub(super) fn header(&mut self) -> Result<Vec<u8>> {
        let end = header_end(&self.start, self.len).map_err(|reason| self.error(reason))?;
        let mut header = self.start.clone();
        header.truncate(end);
        self.read(header.len() as u64..end as u64, |piece| {
            header.extend_from_slice(piece);
            Ok(())
        })?;
        Ok(header)
    }

    /// Gives a part of the file to `sink`, piece by piece as it arrives. Each part must lie behind the one
    /// before: a server may be unable to go back.
    pub(super) fn read(
        &mut self,
        range: Range<u64>,
        mut sink: impl FnMut(&[u8]) -> Result<()>,
    ) -> Result<()> {
        if range.is_empty() {
            return Ok(());
        }
        let mut part = match &self.whole {
            None => Some(self.part(range.clone())?),
            Some(_) => None,
        };
        let stream = part.as_mut().or(self.whole.as_mut()).expect("one of them is there");
        stream.read_until(range.start, &self.url, &mut |_| Ok(()))?;
        stream.read_until(range.end, &self.url, &mut sink)
    }

    /// The SHA-256 of the whole file as it was sent, where it is sent in one response and the server says
    /// what it should be: only then it is worth reading what is not needed.
    pub(super) fn finish(self) -> Result<Option<Checksum>> {
        match self.whole {
            Some(mut stream) if self.content.is_some() => {
                stream.read_until(self.len, &self.url, &mut |_| Ok(()))?;
                Ok(stream.hasher.map(Hasher::finish))
            }
            _ => Ok(None),
        }
    }

    /// The error for what is wrong with the file or its server.
    pub(super) fn error(&self, reason: impl Into<String>) -> Error {
        failed(&self.url, reason)
    }

    /// Asks for a part of the file, which must still be the same.
    fn part(&self, range: Range<u64>) -> Result<Stream> {
        // Bounds what the rate below does not see, such as a chunked encoding's own bytes. It is checked
        // later than the rate, whose message says more.
        let longest = 2 * self.patience + Duration::from_secs((range.end - range.start) / LEAST_RATE);
        let response = get(&self.agent, &self.url, range.clone(), Some(longest))?;
        let found = if response.status() == StatusCode::PARTIAL_CONTENT {
            content_range(&response)
        } else {
            body_len(&response).map(|len| (0..len, len))
        };
        match found {
            Some((found, len))
                if found.start <= range.start
                    && found.end >= range.end
                    && len == self.len
                    && validator(&response) == self.validator =>
            {
                Ok(Stream::new(response, found.start, self.patience, None))
            }
            _ => Err(self.error("the file on the server changed meanwhile; try again")),
        }
    }
}

/// A response's body on its way.
struct Stream {
    body: BodyReader<'static>,
    /// Where in the file the next byte is.
    position: u64,
    first: u64,
    begun: Instant,
    patience: Duration,
    hasher: Option<Hasher>,
}

impl Stream {
    fn new(response: Response<Body>, position: u64, patience: Duration, hasher: Option<Hasher>) -> Self {
        let body = response.into_body().into_reader();
        Self { body, position, first: position, begun: Instant::now(), patience, hasher }
    }

    /// Gives the bytes before `end` that have not been read to `sink`, piece by piece as they arrive.
    fn read_until(&mut self, end: u64, url: &str, sink: &mut dyn FnMut(&[u8]) -> Result<()>) -> Result<()> {
        let mut piece = vec![0; end.saturating_sub(self.position).min(PIECE as u64) as usize];
        while self.position < end {
            let wanted = (end - self.position).min(PIECE as u64) as usize;
            let read = match self.body.read(&mut piece[..wanted]) {
                Ok(0) => Err(broken(&io::ErrorKind::UnexpectedEof.into())),
                Ok(read) => Ok(read),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => Err(broken(&error)),
            };
            let piece = &piece[..read.map_err(|reason| failed(url, reason))?];
            if let Some(hasher) = &mut self.hasher {
                hasher.update(piece);
            }
            sink(piece)?;
            self.position += piece.len() as u64;
            self.check_rate(url)?;
        }
        Ok(())
    }

    /// A server that sends a byte now and then would otherwise hold the caller for as long as it likes.
    fn check_rate(&self, url: &str) -> Result<()> {
        let (elapsed, received) = (self.begun.elapsed(), self.position - self.first);
        if elapsed <= self.patience || received as f64 >= LEAST_RATE as f64 * elapsed.as_secs_f64() {
            return Ok(());
        }
        let seconds = elapsed.as_secs_f64();
        Err(failed(
            url,
            format!(
                "the server sent {received} bytes in {seconds:.1} s, and {LEAST_RATE} a second are the least: \
                 {TRY_AGAIN}"
            ),
        ))
    }
}

/// What to do where a transfer ended early.
const TRY_AGAIN: &str = "try again, it goes on from there where the server can";

/// A URL without what may be secret in it: a user's name and password, and the query.
pub(super) fn without_secrets(url: &str) -> String {
    let url = url.split(['?', '#']).next().unwrap_or_default();
    let Some((scheme, rest)) = url.split_once("://") else { return url.to_owned() };
    let (host, path) = rest.find('/').map_or((rest, ""), |slash| rest.split_at(slash));
    let host = host.rsplit_once('@').map_or(host, |(_, host)| host);
    format!("{scheme}://{host}{path}")
}

/// The response to a request for a part of a file: with that part, or with the whole. Its body must arrive
/// within `longest`.
fn get(agent: &Agent, url: &str, range: Range<u64>, longest: Option<Duration>) -> Result<Response<Body>> {
    let asked = format!("bytes={}-{}", range.start, range.end - 1);
    let request = agent.get(url).header(RANGE, asked).config().timeout_recv_body(longest).build();
    let response = request.call().map_err(|error| unreachable(url, &error))?;
    let status = response.status();
    Err(failed(
        url,
        match status {
            StatusCode::OK | StatusCode::PARTIAL_CONTENT => return Ok(response),
            StatusCode::RANGE_NOT_SATISFIABLE => {
                "the file on the server is empty or shorter than it should be".to_owned()
            }
            _ if status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS => {
                format!("the server answered {status}; try again later")
            }
            _ => format!("the server answered {status}"),
        },
    ))
}

/// The SHA-256 of a file that `url` redirects to, where the redirect says it.
fn linked_sha256(agent: &Agent, url: &str) -> Result<Option<Checksum>> {
    let request = agent.get(url).header(RANGE, "bytes=0-0").config().max_redirects(0).build();
    let response = request.call().map_err(|error| unreachable(url, &error))?;
    Ok(header(&response, LINKED_ETAG).and_then(sha256_of_etag))
}

/// The SHA-256 that an ETag is, if it looks like one. A weak one (`W/"…"`) is not of the bytes.
fn sha256_of_etag(etag: &str) -> Option<Checksum> {
    etag.trim().strip_prefix('"')?.strip_suffix('"')?.parse().ok()
}

/// Which bytes of how many a response has.
fn content_range(response: &Response<Body>) -> Option<(Range<u64>, u64)> {
    let (range, len) = header(response, CONTENT_RANGE)?.strip_prefix("bytes ")?.split_once('/')?;
    let (first, last) = range.split_once('-')?;
    let end = last.trim().parse::<u64>().ok()?.checked_add(1)?;
    Some((first.trim().parse().ok()?..end, len.trim().parse().ok()?))
}

/// How long a response is.
fn body_len(response: &Response<Body>) -> Option<u64> {
    header(response, CONTENT_LENGTH)?.trim().parse().ok()
}

/// What changes when the file does: its ETag, or the time of its last change.
fn validator(response: &Response<Body>) -> Option<String> {
    header(response, ETAG).or_else(|| header(response, LAST_MODIFIED)).map(str::to_owned)
}

fn header(response: &Response<Body>, name: HeaderName) -> Option<&str> {
    response.headers().get(name)?.to_str().ok()
}

fn broken(error: &io::Error) -> String {
    format!("the connection broke ({error}); {TRY_AGAIN}")
}

fn unreachable(url: &str, error: &ureq::Error) -> Error {
    failed(url, format!("{error} (where a proxy is needed, HTTPS_PROXY must name it)"))
}

pub(super) fn failed(url: &str, reason: impl Into<String>) -> Error {
    Error::Fetch { url: without_secrets(url), reason: reason.into() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_strong_etags_of_64_digits_are_hashes() {
        let hex = Checksum::of(b"abc").to_string();
        assert_eq!(sha256_of_etag(&format!("\"{hex}\"")), Some(Checksum::of(b"abc")));
        for other in
            ["", "\"", "\"\"", &hex, &format!("W/\"{hex}\""), &format!("\"{hex}-5\""), "\"d41d8cd9\""]
        {
            assert_eq!(sha256_of_etag(other), None, "{other}");
        }
    }

    #[test]
    fn urls_are_shown_without_secrets() {
        let shown = without_secrets("https://me:secret@example.org:8080/a@b/net.safetensors?token=secret#x");
        assert_eq!(shown, "https://example.org:8080/a@b/net.safetensors");
        assert_eq!(without_secrets("nonsense"), "nonsense");
        assert_eq!(without_secrets("http://example.org"), "http://example.org");
    }
}
