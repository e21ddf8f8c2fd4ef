//! `--watch`: new photographs, once they are whole.

use std::collections::HashMap;
use std::fs;
use std::path::PathBuf;
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use super::inputs::Photograph;

/// The time between two looks.
const PAUSE: Duration = Duration::from_secs(1);

/// How often the pause looks whether it is to end.
const BLINK: Duration = Duration::from_millis(20);

/// A file's size and the time at which it changed.
type State = (u64, Option<SystemTime>);

/// What was seen of the photographs.
#[derive(Default)]
pub(super) struct Watch {
    /// At the last look.
    before: HashMap<PathBuf, State>,
    /// When they were taken.
    taken: HashMap<PathBuf, State>,
}

impl Watch {
    /// Those that are new or have changed, and are as they were at the look before: nobody writes them any more.
    pub(super) fn whole(&mut self, photographs: Vec<Photograph>) -> Vec<Photograph> {
        self.whole_of(photographs, |photograph| {
            let found = fs::metadata(&photograph.path).ok()?;
            Some((found.len(), found.modified().ok()))
        })
    }

    fn whole_of(
        &mut self,
        photographs: Vec<Photograph>,
        state: impl Fn(&Photograph) -> Option<State>,
    ) -> Vec<Photograph> {
        let mut now = HashMap::new();
        let mut whole = Vec::new();
        for photograph in photographs {
            let Some(state) = state(&photograph) else { continue };
            now.insert(photograph.path.clone(), state);
            let is_whole = self.before.get(&photograph.path) == Some(&state);
            // An empty file was made, but not yet written.
            if is_whole && state.0 > 0 && self.taken.get(&photograph.path) != Some(&state) {
                self.taken.insert(photograph.path.clone(), state);
                whole.push(photograph);
            }
        }
        self.before = now;
        whole
    }
}

/// Waits until the next look, or until `is_ending`.
pub(super) fn pause(is_ending: impl Fn() -> bool) {
    let start = Instant::now();
    while start.elapsed() < PAUSE && !is_ending() {
        thread::sleep(BLINK);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_photograph_is_taken_once_it_stands_still() {
        let mut watch = Watch::default();
        let photograph = Photograph { path: "a.jpg".into(), below: PathBuf::new() };
        let mut look = |size| watch.whole_of(vec![photograph.clone()], |_| Some((size, None))).len();
        let sizes = [0, 0, 10, 20, 20, 20, 30, 30, 30];
        assert_eq!(sizes.map(&mut look), [0, 0, 0, 0, 1, 0, 0, 1, 0]);
    }
}
