#!/usr/bin/env python3
"""Converts published VGG weights to the safetensors file that impasto reads.

    python scripts/convert_weights.py vgg19-dcbb9e9d.pth -o vgg19.safetensors
    python scripts/convert_weights.py vgg16_weights.npz -o vgg16.safetensors --dtype f16

Reads PyTorch .pth state dicts (new and legacy container; names of torchvision, timm or `convB_I`),
Keras .h5 (VGG16 and VGG19, with or without top) and .npz (`convB_I.weight`, or `convB_I_W` with
channels last). PyTorch is not needed, and nothing in a file is ever run.

Pictures must be prepared as in training. Names of torchvision and timm imply theirs (RGB, 0–1,
standardised), all other files Caffe's (0–255 minus the mean). `--preprocessing` overrides this: the
.pth files of Caffe's VGGs under torchvision's names need `--preprocessing caffe`. impasto feeds
Caffe-style networks BGR and others RGB; where a file's first layer takes the other order, the layer is
turned round. `.npz` files with `convB_I_W` take RGB, the others what their preprocessing says;
`--channel-order` overrides that.
"""

import argparse
import re
import sys
from pathlib import Path

import numpy as np

import stable_safetensors
import vgg_names
from pth_reader import CheckpointError
from weight_sources import Checkpoint, read_checkpoint

PREPROCESSING = {"caffe": vgg_names.CAFFE, "torchvision": vgg_names.TORCHVISION}
CHANNEL_ORDER = {vgg_names.CAFFE: "bgr", vgg_names.TORCHVISION: "rgb"}
DTYPES = {"f32": np.float32, "f16": np.float16}


def main(argv: list[str] | None = None) -> int:
    arguments = parse_arguments(argv)
    try:
        checkpoint = read_checkpoint(arguments.file)
        settle_preprocessing(checkpoint, arguments.preprocessing, arguments.channel_order)
        network = identify(checkpoint.tensors, arguments.network)
        tensors = checked(network, checkpoint.tensors, DTYPES[arguments.dtype])
        parts = "convolutions and classifier" if "fc6.weight" in tensors else "convolutions only"
        metadata = {
            "network": network,
            "preprocessing": checkpoint.preprocessing,
            "source": arguments.source,
            "note": f"{parts}, stored as {arguments.dtype.upper()}",
            "converted_from": f"{arguments.file.name} ({checkpoint.kind})",
        }
        stable_safetensors.save(arguments.output, tensors, metadata)
    except CheckpointError as error:
        return failed(f"{arguments.file}: {error}")
    except OSError as error:
        return failed(f"{error.filename or arguments.file}: {error.strerror or error}")
    size = arguments.output.stat().st_size / 1e6
    print(f"{arguments.output}: {network}, {metadata['note']}, {checkpoint.preprocessing}, {size:.1f} MB")
    return 0


def parse_arguments(argv: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("file", type=Path, metavar="FILE", help="the weights to convert")
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="OUT", help="the file to write")
    parser.add_argument("--dtype", choices=DTYPES, default="f32", help="number format (%(default)s)")
    parser.add_argument("--network", choices=vgg_names.CONVOLUTIONS, help="where the file leaves it open")
    parser.add_argument("--preprocessing", choices=PREPROCESSING, help="how pictures are prepared")
    parser.add_argument("--channel-order", choices=["rgb", "bgr"], help="what the file's first layer takes")
    parser.add_argument("--source", default="not stated", help="who trained them, under which licence")
    return parser.parse_args(argv)


def failed(message: str) -> int:
    """Says what went wrong in one line; the exit code."""
    print(f"convert_weights.py: {' '.join(message.split())}", file=sys.stderr)
    return 1


def settle_preprocessing(
    checkpoint: Checkpoint, preprocessing: str | None, channel_order: str | None
) -> None:
    """Applies what the user says of the preprocessing; turns the first layer to impasto's channel order."""
    if preprocessing and PREPROCESSING[preprocessing] != checkpoint.preprocessing:
        checkpoint.preprocessing = PREPROCESSING[preprocessing]
        checkpoint.channel_order = CHANNEL_ORDER[checkpoint.preprocessing]
    order = channel_order or checkpoint.channel_order
    first = checkpoint.tensors.get("conv1_1.weight")
    if first is not None and first.ndim == 4 and order != CHANNEL_ORDER[checkpoint.preprocessing]:
        checkpoint.tensors["conv1_1.weight"] = first[:, ::-1]
        checkpoint.channel_order = CHANNEL_ORDER[checkpoint.preprocessing]


def identify(tensors: dict[str, np.ndarray], wanted: str | None) -> str:
    """Which network of VGG's table the convolutions are; A-LRN looks as A does and must be wanted."""
    kernels = {name: tensor for name, tensor in tensors.items() if re.match(r"conv.*\.weight$", name)}
    sides = {name.removesuffix(".weight"): kernel.shape[-1] for name, kernel in kernels.items()}
    for network in [wanted] if wanted else vgg_names.CONVOLUTIONS:
        names = vgg_names.convolutions(network)
        if sides == {name: vgg_names.kernel_side(network, name) for name in names}:
            return network
    found = ", ".join(f"{name} ({side}×{side})" for name, side in sorted(sides.items()))
    raise CheckpointError(f"its convolutions are not those of {wanted or 'any VGG'}: {found or 'none'}")


def checked(network: str, tensors: dict[str, np.ndarray], dtype: type) -> dict[str, np.ndarray]:
    """The network's tensors in the number format wanted, after a check of every name, shape and value."""
    result = {}

    def take(layer: str, kernel: tuple[int | None, ...]) -> int:
        weight = tensor(f"{layer}.weight", kernel)
        tensor(f"{layer}.bias", (len(weight),))
        return len(weight)

    def tensor(name: str, expected: tuple[int | None, ...]) -> np.ndarray:
        if name not in tensors:
            raise CheckpointError(f"{name} is missing; {network} needs it")
        value = tensors[name]
        if value.dtype.kind != "f":
            raise CheckpointError(f"{name} should hold real numbers, it holds {value.dtype}")
        fits = value.ndim == len(expected) and all(n in (None, m) for n, m in zip(expected, value.shape))
        if not fits or 0 in value.shape:
            raise CheckpointError(f"{name} should be {shape_text(expected)}, it is {shape_text(value.shape)}")
        with np.errstate(over="ignore"):
            result[name] = np.ascontiguousarray(value, dtype)
        if not np.isfinite(result[name]).all():
            cause = f"too large for {np.dtype(dtype).name}" if np.isfinite(value).all() else "not finite"
            raise CheckpointError(f"{name} has values that are {cause}")
        return value

    channels = 3
    for layer in vgg_names.convolutions(network):
        side = vgg_names.kernel_side(network, layer)
        channels = take(layer, (None, channels, side, side))
    if any(name.startswith("fc") for name in tensors):
        inputs = channels * vgg_names.POOLED_SIDE**2
        for layer in vgg_names.DENSE:
            inputs = take(layer, (None, inputs))
    return result


def shape_text(shape: tuple[int | None, ...]) -> str:
    """A shape as in 64×3×3×3, with n for a side that may be any."""
    return "×".join("n" if side is None else str(side) for side in shape) or "a single number"


if __name__ == "__main__":
    sys.exit(main())
