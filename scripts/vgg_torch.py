"""VGG and the style-transfer loss in PyTorch: what impasto's numbers are held against.

Nothing here is clever: every value comes from PyTorch's own operators, every gradient from autograd.
Pictures are 3×H×W, RGB in 0–1; weights go by `convB_I.weight`, `convB_I.bias`, `fc6.weight`, …
"""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path

import torch
import torch.nn.functional as F
from safetensors import safe_open
from torch import Tensor

import vgg_names

STYLE_LAYERS = ("relu1_1", "relu2_1", "relu3_1", "relu4_1", "relu5_1")
CONTENT_LAYERS = ("relu4_2",)


def preprocess(picture: Tensor, convention: str) -> Tensor:
    """The network's input (1×3×H×W) for a picture, by the convention its weights were trained with."""

    def by_channel(*values):
        return picture.new_tensor(values).view(3, 1, 1)

    if convention == vgg_names.CAFFE:
        prepared = picture.flip(0) * 255 - by_channel(103.939, 116.779, 123.68)
    elif convention == vgg_names.TORCHVISION:
        prepared = (picture - by_channel(0.485, 0.456, 0.406)) / by_channel(0.229, 0.224, 0.225)
    else:
        raise ValueError(f"unknown preprocessing {convention!r}")
    return prepared.unsqueeze(0)


@dataclass
class Vgg:
    """A network of VGG's table 1 with its weights."""

    network: str
    weights: dict[str, Tensor]
    preprocessing: str
    pooling: str = "max"
    edges: str = "zero"

    def features(self, picture: Tensor, taps: Iterable[str]) -> dict[str, Tensor]:
        """C×H×W feature maps of `picture` by tap; runs no further than the deepest tap."""
        wanted, found = set(taps), {}
        x = preprocess(picture, self.preprocessing)
        for layer in vgg_names.layers(self.network):
            x = self._layer(layer, x)
            if layer in wanted:
                found[layer] = x.squeeze(0)
                if len(found) == len(wanted):
                    return found
        raise ValueError(f"{self.network} has no {sorted(wanted - found.keys())}")

    def probabilities(self, picture: Tensor) -> Tensor:
        """The classifier's softmax for a 224×224 picture."""
        x = self.features(picture, ["pool5"])["pool5"].flatten()
        for layer in vgg_names.DENSE:
            x = F.linear(x, self.weights[f"{layer}.weight"], self.weights[f"{layer}.bias"])
            x = x.softmax(0) if layer == vgg_names.DENSE[-1] else x.relu()
        return x

    def _layer(self, layer: str, x: Tensor) -> Tensor:
        if layer.startswith("conv"):
            weight, bias = self.weights[f"{layer}.weight"], self.weights[f"{layer}.bias"]
            margin = weight.shape[-1] // 2
            if self.edges == "wrap":
                return F.conv2d(F.pad(x, [margin] * 4, "circular"), weight, bias)
            if self.edges == "replicate" and layer == "conv1_1":
                return F.conv2d(F.pad(x, [margin] * 4, "replicate"), weight, bias)
            return F.conv2d(x, weight, bias, padding=margin)
        if layer.startswith("relu"):
            return x.relu()
        if layer.startswith("norm"):
            # Krizhevsky 2012: n 5, k 2, alpha 1e-4 on the sum; PyTorch's alpha is on the mean of n.
            return F.local_response_norm(x, size=5, alpha=5e-4, beta=0.75, k=2.0)
        pool = F.max_pool2d if self.pooling == "max" else F.avg_pool2d
        return pool(x, kernel_size=2, stride=2)


def load_vgg19(path: Path, deepest: str, dtype: torch.dtype, pooling: str = "max") -> Vgg:
    """VGG-19's convolutions as far as the tap `deepest`, from impasto's kind of file."""
    taps = vgg_names.layers_to("vgg19", deepest)
    with safe_open(path, "pt") as file:
        names = [name for name in file.keys() if name.split(".")[0] in taps]
        weights = {name: file.get_tensor(name).to(dtype) for name in names}
        return Vgg("vgg19", weights, file.metadata()["preprocessing"], pooling)


