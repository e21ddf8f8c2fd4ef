//! On trees of files such as the kernel shows them. Numbers are in MB where they have no unit.

use std::fs;
use std::path::Path;

use super::*;

const MB: u64 = 1 << 20;

/// What [`available`] says of a machine with 8 GB available and these files, in MB; `$N` stands for N MB.
fn available_with(files: &[(&str, &str)]) -> u64 {
    let root = tempfile::tempdir().unwrap();
    write(root.path(), "proc/meminfo", "MemTotal: 16777216 kB\nMemFree: 1024 kB\nMemAvailable: 8388608 kB\n");
    for (path, text) in files {
        write(root.path(), path, text);
    }
    let bytes = available_by(root.path());
    assert!(bytes.is_multiple_of(MB), "{bytes}");
    bytes / MB
}

fn write(root: &Path, path: &str, text: &str) {
    let in_bytes = |word: &str| match word.strip_prefix('$') {
        Some(megabytes) => {
            (megabytes.trim().parse::<u64>().unwrap() * MB).to_string() + &word[word.trim_end().len()..]
        }
        None => word.to_owned(),
    };
    let text: String = text.split_inclusive([' ', '\n']).map(in_bytes).collect();
    let path = root.join(path);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
}

const V2: (&str, &str) = (
    "proc/self/mountinfo",
    "22 28 0:21 / /proc rw,nosuid - proc proc rw\n\
     30 23 0:26 / /sys/fs/cgroup rw,nosuid shared:9 - cgroup2 cgroup2 rw,nsdelegate\n",
);
const V1: (&str, &str) = (
    "proc/self/mountinfo",
    "34 31 0:31 / /sys/fs/cgroup/cpuset rw - cgroup cgroup rw,cpuset\n\
     35 31 0:32 / /sys/fs/cgroup/memory rw shared:9 master:1 - cgroup cgroup rw,memory\n\
     41 31 0:38 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n",
);
const V1_MEMBERSHIP: (&str, &str) =
    ("proc/self/cgroup", "9:name=systemd:/wrong\n4:cpu,memory:/jobs/7\n3:cpuset:/wrong\n0::/wrong\n");

#[test]
fn without_groups_the_machine_says_what_is_available() {
    assert_eq!(available_with(&[]), 8192);
    assert_eq!(available_with(&[V2, ("proc/self/cgroup", "0::/\n")]), 8192);
    let empty = tempfile::tempdir().unwrap();
    assert_eq!(available_by(empty.path()), u64::MAX);
}

#[test]
fn a_group_of_version_2_limits_what_is_used_in_it_without_cached_files() {
    let group = |limits: &[(&str, &str)]| {
        let group = [
            V2,
            ("proc/self/cgroup", "0::/job\n"),
            ("sys/fs/cgroup/job/memory.current", "$100\n"),
            (
                "sys/fs/cgroup/job/memory.stat",
                "anon $7\nfile $60\ninactive_anon $3\ninactive_file $20\nactive_file $30\nunevictable $9\n",
            ),
        ];
        available_with(&[&group, limits].concat())
    };
    let (max, high) = ("sys/fs/cgroup/job/memory.max", "sys/fs/cgroup/job/memory.high");
    assert_eq!(group(&[(max, "$300\n")]), 250);
    assert_eq!(group(&[(max, "$300\n"), (high, "max\n")]), 250);
    assert_eq!(group(&[(max, "$300\n"), (high, "$200\n")]), 150);
    assert_eq!(group(&[(max, "max\n"), (high, "$200\n")]), 150);
    assert_eq!(group(&[(max, "max\n"), (high, "max\n")]), 8192);
    assert_eq!(group(&[(max, "$40\n")]), 0, "over its limit");
    assert_eq!(group(&[(max, "$99999\n")]), 8192, "more than the machine has");
    assert_eq!(group(&[(max, "many\n")]), 8192);
}

#[test]
fn the_tightest_group_above_counts() {
    let files = |limits: [&str; 3]| {
        available_with(&[
            V2,
            ("proc/self/cgroup", "0::/a/b/c\n"),
            ("sys/fs/cgroup/memory.max", limits[0]),
            ("sys/fs/cgroup/a/memory.max", limits[1]),
            ("sys/fs/cgroup/a/memory.current", "$150\n"),
            ("sys/fs/cgroup/a/memory.stat", "inactive_file $10\nactive_file $0\n"),
            // The group b has no memory controller.
            ("sys/fs/cgroup/a/b/c/memory.max", limits[2]),
            ("sys/fs/cgroup/a/b/c/memory.current", "$50\n"),
            ("sys/fs/cgroup/a/other/memory.max", "$1\n"),
        ])
    };
    assert_eq!(files(["max\n", "$300\n", "$200\n"]), 150, "300 − 140 > 200 − 50");
    assert_eq!(files(["max\n", "$240\n", "$200\n"]), 100, "240 − 140 < 200 − 50");
    assert_eq!(files(["$90\n", "$240\n", "$200\n"]), 90);
    assert_eq!(files(["max\n", "max\n", "max\n"]), 8192);
}

