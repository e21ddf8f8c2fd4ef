#!/usr/bin/env python3
"""Makes the reference files that the tests hold impasto's numbers against.

    python scripts/make_reference.py                         # tests/reference/{tiny,case}_*, pictures
    python scripts/make_reference.py --vgg19 vgg19.safetensors        # … and real_* from that VGG-19

Everything is computed by PyTorch in float64 from seeded weights and pictures that float32 (or what the
weights file keeps) holds exactly, and stored as float32; loss terms are stored as float64. The same
machine makes the same bytes every time.

- `pictures`: `content`, `style`, `image` and `style_same_size` (3×H×W, RGB in 0–1, whole 255ths) for the
  loss cases, and `grid` (3×14×14), each value repeated 16×16 times, for the classifiers.
- `tiny_*`: weights of small networks in every naming and number format that impasto reads.
- `case_*` and `real_*`: `content.<tap>` and `style.<tap>` (unweighted), `tv`, in one `laplacian`, `loss`, `gradient`
  (3×H×W, of `loss` by RGB in 0–1), and in some `features.<tap>` of `image`, or the pictures themselves,
  `picture.<name>`; or `probabilities`. With regions, `region.<n>` and `style_region.<n>`, a weight (1×H×W)
  for each pixel of the picture and of the style.
  The metadata names the weights, the pictures and the loss.
"""

import argparse
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from safetensors.torch import save
from torch import Tensor

import stable_safetensors
import tiny_networks
import vgg_names
from vgg_torch import LossSpec, Objective, Region, Vgg, load_vgg19

Pictures = dict[str, Tensor]

FOLDER = Path(__file__).resolve().parent.parent / "tests" / "reference"
PAPER = {"form": "gatys", "alpha": 1.0, "beta": 1000.0, "gamma": 1e-3}
RELATIVE = {"form": "relative", "alpha": 1.0, "beta": 5.0, "gamma": 0.1}
WASSERSTEIN = RELATIVE | {"statistic": "wasserstein"}
STRONG_TV = RELATIVE | {"gamma": 50.0}  # enough for the gradient's check to see TV's part of it
REAL_SAMPLES = 512
DEMO = Path(__file__).resolve().parent.parent / "demo"
PHOTOGRAPH_BOXES = ((0, 0, 512, 372), (60, 150, 236, 278), (330, 40, 418, 104))


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", type=Path, default=FOLDER, metavar="DIR", help="where to write")
    parser.add_argument("--vgg19", type=Path, metavar="FILE", help="a VGG-19 for the real_* files")
    arguments = parser.parse_args()
    torch.set_num_threads(1)  # so that sums are always taken in the same order
    arguments.out.mkdir(parents=True, exist_ok=True)

    pictures = make_pictures()
    write(arguments.out / "pictures.safetensors", pictures, {"range": "RGB in 0-1, whole 255ths"})
    networks = {}
    for tiny in tiny_networks.ALL:
        networks[tiny.name] = tiny.build()
        tensors, metadata = tiny.file(networks[tiny.name])
        write(arguments.out / f"{tiny.name}.safetensors", tensors, metadata)
    write_loss_cases(arguments.out, networks, pictures)
    write_classifier_cases(arguments.out, networks, pictures)
    if arguments.vgg19:
        write_real_cases(arguments.out, arguments.vgg19, pictures)
        write_photograph_cases(arguments.out, arguments.vgg19, pictures)


