"""While a job runs: progress, exceptions, Ctrl-C, other threads, other processes, memory."""

from __future__ import annotations

import contextlib
import gc
import io
import multiprocessing
import os
import signal
import subprocess
import sys
import threading
import time
import traceback
import unittest
from typing import Any, List
from unittest import mock

import numpy as np

import impasto
from common import quick, scene, strokes

#: A job that takes far longer than any of these tests.
LONG = {"size": 256, "steps": 100_000}
#: "Within a fraction of a second", with room for a busy machine.
SOON = 2.0


class Progress(unittest.TestCase):
    def test_each_step_is_told(self) -> None:
        seen: List[Any] = []
        made = quick(steps=6, scales=2, progress=seen.append)
        self.assertEqual([state.step for state in seen], list(range(1, 7)))
        self.assertEqual({state.steps for state in seen}, {6})
        self.assertEqual([(state.scale, state.scales) for state in seen], [(1, 2)] * 3 + [(2, 2)] * 3)
        self.assertEqual((seen[-1].width, seen[-1].height), (64, 48))
        self.assertEqual(seen[-1].done, 1.0)
        self.assertGreaterEqual(seen[-1].evaluations, 6)
        self.assertLess(seen[2].loss, seen[0].loss)
        self.assertEqual(seen[0].loss, seen[0].losses["total"])
        self.assertEqual(set(seen[0].losses["style_layers"]), {f"relu{n}_1" for n in range(1, 6)})
        self.assertGreaterEqual(seen[0].seconds_left, 0)
        self.assertGreater(seen[0].memory, 0)
        self.assertIsNone(seen[0].checkpoint_error)
        self.assertIn("step=6/6", repr(seen[-1]))
        self.assertEqual(made.shape, (48, 64, 3))
        with self.assertRaisesRegex(RuntimeError, "while it runs"):
            seen[0].picture()

    def test_it_is_called_on_the_calling_thread_with_the_picture(self) -> None:
        pictures, threads = [], []

        def progress(state: impasto.Progress) -> None:
            pictures.append(state.picture())
            threads.append(threading.get_ident())

        made = quick(steps=3, progress=progress)
        np.testing.assert_array_equal(pictures[-1], made)
        self.assertTrue((pictures[0] != made).any())
        self.assertEqual(set(threads), {threading.get_ident()})

    def test_false_ends_it_with_the_picture_so_far(self) -> None:
        pictures: List[Any] = []

        def progress(state: impasto.Progress) -> bool:
            pictures.append(state.picture())
            return state.step < 3

        made, details = quick(steps=50, progress=progress, details=True)
        self.assertEqual((details.end, details.steps, len(pictures)), ("ended", 3, 3))
        np.testing.assert_array_equal(pictures[-1], made)
        # Other values that are false do not: a function may return nothing, or a count.
        for value in (None, 0, ""):
            self.assertEqual(quick(progress=lambda state: value, details=True)[1].end, "done")

    def test_an_exception_comes_out_as_it_is(self) -> None:
        error = KeyError("mine")

        def progress(state: impasto.Progress) -> None:
            raise error

        try:
            quick(**LONG, progress=progress)
        except KeyError as caught:
            self.assertIs(caught, error)
            self.assertIn("progress", [frame.name for frame in traceback.extract_tb(caught.__traceback__)])
        else:
            self.fail("no exception came out")

    def test_a_job_within_a_job(self) -> None:
        inner: List[Any] = []
        quick(progress=lambda state: inner.append(quick()))
        self.assertEqual(len(inner), 2)
        np.testing.assert_array_equal(inner[0], quick())

    def test_a_bar_where_tqdm_is(self) -> None:
        with contextlib.redirect_stderr(io.StringIO()) as stderr:
            quick(progress=True)
        self.assertIn("2/2", stderr.getvalue())
        self.assertIn("64×48, loss", stderr.getvalue())

    def test_lines_where_tqdm_is_not(self) -> None:
        with mock.patch.dict(sys.modules, {"tqdm": None, "tqdm.auto": None}):
            with mock.patch("impasto._progress._INTERVAL", 0.0), contextlib.redirect_stderr(io.StringIO()) as stderr:
                quick(progress=True)
        self.assertEqual(len(stderr.getvalue().splitlines()), 2)
        self.assertRegex(stderr.getvalue(), r"impasto: step 1 of 2, 64×48, loss .*, \d+ s left")


