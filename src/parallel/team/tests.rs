use std::sync::atomic::AtomicUsize;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use super::*;

fn on_threads<R: Send>(threads: usize, work: impl FnOnce() -> R + Send) -> R {
    rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap().install(work)
}

fn add(sum: &AtomicUsize, value: usize) {
    sum.fetch_add(value, Ordering::Relaxed);
}

#[test]
fn every_index_comes_once_in_every_loop() {
    // Miri is some thousand times as slow.
    let (most_tasks, pools): (usize, &[usize]) =
        if cfg!(miri) { (12, &[1, 2, 3]) } else { (200, &[1, 2, 3, 8, MAX_SHARES + 3]) };
    for &threads in pools {
        on_threads(threads, || {
            let counts: Vec<_> = (0..most_tasks).map(|_| AtomicUsize::new(0)).collect();
            let loops = || {
                for tasks in 0..counts.len() {
                    for_each(tasks, |index| add(&counts[index], 1));
                }
            };
            gather(loops);
            loops();
            for (index, count) in counts.iter().enumerate() {
                assert_eq!(
                    count.load(Ordering::Relaxed),
                    2 * (most_tasks - 1 - index),
                    "{threads} threads, {index}"
                );
            }
        });
    }
}

#[test]
fn chunks_cover_the_data_once() {
    on_threads(3, || {
        for (total, len) in [(0, 1), (1, 1), (7, 3), (9, 3), (100, 7)] {
            let mut data = vec![0; total];
            for_each_chunk(&mut data, len, |index, chunk| {
                assert_eq!(chunk.len(), len.min(total - index * len));
                chunk.iter_mut().for_each(|value| *value += index + 1);
            });
            assert!(data.iter().enumerate().all(|(at, value)| *value == at / len + 1));
        }
    });
}

#[test]
fn a_loop_inside_a_task_runs_on_the_tasks_thread() {
    let sum = AtomicUsize::new(0);
    let nested = |i| {
        let outer = thread::current().id();
        let add_here = |value| {
            assert_eq!(thread::current().id(), outer);
            add(&sum, value);
        };
        for_each(7, |j| add_here(10 * i + j));
        gather(|| for_each_chunk(&mut [0; 7], 1, |_, _| add_here(0)));
    };
    on_threads(3, || {
        gather(|| {
            for_each(5, nested);
            for_each(2, |i| add(&sum, 1000 * i));
        });
        for_each(5, nested);
    });
    assert_eq!(sum.into_inner(), 2 * (7 * 100 + 5 * 21) + 1000);
}

/// Calls `work` while another thread of the pool is busy, until `work` sets the flag.
fn with_a_busy_thread(work: impl FnOnce(&AtomicBool) + Send) {
    let [busy, release] = [const { AtomicBool::new(false) }; 2];
    let wait_for = |flag: &AtomicBool| {
        while !flag.load(Ordering::Relaxed) {
            thread::yield_now();
        }
    };
    rayon::scope(|scope| {
        scope.spawn(|_| {
            busy.store(true, Ordering::Relaxed);
            wait_for(&release);
        });
        wait_for(&busy);
        work(&release);
    });
}

#[test]
fn a_thread_without_a_task_takes_none_of_a_loop_inside_a_task() {
    on_threads(3, || {
        // Where the third thread looks for work first is random.
        for _ in 0..if cfg!(miri) { 2 } else { 30 } {
            with_a_busy_thread(|release| {
                for_each(2, |_| {
                    let outer = thread::current().id();
                    thread::sleep(Duration::from_micros(200));
                    release.store(true, Ordering::Relaxed);
                    for_each(5, |_| {
                        assert_eq!(thread::current().id(), outer);
                        thread::sleep(Duration::from_micros(200));
                    });
                });
            });
        }
    });
}

#[test]
fn a_leader_that_rayon_hands_a_helpers_job_does_not_wait_for_itself() {
    let (done, is_done) = mpsc::channel();
    thread::spawn(move || {
        on_threads(2, || {
            with_a_busy_thread(|release| {
                // The helper's job is the only one that can be had.
                gather(rayon::yield_now);
                release.store(true, Ordering::Relaxed);
            });
        });
        done.send(()).unwrap();
    });
    assert_eq!(
        is_done.recv_timeout(Duration::from_secs(60)),
        Ok(()),
        "the leader waits for its own team's end"
    );
}

#[test]
fn a_panic_of_any_thread_comes_back_and_the_pool_lives_on() {
    on_threads(3, || {
        for bad in [0, 50, 99] {
            let run = || gather(|| for_each(100, |index| assert_ne!(index, bad, "as it should")));
            assert!(catch_unwind(run).is_err());
        }
        let count = AtomicUsize::new(0);
        for_each(100, |_| add(&count, 1));
        assert_eq!(count.into_inner(), 100);
    });
}

#[test]
fn panics_of_one_loop_do_not_come_back_in_the_next() {
    on_threads(3, || {
        gather(|| {
            for _ in 0..10 {
                let all_panic = || {
                    for_each(3, |_| {
                        // Until the helpers have begun theirs.
                        thread::sleep(Duration::from_millis(2));
                        panic!("as it should");
                    })
                };
                assert!(catch_unwind(all_panic).is_err());
                let count = AtomicUsize::new(0);
                for_each(100, |_| add(&count, 1));
                assert_eq!(count.into_inner(), 100);
            }
        });
    });
}

#[test]
fn threads_outside_the_pool_lead_teams_at_the_same_time() {
    let sum = AtomicUsize::new(0);
    thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                for _ in 0..10 {
                    gather(|| (0..10).for_each(|_| for_each(10, |index| add(&sum, index))));
                    for_each(10, |index| add(&sum, index));
                }
            });
        }
    });
    assert_eq!(sum.into_inner(), 3 * 10 * 11 * 45);
}

#[test]
fn teams_of_one_pool_do_not_wait_for_each_other() {
    let sum = AtomicUsize::new(0);
    on_threads(2, || {
        rayon::scope(|scope| {
            for _ in 0..6 {
                scope.spawn(|_| {
                    gather(|| {
                        for _ in 0..10 {
                            for_each(10, |_| add(&sum, 1));
                        }
                    });
                });
            }
        });
    });
    assert_eq!(sum.into_inner(), 600);
}
