"""Reads VGG weights from the files they are published in and gives every layer impasto's name and order.

Convolutions come out as (out, in, height, width), dense layers as (out, in) with fc6 taking pool5's
values channel by channel (C, H, W), whatever the file has.
"""

import re
import zipfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np

import vgg_names
from pth_reader import CheckpointError, is_legacy, read_pth

HDF5_MAGIC = b"\x89HDF\r\n\x1a\n"
CONVOLUTION = re.compile(r"conv[1-5]_[1-4]")
KERAS_LAYER = re.compile(r"block([1-5])_conv([1-4])|fc1|fc2|predictions")
KERAS_DENSE = {"fc1": "fc6", "fc2": "fc7", "predictions": "fc8"}
PYTORCH_DENSE = {
    "classifier.0": "fc6",
    "classifier.3": "fc7",
    "classifier.6": "fc8",
    "pre_logits.fc1": "fc6",
    "pre_logits.fc2": "fc7",
    "head.fc": "fc8",
}


@dataclass
class Checkpoint:
    """Weights by impasto's names, and what the file's kind says of the pictures they were trained on."""

    kind: str
    tensors: dict[str, np.ndarray]
    preprocessing: str = vgg_names.CAFFE
    channel_order: str = "bgr"


def read_checkpoint(path: Path) -> Checkpoint:
    """Reads a file of any known kind; the kind is told by what is in it, not by its name."""
    with path.open("rb") as file:
        start = file.read(len(HDF5_MAGIC))
        file.seek(0)
        legacy = is_legacy(file)
    if start == HDF5_MAGIC:
        return read_keras(path)
    if legacy:
        return from_pytorch(read_pth(path), "PyTorch, legacy container")
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
        if any(name.endswith("/data.pkl") for name in names):
            return from_pytorch(read_pth(path), "PyTorch, zip container")
        if names and all(name.endswith(".npy") for name in names):
            return read_npz(path)
    raise CheckpointError("neither a PyTorch .pth, a Keras .h5 nor a NumPy .npz file, or truncated")


def from_pytorch(tensors: dict[str, np.ndarray], kind: str) -> Checkpoint:
    """Gives the tensors of a state dict, named as by impasto, torchvision or timm, impasto's names."""
    if any(name.endswith("running_mean") for name in tensors):
        raise CheckpointError("it is a VGG with batch normalisation, which is not supported")
    if any(CONVOLUTION.match(name) for name in tensors):
        return Checkpoint(kind, {name: tensors[name] for name in tensors if is_own_name(name)})
    numbers = {int(match[1]) for name in tensors if (match := re.fullmatch(r"features\.(\d+)\.weight", name))}
    for network in ("vgg11", "vgg13", "vgg16", "vgg19"):
        indices = vgg_names.torchvision_indices(network)
        if numbers == set(indices.values()):
            own = PYTORCH_DENSE | {f"features.{index}": name for name, index in indices.items()}
            break
    else:
        raise CheckpointError(f"no VGG has its convolutions at features.N for N = {sorted(numbers)}")
    renamed = {}
    for name, tensor in tensors.items():
        layer, _, part = name.rpartition(".")
        if layer in own:
            is_dense_kernel = layer in PYTORCH_DENSE and part == "weight"
            renamed[f"{own[layer]}.{part}"] = tensor.reshape(len(tensor), -1) if is_dense_kernel else tensor
    return Checkpoint(kind, renamed, vgg_names.TORCHVISION, "rgb")


def read_keras(path: Path) -> Checkpoint:
    """Keras's VGG16 or VGG19, with or without its top, alone or in a saved model."""
    try:
        import h5py
    except ImportError:
        raise CheckpointError("reading a Keras file needs h5py: pip install h5py") from None
    found = {}

    def visit(name, item):
        layer = next((part for part in name.split("/") if KERAS_LAYER.fullmatch(part)), None)
        if layer and isinstance(item, h5py.Dataset):
            match = KERAS_LAYER.fullmatch(layer)
            own = KERAS_DENSE.get(layer) or f"conv{match[1]}_{match[2]}"
            key = f"{own}.{'bias' if item.ndim == 1 else 'weight'}"
            if key in found:
                raise CheckpointError(f"it has more than one {key}, the second at {name}")
            found[key] = item[()]

    try:
        with h5py.File(path) as file:
            file.get("model_weights", file).visititems(visit)
    except (OSError, RuntimeError) as error:
        raise CheckpointError(f"broken HDF5 file: {error}") from error
    return Checkpoint("Keras", from_channels_last(found))


def read_npz(path: Path) -> Checkpoint:
    """NumPy arrays, either `conv1_1.weight` (as impasto has them) or `conv1_1_W` (channels last, RGB)."""
    try:
        with np.load(path, allow_pickle=False) as archive:
            arrays = {name: archive[name] for name in archive.files}
    except (ValueError, EOFError, zipfile.BadZipFile) as error:
        raise CheckpointError(f"broken NumPy archive: {error}") from error
    if own := {name: array for name, array in arrays.items() if is_own_name(name)}:
        return Checkpoint("NumPy", own)
    parts = {"W": "weight", "b": "bias"}
    found = {}
    for name, array in arrays.items():
        layer, _, part = name.rpartition("_")
        if part in parts and is_own_name(f"{layer}.{parts[part]}"):
            found[f"{layer}.{parts[part]}"] = array
    return Checkpoint("NumPy, channels last", from_channels_last(found), channel_order="rgb")


def is_own_name(name: str) -> bool:
    """Whether a tensor is named as in impasto's files."""
    layer, _, part = name.rpartition(".")
    known = CONVOLUTION.fullmatch(layer) or layer in vgg_names.DENSE
    return bool(known) and part in ("weight", "bias")


def from_channels_last(tensors: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """impasto's order from kernels (height, width, in, out) and (in, out), fc6 taking (H, W, C)."""
    result = {}
    for name, tensor in tensors.items():
        if tensor.ndim == 4:
            tensor = tensor.transpose(3, 2, 0, 1)
        elif tensor.ndim == 2 and name == "fc6.weight":
            inputs, outputs = tensor.shape
            side = vgg_names.POOLED_SIDE
            if inputs % side**2:
                raise CheckpointError(f"fc6 takes {inputs} values, a multiple of {side}·{side} was expected")
            maps = tensor.reshape(side, side, -1, outputs)
            tensor = maps.transpose(3, 2, 0, 1).reshape(outputs, inputs)
        elif tensor.ndim == 2:
            tensor = tensor.T
        result[name] = tensor
    return result
