"""A cluster of two nodes, of which one is killed on the way. With IMPASTO_TEST_RAY=1, as it takes a minute or two and
needs `pip install 'ray[data]'`."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
import time
import unittest
from pathlib import Path

import impasto
from common import REPOSITORY, STYLE, scene

PHOTOGRAPHS = 12


@unittest.skipUnless(os.environ.get("IMPASTO_TEST_RAY"), "takes a minute or two: IMPASTO_TEST_RAY=1 runs it")
class NodeDeath(unittest.TestCase):
    def test_every_picture_is_there_in_the_end_once(self) -> None:
        from ray.cluster_utils import Cluster

        temporary = tempfile.TemporaryDirectory()
        self.addCleanup(temporary.cleanup)
        folder = Path(temporary.name)
        (folder / "photographs").mkdir()
        for index in range(PHOTOGRAPHS):
            impasto.save(scene(96, 128, seed=index), folder / "photographs" / f"{index:02}.png")
        (folder / "photographs" / "broken.jpg").write_bytes(b"no picture")
        (folder / "photographs" / "notes.txt").write_text("no picture, and not meant to be one")

        cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "object_store_memory": 100_000_000})
        self.addCleanup(cluster.shutdown)
        worker = cluster.add_node(num_cpus=1, object_store_memory=100_000_000)
        cluster.wait_for_nodes()
        # README's shortest example, with a smaller picture.
        ways = (REPOSITORY / "README.md").read_text(encoding="utf-8")
        example = re.search(r"^\| cluster, many pictures \| `python (.*?)` \|", ways, re.MULTILINE)
        assert example
        program, *arguments = example[1].split()
        (folder / "painting.jpg").symlink_to(STYLE)
        command = [sys.executable, str(REPOSITORY / program), *arguments]
        command += ["--size=192", "--steps=60", "--address", cluster.address]
        log = folder / "log.txt"
        with log.open("w") as file:
            batch = subprocess.Popen(command, cwd=folder, stdout=file, stderr=subprocess.STDOUT, text=True)
        self.addCleanup(batch.kill)

        results = folder / "results"
        deadline = time.monotonic() + 300
        while len(list(results.glob("*.png"))) < 4:
            self.assertIsNone(batch.poll(), log.read_text())
            self.assertLess(time.monotonic(), deadline, log.read_text())
            time.sleep(0.1)
        there = {path: path.stat().st_mtime_ns for path in results.glob("*.png")}
        cluster.remove_node(worker, allow_graceful=False)
        print(f"one of two nodes is killed with {len(there)} of {PHOTOGRAPHS} pictures there", flush=True)

        code = batch.wait(timeout=300)
        told = log.read_text()
        print(re.sub(r"(?m)^.*\b(INFO|WARNING)\b.*\n", "", told), flush=True)
        self.assertEqual(code, 1, told)
        self.assertIn("broken.jpg", told)
        names = sorted(path.name for path in results.iterdir())
        # A process that is killed may leave a temporary file, which is none of the results.
        names = [name for name in names if name.endswith(".png") and not name.startswith(".")]
        self.assertEqual(names, [f"{index:02}.png.png" for index in range(PHOTOGRAPHS)])
        for name in names:
            self.assertEqual(impasto.load(results / name).shape, (144, 192, 3))
        for path, time_of in there.items():
            self.assertEqual(path.stat().st_mtime_ns, time_of, f"{path} was made twice")


if __name__ == "__main__":
    unittest.main()
