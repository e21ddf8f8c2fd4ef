//! How much the CPU's caches hold.

use std::path::Path;
use std::sync::OnceLock;

/// Where Linux describes the CPUs.
const CPUS: &str = "/sys/devices/system/cpu";

/// Bytes of a core's second-level cache, of the core with the smallest; 1 MiB where the system does not say.
pub fn second_level_bytes() -> usize {
    static BYTES: OnceLock<usize> = OnceLock::new();
    *BYTES.get_or_init(|| second_level_bytes_by(Path::new(CPUS)).unwrap_or(1 << 20))
}

fn second_level_bytes_by(cpus: &Path) -> Option<usize> {
    let second = caches(cpus)?.into_iter().flatten().filter(|cache| cache.level == 2);
    second.map(|cache| cache.bytes).min()?.try_into().ok()
}

/// Bytes of the last-level caches of all cores together, each counted once, on Linux; `None` where the system does not say.
pub fn last_level_bytes() -> Option<u64> {
    last_level_bytes_by(Path::new(CPUS))
}

fn last_level_bytes_by(cpus: &Path) -> Option<u64> {
    let mut last_levels = Vec::new();
    for of_cpu in caches(cpus)? {
        let Some(last) = of_cpu.into_iter().max_by_key(|cache| cache.level) else { continue };
        if !last_levels.contains(&last) {
            last_levels.push(last);
        }
    }
    (!last_levels.is_empty()).then(|| last_levels.iter().map(|cache| cache.bytes).sum())
}

/// The caches of each CPU.
fn caches(cpus: &Path) -> Option<Vec<Vec<Cache>>> {
    let of_cpu = |cpu: std::fs::DirEntry| {
        let caches = std::fs::read_dir(cpu.path().join("cache")).ok()?;
        Some(caches.flatten().filter_map(|cache| Cache::read(&cache.path())).collect())
    };
    Some(std::fs::read_dir(cpus).ok()?.flatten().filter_map(of_cpu).collect())
}

#[derive(PartialEq, Eq)]
struct Cache {
    level: u32,
    /// The CPUs that share it.
    shared: String,
    bytes: u64,
}

impl Cache {
    fn read(folder: &Path) -> Option<Self> {
        let text = |name| std::fs::read_to_string(folder.join(name)).ok();
        let size = text("size")?;
        let kibibytes: u64 = size.trim().strip_suffix('K')?.parse().ok()?;
        Some(Self {
            level: text("level")?.trim().parse().ok()?,
            shared: text("shared_cpu_list")?,
            bytes: kibibytes.checked_mul(1024)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn each_last_level_cache_counts_once_and_of_second_levels_the_smallest() {
        let cpus = tempfile::tempdir().unwrap();
        assert_eq!(last_level_bytes_by(cpus.path()), None);
        assert_eq!(second_level_bytes_by(cpus.path()), None);
        for (cpu, shared) in [(0, "0-1"), (1, "0-1"), (2, "2-3"), (3, "2-3")] {
            for (index, level, size, shared) in [
                (0, 1, "48K", format!("{cpu}")),
                (2, 2, if cpu == 2 { "1280K" } else { "2048K" }, format!("{cpu}")),
                (3, 3, "16384K", shared.into()),
            ] {
                let folder = cpus.path().join(format!("cpu{cpu}/cache/index{index}"));
                fs::create_dir_all(&folder).unwrap();
                fs::write(folder.join("level"), format!("{level}\n")).unwrap();
                fs::write(folder.join("size"), format!("{size}\n")).unwrap();
                fs::write(folder.join("shared_cpu_list"), format!("{shared}\n")).unwrap();
            }
        }
        fs::create_dir_all(cpus.path().join("cpufreq")).unwrap();
        assert_eq!(last_level_bytes_by(cpus.path()), Some(2 * 16384 * 1024));
        assert_eq!(second_level_bytes_by(cpus.path()), Some(1280 * 1024));
    }
}
