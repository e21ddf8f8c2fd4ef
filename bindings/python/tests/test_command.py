"""The package does what the command does."""

from __future__ import annotations

import inspect
import os
import subprocess
import tempfile
import unittest
from typing import Any, List

import numpy as np

import impasto
from common import CONTENT, STYLE, command


def made_by(*arguments: str) -> Any:
    """The picture that the command makes."""
    with tempfile.TemporaryDirectory() as folder:
        output = os.path.join(folder, "out.png")
        subprocess.run([command(), *arguments, "-q", "-o", output], check=True, timeout=300)
        return impasto.load(output)


class SameBytes(unittest.TestCase):
    def setUp(self) -> None:
        self.command = command()

    def assert_same(self, made: Any, *arguments: str) -> None:
        np.testing.assert_array_equal(made, made_by(*arguments))

    def test_stylize(self) -> None:
        # Both pictures are much larger than needed, so that they are read at a reduced size.
        made = impasto.stylize(CONTENT, STYLE, 96, steps=4, style_scale=0.75, colors="match")
        self.assert_same(
            made, "stylize", CONTENT, STYLE, "--size=96", "--steps=4", "--style-scale=0.75", "--colors=match"
        )
        with open(CONTENT, "rb") as content, open(STYLE, "rb") as style:
            np.testing.assert_array_equal(
                impasto.stylize(content.read(), style.read(), 96, steps=4, style_scale=0.75, colors="match"), made
            )

    def test_a_blend(self) -> None:
        made = impasto.stylize(
            CONTENT, [STYLE, CONTENT], 64, steps=2, blend=[2, 1], style_layers=["relu1_1=0.5", "relu2_1"], loss="gatys"
        )
        layers = ("--style-layer=relu1_1=0.5", "--style-layer=relu2_1")
        self.assert_same(
            made, "stylize", CONTENT, STYLE, CONTENT, "--size=64", "--steps=2", "--blend=2,1", "--loss=gatys", *layers
        )

    def test_texture(self) -> None:
        made = impasto.texture(STYLE, 64, steps=2, tileable=True, seed=7)
        self.assert_same(made, "texture", STYLE, "--size=64", "--steps=2", "--tileable", "--seed=7")

    def test_reconstruct(self) -> None:
        made = impasto.reconstruct(CONTENT, "relu3_1", 64, steps=2)
        self.assert_same(made, "reconstruct", CONTENT, "--layer=relu3_1", "--size=64", "--steps=2")

    def test_every_flag_of_the_command_is_known_here(self) -> None:
        text = subprocess.run([self.command, "stylize", "--help"], capture_output=True, text=True, check=True).stdout
        flags = {line.split("--")[1].split()[0].rstrip(",") for line in text.splitlines() if is_flag(line)}
        names = {flag.replace("-", "_") for flag in flags}
        plurals = {"style_mask", "content_layer", "style_layer"}
        keywords = {name + "s" if name in plurals else name for name in names}
        # What is done in another way: files and their metadata, reports (`progress`), the lines of a terminal.
        elsewhere = {
            "config", "depth", "dry_run", "help", "keep_location", "metrics", "no_mmap", "output", "preset", "quiet",
            "report", "save_config", "save_every", "strip", "style", "verbose",
        }  # fmt: skip
        self.assertIn("style_layers", keywords)
        self.assertEqual(keywords - elsewhere - set(inspect.signature(impasto.stylize).parameters), set())


def is_flag(line: str) -> bool:
    return line.lstrip().startswith(("--", "-o, --", "-q, --", "-v, --", "-h, --"))


class Presets(unittest.TestCase):
    def test_they_are_those_of_the_command(self) -> None:
        for name, settings in impasto.PRESETS.items():
            with tempfile.TemporaryDirectory() as folder:
                config = os.path.join(folder, "config.toml")
                # The settings are written before the pictures are looked for.
                arguments: List[str] = ["stylize", "missing.png", "missing.png", "--preset", name]
                out = os.path.join(folder, "out.png")
                subprocess.run([command(), *arguments, "--save-config", config, "-o", out], stderr=subprocess.DEVNULL)
                with open(config, encoding="utf-8") as file:
                    lines = file.read().splitlines()
            with self.subTest(name):
                expected = {flag_of(key): value for key, value in settings.items()}
                found = dict(line.split(" = ", 1) for line in lines)
                self.assertEqual(set(found), set(expected))
                for key, value in expected.items():
                    numbers = found[key].strip("[]").replace('"', "").split(", ")
                    values = list(value) if isinstance(value, tuple) else [value]
                    self.assertEqual([type(v)(n) for v, n in zip(values, numbers)], values)


def flag_of(keyword: str) -> str:
    return keyword.replace("_", "-").replace("layers", "layer")


if __name__ == "__main__":
    unittest.main()
