"""VGG's table 1 and its layers' names, as the other scripts need them (standard library only)."""

CONVOLUTIONS = {
    "vgg11": (1, 1, 2, 2, 2),
    "vgg11-lrn": (1, 1, 2, 2, 2),
    "vgg13": (2, 2, 2, 2, 2),
    "vgg16-c": (2, 2, 3, 3, 3),
    "vgg16": (2, 2, 3, 3, 3),
    "vgg19": (2, 2, 4, 4, 4),
}
"""How many convolutions each of the five groups has: networks A, A-LRN, B, C, D and E."""

DENSE = ("fc6", "fc7", "fc8")
"""The classifier's layers, in order."""

POOLED_SIDE = 7
"""Width and height of pool5 for a picture of 224×224, which is what fc6 takes."""

CAFFE = "caffe-bgr"
"""Preprocessing: BGR, 0–255, minus 103.939, 116.779 and 123.68."""

TORCHVISION = "torchvision-rgb"
"""Preprocessing: RGB, 0–1, minus 0.485, 0.456 and 0.406, over 0.229, 0.224 and 0.225."""


def layers(network: str) -> list[str]:
    """Names of everything a network does before its classifier, in order: these are the taps."""
    names = []
    for group, count in enumerate(CONVOLUTIONS[network], start=1):
        for index in range(1, count + 1):
            names += [f"conv{group}_{index}", f"relu{group}_{index}"]
        if network == "vgg11-lrn" and group == 1:
            names.append("norm1")
        names.append(f"pool{group}")
    return names


def layers_to(network: str, last: str) -> list[str]:
    """The layers from the picture to `last`, which is one of them."""
    names = layers(network)
    return names[: names.index(last) + 1]


def convolutions(network: str) -> list[str]:
    """Names of a network's convolutions, in order."""
    return [layer for layer in layers(network) if layer.startswith("conv")]


def kernel_side(network: str, convolution: str) -> int:
    """Side of a convolution's kernel: 3, but 1 for the last of network C's groups 3 to 5."""
    return 1 if network == "vgg16-c" and convolution in ("conv3_3", "conv4_3", "conv5_3") else 3


def torchvision_indices(network: str) -> dict[str, int]:
    """The N of torchvision's and timm's `features.N.weight`, by convolution."""
    return {name: index for index, name in enumerate(layers(network)) if name.startswith("conv")}
