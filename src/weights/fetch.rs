//! Networks from the Hugging Face hub, or from any other server, into a folder where
//! [`Places`](super::Places) finds them. Of a file only the header and the convolutions are asked for: of
//! VGG-19's 575 MB these are 80.
//!
//! ```no_run
//! use impasto::vgg::Architecture;
//! use impasto::weights::{data_folder, fetch::Fetch};
//!
//! let folder = data_folder().expect("a home");
//! let fetched = Fetch::from_hub(Architecture::E)?.into_folder(&folder, |progress| {
//!     eprintln!("{} of {} bytes", progress.done, progress.total);
//! })?;
//! println!("{}", fetched.path.display());
//! # Ok::<(), impasto::Error>(())
//! ```

mod excerpt;
mod part;
mod remote;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use super::Weights;
use super::locate::EXTENSION;
use crate::error::{Error, Result, Setting};
use crate::vgg::Architecture;
use crate::whole_file;

use excerpt::Excerpt;
use part::{Identity, Part};
use remote::Remote;

pub use crate::checksum::Checksum;

/// The networks on the hub, each as `model.safetensors`, and the SHA-256 of the file that is made of it.
/// `None`, not checked: the hub could not be reached from where this was written.
const HUB: [(Architecture, &str, Option<Checksum>); 4] = [
    (Architecture::A, "timm/vgg11.tv_in1k", None),
    (Architecture::B, "timm/vgg13.tv_in1k", None),
    (Architecture::D, "timm/vgg16.tv_in1k", None),
    (Architecture::E, "timm/vgg19.tv_in1k", None),
];

/// The most bytes of convolutions that are fetched: twelve times those of VGG-19, the deepest network, in
/// F32. A header that promises more would fill the disk.
const MOST: u64 = 1 << 30;

/// A network to be fetched.
#[derive(Clone, Debug)]
pub struct Fetch {
    architecture: Architecture,
    url: String,
    /// What the installed file says of where it came from.
    origin: String,
    checksum: Option<Checksum>,
    patience: Duration,
}

/// How much of a network is here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Progress {
    /// Bytes of the convolutions so far, those of an earlier attempt included.
    pub done: u64,
    /// Bytes of all convolutions.
    pub total: u64,
}

/// What was installed.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Fetched {
    /// The file.
    pub path: PathBuf,
    /// Its size in bytes.
    pub len: u64,
    /// Bytes of it that were here from an earlier attempt.
    pub resumed: u64,
    /// Its SHA-256.
    pub checksum: Checksum,
}

impl Fetch {
    /// The networks that [`from_hub`](Self::from_hub) has.
    pub fn on_hub() -> impl Iterator<Item = Architecture> {
        HUB.iter().map(|(architecture, ..)| *architecture)
    }

    /// torchvision's network of this architecture, trained on ImageNet-1k, as timm publishes it on the
    /// Hugging Face hub.
    ///
    /// # Errors
    /// [`Error::Setting`] where the hub has none.
    pub fn from_hub(architecture: Architecture) -> Result<Self> {
        let Some((_, repository, checksum)) = HUB.iter().find(|(known, ..)| *known == architecture) else {
            let known: Vec<_> = Self::on_hub().map(Architecture::name).collect();
            let reason = format!("{architecture} is not on the hub, which has {}", known.join(", "));
            return Err(Error::setting(Setting::Network, reason));
        };
        Ok(Self {
            architecture,
            url: format!("https://huggingface.co/{repository}/resolve/main/model.safetensors"),
            origin: format!("{repository} on the Hugging Face hub, where its credits and licence are"),
            checksum: *checksum,
            patience: remote::PATIENCE,
        })
    }

    /// A network of this architecture from the safetensors file at `url`, in any naming.
    pub fn from_url(architecture: Architecture, url: impl Into<String>) -> Self {
        let url = url.into();
        let origin = remote::without_secrets(&url);
        Self { architecture, origin, url, checksum: None, patience: remote::PATIENCE }
    }

    /// The same, but refused where the file that is made of it has another SHA-256.
    #[must_use]
    pub fn with_checksum(self, checksum: Checksum) -> Self {
        Self { checksum: Some(checksum), ..self }
    }

    /// The same, but given up where the server does not connect, answer or go on sending for this long; 60
    /// seconds unless said otherwise. Once that time is over it must also have sent 1000 bytes a second on
    /// average.
    #[must_use]
    pub fn with_patience(self, patience: Duration) -> Self {
        Self { patience, ..self }
    }

    /// The file that [`into_folder`](Self::into_folder) makes in a folder: `vgg19.safetensors`.
    pub fn path_in(&self, folder: &Path) -> PathBuf {
        folder.join(self.architecture.name()).with_extension(EXTENSION)
    }

    /// Whether a folder has the network already, from wherever it came. A damaged file counts as none.
    ///
    /// # Errors
    /// [`Error::Weights`] where it is there with another SHA-256 than it must have, [`Error::Read`] where
    /// that can't be told.
    pub fn is_in_folder(&self, folder: &Path) -> Result<bool> {
        let path = self.path_in(folder);
        match Weights::open(&path) {
            Ok(weights) if weights.architecture() == self.architecture => {}
            _ => return Ok(false),
        }
        let Some(expected) = self.checksum else { return Ok(true) };
        let found = Checksum::of(Weights::read(&path)?.bytes());
        match found == expected {
            true => Ok(true),
            false => {
                let reason = format!("expected SHA-256 {expected}, found {found}");
                Err(Error::Weights { name: path, reason })
            }
        }
    }