def write_loss_cases(folder: Path, networks: dict[str, Vgg], pictures: Pictures) -> None:
    """The cases with a loss and its gradient, on the small networks."""
    vgg19 = networks["tiny_vgg19"]
    taps = vgg_names.layers_to("vgg19", "relu5_1")
    # To stay small: not the large maps before their ReLU, and with average pooling what it changes.
    stored = {
        "max": [tap for tap in taps if not tap.startswith(("conv1_", "conv2_"))],
        "average": [tap for tap in taps[taps.index("pool1") :] if not tap.startswith("conv")],
    }
    for pooling in ("max", "average"):
        for loss in (RELATIVE, PAPER):
            case = LossCase(vgg19, "tiny_vgg19", pooling, LossSpec(**loss))
            features = case.features(pictures, stored[pooling]) if loss is RELATIVE else {}
            case.write(folder / f"case_{pooling}_{loss['form']}.safetensors", pictures, features)

    same_size = LossCase(vgg19, "tiny_vgg19", "max", LossSpec(**PAPER), style="style_same_size")
    same_size.write(folder / "case_same_size.safetensors", pictures)

    layers = {
        "content_layers": {"conv3_2": 0.7, "pool2": 0.3},
        "style_layers": {"conv1_1": 0.2, "pool1": 0.3, "relu3_1": 0.5},
    }
    conv_taps = LossCase(vgg19, "tiny_vgg19", "max", LossSpec(**STRONG_TV, **layers))
    conv_taps.write(folder / "case_conv_taps.safetensors", pictures)

    spec = LossSpec(**WASSERSTEIN)
    LossCase(vgg19, "tiny_vgg19", "max", spec).write(folder / "case_wasserstein.safetensors", pictures)
    # A covariance of 0 at its target.
    constant = pictures | {"style": torch.full_like(pictures["style"], 0.25)}
    case = LossCase(vgg19, "tiny_vgg19", "max", spec)
    held = {"picture.style": constant["style"]}
    case.write(folder / "case_wasserstein_constant.safetensors", constant, held)

    for edges in ("replicate", "wrap"):
        case = LossCase(vgg19, "tiny_vgg19", "max", LossSpec(**STRONG_TV), edges=edges)
        case.write(folder / f"case_{edges}.safetensors", pictures)
    write_region_cases(folder, vgg19, pictures)
    spec = LossSpec(**RELATIVE, laplacian_weight=5.0)
    laplacian = LossCase(vgg19, "tiny_vgg19", "max", spec)
    laplacian.write(folder / "case_laplacian.safetensors", pictures)

    layers = {
        "content_layers": {"relu3_1": 1.0},
        "style_layers": {"relu2_1": 0.5, "relu3_1": 0.5},
    }
    spec = LossSpec(**STRONG_TV, **layers)
    lrn = LossCase(networks["tiny_a_lrn"], "tiny_a_lrn", "average", spec)
    features = lrn.features(pictures, ["norm1", "pool1", "relu2_1"])
    lrn.write(folder / "case_lrn.safetensors", pictures, features)


def write_region_cases(folder: Path, vgg19: Vgg, pictures: Pictures) -> None:
    """A soft mask, and regions of the picture and of the style, of which the last is too small for the deepest layer."""
    generator = np.random.default_rng(2017)
    blobs = [random_picture(generator, *pictures[name].shape[1:])[0] for name in ("image", "style")]
    mask = whole_255ths(1.6 * blobs[0].numpy() - 0.3)
    whole = torch.ones_like(pictures["style"][0])
    case = LossCase(vgg19, "tiny_vgg19", "max", LossSpec(**STRONG_TV))
    case.regions = [Region(mask, whole)]
    case.write(folder / "case_mask.safetensors", pictures)

    corner = torch.zeros_like(mask)
    corner[:8, :8] = 1.0
    regions = [
        Region((1 - corner) * blobs[0], blobs[1]),
        Region((1 - corner) * (1 - blobs[0]), 1 - blobs[1]),
        Region(corner, whole),
    ]
    # As float32 holds them.
    regions = [Region(region.image.float().double(), region.style.float().double()) for region in regions]
    for statistic, edges in (("gram", "wrap"), ("wasserstein", "zero")):
        spec = LossSpec(**(STRONG_TV if statistic == "gram" else WASSERSTEIN))
        case = LossCase(vgg19, "tiny_vgg19", "average", spec, edges=edges)
        case.regions = regions
        case.write(folder / f"case_regions_{statistic}.safetensors", pictures)


