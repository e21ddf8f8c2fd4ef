"""The workflows of .github and the Dockerfile: well-formed, and what they call is there."""

from __future__ import annotations

import re
import subprocess
import unittest
from pathlib import Path
from typing import Any, Dict, Iterator, List, Tuple

import yaml

ROOT = Path(__file__).resolve().parents[1]
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))


def jobs() -> Iterator[Tuple[str, Dict[str, Any]]]:
    for path in WORKFLOWS:
        for name, job in yaml.safe_load(path.read_text(encoding="utf-8"))["jobs"].items():
            yield f"{path.name}: {name}", job


def commands() -> List[Tuple[str, str]]:
    """Each command of a step, with an expression such as ${{ github.token }} as a word."""
    return [
        (name, re.sub(r"\$\{\{.*?\}\}", "expression", step["run"]))
        for name, job in jobs()
        for step in job["steps"]
        if "run" in step
    ]


class Workflows(unittest.TestCase):
    def test_they_are_workflows(self) -> None:
        self.assertEqual([path.name for path in WORKFLOWS], ["ci.yml", "release.yml"])
        for path in WORKFLOWS:
            # YAML 1.1 takes the key "on" for true.
            self.assertLessEqual({"name", True, "permissions", "jobs"}, set(yaml.safe_load(path.read_text("utf-8"))))
        for name, job in jobs():
            self.assertIn("runs-on", job, name)
            for step in job["steps"]:
                self.assertEqual(len({"run", "uses"} & set(step)), 1, f"{name}: {step}")

    def test_jobs_need_jobs_that_are_there(self) -> None:
        for path in WORKFLOWS:
            names = yaml.safe_load(path.read_text("utf-8"))["jobs"]
            for job in names.values():
                self.assertLessEqual(set(job.get("needs", [])), set(names))

    def test_commands_are_of_the_shell(self) -> None:
        for name, command in commands():
            checked = subprocess.run(["bash", "-n", "-c", command], capture_output=True, text=True)
            self.assertEqual((checked.returncode, checked.stderr), (0, ""), f"{name}: {command}")

    def test_scripts_that_are_called_are_there(self) -> None:
        called = {word for _, command in commands() for word in re.findall(r"(?:scripts|\.ci)/[\w.]+", command)}
        self.assertEqual(called, {".ci/run", "scripts/release.sh"})
        for name in called:
            self.assertTrue((ROOT / name).stat().st_mode & 0o100, f"{name} is no program")

    def test_files_that_are_copied_or_read_are_there(self) -> None:
        named = {
            word
            for _, command in commands()
            for word in re.findall(r"\b(?:README|CHANGELOG|LICEN\w+-\w+|NOTICE|Cargo|demo/\w+)(?:\.\w+)?\b", command)
        }
        self.assertGreaterEqual(len(named), 6)
        for name in named:
            self.assertTrue((ROOT / name).exists(), name)

    def test_targets_are_those_of_the_release(self) -> None:
        script = (ROOT / "scripts" / "release.sh").read_text(encoding="utf-8")
        known = re.search(r"^all=\((.*)\)$", script, re.MULTILINE)
        assert known
        targets = dict(jobs())["release.yml: archives"]["strategy"]["matrix"]["target"]
        self.assertEqual(targets, known[1].split())
        for option in re.findall(r"release\.sh (--\w+) (--\w+)", "\n".join(command for _, command in commands()))[0]:
            self.assertIn(f"        {option})", script)


class Container(unittest.TestCase):
    def test_what_is_copied_is_there(self) -> None:
        lines = (ROOT / "Dockerfile").read_text(encoding="utf-8").splitlines()
        copied = [line.split()[1:-1] for line in lines if line.startswith("COPY ") and "--from" not in line]
        self.assertTrue(copied)
        for name in (name for names in copied for name in names):
            self.assertTrue((ROOT / name).exists(), name)

    def test_it_is_not_root(self) -> None:
        users = re.findall(r"^USER (\S+)$", (ROOT / "Dockerfile").read_text(encoding="utf-8"), re.MULTILINE)
        self.assertEqual(users, ["65534:65534"])


if __name__ == "__main__":
    unittest.main()
