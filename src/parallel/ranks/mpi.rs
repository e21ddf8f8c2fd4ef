//! Ranks that are processes of MPI, on one machine or many.

#![expect(unsafe_code, reason = "MPI's handle of a communicator is a pointer, which threads share here")]

use std::env;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use ::mpi::Threading;
use ::mpi::collective::SystemOperation;
use ::mpi::environment::Universe;
use ::mpi::request;
use ::mpi::topology::SimpleCommunicator;
use ::mpi::traits::{Communicator as _, Destination as _, Root as _, Source as _};

use super::{Communicator, Neighbours, Ranks};

/// The environment of a process that a launcher of MPI started has one of these variables.
const LAUNCHED: [&str; 3] = ["OMPI_COMM_WORLD_SIZE", "PMIX_RANK", "PMI_RANK"];

/// What a message is: rows that are sent up, rows that are sent down, or values that are gathered.
const UP: i32 = 1;
const DOWN: i32 = 2;
const GATHERED: i32 = 3;

/// Values of one message, at most: MPI counts them in 31 bits.
const MOST_VALUES: usize = 1 << 28;

/// MPI at work, from the start of the process to its end.
pub struct Session {
    universe: Universe,
    ranks: Ranks,
}

impl Session {
    /// Joins the processes that were started together with this one; `None` if it was started alone.
    ///
    /// # Errors
    /// If this MPI does not allow calls by several threads, one at a time.
    pub fn join() -> Result<Option<Self>, String> {
        if !LAUNCHED.iter().any(|name| env::var_os(name).is_some()) {
            return Ok(None);
        }
        let (universe, threading) = ::mpi::initialize_with_threading(Threading::Serialized)
            .ok_or("MPI was initialised before".to_owned())?;
        if threading < Threading::Serialized {
            return Err(format!("this MPI allows threads as {threading:?} only, not as Serialized"));
        }
        let world = universe.world();
        let of_machine = world.split_shared(world.rank()).size();
        let processes = Processes {
            rank: world.rank() as usize,
            ranks: world.size() as usize,
            of_machine: of_machine as usize,
            world: Mutex::new(World(world)),
        };
        Ok(Some(Self { universe, ranks: Ranks::new(Arc::new(processes)) }))
    }

    /// The processes.
    pub fn ranks(&self) -> &Ranks {
        &self.ranks
    }

    /// Ends all processes at once, with this exit code: the others would wait for what this one no longer says.
    pub fn abort(&self, code: i32) -> ! {
        self.universe.world().abort(code)
    }
}

/// The communicator of all processes.
struct World(SimpleCommunicator);

// SAFETY: MPI was initialised for calls by any thread, one at a time. The mutex around it lets one thread call at a time; the
// session, which joins, ends and aborts, is the main thread's, before and after the work.
unsafe impl Send for World {}

/// The processes of MPI that work on a job.
struct Processes {
    rank: usize,
    ranks: usize,
    of_machine: usize,
    world: Mutex<World>,
}

impl Processes {
    fn world(&self) -> MutexGuard<'_, World> {
        self.world.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Communicator for Processes {
    fn rank(&self) -> usize {
        self.rank
    }

    fn ranks(&self) -> usize {
        self.ranks
    }

    fn ranks_of_machine(&self) -> usize {
        self.of_machine
    }

    fn exchange(&self, neighbours: Neighbours, sent: [&[f32]; 2], received: [&mut [f32]; 2]) {
        let world = &self.world().0;
        let [above, below] = neighbours.map(|rank| rank.map(|rank| world.process_at_rank(rank as i32)));
        let ([up, down], [from_above, from_below]) = (sent, received);
        request::scope(|scope| {
            let sent = [
                above.as_ref().map(|above| above.immediate_send_with_tag(scope, up, UP)),
                below.as_ref().map(|below| below.immediate_send_with_tag(scope, down, DOWN)),
            ];
            if let Some(below) = &below {
                below.receive_into_with_tag(from_below, UP);
            }
            if let Some(above) = &above {
                above.receive_into_with_tag(from_above, DOWN);
            }
            for sent in sent.into_iter().flatten() {
                sent.wait_without_status();
            }
        });
    }

    /// Added up on the first process and given to all, as its own additions for each process could differ in the last bits.
    fn sum(&self, values: &mut [f64]) {
        let world = &self.world().0;
        let first = world.process_at_rank(0);
        let mut sums = vec![0.0; values.len().min(MOST_VALUES)];
        for values in values.chunks_mut(MOST_VALUES) {
            let sums = &mut sums[..values.len()];
            match self.rank {
                0 => first.reduce_into_root(&*values, sums, SystemOperation::sum()),
                _ => first.reduce_into(&*values, SystemOperation::sum()),
            }
            first.broadcast_into(sums);
            values.copy_from_slice(sums);
        }
    }

    fn broadcast(&self, bytes: &mut [u8]) {
        let world = &self.world().0;
        let first = world.process_at_rank(0);
        bytes.chunks_mut(MOST_VALUES).for_each(|bytes| first.broadcast_into(bytes));
    }

    fn gather(&self, values: &[f32], lengths: &[usize]) -> Option<Vec<f32>> {
        let world = &self.world().0;
        if self.rank > 0 {
            let first = world.process_at_rank(0);
            values.chunks(MOST_VALUES).for_each(|values| first.send_with_tag(values, GATHERED));
            return None;
        }
        let mut whole = Vec::with_capacity(lengths.iter().sum());
        whole.extend_from_slice(values);
        for (rank, len) in lengths.iter().enumerate().skip(1) {
            let start = whole.len();
            whole.resize(start + len, 0.0);
            let process = world.process_at_rank(rank as i32);
            for values in whole[start..].chunks_mut(MOST_VALUES) {
                process.receive_into_with_tag(values, GATHERED);
            }
        }
        Some(whole)
    }
}
