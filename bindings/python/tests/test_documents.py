"""What README and the examples show runs as it stands."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path
from typing import List

import impasto
from common import PACKAGE, REPOSITORY, command, scene


def snippets(path: Path) -> List[str]:
    return re.findall(r"^```python\n(.*?)^```", path.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)


class Documents(unittest.TestCase):
    def setUp(self) -> None:
        # Everything there is named from the repository's root, and results go elsewhere.
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)
        for name in ("demo", "bindings"):
            (self.folder / name).symlink_to(REPOSITORY / name)

    def run_python(self, *arguments: str) -> str:
        environment = {**os.environ, "MPLBACKEND": "Agg"}
        ran = subprocess.run(
            [sys.executable, *arguments], cwd=self.folder, env=environment, capture_output=True, text=True, timeout=300
        )
        self.assertEqual(ran.returncode, 0, ran.stderr)
        return ran.stdout

    def test_the_snippets(self) -> None:
        for readme in (PACKAGE / "README.md", REPOSITORY / "README.md"):
            found = snippets(readme)
            self.assertTrue(found, readme)
            self.run_python("-c", "import impasto\n" + "\n".join(found))
        self.assertEqual(impasto.load(self.folder / "out.png").shape[2], 3)

    def test_the_shortest_example(self) -> None:
        ways = (REPOSITORY / "README.md").read_text(encoding="utf-8")
        example = re.search(r"^\| Python \| `(.*?)` \|", ways, re.MULTILINE)
        assert example
        impasto.save(scene(), self.folder / "photo.jpg")
        impasto.save(scene(seed=2), self.folder / "painting.jpg")
        told = self.run_python("-c", f"import impasto; print({example[1][:-1]}, size=32, steps=2).shape)")
        self.assertEqual(told.strip(), "(24, 32, 3)")

    def test_the_example_with_scipy(self) -> None:
        example = str(PACKAGE / "examples" / "scipy_lbfgs.py")
        told = self.run_python(example, "demo/content.png", "demo/style.jpg", "out.png", "--size=48", "--steps=5")
        self.assertEqual(impasto.load(self.folder / "out.png").shape, (36, 48, 3))
        losses = [float(loss) for loss in re.findall(r"loss (\d+\.\d+)", told)]
        self.assertGreaterEqual(len(losses), 2)
        self.assertLess(losses[-1], losses[0])

    def test_the_notebook(self) -> None:
        notebook = json.loads((PACKAGE / "examples" / "loss_curve.ipynb").read_text(encoding="utf-8"))
        code = [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]
        self.assertTrue(all(cell["outputs"] == [] and cell["execution_count"] is None for cell in code))
        source = "\n".join("".join(cell["source"]) for cell in code)
        self.assertIn("progress=True", source)
        # As it stands, but smaller.
        self.run_python("-c", source.replace("SIZE = 192", "SIZE = 48").replace("STEPS = 60", "STEPS = 4"))

    def test_the_array_of_slurm(self) -> None:
        names = ["a.png", "b c.png", "d.png"]
        for index, name in enumerate(names):
            impasto.save(scene(seed=index), self.folder / name)
        (self.folder / "list.txt").write_text("".join(f"{name}\n" for name in [*names, "missing.png"]), "utf-8")
        results = self.folder / "results"

        def task(number: int) -> int:
            environment = {
                **os.environ, "SRUN": "", "IMPASTO": command(),
                "SLURM_ARRAY_TASK_ID": str(number), "SLURM_ARRAY_TASK_COUNT": "2",
            }  # fmt: skip
            script = str(REPOSITORY / "examples" / "slurm_array.sh")
            settings = ["--size=48", "--steps=3", "-q"]
            arguments = ["bash", script, "list.txt", "demo/style.jpg", "results", *settings]
            return subprocess.run(arguments, cwd=self.folder, env=environment, stderr=subprocess.DEVNULL).returncode

        self.assertEqual(task(0), 0)
        self.assertEqual(sorted(os.listdir(results)), ["a.png.png", "d.png.png"])
        made = (results / "a.png.png").stat().st_mtime_ns
        # One is missing, and the other is made for all that.
        self.assertEqual(task(1), 1)
        self.assertEqual(task(0), 0)
        self.assertEqual(sorted(os.listdir(results)), ["a.png.png", "b c.png.png", "d.png.png"])
        self.assertEqual((results / "a.png.png").stat().st_mtime_ns, made)


if __name__ == "__main__":
    unittest.main()
