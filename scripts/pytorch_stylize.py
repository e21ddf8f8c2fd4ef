#!/usr/bin/env python3
"""The plain method in PyTorch on the CPU: PyTorch's side of `compare_pytorch.py --to-loss`.

    python scripts/pytorch_stylize.py --weights vgg19.safetensors --threads 2 --out out.png CONTENT STYLE

L-BFGS on the pixels at one scale, from the content picture, with the relative loss at content weight 1 and style weight
5 and no total variation, until --evaluations are made. Prints one JSON object: `losses`, one for each evaluation, and
`loss` of the picture at the end.

With --judge PICTURE... in place of --out it prints the `losses` of these pictures instead.
"""

import argparse
import json
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from pytorch_evaluation import read_picture
from vgg_torch import LossSpec, Objective, load_vgg19


def main() -> None:
    arguments = parse_arguments()
    torch.set_num_threads(arguments.threads)
    content, style = map(read_picture, (arguments.content, arguments.style))
    vgg = load_vgg19(arguments.weights, "relu5_1", torch.float32, pooling="max")
    objective = Objective(vgg, LossSpec(form="relative", alpha=1.0, beta=5.0, gamma=0.0), content, style)
    if arguments.judge:
        with torch.no_grad():
            losses = [objective.terms(read_picture(path)).total.item() for path in arguments.judge]
        print(json.dumps({"losses": losses}))
        return

    image, losses = stylize(objective, content, arguments.evaluations)
    with torch.no_grad():
        loss = objective.terms(image).total.item()
    values = (image.clamp(0, 1) * 255).round().byte().permute(1, 2, 0).numpy()
    Image.fromarray(np.ascontiguousarray(values)).save(arguments.out)
    print(json.dumps({"losses": losses, "loss": loss}))


def stylize(objective: Objective, content: torch.Tensor, evaluations: int) -> tuple[torch.Tensor, list[float]]:
    """The picture, and the loss at each evaluation."""
    image = content.clone().requires_grad_()
    optimizer = torch.optim.LBFGS(
        [image], max_iter=evaluations, max_eval=evaluations, history_size=10, line_search_fn="strong_wolfe"
    )
    losses = []

    def evaluate() -> torch.Tensor:
        optimizer.zero_grad()
        total = objective.terms(image).total
        total.backward()
        losses.append(total.item())
        return total

    optimizer.step(evaluate)
    return image.detach(), losses


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    for name in ("content", "style"):
        parser.add_argument(name, type=Path, metavar=name.upper(), help="a picture, used at its own size")
    parser.add_argument("--weights", type=Path, required=True, metavar="FILE", help="VGG-19 for impasto")
    parser.add_argument("--threads", type=int, required=True)
    parser.add_argument("--evaluations", type=int, default=300, help="(%(default)s)")
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--out", type=Path, metavar="OUT", help="where to write the picture")
    what.add_argument("--judge", type=Path, nargs="+", metavar="PICTURE")
    return parser.parse_args()


if __name__ == "__main__":
    main()