def equal_weights(names: Iterable[str]) -> dict[str, float]:
    """A weight of 1/(number of layers) for each layer."""
    names = list(names)
    return {name: 1 / len(names) for name in names}


@dataclass
class LossSpec:
    """Which loss: its form, the three weights, and the layers with theirs."""

    form: str = "relative"
    alpha: float = 1.0
    beta: float = 5.0
    gamma: float = 0.0
    statistic: str = "gram"
    laplacian_weight: float = 0.0
    content_layers: dict[str, float] = field(default_factory=lambda: equal_weights(CONTENT_LAYERS))
    style_layers: dict[str, float] = field(default_factory=lambda: equal_weights(STYLE_LAYERS))


@dataclass
class Terms:
    """One evaluation: unweighted terms by layer, total variation, the Laplacian term, and the weighted total."""

    content: dict[str, Tensor]
    style: dict[str, Tensor]
    tv: Tensor
    laplacian: Tensor
    total: Tensor


@dataclass
class Region:
    """A part of the picture that takes after a part of the style: a weight for each pixel of both, H×W."""

    image: Tensor
    style: Tensor


class Objective:
    """The loss of a picture against one content and one style picture, whose targets it keeps. With `regions`, each of these
    has a style term of its own, which counts by its share of the picture."""

    def __init__(
        self, vgg: Vgg, spec: LossSpec, content: Tensor, style: Tensor, regions: list[Region] | None = None
    ):
        self.vgg, self.spec = vgg, spec
        self.content = content
        with torch.no_grad():
            self.content_targets = vgg.features(content, spec.content_layers)
            # A style's picture does not repeat.
            of_style = replace(vgg, edges="replicate") if vgg.edges == "wrap" else vgg
            style_features = of_style.features(style, spec.style_layers)
            self.regions = regions
            self.style_targets = {
                tap: [moments(maps, region and weights_at(region.style, maps)) for region in regions or [None]]
                for tap, maps in style_features.items()
            }

    def terms(self, image: Tensor) -> Terms:
        """Every term of the loss of `image` (3×H×W)."""
        spec = self.spec
        features = self.vgg.features(image, [*spec.content_layers, *spec.style_layers])
        content = {
            tap: content_loss(spec.form, features[tap], target)
            for tap, target in self.content_targets.items()
        }
        style = {
            tap: self._style_loss(features[tap], targets) for tap, targets in self.style_targets.items()
        }
        tv = total_variation(image, self.vgg.edges == "wrap")
        laplacian = laplacian_loss(spec.form, image, self.content)
        total = (
            spec.alpha * sum(weight * content[tap] for tap, weight in spec.content_layers.items())
            + spec.beta * sum(weight * style[tap] for tap, weight in spec.style_layers.items())
            + spec.gamma * tv
        )
        if spec.laplacian_weight:
            total = total + spec.laplacian_weight * laplacian
        return Terms(content, style, tv, laplacian, total)

    def _style_loss(self, maps: Tensor, targets: list["Moments"]) -> Tensor:
        """The style term of one layer: with regions, of those that have a position there, by their shares."""
        if not self.regions:
            return style_loss(self.spec, moments(maps), targets[0])
        term = maps.new_zeros(())
        for region, target in zip(self.regions, targets):
            found = moments(maps, weights_at(region.image, maps))
            if min(found.count, target.count) >= 1:
                term = term + region.image.mean() * style_loss(self.spec, found, target)
        return term

    def terms_and_gradient(self, image: Tensor) -> tuple[Terms, Tensor]:
        """The terms, and the gradient of the total by the picture's RGB in 0–1 (3×H×W)."""
        image = image.detach().requires_grad_()
        terms = self.terms(image)
        (gradient,) = torch.autograd.grad(terms.total, image)
        return terms, gradient


@dataclass
class Moments:
    """The weighted mean of C×H×W feature maps over positions, and their Gram matrix Σ t f·fᵀ over the sum of weights."""

    count: Tensor
    mean: Tensor
    second: Tensor

    def covariance(self) -> Tensor:
        """The covariance matrix."""
        return self.second - self.mean.outer(self.mean)