    /// Fetches the network into a folder, which is created where there is none, and tells `progress` of
    /// every piece that arrives. The file appears, or replaces an earlier one, only when it is whole and
    /// checked. What an attempt that fails has fetched stays beside it in a `.part` file, and the next one
    /// goes on from there if the server still has the same file.
    ///
    /// The proxy is that in `$ALL_PROXY`, `$HTTPS_PROXY` or `$HTTP_PROXY`, except for hosts in `$NO_PROXY`.
    /// A server that can't send ranges sends the whole file, and what isn't needed of it is dropped.
    ///
    /// The hub gives the SHA-256 of the whole file as its ETag. Where a server does, it is compared if the
    /// whole file is sent: because the server has no ranges, or because the file has nothing but
    /// convolutions. Where only parts are sent they can't be checked by it; the installed file's metadata
    /// have it as `fetched_sha256`, and [`with_checksum`](Self::with_checksum) checks the result.
    ///
    /// # Errors
    /// [`Error::Fetch`] where the server can't be reached, is too slow, has no such file, or what it sends is
    /// something else, incomplete, too large, not of the SHA-256 asked for, or has weights that are not
    /// finite; [`Error::Write`] where the folder can't be written, or the `.part` file is a link or no
    /// regular file.
    pub fn into_folder(&self, folder: &Path, mut progress: impl FnMut(Progress)) -> Result<Fetched> {
        let path = self.path_in(folder);
        fs::create_dir_all(folder).map_err(|source| Error::Write { path: folder.to_owned(), source })?;
        whole_file::check_writable(&path)?;

        let mut remote = Remote::connect(&self.url, self.patience)?;
        let remote_header = remote.header()?;
        let excerpt =
            Excerpt::of(&remote_header, remote.len(), self.architecture, &self.origin, remote.content())
                .map_err(|reason| remote.error(reason))?;
        if excerpt.len() > MOST {
            let reason = format!("expected at most {MOST} bytes of convolutions, found {}", excerpt.len());
            return Err(remote.error(reason));
        }
        let mut part = self.part(&path, &remote, &remote_header)?;
        // A whole file comes from its beginning anyway, and is checked as it comes.
        if part.len() > excerpt.len() || !remote.has_ranges() {
            part.clear()?;
        }
        let (resumed, total) = (part.len(), excerpt.len());
        progress(Progress { done: resumed, total });
        for range in excerpt.ranges_from(resumed) {
            remote.read(range, |piece| {
                part.append(piece)?;
                progress(Progress { done: part.len(), total });
                Ok(())
            })?;
        }

        let is_all = excerpt.is_all(remote_header.len() as u64, remote.len());
        let mut file = excerpt.into_header();
        let data_start = file.len();
        part.read_into(&mut file)?;
        let file = Arc::new(file);
        let checksum = Checksum::of(&file);
        let content = remote.content();
        let whole = match remote.finish()? {
            None if is_all => Some(Checksum::of_all([&remote_header, &file[data_start..]])),
            sent => sent,
        };
        let fault = match (content, whole) {
            (Some(expected), Some(found)) if expected != found => Some(format!(
                "expected a file of SHA-256 {expected}, as the server says, found one of {found}; try again"
            )),
            _ => self.fault(&file, checksum),
        };
        if let Some(reason) = fault {
            // To go on from it would end in the same way.
            part.remove();
            return Err(remote::failed(&self.url, reason));
        }
        whole_file::write_whole(&path, &file)?;
        part.remove();
        Ok(Fetched { path, len: file.len() as u64, resumed, checksum })
    }

    /// What an earlier attempt has of this file of the server's, or nothing yet.
    fn part(&self, path: &Path, remote: &Remote, remote_header: &[u8]) -> Result<Part> {
        let identity = remote.validator().map(|validator| Identity {
            url: &self.url,
            validator,
            content: remote.content(),
            len: remote.len(),
            header: Checksum::of(remote_header),
        });
        let path = path.with_extension(format!("{EXTENSION}.part"));
        match Part::open(path, identity.as_ref())? {
            Some(part) => Ok(part),
            None => Err(remote.error("another impasto is fetching it".to_owned())),
        }
    }

    /// What is wrong with the file, if anything.
    fn fault(&self, file: &Arc<Vec<u8>>, found: Checksum) -> Option<String> {
        match self.checksum {
            Some(expected) if expected != found => {
                Some(format!("expected a file of SHA-256 {expected}, found one of {found}"))
            }
            _ => match check_values(file) {
                Ok(()) => None,
                Err(Error::Weights { reason, .. }) => Some(reason),
                Err(other) => Some(other.to_string()),
            },
        }
    }
}

/// Checks that a file is of a network all of whose weights are finite.
fn check_values(file: &Arc<Vec<u8>>) -> Result<()> {
    let weights = Weights::from_shared("fetched", Arc::clone(file))?;
    for convolution in weights.convolutions() {
        let tensors = weights.convolution(&convolution).expect("`convolutions` lists what is there");
        weights.values(&tensors.weight)?;
        weights.values(&tensors.bias)?;
    }
    Ok(())
}
