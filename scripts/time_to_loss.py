"""Time to a picture: how long impasto takes to the loss that the plain method in PyTorch ends at. See compare_pytorch.py.

The plain method (pytorch_stylize.py) and impasto's `stylize` with the same loss but for its total variation, and otherwise at its default settings,
both start from the same square pictures. The loss of PyTorch's picture at the end is the goal. impasto's steps on the
last scale are looked through for the first whose picture has that loss, too. All losses are of pictures as they are
written, of 8 bits in 0–1, and as PyTorch computes them, without total variation; only the column "unwritten" has that of
PyTorch's own values, before those outside 0–1 are clipped: no picture has it. All seconds are from the start of the
process. `--save-every` slows impasto down, so its pictures are made in a second run.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from PIL import Image

from vgg_torch import STYLE_LAYERS

PLAIN = Path(__file__).with_name("pytorch_stylize.py")


def compare(arguments: argparse.Namespace) -> None:
    """Prints a row for each size and pair."""
    print(f"{arguments.threads} threads; the plain method: L-BFGS, one scale, 300 evaluations\n")
    print("| | PyTorch, s | its loss | unwritten | impasto at that loss, s | ratio | impasto at the end, s | its loss |")
    print("|---|---:|---:|---:|---:|---:|---:|---:|")
    with tempfile.TemporaryDirectory() as folder:
        for size in arguments.sizes:
            for pair in arguments.to_loss:
                print(row(arguments, pair, size, Path(folder)), flush=True)


def row(arguments: argparse.Namespace, pair: str, size: int, folder: Path) -> str:
    content, style = (square(Path(name), size, folder) for name in pair.split(":"))
    common = ["--weights", arguments.weights, "--threads", arguments.threads]
    plain = [sys.executable, PLAIN, content, style, *common]
    start = time.monotonic()
    unwritten = json.loads(run([*plain, "--out", folder / "pytorch.png"]))["loss"]
    pytorch_seconds = time.monotonic() - start

    metrics, out = folder / "metrics.jsonl", folder / "impasto.png"
    stylize = [arguments.impasto, "stylize", content, style, "-o", out, "--size", size, "--quiet", *common]
    stylize += ["--statistic", "gram", "--style-weight", 5, "--edges", "zero"]
    stylize += [word for layer in STYLE_LAYERS for word in ("--style-layer", layer)]
    start = time.monotonic()
    run([*stylize, "--metrics", metrics])
    impasto_seconds = time.monotonic() - start
    steps = [json.loads(line) for line in metrics.read_text().splitlines()]
    run([*stylize, "--save-every", 1])

    last = [step for step in steps if step["scale"] == steps[-1]["scale"]]
    pictures = [folder / f"impasto-{step['step']:04}.png" for step in last]
    goal, *losses = json.loads(run([*plain, "--judge", folder / "pytorch.png", *pictures]))["losses"]
    reached = next((step["seconds"] for step, loss in zip(last, losses) if loss <= goal), None)
    cells = [
        f"{size}², {content.stem.rsplit('_', 1)[0]} × {style.stem.rsplit('_', 1)[0]}",
        f"{pytorch_seconds:.0f}",
        f"{goal:.4f}",
        f"{unwritten:.4f}",
        f"{reached:.1f}" if reached else "not reached",
        f"{pytorch_seconds / reached:.1f}" if reached else "",
        f"{impasto_seconds:.1f}",
        f"{losses[-1]:.4f}",
    ]
    return f"| {' | '.join(cells)} |"


def square(path: Path, size: int, folder: Path) -> Path:
    """The picture's middle, size×size, so that neither program need resize it on the last scale."""
    with Image.open(path) as picture:
        side = min(picture.size)
        left, top = (picture.width - side) // 2, (picture.height - side) // 2
        box = (left, top, left + side, top + side)
        resized = picture.convert("RGB").resize((size, size), Image.Resampling.LANCZOS, box=box)
    to = folder / f"{path.stem}_{size}.png"
    resized.save(to)
    return to


def run(command: list) -> str:
    command = [str(part) for part in command]
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True).stdout