def write_classifier_cases(folder: Path, networks: dict[str, Vgg], pictures: Pictures) -> None:
    """The cases with a whole network's answer to the enlarged grid."""
    side = vgg_names.POOLED_SIDE * 32 // pictures["grid"].shape[-1]
    picture = pictures["grid"].repeat_interleave(side, 1).repeat_interleave(side, 2)
    for name, vgg in networks.items():
        if "fc6.weight" in vgg.weights:
            metadata = {
                "weights": f"{name}.safetensors",
                "network": vgg.network,
                "pooling": vgg.pooling,
                "picture": f"grid, each value {side}x{side} times",
            }
            case = f"case_classify_{name.removeprefix('tiny_')}.safetensors"
            write(folder / case, {"probabilities": vgg.probabilities(picture)}, metadata)


def write_real_cases(folder: Path, weights_file: Path, pictures: Pictures) -> None:
    """The loss cases of a real VGG-19, with a sample of each ReLU's values."""
    vgg = load_vgg19(weights_file, "relu5_1", torch.float64)
    taps = [tap for tap in vgg_names.layers_to("vgg19", "relu5_1") if tap.startswith("relu")]
    for pooling in ("max", "average"):
        for loss in (RELATIVE, PAPER):
            case = LossCase(vgg, "vgg19", pooling, LossSpec(**loss))
            features, strides = {}, {}
            for name, maps in case.features(pictures, taps).items() if loss is RELATIVE else ():
                stride = -(-maps.numel() // REAL_SAMPLES)
                features[name] = maps.flatten()[::stride]
                strides[name.replace("features", "stride")] = str(stride)
            path = folder / f"real_{pooling}_{loss['form']}.safetensors"
            case.write(path, pictures, features, strides)
    wasserstein = LossCase(vgg, "vgg19", "max", LossSpec(**WASSERSTEIN))
    wasserstein.write(folder / "real_wasserstein.safetensors", pictures)


def write_photograph_cases(folder: Path, weights_file: Path, pictures: Pictures) -> None:
    """The loss of pieces of the demonstration photograph on a real VGG-19; the pieces are in the files."""
    vgg = load_vgg19(weights_file, "relu5_1", torch.float64)
    with Image.open(DEMO / "content.png") as photograph:
        pieces = [piece_of(photograph, box) for box in PHOTOGRAPH_BOXES]
    generator = np.random.default_rng(2016)
    for number, (piece, pooling) in enumerate(zip(pieces, ("max", "average", "max")), 1):
        # With a little noise, as a picture has that an optimiser is at work on: where a photograph is flat, the values
        # under a max-pool's window are equal, and how each rounds decides which of them has the gradient.
        image = whole_255ths(piece.numpy() + generator.normal(0, 0.02, piece.shape))
        own = {"content": pieces[number % len(pieces)], "style": pictures["style"], "image": image}
        case = LossCase(vgg, "vgg19", pooling, LossSpec(**RELATIVE))
        held = {f"picture.{name}": own[name] for name in ("content", "image")}
        case.write(folder / f"real_photograph_{number}.safetensors", own, held)


def piece_of(photograph: Image.Image, box: tuple[int, int, int, int]) -> Tensor:
    """A box (left, top, right, bottom) of a picture as 3×64×88."""
    piece = photograph.convert("RGB").resize((88, 64), Image.Resampling.BICUBIC, box=box)
    return whole_255ths(np.asarray(piece, np.float64).transpose(2, 0, 1) / 255)


class LossCase:
    """One loss of the picture `image` on one network."""

    def __init__(
        self,
        vgg: Vgg,
        weights_name: str,
        pooling: str,
        spec: LossSpec,
        style: str = "style",
        edges: str = "zero",
    ):
        self.vgg = Vgg(vgg.network, vgg.weights, vgg.preprocessing, pooling, edges)
        self.weights_name, self.spec, self.style = weights_name, spec, style
        self.regions: list[Region] = []

    def features(self, pictures: Pictures, taps: list[str]) -> dict[str, Tensor]:
        """Feature maps of the picture, as `features.<tap>`."""
        return {f"features.{tap}": maps for tap, maps in self.vgg.features(pictures["image"], taps).items()}

    def write(
        self, path: Path, pictures: Pictures, more: dict | None = None, strides: dict | None = None
    ) -> None:
        """Evaluates the loss and writes the case, with `more` tensors."""
        objective = Objective(
            self.vgg, self.spec, pictures["content"], pictures[self.style], self.regions
        )
        terms, gradient = objective.terms_and_gradient(pictures["image"])
        tensors = (more or {}) | {"gradient": gradient}
        for number, region in enumerate(self.regions):
            tensors |= {f"region.{number}": region.image[None], f"style_region.{number}": region.style[None]}
        scalars = {"tv": terms.tv, "loss": terms.total}
        if self.spec.laplacian_weight:
            scalars["laplacian"] = terms.laplacian
        scalars |= {f"content.{tap}": value for tap, value in terms.content.items()}
        scalars |= {f"style.{tap}": value for tap, value in terms.style.items()}
        write(path, tensors, self.metadata() | (strides or {}), scalars)

    def metadata(self) -> dict[str, str]:
        """What the case is of, as safetensors metadata."""
        chosen = {
            "statistic": self.spec.statistic,
            "edges": self.vgg.edges,
            "laplacian_weight": repr(self.spec.laplacian_weight),
        }
        defaults = {"statistic": "gram", "edges": "zero", "laplacian_weight": "0.0"}
        return {name: value for name, value in chosen.items() if value != defaults[name]} | {
            "weights": f"{self.weights_name}.safetensors",
            "network": self.vgg.network,
            "content": "content",
            "style": self.style,
            "image": "image",
            "pooling": self.vgg.pooling,
            "loss": self.spec.form,
            "alpha": repr(self.spec.alpha),
            "beta": repr(self.spec.beta),
            "gamma": repr(self.spec.gamma),
            "content_layers": layer_list(self.spec.content_layers),
            "style_layers": layer_list(self.spec.style_layers),
        }


def layer_list(weights: dict[str, float]) -> str:
    """Layers and weights as in `relu1_1=0.2,relu2_1=0.2`."""
    return ",".join(f"{layer}={weight!r}" for layer, weight in weights.items())


def make_pictures() -> Pictures:
    """The pictures of the loss cases (the style's size differs on purpose) and the classifiers' grid."""
    generator = np.random.default_rng(2015)
    return {
        "content": random_picture(generator, 37, 53),
        "style": random_picture(generator, 45, 41),
        "image": random_picture(generator, 37, 53),
        "style_same_size": random_picture(generator, 37, 53),
        "grid": whole_255ths(generator.random((3, 14, 14))),
    }


def random_picture(generator: np.random.Generator, height: int, width: int) -> Tensor:
    """A 3×H×W picture of smooth blobs with a little fine noise."""
    coarse = torch.from_numpy(generator.random((1, 3, 7, 7)))
    smooth = torch.nn.functional.interpolate(
        coarse, size=(height, width), mode="bicubic", align_corners=True
    ).squeeze(0)
    return whole_255ths(smooth.numpy() + generator.normal(0, 0.04, (3, height, width)))


def whole_255ths(values: np.ndarray) -> Tensor:
    """Values an 8-bit picture can hold, as float64 that float32 holds exactly."""
    levels = np.rint(np.clip(values, 0, 1) * 255)
    return torch.from_numpy((levels / 255).astype(np.float32).astype(np.float64))


def write(path: Path, tensors: dict, metadata: dict[str, str], scalars: dict | None = None) -> None:
    """Writes tensors, float64 ones as float32, and scalars as they are; says so."""
    kept = {
        name: (value.float() if value.dtype == torch.float64 else value).contiguous()
        for name, value in tensors.items()
    }
    stable_safetensors.save(path, kept | (scalars or {}), metadata, save)
    print(f"{path.name}: {path.stat().st_size / 1000:.1f} kB")


if __name__ == "__main__":
    main()
