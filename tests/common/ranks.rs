//! Ranks that are threads of one process.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Mutex, PoisonError};
use std::thread;

use impasto::parallel::ranks::{Communicator, Neighbours, Ranks};
use rayon::ThreadPoolBuilder;

/// A thread's connections to all of them, itself among them.
struct Connected {
    rank: usize,
    to: Vec<Sender<Vec<f64>>>,
    from: Vec<Mutex<Receiver<Vec<f64>>>>,
}

impl Connected {
    fn send(&self, to: usize, values: impl IntoIterator<Item = f64>) {
        self.to[to].send(values.into_iter().collect()).expect("the other rank ended early");
    }

    fn receive(&self, from: usize) -> Vec<f64> {
        let receiver = self.from[from].lock().unwrap_or_else(PoisonError::into_inner);
        receiver.recv().expect("the other rank ended early")
    }

    fn send_f32(&self, to: usize, values: &[f32]) {
        self.send(to, values.iter().map(|value| f64::from(*value)));
    }

    fn receive_f32(&self, from: usize, values: &mut [f32]) {
        let received = self.receive(from);
        assert_eq!(received.len(), values.len(), "rank {from} sent to {} what it does not expect", self.rank);
        values.iter_mut().zip(received).for_each(|(value, received)| *value = received as f32);
    }
}

impl Communicator for Connected {
    fn rank(&self) -> usize {
        self.rank
    }

    fn ranks(&self) -> usize {
        self.to.len()
    }

    fn ranks_of_machine(&self) -> usize {
        self.to.len()
    }

    fn exchange(&self, [above, below]: Neighbours, [up, down]: [&[f32]; 2], received: [&mut [f32]; 2]) {
        let [from_above, from_below] = received;
        above.inspect(|above| self.send_f32(*above, up));
        below.inspect(|below| self.send_f32(*below, down));
        // Where both are the same rank, what it sent up comes first.
        below.inspect(|below| self.receive_f32(*below, from_below));
        above.inspect(|above| self.receive_f32(*above, from_above));
    }

    fn sum(&self, values: &mut [f64]) {
        self.send(0, values.iter().copied());
        if self.rank == 0 {
            let mut sums = vec![0.0; values.len()];
            for rank in 0..self.ranks() {
                let of_rank = self.receive(rank);
                assert_eq!(of_rank.len(), sums.len(), "rank {rank} sums what rank 0 does not");
                sums.iter_mut().zip(of_rank).for_each(|(sum, value)| *sum += value);
            }
            (0..self.ranks()).for_each(|rank| self.send(rank, sums.iter().copied()));
        }
        values.copy_from_slice(&self.receive(0));
    }

    fn broadcast(&self, bytes: &mut [u8]) {
        if self.rank == 0 {
            (0..self.ranks()).for_each(|rank| self.send(rank, bytes.iter().map(|byte| f64::from(*byte))));
        }
        bytes.iter_mut().zip(self.receive(0)).for_each(|(byte, received)| *byte = received as u8);
    }

    fn gather(&self, values: &[f32], lengths: &[usize]) -> Option<Vec<f32>> {
        assert_eq!(lengths[self.rank], values.len());
        self.send_f32(0, values);
        (self.rank == 0).then(|| {
            let of_rank = |(rank, len): (usize, &usize)| {
                let mut values = vec![0.0; *len];
                self.receive_f32(rank, &mut values);
                values
            };
            lengths.iter().enumerate().flat_map(of_rank).collect()
        })
    }
}

/// What `work` gives on each of `count` ranks, each with a pool of one thread.
pub fn on_ranks<R: Send>(count: usize, work: impl Fn(Ranks) -> R + Sync) -> Vec<R> {
    let mut ends: Vec<_> =
        (0..count).map(|rank| Connected { rank, to: Vec::new(), from: Vec::new() }).collect();
    for from in 0..count {
        for to in 0..count {
            let (sender, receiver) = channel();
            ends[from].to.push(sender);
            ends[to].from.push(Mutex::new(receiver));
        }
    }
    let work = &work;
    thread::scope(|scope| {
        let start = |end: Connected| {
            scope.spawn(move || {
                let pool = ThreadPoolBuilder::new().num_threads(1).build().unwrap();
                pool.install(|| work(Ranks::new(Arc::new(end))))
            })
        };
        let threads: Vec<_> = ends.into_iter().map(start).collect();
        threads.into_iter().map(|thread| thread.join().expect("a rank failed")).collect()
    })
}
