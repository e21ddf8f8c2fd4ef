//! What a page about a job needs to be kept of it while it runs: small pictures, and the losses of some steps.

use std::path::Path;

use super::picture::Shown;
use impasto::picture::Picture;
use impasto::stylize::Progress;

/// The longest side of what is shown, in pixels: of the result, and of all else.
const RESULT: usize = 1024;
const OTHERS: usize = 400;

/// Steps that are kept at most: twice as many as a chart has pixels.
const MOST_STEPS: usize = 2000;

/// In each scale the picture is kept as many times, at even distances, so that one is there if the scale ends early.
const PICTURES_A_SCALE: usize = 4;

/// What was seen of a job.
#[derive(Default)]
pub(crate) struct Record {
    pub(super) inputs: Vec<Shown>,
    pub(super) scales: Vec<Scale>,
    pub(super) result: Option<Shown>,
    /// The step that was the first, more than 1 where the job went on.
    pub(super) first: usize,
    pub(super) memory_foreseen: u64,
    losses: Losses,
}

/// What was seen of a scale.
pub(super) struct Scale {
    pub(super) size: (usize, usize),
    /// Steps, evaluations and seconds since the job's start, before the scale's first step and after its last.
    pub(super) before: Reached,
    pub(super) after: Reached,
    /// The picture at its end, but for the last scale, whose end is the result.
    pub(super) picture: Option<Shown>,
}

#[derive(Clone, Copy, Default)]
pub(super) struct Reached {
    pub(super) step: usize,
    pub(super) evaluations: usize,
    pub(super) seconds: f64,
}

/// The losses of a step.
#[derive(Clone, Copy)]
pub(super) struct Step {
    pub(super) scale: usize,
    pub(super) step: usize,
    pub(super) total: f64,
    pub(super) content: f64,
    pub(super) style: f64,
    pub(super) tv: f64,
    pub(super) laplacian: Option<f64>,
}

impl Record {
    /// A picture that was read, and what it is for.
    pub(crate) fn input(&mut self, role: &str, path: &Path, picture: &Picture) {
        let name = path.file_name().map_or_else(|| "-".into(), |name| name.to_string_lossy());
        let detail = format!("{}×{} pixels", picture.width(), picture.height());
        self.inputs.extend(Shown::new(&format!("{role}: {name}"), &detail, picture, OTHERS));
    }

    /// A step of the job.
    pub(crate) fn step(&mut self, progress: &Progress) {
        let Progress { scale, scales, step, width, height, .. } = *progress;
        let reached = Reached { step, evaluations: progress.evaluations, seconds: progress.seconds };
        if self.first == 0 {
            self.first = step;
            self.memory_foreseen = progress.memory;
        }
        if self.losses.last.is_none_or(|last| last.scale != scale) {
            let before = match self.scales.last() {
                Some(last) => last.after,
                None if step <= 1 => Reached::default(),
                // Those before were another process's.
                None => Reached { step: step - 1, evaluations: progress.evaluations - 1, seconds: 0.0 },
            };
            self.scales.push(Scale { size: (width, height), before, after: reached, picture: None });
        }
        let losses = progress.losses;
        self.losses.add(Step {
            scale,
            step,
            total: losses.total,
            content: losses.content,
            style: losses.style,
            tv: losses.tv,
            laplacian: losses.laplacian,
        });
        let Some(current) = self.scales.last_mut() else { return };
        current.after = reached;
        let ends: usize = progress.schedule[..scale].iter().map(|scale| scale.steps).sum();
        let every = progress.schedule[scale - 1].steps.div_ceil(PICTURES_A_SCALE).max(1);
        if scale < scales && (ends.saturating_sub(step)).is_multiple_of(every) {
            let detail = format!("after step {step}");
            current.picture = Shown::new(&format!("{width}×{height}"), &detail, &progress.picture(), OTHERS);
        }
    }

    /// The picture that the job made.
    pub(crate) fn result(&mut self, picture: &Picture) {
        let detail = format!("{}×{} pixels", picture.width(), picture.height());
        self.result = Shown::new("result", &detail, picture, RESULT);
    }

    /// The losses that were kept, step after step.
    pub(super) fn losses(&self) -> Vec<Step> {
        self.losses.all().copied().collect()
    }
}

/// Of every so many steps one, so that there are no more than [`MOST_STEPS`], and the last.
#[derive(Default)]
struct Losses {
    kept: Vec<Step>,
    last: Option<Step>,
    /// One of `1 << sparsity` steps is kept.
    sparsity: u32,
    count: usize,
}

impl Losses {
    fn add(&mut self, step: Step) {
        let begins_scale = self.last.is_some_and(|last| last.scale != step.scale);
        // The last of a scale and the first of the next are its ends in the chart.
        if begins_scale {
            self.kept = self.all().copied().collect();
        }
        if begins_scale || self.count.is_multiple_of(1 << self.sparsity) {
            self.kept.push(step);
        }
        self.last = Some(step);
        self.count += 1;
        if self.kept.len() > MOST_STEPS {
            self.sparsity += 1;
            let mut index = 0;
            self.kept.retain(|_| {
                index += 1;
                index % 2 == 1
            });
        }
    }

    fn all(&self) -> impl Iterator<Item = &Step> {
        let last = self.last.as_ref();
        let is_kept = self.kept.last().map(|kept| kept.step) == last.map(|last| last.step);
        self.kept.iter().chain(last.filter(|_| !is_kept))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_many_steps_some_are_kept_and_the_ends_of_the_scales() {
        let mut losses = Losses::default();
        let step = |step| Step {
            scale: if step <= 5003 { 1 } else { 2 },
            step,
            total: 1.0,
            content: 0.0,
            style: 0.0,
            tv: 0.0,
            laplacian: None,
        };
        (1..=10_007).for_each(|index| losses.add(step(index)));
        let kept: Vec<_> = losses.all().map(|step| step.step).collect();
        assert!(kept.is_sorted_by(|a, b| a < b), "{kept:?}");
        assert!((MOST_STEPS / 2..=MOST_STEPS + 1).contains(&kept.len()), "{}", kept.len());
        assert_eq!((kept[0], *kept.last().unwrap()), (1, 10_007));

        let mut losses = Losses::default();
        (5001..=5006).for_each(|index| losses.add(step(index)));
        assert_eq!(
            losses.all().map(|step| step.step).collect::<Vec<_>>(),
            [5001, 5002, 5003, 5004, 5005, 5006]
        );
    }
}
