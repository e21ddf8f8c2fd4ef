//! The CPU's own counters, where the kernel gives them: cycles, instructions and cache misses of all threads.
#![cfg_attr(
    target_os = "linux",
    expect(unsafe_code, reason = "the kernel's counters have no other interface")
)]

/// What was counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    pub(crate) cycles: u64,
    pub(crate) instructions: u64,
    pub(crate) cache_misses: u64,
}

#[cfg(target_os = "linux")]
pub(crate) use linux::Counters;
#[cfg(not(target_os = "linux"))]
pub(crate) use other::Counters;

#[cfg(target_os = "linux")]
mod linux {
    use std::fs::{self, File};
    use std::io::{self, Read};
    use std::os::fd::{FromRawFd, OwnedFd};

    use super::Counts;

    /// Counters that run from when they are opened on.
    pub(crate) struct Counters {
        /// Of each event, one for each thread.
        events: [Vec<File>; 3],
    }

    /// An event by its type and configuration in the kernel's `linux/perf_event.h`.
    #[derive(Clone, Copy)]
    pub(super) struct Event {
        pub(super) kind: u32,
        pub(super) config: u64,
    }

    const HARDWARE: u32 = 0;
    const CYCLES: Event = Event { kind: HARDWARE, config: 0 };
    const INSTRUCTIONS: Event = Event { kind: HARDWARE, config: 1 };
    const CACHE_MISSES: Event = Event { kind: HARDWARE, config: 3 };

    /// The first version of the kernel's `struct perf_event_attr`, which every later one takes.
    #[repr(C)]
    #[derive(Default)]
    struct Attributes {
        kind: u32,
        size: u32,
        config: u64,
        sample_period: u64,
        sample_type: u64,
        read_format: u64,
        flags: u64,
        wakeup_events: u32,
        breakpoint_type: u32,
        breakpoint_address: u64,
    }

    /// What the kernel and the hypervisor do is not counted: the least that an unprivileged process may ask for.
    const EXCLUDE_KERNEL_AND_HYPERVISOR: u64 = 1 << 5 | 1 << 6;

    /// For each value the time for which it was enabled, and that for which it was counted.
    const WITH_TIMES: u64 = 1 << 0 | 1 << 1;

    impl Counters {
        /// Counters of all threads that this process has.
        ///
        /// # Errors
        /// Why there are none, in a line.
        pub(crate) fn open() -> Result<Self, String> {
            Self::open_events([CYCLES, INSTRUCTIONS, CACHE_MISSES]).map_err(|error| why(&error))
        }

        pub(super) fn open_events(events: [Event; 3]) -> io::Result<Self> {
            let threads = fs::read_dir("/proc/self/task")?
                .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
                .collect::<Vec<libc::pid_t>>();
            // A thread may have ended since.
            let is_there = |opened: &io::Result<File>| {
                !opened.as_ref().is_err_and(|error| error.raw_os_error() == Some(libc::ESRCH))
            };
            let of_event = |event| {
                threads.iter().map(|thread| open(event, *thread)).filter(is_there).collect::<io::Result<_>>()
            };
            let [first, second, third] = events.map(of_event);
            Ok(Self { events: [first?, second?, third?] })
        }

        /// What was counted since they were opened.
        ///
        /// # Errors
        /// Where they can't be read.
        pub(crate) fn read(&mut self) -> Result<Counts, String> {
            let mut values = [0; 3];
            for (value, files) in values.iter_mut().zip(&mut self.events) {
                for file in files {
                    *value += read(file).map_err(|error| error.to_string())?;
                }
            }
            let [cycles, instructions, cache_misses] = values;
            Ok(Counts { cycles, instructions, cache_misses })
        }
    }

