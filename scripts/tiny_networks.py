"""Small seeded VGGs for the reference files, in each naming and number format that impasto reads."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch

import vgg_names
from vgg_torch import Vgg

Weights = dict[str, torch.Tensor]

HIDDEN, CLASSES = 12, 10


@dataclass
class TinyNetwork:
    """A small network and how its weights file is written."""

    name: str
    network: str
    widths: tuple[int, ...]
    seed: int
    first_layer_scale: float
    last_layer_scale: float = 1.0
    preprocessing: str = vgg_names.CAFFE
    classifier: bool = True
    dtype: torch.dtype = torch.float32
    naming: Callable | None = None

    def build(self) -> Vgg:
        """The network in float64, its weights rounded to what the file's number format holds."""
        weights = random_weights(self)
        rounded = {name: value.to(self.dtype).double() for name, value in weights.items()}
        return Vgg(self.network, rounded, self.preprocessing)

    def file(self, vgg: Vgg) -> tuple[Weights, dict[str, str]]:
        """Tensors and metadata of the weights file."""
        if self.naming is None:
            tensors = dict(vgg.weights)
            metadata = {
                "network": self.network,
                "preprocessing": self.preprocessing,
                "source": "random weights made by scripts/make_reference.py",
                "note": "a small network for tests; it recognises nothing",
            }
        else:
            tensors = self.naming(self.network, vgg.weights)
            metadata = {"format": "pt"}
        return {name: value.to(self.dtype) for name, value in tensors.items()}, metadata


def random_weights(tiny: TinyNetwork) -> Weights:
    """He-scaled kernels and small biases; `last_layer_scale` keeps the softmax from saturating."""
    generator = np.random.default_rng(tiny.seed)
    weights = {}

    def add(layer: str, shape: tuple[int, ...], scale: float, bias_scale: float) -> None:
        deviation = scale * np.sqrt(2 / np.prod(shape[1:]))
        weights[f"{layer}.weight"] = torch.from_numpy(generator.normal(0, deviation, shape))
        weights[f"{layer}.bias"] = torch.from_numpy(generator.normal(0, bias_scale, shape[0]))

    inputs = 3
    for layer in vgg_names.convolutions(tiny.network):
        outputs = tiny.widths[int(layer[4]) - 1]
        side = vgg_names.kernel_side(tiny.network, layer)
        scale = tiny.first_layer_scale if layer == "conv1_1" else 1.0
        add(layer, (outputs, inputs, side, side), scale, 0.3)
        inputs = outputs
    if tiny.classifier:
        inputs *= vgg_names.POOLED_SIDE**2
        for layer, outputs in zip(vgg_names.DENSE, (HIDDEN, HIDDEN, CLASSES)):
            scale = tiny.last_layer_scale if layer == "fc8" else 1.0
            add(layer, (outputs, inputs), scale, 0.1)
            inputs = outputs
    return weights


def torchvision_names(network: str, weights: Weights) -> Weights:
    """As torchvision names a VGG's tensors: `features.N` and `classifier.{0,3,6}`."""
    dense = {"fc6": "classifier.0", "fc7": "classifier.3", "fc8": "classifier.6"}
    return renamed(weights, features_names(network) | dense)


def timm_names(network: str, weights: Weights) -> Weights:
    """As timm does: `features.N`, and fc6 and fc7 as convolutions."""
    dense = {"fc6": "pre_logits.fc1", "fc7": "pre_logits.fc2", "fc8": "head.fc"}
    tensors = renamed(weights, features_names(network) | dense)
    side = vgg_names.POOLED_SIDE
    fc1, fc2 = tensors["pre_logits.fc1.weight"], tensors["pre_logits.fc2.weight"]
    tensors["pre_logits.fc1.weight"] = fc1.reshape(len(fc1), -1, side, side)
    tensors["pre_logits.fc2.weight"] = fc2.reshape(*fc2.shape, 1, 1)
    return tensors


def features_names(network: str) -> dict[str, str]:
    """`features.N` by convolution."""
    return {name: f"features.{n}" for name, n in vgg_names.torchvision_indices(network).items()}


def renamed(weights: Weights, names: dict[str, str]) -> Weights:
    """The weights under other layer names."""
    result = {}
    for name, value in weights.items():
        layer, kind = name.split(".")
        result[f"{names[layer]}.{kind}"] = value
    return result


ALL = (
    TinyNetwork(
        "tiny_vgg19",
        "vgg19",
        widths=(6, 10, 12, 17, 9),
        seed=19,
        first_layer_scale=0.1,
        classifier=False,
    ),
    TinyNetwork(
        "tiny_tv11",
        "vgg11",
        widths=(4, 6, 8, 8, 8),
        seed=11,
        first_layer_scale=1.0,
        preprocessing=vgg_names.TORCHVISION,
        dtype=torch.float16,
        naming=torchvision_names,
    ),
    TinyNetwork(
        "tiny_timm13",
        "vgg13",
        widths=(4, 6, 8, 8, 8),
        seed=13,
        first_layer_scale=1.0,
        preprocessing=vgg_names.TORCHVISION,
        dtype=torch.bfloat16,
        naming=timm_names,
    ),
    TinyNetwork(
        "tiny_a_lrn",
        "vgg11-lrn",
        widths=(6, 7, 8, 8, 8),
        seed=1,
        first_layer_scale=1.0,
        last_layer_scale=0.015,
    ),
    TinyNetwork(
        "tiny_c",
        "vgg16-c",
        widths=(4, 6, 8, 8, 8),
        seed=3,
        first_layer_scale=0.1,
        last_layer_scale=0.1,
    ),
)
"""Odd widths in the first, so that no kernel's block size divides them."""
