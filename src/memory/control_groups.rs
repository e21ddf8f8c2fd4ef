//! Memory left within the limits of this process's control groups, of version 1 and 2.
//!
//! A group's processes count in every group above it, so the tightest of them all holds. Cached files count as used in a
//! group; the kernel gives them up before it kills a process, so they are subtracted.

use std::ffi::OsString;
use std::fs;
use std::os::unix::ffi::OsStringExt;
use std::path::{Component, Path, PathBuf};

/// Bytes left in the tightest of this process's groups by the files below `root`; `None` where no group has a limit.
pub fn available(root: &Path) -> Option<u64> {
    let mounts: Vec<_> = read(&root.join("proc/self/mountinfo"))?.lines().filter_map(Mount::parse).collect();
    let membership = read(&root.join("proc/self/cgroup"));
    let left_in = |version: &Version| {
        // Without a membership the groups that are mounted are the nearest that is known.
        let group = match &membership {
            Some(membership) => version.group(membership)?,
            None => Path::new("/"),
        };
        let mounts: Vec<_> = mounts.iter().filter(|mount| mount.version == *version).collect();
        let mut hierarchies: Vec<_> = mounts.iter().filter_map(|mount| mount.folders(group)).collect();
        if hierarchies.is_empty() {
            // In a container the group's path may be the host's: what is mounted there is the container's own group.
            hierarchies = mounts.iter().map(|mount| vec![mount.point.clone()]).collect();
        }
        hierarchies.iter().filter_map(|folders| version.left_in_tightest(root, folders)).min()
    };
    [Version::One, Version::Two].iter().filter_map(left_in).min()
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Version {
    One,
    Two,
}

impl Version {
    /// The path of the group that has this process's memory, from /proc/self/cgroup: lines of `id:controllers:path`.
    fn group(self, membership: &str) -> Option<&Path> {
        membership.lines().find_map(|line| {
            let mut fields = line.splitn(3, ':');
            let (id, controllers, path) = (fields.next()?, fields.next()?, fields.next()?);
            let found = match self {
                Self::One => controllers.split(',').any(|controller| controller == "memory"),
                Self::Two => id == "0" && controllers.is_empty(),
            };
            found.then(|| Path::new(path))
        })
    }

    /// Bytes left in the tightest of a group and those above it, `folders` from the group upwards.
    fn left_in_tightest(self, root: &Path, folders: &[PathBuf]) -> Option<u64> {
        // A folder's path is absolute, and would replace `root`.
        let folders: Vec<_> =
            folders.iter().map(|folder| root.join(folder.strip_prefix("/").unwrap_or(folder))).collect();
        let counting =
            folders.iter().enumerate().take_while(|(level, folder)| *level == 0 || self.counts_below(folder));
        counting.filter_map(|(_, folder)| self.left(folder)).min()
    }

    /// Whether what is used in the groups below this one counts in it.
    fn counts_below(self, folder: &Path) -> bool {
        // Before Linux 5.11 a group of version 1 could be told not to.
        self == Self::Two || number(&folder.join("memory.use_hierarchy")) != Some(0)
    }

    /// Bytes left in one group, `None` where it has no limit.
    fn left(self, folder: &Path) -> Option<u64> {
        let statistics = read(&folder.join("memory.stat")).unwrap_or_default();
        let statistic = |name: &str| {
            statistics
                .lines()
                .find_map(|line| line.strip_prefix(name)?.strip_prefix(' ')?.trim().parse::<u64>().ok())
        };
        let (limits, usage, cached) = match self {
            Self::One => (
                // The second is that of the tightest group above, which need not be mounted here.
                [number(&folder.join("memory.limit_in_bytes")), statistic("hierarchical_memory_limit")],
                number(&folder.join("memory.usage_in_bytes")),
                ["total_inactive_file", "total_active_file"],
            ),
            Self::Two => (
                // Above the first processes are killed, above the second they are slowed to a crawl.
                [number(&folder.join("memory.max")), number(&folder.join("memory.high"))],
                number(&folder.join("memory.current")),
                ["inactive_file", "active_file"],
            ),
        };
        let limit = limits.into_iter().flatten().min()?;
        let cached = cached.into_iter().filter_map(statistic).fold(0, u64::saturating_add);
        Some(limit.saturating_sub(usage.unwrap_or(0).saturating_sub(cached)))
    }
}

/// Where a hierarchy of groups, or a part of it, is mounted.
struct Mount {
    version: Version,
    /// The group that is mounted.
    group: PathBuf,
    point: PathBuf,
}

impl Mount {
    /// A line of /proc/self/mountinfo, if it is a mount of groups that may limit memory:
    /// `id parent device group point options… - type source options`.
    fn parse(line: &str) -> Option<Self> {
        let (place, file_system) = line.split_once(" - ")?;
        let mut file_system = file_system.split(' ');
        let (kind, options) = (file_system.next()?, file_system.nth(1)?);
        let version = match kind {
            "cgroup" if options.split(',').any(|option| option == "memory") => Version::One,
            "cgroup2" => Version::Two,
            _ => return None,
        };
        let mut place = place.split(' ').skip(3);
        Some(Self { version, group: unescape(place.next()?), point: unescape(place.next()?) })
    }

    /// The folders of `group` and of those above it, upwards; `None` where it is not below the group mounted here.
    fn folders(&self, group: &Path) -> Option<Vec<PathBuf>> {
        let below = group.strip_prefix(&self.group).ok()?;
        // The path of a group outside the namespace's own begins with `/..`.
        let inside = below.components().all(|component| matches!(component, Component::Normal(_)));
        inside.then(|| below.ancestors().map(|below| self.point.join(below)).collect())
    }
}

/// A path as mountinfo writes it: blanks, tabs, line ends and backslashes as a backslash and three octal digits.
fn unescape(text: &str) -> PathBuf {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, after)) = rest.split_first() {
        let escaped = after
            .get(..3)
            .filter(|_| first == b'\\')
            .and_then(|digits| u8::from_str_radix(std::str::from_utf8(digits).ok()?, 8).ok());
        bytes.push(escaped.unwrap_or(first));
        rest = if escaped.is_some() { &after[3..] } else { after };
    }
    OsString::from_vec(bytes).into()
}

/// A file's text. What is not UTF-8 is replaced: it can only be in names that don't matter.
fn read(file: &Path) -> Option<String> {
    Some(String::from_utf8_lossy(&fs::read(file).ok()?).into_owned())
}

/// A file's number; `None` where there is no such file, or no limit (`max`).
fn number(file: &Path) -> Option<u64> {
    read(file)?.trim().parse().ok()
}
