#!/usr/bin/env python3
"""Evaluates and times one loss of VGG-19 in PyTorch on the CPU: PyTorch's side of compare_pytorch.py.

    python scripts/pytorch_evaluation.py --weights vgg19.safetensors --threads 2 --repeats 5 \\
        --gradient gradient.safetensors CONTENT STYLE IMAGE

Prints one JSON object: `loss`, `evaluation_seconds` (loss and gradient together, a list), `torch`, and
the process's peak memory: `peak_rss_bytes`, and `import_rss_bytes` before any picture or weight was read.
"""

import argparse
import json
import re
import time
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from safetensors.torch import save_file

from vgg_torch import LossSpec, Objective, load_vgg19


def main() -> None:
    arguments = parse_arguments()
    import_rss = peak_rss_bytes()
    torch.set_num_threads(arguments.threads)
    content, style, image = map(read_picture, (arguments.content, arguments.style, arguments.image))
    vgg = load_vgg19(arguments.weights, "relu5_1", torch.float32, pooling="max")
    objective = Objective(vgg, LossSpec(form="relative", alpha=1.0, beta=5.0, gamma=0.0), content, style)

    terms, gradient = objective.terms_and_gradient(image)  # not timed: PyTorch still prepares itself
    seconds = []
    for _ in range(arguments.repeats):
        start = time.perf_counter()
        objective.terms_and_gradient(image)
        seconds.append(time.perf_counter() - start)
    peak_rss = peak_rss_bytes()

    save_file({"gradient": gradient.contiguous()}, arguments.gradient)
    result = {
        "torch": torch.__version__,
        "loss": terms.total.item(),
        "evaluation_seconds": seconds,
        "import_rss_bytes": import_rss,
        "peak_rss_bytes": peak_rss,
    }
    print(json.dumps(result))


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    for name in ("content", "style", "image"):
        parser.add_argument(name, type=Path, metavar=name.upper(), help="a picture, used at its own size")
    parser.add_argument("--weights", type=Path, required=True, metavar="FILE", help="VGG-19 for impasto")
    parser.add_argument("--gradient", type=Path, required=True, metavar="OUT", help="where to write it")
    parser.add_argument("--threads", type=int, required=True)
    parser.add_argument("--repeats", type=int, default=5, help="timed evaluations (%(default)s)")
    return parser.parse_args()


def read_picture(path: Path) -> torch.Tensor:
    """A picture as 3×H×W, RGB in 0–1."""
    with Image.open(path) as picture:
        values = np.asarray(picture.convert("RGB"), np.float32) / 255
    return torch.from_numpy(values).permute(2, 0, 1).contiguous()


def peak_rss_bytes() -> int:
    """The most memory this process has had so far, as Linux counts it."""
    status = Path("/proc/self/status").read_text()
    return int(re.search(r"VmHWM:\s+(\d+) kB", status)[1]) * 1024


if __name__ == "__main__":
    main()
