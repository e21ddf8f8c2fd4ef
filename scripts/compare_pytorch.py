#!/usr/bin/env python3
"""Compares impasto with PyTorch on the CPU: seconds, peak memory, and whether they agree.

    cargo build --release
    python scripts/compare_pytorch.py --weights vgg19.safetensors [--sizes 256 512] [--rounds 5]

Both evaluate the same loss and its gradient: VGG-19 to relu5_1, max pooling, content relu4_2, style
relu1_1 … relu5_1 in even shares by Gram matrices, the relative form with content weight 1, style weight 5 and no total variation. They
take turns, each time in a process of its own; the table has the medians over all rounds.

Seconds are of one evaluation, targets and weights being ready. Memory is the peak of the whole process;
PyTorch's includes the library itself, whose share is stated. Differences are |a−b|/|b|, of gradients
with the L2 norm, b being PyTorch's.

With --to-loss it compares whole runs instead: how long impasto takes, with the same loss, to the value
that L-BFGS in PyTorch reaches at one scale in 300 evaluations (time_to_loss.py).

    python scripts/compare_pytorch.py --weights vgg19.safetensors --sizes 512 --to-loss photo.jpg:painting.jpg

Run it on an idle machine: PyTorch's threads spin while they wait for each other, so that other work on
the same cores slows it out of all proportion. The load at the start is stated.
"""

import argparse
import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from PIL import Image
from safetensors.numpy import load_file

import time_to_loss
from demo_noise import fractal_noise
from vgg_torch import STYLE_LAYERS

ROOT = Path(__file__).resolve().parent.parent
LOSS_OPTIONS = ["--loss", "relative", "--pooling", "max", "--statistic", "gram", "--edges", "zero"]
LOSS_OPTIONS += ["--content-weight", "1", "--style-weight", "5", "--tv-weight", "0"]
LOSS_OPTIONS += [word for layer in STYLE_LAYERS for word in ("--style-layer", layer)]


@dataclass
class Comparison:
    """What was found at one size; seconds and bytes are medians over the rounds."""

    size: int
    pytorch_seconds: float
    impasto_seconds: float
    pytorch_bytes: float
    pytorch_import_bytes: float
    impasto_bytes: float
    loss_difference: float
    gradient_difference: float


def main() -> int:
    arguments = parse_arguments()
    load = os.getloadavg()[0]
    try:
        if arguments.to_loss:
            time_to_loss.compare(arguments)
            return 0
        with tempfile.TemporaryDirectory() as folder:
            runs = [Runs(arguments, size, Path(folder)) for size in arguments.sizes]
            for _ in range(arguments.rounds):
                for run in runs:
                    run.round()
            comparisons = [run.comparison() for run in runs]
    except subprocess.CalledProcessError as error:
        reason = error.stderr.strip().splitlines()[-1:] or [f"exit {error.returncode}"]
        print(f"compare_pytorch.py: {Path(error.cmd[0]).name}: {reason[0]}", file=sys.stderr)
        return 1
    except OSError as error:
        print(f"compare_pytorch.py: {error}", file=sys.stderr)
        return 1
    conditions = {"cpu": cpu_name(), "load": load, "rounds": arguments.rounds, **runs[0].conditions()}
    if arguments.json:
        print(json.dumps({**conditions, "sizes": [asdict(comparison) for comparison in comparisons]}))
    else:
        print(table(conditions, comparisons))
    return 0


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--weights", type=Path, required=True, metavar="FILE", help="VGG-19, safetensors")
    binary = ROOT / "target" / "release" / "impasto"
    parser.add_argument("--impasto", type=Path, default=binary, metavar="BIN", help="the command to measure")
    parser.add_argument(
        "--sizes", type=int, nargs="+", default=[256, 512], metavar="N", help="sides, in pixels"
    )
    parser.add_argument("--rounds", type=int, default=5, metavar="N", help="turns of each (%(default)s)")
    threads = len(os.sched_getaffinity(0))
    parser.add_argument("--threads", type=int, default=threads, metavar="N", help="of both (%(default)s)")
    parser.add_argument(
        "--convolution", default="auto", metavar="HOW", help="impasto's: auto, im2col or winograd (%(default)s)"
    )
    parser.add_argument("--to-loss", nargs="+", metavar="CONTENT:STYLE", help="compare whole runs on these pictures")
    parser.add_argument("--json", action="store_true", help="one JSON object in place of the table")
    return parser.parse_args()