def moments(maps: Tensor, weights: Tensor | None = None) -> Moments:
    """The moments of C×H×W feature maps, with H×W weights of their positions if there are some."""
    flat = maps.flatten(1)
    if weights is None:
        return Moments(flat.new_tensor(flat.shape[1]), flat.mean(1), flat @ flat.T / flat.shape[1])
    weights = weights.flatten()
    count = weights.sum()
    return Moments(count, flat @ weights / count, (flat * weights) @ flat.T / count)


def weights_at(weights: Tensor, maps: Tensor) -> Tensor:
    """The weights of a picture's pixels at the positions of feature maps."""
    while weights.shape != maps.shape[1:]:
        weights = F.avg_pool2d(weights[None], kernel_size=2, stride=2)[0]
    return weights


def content_loss(form: str, maps: Tensor, target: Tensor) -> Tensor:
    """½ Σ(F−P)² (gatys) or Σ(F−P)² / ΣP² (relative)."""
    error = (maps - target).square().sum()
    return error / 2 if form == "gatys" else error / target.square().sum()


def style_loss(spec: LossSpec, found: Moments, target: Moments) -> Tensor:
    """The style term of one layer."""
    if spec.statistic == "wasserstein":
        return wasserstein_loss(found, target)
    error = (found.second - target.second).square().sum()
    if spec.form == "gatys":
        return error / (4 * len(target.mean) ** 2)
    return error / target.second.square().sum()


def wasserstein_loss(found: Moments, target: Moments) -> Tensor:
    """The squared 2-Wasserstein distance of two normal distributions over the target's energy ‖μ‖² + tr C.

    Along the target's principal directions with a variance below 0.3 of a channel's mean energy, the target counts as constant. Along
    the others 0.01 of that energy is added to both variances.
    """
    energy = target.second.trace()
    unit = energy / len(target.mean)
    values, vectors = torch.linalg.eigh(target.covariance() / unit)
    values, vectors = values[values > 0.3], vectors[:, values > 0.3]
    values = unit * (values + 1e-2)
    covariance = found.covariance()
    projected = vectors.T @ covariance @ vectors + 1e-2 * unit * torch.eye(len(values), dtype=energy.dtype)
    # eigvalsh has a gradient where eigenvalues are equal, eigh has none there.
    root_trace = torch.linalg.eigvalsh(values.sqrt().diag() @ projected @ values.sqrt().diag()).sqrt().sum()
    distance = (found.mean - target.mean).square().sum()
    regularization = 1e-2 * unit * len(values)
    return (distance + covariance.trace() + regularization + values.sum() - 2 * root_trace) / energy


def total_variation(image: Tensor, wraps: bool = False) -> Tensor:
    """The squared differences of all horizontal and vertical neighbours, over the 3·H·W values."""
    if wraps:
        differences = [image - image.roll(1, dims=dim) for dim in (1, 2)]
        return sum(difference.square().sum() for difference in differences) / image.numel()
    return (image.diff(dim=1).square().sum() + image.diff(dim=2).square().sum()) / image.numel()


def laplacian_loss(form: str, image: Tensor, content: Tensor) -> Tensor:
    """The squared distance of the Laplacians after average pooling by 4 and 16 (Lapstyle, Li et al. 2017): the sum for values
    of 0-255 (gatys), or the mean over the poolings of what it is relative to the content's."""
    terms = []
    for cell in (4, 16):
        found, target = (
            laplacian(F.avg_pool2d(picture, cell, ceil_mode=True, count_include_pad=False))
            for picture in (image, content)
        )
        error = (found - target).square().sum()
        energy = target.square().sum().clamp(min=1e-4 * target.numel())
        terms.append(error * 255**2 if form == "gatys" else error / energy / 2)
    return sum(terms)


def laplacian(planes: Tensor) -> Tensor:
    """The 5-point Laplacian of each plane, with replicated edges."""
    kernel = planes.new_tensor([[0, -1, 0], [-1, 4, -1], [0, -1, 0]]).view(1, 1, 3, 3)
    return F.conv2d(F.pad(planes.unsqueeze(1), (1, 1, 1, 1), mode="replicate"), kernel).squeeze(1)