#[test]
fn groups_of_version_1_limit_alike() {
    let unlimited = "9223372036854771712\n";
    let files = |limits: [&str; 2], more: &[(&str, &str)]| {
        let groups = [
            V1,
            V1_MEMBERSHIP,
            ("sys/fs/cgroup/memory/memory.limit_in_bytes", unlimited),
            ("sys/fs/cgroup/memory/jobs/memory.limit_in_bytes", limits[0]),
            ("sys/fs/cgroup/memory/jobs/memory.usage_in_bytes", "$150\n"),
            ("sys/fs/cgroup/memory/jobs/memory.use_hierarchy", "1\n"),
            ("sys/fs/cgroup/memory/jobs/7/memory.limit_in_bytes", limits[1]),
            ("sys/fs/cgroup/memory/jobs/7/memory.usage_in_bytes", "$100\n"),
            (
                "sys/fs/cgroup/memory/jobs/7/memory.stat",
                "inactive_file $1\nactive_file $2\ntotal_inactive_file $20\ntotal_active_file $30\n",
            ),
            ("sys/fs/cgroup/memory/wrong/memory.limit_in_bytes", "$1\n"),
            ("sys/fs/cgroup/unified/wrong/memory.stat", "anon $1\n"),
        ];
        available_with(&[&groups, more].concat())
    };
    assert_eq!(files([unlimited, unlimited], &[]), 8192);
    assert_eq!(files([unlimited, "$300\n"], &[]), 250);
    assert_eq!(files(["$330\n", "$300\n"], &[]), 180, "the group above");
    let alone = ("sys/fs/cgroup/memory/jobs/memory.use_hierarchy", "0\n");
    assert_eq!(files(["$330\n", "$300\n"], &[alone]), 250, "the group above does not count what is below it");
    let above = ("sys/fs/cgroup/memory/jobs/7/memory.stat", "hierarchical_memory_limit $120\n");
    assert_eq!(files([unlimited, "$300\n"], &[above]), 20, "a group above that can't be seen");
}

#[test]
fn both_versions_may_limit() {
    let files = [
        V1,
        ("proc/self/cgroup", "4:memory:/one\n0::/two\n"),
        ("sys/fs/cgroup/memory/one/memory.limit_in_bytes", "$500\n"),
        ("sys/fs/cgroup/unified/two/memory.max", "$400\n"),
    ];
    assert_eq!(available_with(&files), 400);
}

#[test]
fn a_container_sees_its_own_group() {
    let limit = ("sys/fs/cgroup/memory.max", "$300\n");
    // Beside the mount, and no group of this process.
    let foreign = ("sys/fs/abc/memory.max", "$1\n");
    let inside = |mount: &'static str, membership: &'static str| {
        [("proc/self/mountinfo", mount), ("proc/self/cgroup", membership), limit, foreign]
    };
    let own = "30 23 0:26 / /sys/fs/cgroup ro - cgroup2 cgroup rw\n";
    let bound = "30 23 0:26 /docker/abc /sys/fs/cgroup ro - cgroup2 cgroup rw\n";
    let outside = "30 23 0:26 /../abc /sys/fs/cgroup ro - cgroup2 cgroup rw\n";
    for (mount, membership) in [
        (own, "0::/\n"),
        // The host's path, which is not mounted.
        (own, "0::/docker/abc\n"),
        (bound, "0::/docker/abc\n"),
        (bound, "0::/docker/other\n"),
        (bound, "0::/\n"),
        // Left for a group beside the namespace's.
        (own, "0::/../abc\n"),
        (outside, "0::/\n"),
    ] {
        assert_eq!(available_with(&inside(mount, membership)), 300, "{mount}{membership}");
    }
    let deeper = [
        ("proc/self/mountinfo", bound),
        ("proc/self/cgroup", "0::/docker/abc/job\n"),
        ("sys/fs/cgroup/job/memory.max", "$200\n"),
    ];
    assert_eq!(available_with(&deeper), 200);
    let foreign_beside_own = [
        (
            "proc/self/mountinfo",
            "30 23 0:26 / /sys/fs/cgroup ro - cgroup2 cgroup rw\n31 23 0:26 /other /mnt ro - cgroup2 cgroup rw\n",
        ),
        ("proc/self/cgroup", "0::/job\n"),
        ("sys/fs/cgroup/job/memory.max", "$200\n"),
        ("mnt/memory.max", "$1\n"),
    ];
    assert_eq!(available_with(&foreign_beside_own), 200);
}

#[test]
fn what_can_not_be_read_limits_nothing() {
    let broken = [
        (
            "proc/self/mountinfo",
            "\n-\n - \n1 2 3 - cgroup2\nx x x / - cgroup2 cgroup2 rw\n30 23 0:26 / /g rw - cgroup2 c rw\n",
        ),
        ("proc/self/cgroup", "\n:\n0:\n0::\n"),
        ("g/memory.stat", "inactive_file\nactive_file -3\n\n"),
        ("g/memory.max", ""),
    ];
    assert_eq!(available_with(&broken), 8192);
    let no_membership = [V2, ("sys/fs/cgroup/memory.max", "$300\n")];
    assert_eq!(available_with(&no_membership), 300);
    let no_usage = [V2, ("proc/self/cgroup", "0::/job\n"), ("sys/fs/cgroup/job/memory.max", "$300\n")];
    assert_eq!(available_with(&no_usage), 300);
}

#[test]
fn a_mount_point_may_have_blanks_and_backslashes() {
    let files = [
        ("proc/self/mountinfo", "30 23 0:26 /a\\040b /x\\040y\\134z\\ rw - cgroup2 cgroup rw\n"),
        ("proc/self/cgroup", "0::/a b/c:d\n"),
        ("x y\\z\\/c:d/memory.max", "$300\n"),
    ];
    assert_eq!(available_with(&files), 300);
}
