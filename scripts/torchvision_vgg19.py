#!/usr/bin/env python3
"""Writes VGG-19 as the file that torchvision downloads, for programs that load it through torchvision.

    python scripts/torchvision_vgg19.py vgg19.safetensors vgg19-dcbb9e9d.pth photo.jpg painting.jpg …

Put it into `$TORCH_HOME/hub/checkpoints/`. The original weights take BGR in 0–255 minus a mean: this goes into conv1_1, so that
it takes torchvision's normalised RGB. The original's features have means of up to 500, and a program's weights of its terms are
made for the much smaller ones of torchvision's own training. So each convolution is scaled to make the mean of its features over
the pictures 1; the ReLU of a multiple is the multiple of the ReLU, so nothing else changes. The dense layers are 0.
"""

import argparse
import sys
from pathlib import Path

import torch
import torch.nn.functional as F
from PIL import Image
from safetensors.torch import load_file
from torchvision.transforms.functional import to_tensor

import vgg_names

SIDE = 256
DENSE_SHAPES = {0: (4096, 25088), 3: (4096, 4096), 6: (1000, 4096)}


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("weights", type=Path, help="VGG-19 for impasto, with Caffe's preprocessing")
    parser.add_argument("out", type=Path, help="the file to write")
    parser.add_argument("pictures", type=Path, nargs="+", help="pictures over which features are averaged")
    parser.add_argument("--mean", type=float, default=1.0, help="of each layer's features (%(default)s)")
    arguments = parser.parse_args()
    weights = load_file(arguments.weights)
    fold_preprocessing(weights)
    scale_features(weights, [normalised(path) for path in arguments.pictures], arguments.mean)
    torch.save(state_dict(weights), arguments.out)
    return 0


def fold_preprocessing(weights: dict[str, torch.Tensor]) -> None:
    """Makes conv1_1 take torchvision's normalised RGB. Exact where the border replicates the picture's pixels."""
    mean, deviation = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])
    caffe_mean = torch.tensor([123.68, 116.779, 103.939])
    rgb = weights["conv1_1.weight"].flip(1)
    weights["conv1_1.weight"] = rgb * (255 * deviation).view(1, 3, 1, 1)
    weights["conv1_1.bias"] = weights["conv1_1.bias"] + rgb.sum((2, 3)) @ (255 * mean - caffe_mean)


def normalised(path: Path) -> torch.Tensor:
    """A small picture as torchvision's networks take it."""
    with Image.open(path) as picture:
        picture = picture.convert("RGB")
        picture.thumbnail((SIDE, SIDE))
    mean, deviation = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])
    return ((to_tensor(picture) - mean.view(3, 1, 1)) / deviation.view(3, 1, 1))[None]


@torch.no_grad()
def scale_features(weights: dict[str, torch.Tensor], maps: list[torch.Tensor], mean: float) -> None:
    """Scales each convolution so that its features' mean over the pictures is `mean`; prints what it
    was after those before were scaled."""
    for layer in vgg_names.layers("vgg19"):
        if layer.startswith("pool"):
            maps = [F.max_pool2d(x, 2) for x in maps]
        if not layer.startswith("conv"):
            continue
        weight, bias = weights[f"{layer}.weight"], weights[f"{layer}.bias"]
        maps = [F.conv2d(F.pad(x, (1, 1, 1, 1), "replicate"), weight, bias).relu() for x in maps]
        found = torch.stack([x.mean() for x in maps]).mean()
        weights[f"{layer}.weight"], weights[f"{layer}.bias"] = weight * mean / found, bias * mean / found
        maps = [x * mean / found for x in maps]
        following(weights, layer, mean / found)
        print(f"{layer}: {found:.3f}")


def following(weights: dict[str, torch.Tensor], layer: str, factor: torch.Tensor) -> None:
    """Makes all later biases fit features that are `factor` times as large."""
    names = vgg_names.convolutions("vgg19")
    for later in names[names.index(layer) + 1 :]:
        weights[f"{later}.bias"] = weights[f"{later}.bias"] * factor


def state_dict(weights: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """The tensors under torchvision's names."""
    found = {}
    for name, index in vgg_names.torchvision_indices("vgg19").items():
        for kind in ("weight", "bias"):
            found[f"features.{index}.{kind}"] = weights[f"{name}.{kind}"].contiguous()
    for index, shape in DENSE_SHAPES.items():
        found[f"classifier.{index}.weight"] = torch.zeros(shape)
        found[f"classifier.{index}.bias"] = torch.zeros(shape[0])
    return found


if __name__ == "__main__":
    sys.exit(main())
