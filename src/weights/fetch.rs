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

mod checksum;
mod excerpt;
mod part;
mod remote;

use std::fs;
use std::path::{Path, PathBuf};

use super::locate::EXTENSION;
use super::{Contents, Weights};
use crate::error::{Error, Result, Setting};
use crate::vgg::Architecture;
use crate::whole_file;

use excerpt::Excerpt;
use part::{Identity, Part};
use remote::Remote;

pub use checksum::Checksum;

/// The networks on the hub, each as `model.safetensors`, and the SHA-256 of the file that is made of it.
/// One that is not known is not checked: the hub could not be reached from where this was written.
const HUB: [(Architecture, &str, Option<Checksum>); 4] = [
    (Architecture::A, "timm/vgg11.tv_in1k", None),
    (Architecture::B, "timm/vgg13.tv_in1k", None),
    (Architecture::D, "timm/vgg16.tv_in1k", None),
    (Architecture::E, "timm/vgg19.tv_in1k", None),
];

/// A network to be fetched.
#[derive(Clone, Debug)]
pub struct Fetch {
    architecture: Architecture,
    url: String,
    /// What the installed file says of where it came from.
    origin: String,
    checksum: Option<Checksum>,
}

/// How far it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Progress {
    /// Bytes of the convolutions that are here, those of an earlier attempt included.
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
        })
    }

    /// A network of this architecture from the safetensors file at `url`, in any naming.
    pub fn from_url(architecture: Architecture, url: impl Into<String>) -> Self {
        let url = url.into();
        Self { architecture, origin: remote::without_secrets(&url), url, checksum: None }
    }

    /// The same, which the file that is made must have this SHA-256 for.
    #[must_use]
    pub fn with_checksum(self, checksum: Checksum) -> Self {
        Self { checksum: Some(checksum), ..self }
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
        let bytes = fs::read(&path).map_err(|source| Error::Read { path: path.clone(), source })?;
        let found = Checksum::of(&bytes);
        if found != expected {
            let reason = format!("expected SHA-256 {expected}, found {found}: --force replaces the file");
            return Err(Error::Weights { name: path, reason });
        }
        Ok(true)
    }

    /// Fetches the network into a folder, which is created where there is none, and tells `progress` of
    /// every piece that arrives. The file appears, or replaces an earlier one, only when it is whole and
    /// checked. What an attempt that fails has fetched stays beside it in a `.part` file, and the next one
    /// goes on from there if the server still has the same file.
    ///
    /// The proxy is that in `$ALL_PROXY`, `$HTTPS_PROXY` or `$HTTP_PROXY`, except for hosts in `$NO_PROXY`.
    /// A server that can't send ranges sends the whole file, and what isn't needed of it is dropped.
    ///
    /// # Errors
    /// [`Error::Fetch`] where the server can't be reached, has no such file, or what it sends is something
    /// else, incomplete, or not of the SHA-256 asked for; [`Error::Write`] where the folder can't be
    /// written.
    pub fn into_folder(&self, folder: &Path, mut progress: impl FnMut(Progress)) -> Result<Fetched> {
        let path = self.path_in(folder);
        fs::create_dir_all(folder).map_err(|source| Error::Write { path: folder.to_owned(), source })?;
        whole_file::check_writable(&path)?;

        let mut remote = Remote::connect(&self.url)?;
        let remote_header = remote.header()?;
        let excerpt = Excerpt::of(&remote_header, remote.len(), self.architecture, &self.origin)
            .map_err(|reason| remote.error(reason))?;
        let mut part = self.part(&path, &remote, &remote_header)?;
        if part.len() > excerpt.len() {
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

        let file = [excerpt.into_header(), part.data()?].concat();
        let checksum = Checksum::of(&file);
        if let Some(reason) = self.fault(&file, checksum) {
            // To go on from it would end in the same way.
            part.remove();
            return Err(remote.error(reason));
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
    fn fault(&self, file: &[u8], found: Checksum) -> Option<String> {
        match self.checksum {
            Some(expected) if expected != found => {
                Some(format!("expected a file of SHA-256 {expected}, found one of {found}"))
            }
            _ => Contents::of(file).err(),
        }
    }
}