class Runs:
    """The runs of both at one size, on pictures made for it."""

    def __init__(self, arguments: argparse.Namespace, size: int, folder: Path):
        self.arguments, self.size, self.folder = arguments, size, folder
        self.common = ["--weights", arguments.weights, "--threads", str(arguments.threads)]
        self.pytorch, self.impasto = [], []
        generator = np.random.default_rng(size)
        self.content, self.style, self.image = (
            write_picture(folder / f"{name}_{size}.png", generator, size)
            for name in ("content", "style", "image")
        )
        self.loss_difference, self.gradient_difference = 0.0, 0.0

    def round(self) -> None:
        """One turn of each; the first also compares their answers."""
        pytorch_gradient = self.folder / "pytorch.safetensors"
        self.pytorch.append(
            answer(
                [sys.executable, Path(__file__).with_name("pytorch_evaluation.py"), *self.common]
                + ["--gradient", pytorch_gradient, self.content, self.style, self.image]
            )
        )
        profile = [self.arguments.impasto, "profile", "--size", str(self.size), "--statistic", "gram", "--json"]
        self.impasto.append(answer([*profile, *self.common, "--convolution", self.arguments.convolution]))
        if len(self.pytorch) == 1:
            self.compare_answers(pytorch_gradient)

    def compare_answers(self, pytorch_gradient: Path) -> None:
        """How far impasto's loss and gradient are from PyTorch's."""
        impasto_gradient = self.folder / "impasto.safetensors"
        pictures = [self.image, "--content", self.content, "--style", self.style]
        loss = answer(
            [self.arguments.impasto, "loss", *pictures, *LOSS_OPTIONS, *self.common]
            + ["--json", "--gradient", impasto_gradient, "--convolution", self.arguments.convolution]
        )["loss"]
        expected = self.pytorch[0]["loss"]
        self.loss_difference = abs(loss - expected) / abs(expected)
        expected = load_file(pytorch_gradient)["gradient"].astype(np.float64)
        error = load_file(impasto_gradient)["gradient"] - expected
        self.gradient_difference = float(np.linalg.norm(error) / np.linalg.norm(expected))

    def comparison(self) -> Comparison:
        """The medians over all rounds."""
        median = statistics.median
        return Comparison(
            size=self.size,
            pytorch_seconds=median([median(run["evaluation_seconds"]) for run in self.pytorch]),
            impasto_seconds=median([run["evaluation_seconds"]["median"] for run in self.impasto]),
            pytorch_bytes=median([run["peak_rss_bytes"] for run in self.pytorch]),
            pytorch_import_bytes=median([run["import_rss_bytes"] for run in self.pytorch]),
            impasto_bytes=median([run["peak_rss_bytes"] for run in self.impasto]),
            loss_difference=self.loss_difference,
            gradient_difference=self.gradient_difference,
        )

    def conditions(self) -> dict:
        """What both ran on and with."""
        return {
            "threads": self.arguments.threads,
            "torch": self.pytorch[0]["torch"],
            "isa": self.impasto[0]["isa"],
            "peak_gflops": statistics.median([run["peak_gflops"] for run in self.impasto]),
        }


def answer(command: list) -> dict:
    """The JSON object that a command prints."""
    return json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def write_picture(path: Path, generator: np.random.Generator, size: int) -> Path:
    """A size×size picture of coloured noise, coarse to fine; PNG, so that both read the same values."""
    channels = [fractal_noise(generator, (size, size), (4, 4), 5) for _ in range(3)]
    values = np.clip((np.stack(channels, axis=-1) - 0.5) * 2.2 + 0.5, 0, 1)
    Image.fromarray(np.rint(values * 255).astype(np.uint8)).save(path)
    return path


def cpu_name() -> str:
    """The CPU's name, as Linux has it."""
    match = re.search(r"model name\s*:\s*(.*)", Path("/proc/cpuinfo").read_text())
    return match[1] if match else "unknown CPU"


def table(conditions: dict, comparisons: list[Comparison]) -> str:
    """The comparison as Markdown."""
    lines = [
        "{cpu}, {threads} threads; impasto on {isa}, FMA peak {peak_gflops:.0f} GFLOP/s; PyTorch {torch}; "
        "medians of {rounds} rounds, load {load:.1f} at the start".format(**conditions),
        "",
        "| | PyTorch | impasto | ratio |",
        "|---|---:|---:|---:|",
    ]
    for c in comparisons:
        lines += [
            f"| {c.size}²: seconds an evaluation | {c.pytorch_seconds:.3f} | {c.impasto_seconds:.3f} "
            f"| {c.pytorch_seconds / c.impasto_seconds:.2f} times as fast |",
            f"| {c.size}²: peak memory, MB | {c.pytorch_bytes / 1e6:.0f} | {c.impasto_bytes / 1e6:.0f} "
            f"| {c.impasto_bytes / c.pytorch_bytes:.0%} |",
            f"| {c.size}²: the same without PyTorch's own {c.pytorch_import_bytes / 1e6:.0f} "
            f"| {(c.pytorch_bytes - c.pytorch_import_bytes) / 1e6:.0f} | {c.impasto_bytes / 1e6:.0f} "
            f"| {c.impasto_bytes / (c.pytorch_bytes - c.pytorch_import_bytes):.0%} |",
            f"| {c.size}²: difference of the loss | | | {c.loss_difference:.1e} |",
            f"| {c.size}²: difference of the gradient | | | {c.gradient_difference:.1e} |",
        ]
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
