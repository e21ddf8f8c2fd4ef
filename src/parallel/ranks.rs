//! The processes that share a job, its ranks, and what they say to one another.
//!
//! Each computes a [band](crate::tensor::Band) of the picture's rows. Exact results need two operations: neighbours *exchange*
//! rows, of which a 3×3 convolution reads one beyond the band, and what depends on all positions is a *sum* over the ranks. Two
//! more are for reading and writing: the first rank *broadcasts* what it read and *gathers* what it writes. Alone, all of them
//! are nothing.
//!
//! Every rank runs the same program, and makes the same calls in the same order: what decides about the way on must be the
//! same on all of them, such as a sum, or be [agreed](Ranks::any) on.

#[cfg(feature = "mpi")]
pub mod mpi;

use std::fmt;
use std::sync::Arc;

/// What ranks say to one another. Each call returns once all those that take part have made theirs.
pub trait Communicator: Send + Sync {
    /// This rank, counted from 0.
    fn rank(&self) -> usize;

    /// How many there are.
    fn ranks(&self) -> usize;

    /// How many of them share this one's machine, itself among them.
    fn ranks_of_machine(&self) -> usize;

    /// Sends `up` to the rank above and `down` to the rank below, where there are such, and receives as many values from them:
    /// those that the rank above sent down, and those that the rank below sent up. Both may be the same rank.
    fn exchange(&self, neighbours: Neighbours, sent: [&[f32]; 2], received: [&mut [f32]; 2]);

    /// Replaces each value by its sum over all ranks, which is the same on all of them to the bit, and the same each time.
    fn sum(&self, values: &mut [f64]);

    /// Gives the first rank's bytes to all. All have as many.
    fn broadcast(&self, bytes: &mut [u8]);

    /// Gives the values of all ranks, `lengths` of them, to the first one, one rank after the other; to the others nothing.
    fn gather(&self, values: &[f32], lengths: &[usize]) -> Option<Vec<f32>>;
}

/// The ranks above and below.
pub type Neighbours = [Option<usize>; 2];

/// The ranks of a job. By default there is one, which has nobody to talk to.
#[derive(Clone, Default)]
pub struct Ranks(Option<Arc<dyn Communicator>>);

impl Ranks {
    /// One only.
    pub const ALONE: Self = Self(None);

    /// Those that this communicator connects. A single one is as if alone.
    pub fn new(communicator: Arc<dyn Communicator>) -> Self {
        Self(Some(communicator).filter(|communicator| communicator.ranks() > 1))
    }

    /// Whether there is one only.
    pub fn is_alone(&self) -> bool {
        self.0.is_none()
    }

    /// This rank, counted from 0.
    pub fn rank(&self) -> usize {
        self.0.as_ref().map_or(0, |ranks| ranks.rank())
    }

    /// Whether it is the one that reads and writes.
    pub fn is_first(&self) -> bool {
        self.rank() == 0
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.0.as_ref().map_or(1, |ranks| ranks.ranks())
    }

    /// How many of them share this one's machine.
    pub fn count_of_machine(&self) -> usize {
        self.0.as_ref().map_or(1, |ranks| ranks.ranks_of_machine())
    }

    /// See [`Communicator::exchange`].
    pub fn exchange(&self, neighbours: Neighbours, sent: [&[f32]; 2], received: [&mut [f32]; 2]) {
        if let Some(ranks) = &self.0 {
            ranks.exchange(neighbours, sent, received);
        }
    }

    /// Replaces each value by its sum over all ranks.
    pub fn sum(&self, values: &mut [f64]) {
        if let Some(ranks) = &self.0 {
            ranks.sum(values);
        }
    }

    /// The sum over all ranks.
    pub fn total(&self, value: f64) -> f64 {
        let mut values = [value];
        self.sum(&mut values);
        values[0]
    }

    /// Whether it is so on any rank.
    pub fn any(&self, is_so: bool) -> bool {
        match &self.0 {
            Some(_) => self.total(f64::from(u8::from(is_so))) > 0.0,
            None => is_so,
        }
    }

    /// The first rank's value: of values that may differ in the last bits, as ranks on unlike CPUs compute them.
    pub fn of_first(&self, value: f64) -> f64 {
        match self.is_alone() {
            true => value,
            false => self.total(if self.is_first() { value } else { 0.0 }),
        }
    }

    /// Whether the first rank says so.
    pub fn first_says(&self, is_so: bool) -> bool {
        self.any(is_so && self.is_first())
    }

    /// The least of the ranks' values.
    pub fn least(&self, value: u64) -> u64 {
        self.all(value).into_iter().min().unwrap_or(value)
    }

    /// The largest of the ranks' values.
    pub fn most(&self, value: u64) -> u64 {
        self.all(value).into_iter().max().unwrap_or(value)
    }

    /// The values of all ranks. What is above 2⁵³ is taken for that.
    fn all(&self, value: u64) -> Vec<u64> {
        if self.is_alone() {
            return vec![value];
        }
        let mut values = vec![0.0; self.count()];
        values[self.rank()] = value.min(1 << 53) as f64;
        self.sum(&mut values);
        values.into_iter().map(|value| value as u64).collect()
    }

    /// Replaces the bytes by the first rank's, however many these are.
    pub fn broadcast(&self, bytes: &mut Vec<u8>) {
        if let Some(ranks) = &self.0 {
            let len = self.total(if self.is_first() { bytes.len() as f64 } else { 0.0 });
            bytes.resize(len as usize, 0);
            ranks.broadcast(bytes);
        }
    }

    /// Replaces the values by the first rank's. All have as many.
    pub fn broadcast_values(&self, values: &mut [f32]) {
        if let Some(ranks) = &self.0 {
            ranks.broadcast(bytemuck::cast_slice_mut(values));
        }
    }

    /// The values of all ranks, `lengths` of them, on the first one, one rank after the other; on the others nothing.
    pub fn gather(&self, values: &[f32], lengths: &[usize]) -> Option<Vec<f32>> {
        match &self.0 {
            Some(ranks) => ranks.gather(values, lengths),
            None => Some(values.to_vec()),
        }
    }
}

impl fmt::Debug for Ranks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "rank {} of {}", self.rank(), self.count())
    }
}