    fn open(event: Event, thread: libc::pid_t) -> io::Result<File> {
        let attributes = Attributes {
            kind: event.kind,
            size: size_of::<Attributes>() as u32,
            config: event.config,
            read_format: WITH_TIMES,
            flags: EXCLUDE_KERNEL_AND_HYPERVISOR,
            ..Attributes::default()
        };
        let (any_cpu, no_group, no_flags): (libc::c_int, libc::c_int, libc::c_ulong) = (-1, -1, 0);
        // SAFETY: the kernel reads `size` bytes of the attributes, which are as long, and writes nothing.
        let opened = unsafe {
            libc::syscall(
                libc::SYS_perf_event_open,
                &raw const attributes,
                thread,
                any_cpu,
                no_group,
                no_flags,
            )
        };
        let descriptor = i32::try_from(opened).ok().filter(|descriptor| *descriptor >= 0);
        let descriptor = descriptor.ok_or_else(io::Error::last_os_error)?;
        // SAFETY: the kernel has just opened it, and nobody else has it.
        Ok(File::from(unsafe { OwnedFd::from_raw_fd(descriptor) }))
    }

    /// A counter's value. Where the CPU has fewer counters than events they take turns: then it is scaled to the whole time.
    fn read(file: &mut File) -> io::Result<u64> {
        let mut bytes = [0; 24];
        file.read_exact(&mut bytes)?;
        let [value, enabled, counted] =
            [0, 8, 16].map(|at| u64::from_ne_bytes(std::array::from_fn(|byte| bytes[at + byte])));
        match counted == enabled || counted == 0 {
            true => Ok(value),
            false => Ok((value as f64 * enabled as f64 / counted as f64) as u64),
        }
    }

    fn why(error: &io::Error) -> String {
        match error.raw_os_error() {
            Some(libc::EACCES | libc::EPERM) => {
                let level = fs::read_to_string("/proc/sys/kernel/perf_event_paranoid");
                let level = level.map_or("unknown".to_owned(), |level| level.trim().to_owned());
                format!("not given by this kernel (perf_event_paranoid is {level}; 2 or less is needed)")
            }
            Some(libc::ENOENT | libc::ENODEV | libc::EOPNOTSUPP) => {
                "not given by this kernel (no such counters here, as in many virtual machines)".to_owned()
            }
            Some(libc::ENOSYS) => "not given by this kernel (it has no perf_event_open)".to_owned(),
            _ => format!("not given by this kernel ({error})"),
        }
    }

    #[cfg(test)]
    mod tests {
        use std::hint::black_box;

        use super::*;

        #[test]
        fn counters_count() {
            // The kernel's own, which it has also where the CPU gives none: task clock (ns), page faults, task clock.
            let software = |config| Event { kind: 1, config };
            let opened = Counters::open_events([software(1), software(2), software(1)]);
            let mut counters = match opened {
                Ok(counters) => counters,
                // In a container that forbids the call altogether.
                Err(error) => return assert!(why(&error).starts_with("not given by this kernel (")),
            };
            let before = counters.read().unwrap();
            black_box((0..3_000_000u64).fold(1.0, |sum, value| black_box(sum) * (value as f64).sqrt()));
            black_box(vec![1u8; 1 << 22]);
            let after = counters.read().unwrap();
            assert!(after.cycles > before.cycles + 100_000, "{before:?} {after:?}");
            assert!(after.instructions > before.instructions, "{before:?} {after:?}");
        }

        #[test]
        fn a_word_where_there_are_none() {
            for (code, word) in [
                (libc::EACCES, "perf_event_paranoid is"),
                (libc::ENOENT, "virtual machines"),
                (libc::EIO, "error"),
            ] {
                let line = why(&io::Error::from_raw_os_error(code));
                assert!(line.starts_with("not given by this kernel (") && line.contains(word), "{line}");
            }
        }
    }
}

#[cfg(not(target_os = "linux"))]
mod other {
    use super::Counts;

    /// Counters of Linux.
    pub(crate) struct Counters;

    impl Counters {
        pub(crate) fn open() -> Result<Self, String> {
            Err("only Linux gives them".to_owned())
        }

        pub(crate) fn read(&mut self) -> Result<Counts, String> {
            Ok(Counts::default())
        }
    }
}

impl Counts {
    /// The mean of each of `rounds`, all of which were counted since those `before`.
    pub(crate) fn since(self, before: Self, rounds: u64) -> Self {
        let mean = |after: u64, before: u64| after.saturating_sub(before) / rounds.max(1);
        Self {
            cycles: mean(self.cycles, before.cycles),
            instructions: mean(self.instructions, before.instructions),
            cache_misses: mean(self.cache_misses, before.cache_misses),
        }
    }
}
