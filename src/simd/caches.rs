//! How much the CPU's caches hold.

use std::path::Path;

/// Bytes of the last-level caches of all cores together, each counted once, on Linux; `None` where the system does not say.
pub fn last_level_bytes() -> Option<u64> {
    last_level_bytes_by(Path::new("/sys/devices/system/cpu"))
}

fn last_level_bytes_by(cpus: &Path) -> Option<u64> {
    let mut caches = Vec::new();
    for cpu in std::fs::read_dir(cpus).ok()?.flatten() {
        let Ok(levels) = std::fs::read_dir(cpu.path().join("cache")) else { continue };
        let of_cpu = levels.flatten().filter_map(|cache| Cache::read(&cache.path()));
        let Some(last) = of_cpu.max_by_key(|cache| cache.level) else { continue };
        if !caches.contains(&last) {
            caches.push(last);
        }
    }
    (!caches.is_empty()).then(|| caches.iter().map(|cache| cache.bytes).sum())
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
    fn each_last_level_cache_counts_once() {
        let cpus = tempfile::tempdir().unwrap();
        assert_eq!(last_level_bytes_by(cpus.path()), None);
        for (cpu, shared) in [(0, "0-1"), (1, "0-1"), (2, "2-3"), (3, "2-3")] {
            for (index, level, size, shared) in [
                (0, 1, "48K", format!("{cpu}")),
                (2, 2, "2048K", format!("{cpu}")),
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
    }
}
