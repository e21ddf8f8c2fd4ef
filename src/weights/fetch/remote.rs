//! A safetensors file on a server, read in ranges: each by a request of its own, or from the one response
//! that has it all where the server can't send ranges.

use std::io::{self, Read};
use std::mem;
use std::ops::Range;
use std::time::Duration;

use ureq::http::header::{CONTENT_LENGTH, CONTENT_RANGE, ETAG, HeaderName, LAST_MODIFIED, RANGE};
use ureq::http::{Response, StatusCode};
use ureq::{Agent, Body, BodyReader};

use crate::error::{Error, Result};
use crate::weights::container::header_end;

/// Bytes to begin with: enough for the header's length, and for seeing what a file is that is something
/// else.
const START: u64 = 32;

/// Bytes that are read at a time.
const PIECE: usize = 64 << 10;

/// The longest wait for a connection, for an answer, and for more of it.
const PATIENCE: Duration = Duration::from_secs(60);

/// A file on a server.
pub(super) struct Remote {
    agent: Agent,
    url: String,
    start: Vec<u8>,
    len: u64,
    validator: Option<String>,
    transfer: Transfer,
}

/// How the server sends the file.
enum Transfer {
    /// In ranges, each as it is asked for.
    InRanges,
    /// In one response, of which `position` bytes have been read.
    Whole { body: BodyReader<'static>, position: u64 },
}

impl Remote {
    /// Asks for the file's first bytes.
    pub(super) fn connect(url: &str) -> Result<Self> {
        let agent = Agent::config_builder()
            .user_agent(concat!("impasto/", env!("CARGO_PKG_VERSION")))
            // Places in a compressed body are not those in the file.
            .accept_encoding("identity")
            // No redirect leads from a connection that can be trusted to one that can't.
            .https_only(url.starts_with("https:"))
            .http_status_as_error(false)
            .timeout_resolve(Some(PATIENCE))
            .timeout_connect(Some(PATIENCE))
            .timeout_recv_response(Some(PATIENCE))
            .timeout_per_read(Some(PATIENCE))
            .build()
            .new_agent();
        let response = get(&agent, url, 0..START)?;
        let validator = validator(&response);
        let in_ranges = response.status() == StatusCode::PARTIAL_CONTENT;
        let len = if in_ranges { content_range(&response).map(|(_, len)| len) } else { body_len(&response) };

        let mut body = reader(response);
        let mut start = Vec::new();
        (&mut body).take(START).read_to_end(&mut start).map_err(|error| failed(url, broken(&error)))?;
        let Some(len) = len else {
            // Pages that are made as they are asked for are often sent without a length.
            header_end(&start, u64::MAX).map_err(|reason| failed(url, reason))?;
            return Err(failed(url, "the server does not say how long the file is"));
        };
        let transfer = if in_ranges {
            Transfer::InRanges
        } else {
            Transfer::Whole { body, position: start.len() as u64 }
        };
        Ok(Self { agent, url: url.to_owned(), start, len, validator, transfer })
    }

    /// The whole file's size in bytes, as the server tells it.
    pub(super) fn len(&self) -> u64 {
        self.len
    }

    /// What changes when the file on the server does, where the server says such a thing.
    pub(super) fn validator(&self) -> Option<&str> {
        self.validator.as_deref()
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
        match &mut self.transfer {
            Transfer::InRanges => {
                let (mut body, position) = self.part(range.clone())?;
                copy(&mut body, position, range, &self.url, &mut sink)
            }
            Transfer::Whole { body, position } => {
                let position = mem::replace(position, range.end);
                copy(body, position, range, &self.url, &mut sink)
            }
        }
    }

    /// The error for what is wrong with the file or its server.
    pub(super) fn error(&self, reason: impl Into<String>) -> Error {
        failed(&self.url, reason)
    }

    /// Asks for a part of the file, which must still be the same. Gives the response's body, and where in
    /// the file it begins.
    fn part(&self, range: Range<u64>) -> Result<(BodyReader<'static>, u64)> {
        let response = get(&self.agent, &self.url, range.clone())?;
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
                Ok((reader(response), found.start))
            }
            _ => Err(self.error("the file on the server changed meanwhile; try again")),
        }
    }
}

/// A URL without what may be secret in it: a user's name and password, and the query.
pub(super) fn without_secrets(url: &str) -> String {
    let url = url.split(['?', '#']).next().unwrap_or_default();
    let Some((scheme, rest)) = url.split_once("://") else { return url.to_owned() };
    let (host, path) = rest.find('/').map_or((rest, ""), |slash| rest.split_at(slash));
    let host = host.rsplit_once('@').map_or(host, |(_, host)| host);
    format!("{scheme}://{host}{path}")
}

/// The response to a request for a part of a file: with that part, or with the whole.
fn get(agent: &Agent, url: &str, range: Range<u64>) -> Result<Response<Body>> {
    let asked = format!("bytes={}-{}", range.start, range.end - 1);
    let response = agent.get(url).header(RANGE, asked).call().map_err(|error| {
        failed(url, format!("{error} (where a proxy is needed, HTTPS_PROXY must name it)"))
    })?;
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

/// Reads a range of a file from a `body` that is at `position` in it.
fn copy(
    body: &mut impl Read,
    position: u64,
    range: Range<u64>,
    url: &str,
    sink: &mut impl FnMut(&[u8]) -> Result<()>,
) -> Result<()> {
    let mut piece = vec![0; PIECE];
    let mut at = position;
    while at < range.end {
        let end = if at < range.start { range.start } else { range.end };
        let wanted = (end - at).min(PIECE as u64) as usize;
        let read = match body.read(&mut piece[..wanted]) {
            Ok(0) => Err(broken(&io::ErrorKind::UnexpectedEof.into())),
            Ok(read) => Ok(read),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => Err(broken(&error)),
        };
        let read = read.map_err(|reason| failed(url, reason))?;
        if at >= range.start {
            sink(&piece[..read])?;
        }
        at += read as u64;
    }
    Ok(())
}

fn reader(response: Response<Body>) -> BodyReader<'static> {
    response.into_body().into_reader()
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
    format!("the connection broke ({error}); try again, it goes on from there where the server can")
}

fn failed(url: &str, reason: impl Into<String>) -> Error {
    Error::Fetch { url: without_secrets(url), reason: reason.into() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_are_shown_without_secrets() {
        let shown = without_secrets("https://me:secret@example.org:8080/a@b/net.safetensors?token=secret#x");
        assert_eq!(shown, "https://example.org:8080/a@b/net.safetensors");
        assert_eq!(without_secrets("nonsense"), "nonsense");
        assert_eq!(without_secrets("http://example.org"), "http://example.org");
    }
}