class Interrupts(unittest.TestCase):
    def interrupted(self, work: Any) -> float:
        """Seconds from Ctrl-C to the exception."""
        sent: List[float] = []

        def send() -> None:
            sent.append(time.perf_counter())
            os.kill(os.getpid(), signal.SIGINT)

        timer = threading.Timer(0.5, send)
        timer.start()
        try:
            with self.assertRaises(KeyboardInterrupt):
                work()
            return time.perf_counter() - sent[0]
        finally:
            timer.join()

    def test_control_c_ends_a_job(self) -> None:
        self.assertLess(self.interrupted(lambda: quick(**LONG)), SOON)
        self.assertLess(self.interrupted(lambda: quick(**LONG, progress=lambda state: None)), SOON)
        self.assertLess(self.interrupted(lambda: impasto.texture(strokes(), **LONG)), SOON)
        # And nothing of it is left: the next one is whole.
        self.assertEqual(quick(details=True)[1].end, "done")

    def test_control_c_ends_an_evaluation(self) -> None:
        objective = impasto.Objective(scene(), strokes(), 64)
        start = objective.content
        expected = objective(start)[0]

        def work() -> None:
            while True:
                objective(start)

        self.assertLess(self.interrupted(work), SOON)
        # And another can follow.
        self.assertEqual(objective(start)[0], expected)

    def test_a_large_evaluation_is_broken_off(self) -> None:
        objective = impasto.Objective(scene(), strokes(), 1600, threads=1)
        start = objective.content
        self.assertLess(self.interrupted(lambda: [objective(start) for _ in range(100)]), SOON)

    def test_another_signals_handler_may_raise(self) -> None:
        def handler(*_: Any) -> None:
            raise TimeoutError("by the alarm")

        before = signal.signal(signal.SIGALRM, handler)
        try:
            signal.setitimer(signal.ITIMER_REAL, 0.3)
            with self.assertRaisesRegex(TimeoutError, "by the alarm"):
                quick(**LONG)
        finally:
            signal.signal(signal.SIGALRM, before)


class Others(unittest.TestCase):
    def test_other_threads_run_meanwhile(self) -> None:
        counted, done = [0], threading.Event()

        def count() -> None:
            while not done.is_set():
                counted[0] += 1
                time.sleep(0.001)

        thread = threading.Thread(target=count)
        thread.start()
        try:
            start = time.perf_counter()
            quick(size=256, steps=10)
            seconds = time.perf_counter() - start
        finally:
            done.set()
            thread.join()
        # Were the GIL held, it would be one or two.
        self.assertGreater(counted[0], 20 * seconds)

    def test_jobs_on_several_threads(self) -> None:
        made: List[Any] = []
        style = impasto.Style(strokes())
        threads = [threading.Thread(target=lambda: made.append(quick(None, style))) for _ in range(4)]
        [thread.start() for thread in threads]
        [thread.join() for thread in threads]
        self.assertEqual(len(made), 4)
        for one in made:
            np.testing.assert_array_equal(one, quick())

    def test_an_objective_on_several_threads(self) -> None:
        objective = impasto.Objective(scene(), strokes(), 64)
        losses: List[float] = []
        threads = [threading.Thread(target=lambda: losses.append(objective(scene() / 255.0)[0])) for _ in range(4)]
        [thread.start() for thread in threads]
        [thread.join() for thread in threads]
        self.assertEqual(losses, [losses[0]] * 4)

    @unittest.skipUnless("fork" in multiprocessing.get_all_start_methods(), "there is no fork")
    def test_it_works_after_a_fork(self) -> None:
        objective = impasto.Objective(scene(), strokes(), 64)
        expected, loss = quick(), objective(scene() / 255.0)[0]
        receiver, sender = multiprocessing.get_context("fork").Pipe(duplex=False)

        def work() -> None:
            sender.send((quick(), objective(scene() / 255.0)[0]))

        process = multiprocessing.get_context("fork").Process(target=work)
        process.start()
        try:
            self.assertTrue(receiver.poll(60), "the forked process hangs")
            made, of_fork = receiver.recv()
        finally:
            process.kill()
            process.join()
        np.testing.assert_array_equal(made, expected)
        self.assertEqual(of_fork, loss)

    @unittest.skipUnless(os.path.exists("/proc/self/statm"), "there is no /proc")
    def test_a_thousand_small_calls_do_not_leak(self) -> None:
        # A process of its own, whose memory no other test has shaped, and with one heap: where each new thread takes a
        # heap of its own, as in glibc, what they hold in reserve comes and goes by megabytes.
        script = (
            "import numpy as np, impasto\n"
            "content = np.random.default_rng(0).integers(0, 255, (32, 32, 3), np.uint8)\n"
            "objective = impasto.Objective(content, content, 32, threads=1)\n"
            "pages = lambda: int(open('/proc/self/statm').read().split()[1])\n"
            "def calls(count):\n"
            "    for _ in range(count):\n"
            "        impasto.stylize(content, content, 32, steps=1, threads=1, style_layers='relu1_1',\n"
            "            content_layers='relu2_1', progress=lambda state: state.picture() is None)\n"
            "        objective(content / 255.0)\n"
            "        try: impasto.stylize(content, content, 32, steps=0)\n"
            "        except ValueError: pass\n"
            "calls(100)\n"
            "before = pages()\n"
            "calls(1000)\n"
            "print((pages() - before) * 4096)\n"
        )
        one_heap = os.environ | {"MALLOC_ARENA_MAX": "1"}
        ran = subprocess.run(
            [sys.executable, "-c", script], capture_output=True, text=True, check=True, env=one_heap
        )
        # One array of the content, 3 kB, lost in each call would be 3 MB; a thread's stack or a network far more. It is
        # some pages where nothing is lost.
        self.assertLess(int(ran.stdout), 1_500_000)
        gc.collect()


if __name__ == "__main__":
    unittest.main()
