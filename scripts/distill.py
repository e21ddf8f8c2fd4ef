#!/usr/bin/env python3
"""Distil VGG-19 into a network of the same shape with fewer channels, for style transfer.

    python scripts/distill.py --teacher vgg19.safetensors --images PICTURES \
        --widths 32,64,128,176,192 --out impasto-slim.safetensors

The student has VGG-19's convolutions up to conv5_1, with the given number of channels in each of its five blocks.
It starts as a pruned teacher: layer by layer, the channels that best explain the others are kept, and each kernel is
the least-squares fit from what the student sees to what the teacher computes; or, with `--start`, as a student that was
trained before, unchanged in what it computes, with such channels added where it is to be wider. Then it learns, at each tap that style
transfer reads, (1) to carry the teacher's feature map, up to a linear map that only training knows, and (2) to have
the teacher's inner products between positions, because content and style losses are functions of these alone. It
sees photographs and paintings, spoiled in many ways, and the pictures that an optimiser makes with the student
itself, renewed all the while, so that it learns to see the noise it would otherwise leave in a picture.

There is no batch normalisation: from this start the statistics of small batches only blur the target. Each kernel has
unit response and a gain of its own, as a normalised one would, and the two are multiplied in the file written. The file
is F16 safetensors with the teacher's preprocessing. Training state lies beside it (`.state`): saved now and then, at
the end and on SIGTERM or Ctrl-C; `--resume` goes on from it.
"""

import argparse
import dataclasses
import math
import os
import signal
import time
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

LAYERS = ["1_1", "1_2", "2_1", "2_2", "3_1", "3_2", "3_3", "3_4", "4_1", "4_2", "4_3", "4_4", "5_1"]
FIRST_IN_BLOCK = ["2_1", "3_1", "4_1", "5_1"]  # a pool comes before each
TAPS = ["1_1", "2_1", "3_1", "4_1", "4_2", "5_1"]
STYLE_TAPS = ["1_1", "2_1", "3_1", "4_1", "5_1"]
CONTENT_TAP = "4_2"

MEAN_BGR = (103.939, 116.779, 123.68)  # Caffe preprocessing: BGR, 0 to 255, minus these
INPUT_SCALE = 1 / 64  # brings the student's input near one while it trains; folded into conv1_1

# (crops in a batch, their side): about the same number of pixels each.
BATCHES = [(8, 96), (5, 128)]
LOSS_POSITIONS = 1024  # of each crop and tap
OWN_SIDE = 144  # side of the pictures made with the student
OWN_POOL = 96  # how many of them are kept
OWN_EVERY = 30  # steps between two new ones
OWN_SHARE = 0.3  # of the crops in a batch

Weights = dict[str, tuple[Tensor, Tensor]]  # layer -> (kernel, bias)


# --- Networks ---------------------------------------------------------------------------------------------------------


def pool(x: Tensor, kind: str) -> Tensor:
    return F.avg_pool2d(x, 2) if kind == "average" else F.max_pool2d(x, 2)


def convolve(layer: str, x: Tensor, kernel: Tensor, bias: Tensor) -> Tensor:
    """3×3, same size; the picture's edge pixels are replicated, feature maps end in zeros, as in impasto."""
    if layer == "1_1":
        return F.conv2d(F.pad(x, (1, 1, 1, 1), mode="replicate"), kernel, bias)
    return F.conv2d(x, kernel, bias, padding=1)


def features(weights: Weights, x: Tensor, pooling: str, taps: list[str] = TAPS) -> dict[str, Tensor]:
    """Feature maps (after ReLU) at `taps` of preprocessed pictures (N, 3, H, W)."""
    maps = {}
    for layer in LAYERS:
        if layer in FIRST_IN_BLOCK:
            x = pool(x, pooling)
        x = F.relu(convolve(layer, x, *weights[layer]))
        if layer in taps:
            maps[layer] = x
    return maps


def detached(weights: Weights) -> Weights:
    return {layer: (kernel.detach(), bias.detach()) for layer, (kernel, bias) in weights.items()}


def load_network(path: Path, device: torch.device) -> tuple[Weights, dict[str, str]]:
    with safe_open(path, "pt") as file:
        metadata = file.metadata() or {}
        tensors = {key: file.get_tensor(key).to(device) for key in file.keys()}
    if metadata.get("preprocessing") != "caffe-bgr":
        raise SystemExit(f"{path}: this script wants a network whose metadata says preprocessing=caffe-bgr")
    return {layer: (tensors[f"conv{layer}.weight"].float(), tensors[f"conv{layer}.bias"].float()) for layer in LAYERS}, metadata


class Student(nn.Module):
    """The slim network, and the training-only linear maps from its taps to the teacher's channels."""

    def __init__(self, widths: list[int], teacher: Weights, pooling: str):
        super().__init__()
        self.pooling = pooling
        self.kernels, self.gains, self.biases = nn.ParameterDict(), nn.ParameterDict(), nn.ParameterDict()
        self.maps = nn.ModuleDict()
        inputs = 3
        for layer in LAYERS:
            outputs = widths[int(layer[0]) - 1]
            self.kernels[layer] = nn.Parameter(torch.empty(outputs, inputs, 3, 3))
            self.gains[layer] = nn.Parameter(torch.ones(outputs))
            self.biases[layer] = nn.Parameter(torch.zeros(outputs))
            if layer in TAPS:
                self.maps[layer] = nn.Conv1d(outputs, teacher[layer][1].numel(), 1)
                self.maps[layer].register_buffer("level", torch.ones(()))  # the teacher's typical response
            inputs = outputs

    def weights(self) -> Weights:
        """The plain convolutions."""
        weights = {}
        for layer in LAYERS:
            kernel = self.kernels[layer] * self.gains[layer][:, None, None, None]
            weights[layer] = (kernel * INPUT_SCALE if layer == "1_1" else kernel, self.biases[layer])
        return weights

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        return features(self.weights(), x, self.pooling)


# --- Starting point: a pruned teacher ---------------------------------------------------------------------------------


def most_telling_channels(moments: Tensor, count: int) -> Tensor:
    """Greedily, the `count` channels from which a linear map restores the most energy; `moments` is X·Xᵀ."""
    rest, kept = moments.double().clone(), []
    for _ in range(count):
        gain = rest.square().sum(0) / rest.diagonal().clamp_min(1e-9 * moments.diagonal().max())
        gain[kept] = -1
        best = int(gain.argmax())
        kept.append(best)
        column = rest[:, best].clone()
        rest -= torch.outer(column, column) / column[best].clamp_min(1e-12)
    return torch.tensor(kept, device=moments.device)


def least_squares(x: Tensor, y: Tensor, ridge: float = 1e-3) -> Tensor:
    """The matrix A with the least |x·A − y|², slightly damped."""
    moments = (x.T @ x).double()
    damping = ridge * moments.diagonal().mean() * torch.eye(len(moments), device=x.device, dtype=torch.float64)
    return torch.linalg.solve(moments + damping, (x.T @ y).double()).float()


@torch.no_grad()
def start(student: Student, teacher: Weights, before: Weights, batches: list[Tensor]) -> None:
    """Set the student's kernels, gains, biases and linear maps by selection and regression on `batches`.

    Channels that `before` has keep their kernels, and see nothing of the channels added to the layer below.
    """

    def sampled(maps: Iterable[Tensor]) -> Tensor:
        """The same 192 positions (all, where there are fewer) of each batch of maps: (samples, C)."""
        rows = []
        for seed, batch in enumerate(maps):
            flat = batch.flatten(2)
            order = torch.randperm(flat.shape[2], generator=torch.Generator().manual_seed(seed))
            rows.append(flat[:, :, order[:192].to(flat.device)].transpose(1, 2).flatten(0, 1))
        return torch.cat(rows)

    def with_one(x: Tensor) -> Tensor:
        return torch.cat([x, torch.ones(len(x), 1, device=x.device)], 1)

    def unfold(layer: str, x: Tensor) -> Tensor:
        padded = F.pad(x, (1, 1, 1, 1), mode="replicate" if layer == "1_1" else "constant")
        return F.unfold(padded, 3).reshape(len(x), -1, *x.shape[2:])

    seen = list(batches)  # what the teacher's layer sees
    own = [batch * INPUT_SCALE for batch in batches]  # what the student's layer sees
    for layer in LAYERS:
        if layer in FIRST_IN_BLOCK:
            seen = [pool(x, student.pooling) for x in seen]
            own = [pool(x, student.pooling) for x in own]
        raw = [convolve(layer, x, *teacher[layer]) for x in seen]
        seen = [F.relu(x) for x in raw]
        responses = sampled(seen)
        kernel, gains, biases = student.kernels[layer], student.gains[layer], student.biases[layer]
        kernel.zero_()

        known, missing = 0, responses
        if before:
            old_kernel, old_bias = before[layer]
            known = len(old_kernel)
            old_kernel = old_kernel / INPUT_SCALE if layer == "1_1" else old_kernel
            kernel[:known, : old_kernel.shape[1]] = old_kernel
            biases[:known] = old_bias
            answers = sampled(convolve(layer, x, kernel[:known], biases[:known]) for x in own)
            gains[:known] = answers.std(0).clamp_min(1e-6)
            kernel[:known] /= gains[:known, None, None, None]
            explained = with_one(F.relu(answers))
            missing = responses - explained @ least_squares(explained, responses)
        if known < len(kernel):
            kept = most_telling_channels(missing.T @ missing, len(kernel) - known)
            target = sampled(raw)[:, kept]
            mean, deviation = target.mean(0), target.std(0)
            patches = sampled(unfold(layer, x) for x in own)
            fit = least_squares(with_one(patches), (target - mean) / deviation)
            # The channels keep the teacher's proportions, so that Gram matrices weigh them as the teacher's do.
            scale = deviation.square().mean().sqrt()
            if known:
                scale = scale / gains[:known].square().mean().sqrt()
            kernel[known:] = fit[:-1].T.reshape(kernel[known:].shape)
            gains[known:] = deviation / scale
            biases[known:] = (mean + fit[-1] * deviation) / scale
        kernel = kernel * gains[:, None, None, None]
        own = [F.relu(convolve(layer, x, kernel, biases)) for x in own]

        if layer in TAPS:
            linear = student.maps[layer]
            linear.level.copy_(responses.square().mean().sqrt())
            fit = least_squares(with_one(sampled(own)), responses / linear.level)
            linear.weight.copy_(fit[:-1].T[:, :, None])
            linear.bias.copy_(fit[-1])


# --- Loss -------------------------------------------------------------------------------------------------------------


def misalignment(x: Tensor, y: Tensor) -> Tensor:
    """1 − the cosine between the tables of inner products XᵀX and YᵀY of all positions; x and y are (C, positions)."""
    return 1 - (x @ y.T).square().sum() / ((x @ x.T).norm() * (y @ y.T).norm())


def tap_losses(own: Tensor, target: Tensor, linear: nn.Conv1d) -> tuple[Tensor, Tensor, Tensor]:
    """Relative squared error of the linear map, and the misalignment of inner products, plain and centred.

    `own` and `target` are (N, C, H, W); at most LOSS_POSITIONS of each crop's positions, drawn anew, are looked at.
    """
    chosen = torch.randperm(target[0, 0].numel(), device=target.device)[:LOSS_POSITIONS]
    own = own.flatten(2)[:, :, chosen].float()
    target = target.flatten(2)[:, :, chosen].float()
    # Every crop counts alike, dark or bright.
    energy = target.square().mean((1, 2), keepdim=True).sqrt()
    error = ((linear(own) * linear.level - target) / energy).square().mean()
    x = (own / energy).transpose(0, 1).flatten(1)
    y = (target / energy).transpose(0, 1).flatten(1)
    plain = misalignment(x, y)
    centred = misalignment(x - x.mean(1, keepdim=True), y - y.mean(1, keepdim=True))
    return error, plain, centred


# --- Pictures ---------------------------------------------------------------------------------------------------------


def preprocess(pictures: np.ndarray, device: torch.device) -> Tensor:
    """(N, H, W, 3) RGB of 0 to 255 -> (N, 3, H, W) as the networks want it."""
    x = torch.from_numpy(np.ascontiguousarray(pictures[..., ::-1], dtype=np.float32))
    x = (x - torch.tensor(MEAN_BGR)).permute(0, 3, 1, 2)
    return x.to(device, memory_format=torch.channels_last)


def blurred(picture: np.ndarray) -> np.ndarray:
    """3×3 box blur of (H, W, 3)."""
    padded = np.pad(picture, ((1, 1), (1, 1), (0, 0)), mode="edge")
    rows = padded[:-2] + padded[1:-1] + padded[2:]
    return (rows[:, :-2] + rows[:, 1:-1] + rows[:, 2:]) / 9


class Pictures:
    """Training pictures in memory, and crops of them."""

    def __init__(self, folder: Path, rng: np.random.Generator):
        files = sorted(path for path in folder.iterdir() if path.suffix.lower() in (".jpg", ".jpeg", ".png", ".webp"))
        if not files:
            raise SystemExit(f"{folder}: no pictures (jpg, png, webp)")
        self.rng = rng
        self.pictures = [Image.open(path).convert("RGB") for path in files]
        self.own: list[np.ndarray] = []  # made with the student

    def crop(self, side: int, widest: bool = False) -> np.ndarray:
        """A square of a random picture at a random scale, (side, side, 3) in 0 to 255."""
        rng = self.rng
        picture = self.pictures[rng.integers(len(self.pictures))]
        most = min(picture.size)
        least = min(side / 2, most)
        extent = most if widest else min(most, math.exp(rng.uniform(math.log(least), math.log(most))))
        left = rng.uniform(0, picture.width - extent)
        top = rng.uniform(0, picture.height - extent)
        box = (left, top, left + extent, top + extent)
        resized = picture.resize((side, side), Image.Resampling.BICUBIC, box=box)
        crop = np.asarray(resized, dtype=np.float32)
        return crop[:, ::-1] if rng.random() < 0.5 else crop

    def own_crop(self, side: int) -> np.ndarray:
        """A square of a picture made with the student, at its own scale and most often touching its rim."""
        rng = self.rng
        picture = self.own[rng.integers(len(self.own))]
        room = picture.shape[0] - side
        left, top = (int(rng.choice([0, room, rng.integers(room + 1)])) for _ in range(2))
        return picture[top : top + side, left : left + side]

    def spoiled(self, crop: np.ndarray) -> np.ndarray:
        """A crop with other colours and contrast, noise, sharpening, or mixed with another."""
        rng, side = self.rng, crop.shape[0]
        if rng.random() < 0.1:
            crop = crop + rng.uniform(0.2, 0.8) * (self.crop(side) - crop)
        if rng.random() < 0.1:
            crop = crop[..., rng.permutation(3)]
        if rng.random() < 0.5:
            gain = rng.uniform(0.6, 1.4) * rng.uniform(0.8, 1.2, 3)
            crop = (crop - 128) * gain + 128 + rng.uniform(-30, 30) + rng.uniform(-15, 15, 3)
        if rng.random() < 0.25:
            crop = crop + rng.uniform(0.5, 3) * (crop - blurred(crop))
        if rng.random() < 0.3:
            grain = int(rng.choice([1, 1, 2, 4]))
            noise = rng.standard_normal((-(-side // grain), -(-side // grain), 3)) * rng.uniform(2, 50)
            crop = crop + noise.repeat(grain, 0).repeat(grain, 1)[:side, :side]
        return np.clip(crop, 0, 255) if rng.random() < 0.7 else crop

    def batch(self, count: int, side: int) -> np.ndarray:
        crops = []
        for _ in range(count):
            if self.own and self.rng.random() < OWN_SHARE:
                crops.append(self.own_crop(side))
            else:
                crops.append(self.spoiled(self.crop(side)))
        return np.stack(crops)

    def keep_own(self, picture: np.ndarray) -> None:
        self.own.append(picture)
        del self.own[:-OWN_POOL]


# --- Pictures made with the student -----------------------------------------------------------------------------------


def moments(maps: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and covariance over positions of one picture's maps (1, C, H, W), regularised as impasto does."""
    flat = maps[0].flatten(1)
    mean = flat.mean(1)
    centred = flat - mean[:, None]
    covariance = centred @ centred.T / flat.shape[1]
    energy = mean.square().mean() + covariance.diagonal().mean()
    return mean, covariance + 1e-2 * energy * torch.eye(len(mean), device=flat.device)


def square_root(matrix: Tensor) -> Tensor:
    values, vectors = torch.linalg.eigh(matrix)
    return (vectors * values.clamp_min(0).sqrt()) @ vectors.T


def wasserstein(maps: Tensor, target: tuple[Tensor, Tensor, Tensor]) -> Tensor:
    """Squared distance of two Gaussians over the target's energy; `target` is mean, covariance and its root."""
    (mean, covariance), (wanted, wanted_covariance, root) = moments(maps), target
    between = torch.linalg.eigvalsh(root @ covariance @ root).clamp_min(1e-12).sqrt().sum()
    distance = (mean - wanted).square().sum() + covariance.trace() + wanted_covariance.trace() - 2 * between
    return distance / (wanted.square().sum() + wanted_covariance.trace())


def transfer(
    weights: Weights, pooling: str, start: Tensor, content: Tensor, style: Tensor, style_weight: float, evaluations: int
) -> Tensor:
    """Style transfer at one size by L-BFGS, Wasserstein style; pictures are (1, 3, H, W), preprocessed."""
    with torch.no_grad():
        target = features(weights, content, pooling)[CONTENT_TAP]
        style_maps = features(weights, style, pooling)
        wanted = {tap: moments(style_maps[tap]) for tap in STYLE_TAPS}
        targets = {tap: (mean, covariance, square_root(covariance)) for tap, (mean, covariance) in wanted.items()}
    x = start.clone(memory_format=torch.contiguous_format).requires_grad_()
    optimizer = torch.optim.LBFGS(
        [x], max_iter=evaluations, max_eval=evaluations, history_size=10, line_search_fn="strong_wolfe"
    )

    def evaluate() -> Tensor:
        optimizer.zero_grad()
        maps = features(weights, x, pooling)
        total = (maps[CONTENT_TAP] - target).square().sum() / target.square().sum()
        for tap, goal in targets.items():
            total = total + style_weight / len(targets) * wasserstein(maps[tap], goal)
        total.backward()
        return total

    optimizer.step(evaluate)
    return x.detach()


def make_picture(weights: Weights, pooling: str, pictures: Pictures, device: torch.device) -> np.ndarray:
    """Style transfer with the student as it stands, coarse to fine, from two training pictures: (H, W, 3) RGB."""
    rng = pictures.rng
    content = preprocess(pictures.crop(OWN_SIDE, widest=True)[None], device)
    style = preprocess(pictures.crop(OWN_SIDE, widest=bool(rng.random() < 0.7))[None], device)
    style_weight = math.exp(rng.uniform(math.log(2), math.log(40)))
    x = content
    if rng.random() < 0.2:
        x = x + torch.from_numpy(rng.normal(0, 40, x.shape).astype(np.float32)).to(device)
    for side, evaluations in ((OWN_SIDE // 2, 20), (OWN_SIDE, int(rng.integers(8, 36)))):
        sized = [F.interpolate(x, size=(side, side), mode="bilinear", antialias=True) for x in (x, content, style)]
        x = transfer(weights, pooling, *sized, style_weight, evaluations)
    picture = (x[0].permute(1, 2, 0).cpu() + torch.tensor(MEAN_BGR)).numpy()[..., ::-1]
    return np.clip(picture, 0, 255) if rng.random() < 0.5 else picture


# --- Files ------------------------------------------------------------------------------------------------------------


def replace_file(path: Path, write: Callable[[Path], None]) -> None:
    """Write beside `path`, then put in its place: a reader or a crash never meets half a file."""
    part = path.with_name(path.name + ".part")
    write(part)
    os.replace(part, path)


def write_student(path: Path, weights: Weights, metadata: dict[str, str]) -> None:
    tensors = {}
    for layer, (kernel, bias) in weights.items():
        tensors[f"conv{layer}.weight"] = kernel.half().contiguous().cpu()
        tensors[f"conv{layer}.bias"] = bias.half().cpu()
    replace_file(path, lambda part: save_file(tensors, part, metadata))


# --- Training ---------------------------------------------------------------------------------------------------------


@dataclasses.dataclass
class Progress:
    """Where the schedule stands: `part` goes from 0 to 1, by steps, or faster to keep a wall-clock budget."""

    step: int = 0
    part: float = 0.0

    def learning_rate(self, peak: float) -> float:
        return peak * min(1, (self.step + 1) / 200) * 0.5 * (1 + math.cos(math.pi * min(1, self.part)))


class Training:
    """The student, its optimiser and pictures, and everything else that `--resume` needs."""

    def __init__(self, arguments: argparse.Namespace):
        self.pooling, self.alignment, self.rate = arguments.pooling, arguments.alignment, arguments.rate
        self.device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        torch.manual_seed(arguments.seed)
        self.rng = np.random.default_rng(arguments.seed)
        self.pictures = Pictures(arguments.images, self.rng)
        self.progress = Progress()
        self.averages: dict[str, Tensor] = {}
        self.out: Path = arguments.out
        self.state_path = arguments.out.with_name(arguments.out.name + ".state")

        teacher, self.teacher_metadata = load_network(arguments.teacher, self.device)
        # bfloat16 changes the teacher's maps by under 1e-4 of their energy, far below the student's error.
        self.teacher = {
            layer: (kernel.bfloat16().to(memory_format=torch.channels_last), bias.bfloat16())
            for layer, (kernel, bias) in teacher.items()
        }
        self.widths = arguments.widths
        self.student = Student(self.widths, teacher, self.pooling).to(self.device)
        if arguments.resume:
            state = torch.load(self.state_path, map_location="cpu", weights_only=True)
            self.student.load_state_dict(state["student"])
        else:
            before = load_network(arguments.start, self.device)[0] if arguments.start else {}
            calibration = [preprocess(self.pictures.batch(8, 128), self.device) for _ in range(32)]
            start(self.student, teacher, before, calibration)
        # Kernels differ in size by an order of magnitude: each has a learning rate relative to its own.
        groups = [{"params": [p], "size": float(p.detach().square().mean().sqrt())} for p in self.student.parameters()]
        self.optimizer = torch.optim.Adam(groups, betas=(0.9, 0.99))
        if arguments.resume:
            self.optimizer.load_state_dict(state["optimizer"])
            self.progress = Progress(**state["progress"])
            self.pictures.own = [picture.float().numpy() for picture in state["own"]]
            self.rng.bit_generator.state = state["rng"]
            torch.set_rng_state(state["torch_rng"])

    def step(self) -> None:
        if self.progress.step % OWN_EVERY == 0:
            weights = detached(self.student.weights())
            self.pictures.keep_own(make_picture(weights, self.pooling, self.pictures, self.device))
        count, side = BATCHES[self.rng.integers(len(BATCHES))]
        x = preprocess(self.pictures.batch(count, side), self.device)
        with torch.inference_mode():
            targets = features(self.teacher, x.bfloat16(), self.pooling)
        with torch.autocast(self.device.type, torch.bfloat16):
            own = self.student(x)
        loss = torch.zeros((), device=self.device)
        for tap in TAPS:
            error, plain, centred = tap_losses(own[tap], targets[tap], self.student.maps[tap])
            loss = loss + error + self.alignment * (plain + centred)
            now = torch.stack([error, plain, centred]).detach()
            self.averages[tap] = self.averages.get(tap, now).lerp(now, 0.02)
        for group in self.optimizer.param_groups:
            group["lr"] = group["size"] * self.progress.learning_rate(self.rate)
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()

    def save(self) -> None:
        state = {
            "student": self.student.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "progress": dataclasses.asdict(self.progress),
            "own": [torch.from_numpy(picture.copy()).half() for picture in self.pictures.own],
            "rng": self.rng.bit_generator.state,
            "torch_rng": torch.get_rng_state(),
        }
        replace_file(self.state_path, lambda part: torch.save(state, part))
        widths = ",".join(str(width) for width in self.widths)
        metadata = {
            "network": self.teacher_metadata.get("network", "vgg19"),
            "preprocessing": self.teacher_metadata["preprocessing"],
            "pooling": self.pooling,
            "note": f"slim VGG-19, widths {widths}, distilled from VGG-19 by impasto's scripts/distill.py "
            f"in {self.progress.step} steps",
            "source": "trained for impasto; teacher: VGG-19, Simonyan and Zisserman 2014, Visual Geometry Group, "
            "University of Oxford, CC BY 4.0",
        }
        write_student(self.out, detached(self.student.weights()), metadata)


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--teacher", type=Path, required=True, help="VGG-19's convolutions, safetensors, Caffe")
    parser.add_argument("--images", type=Path, required=True, help="folder of training pictures")
    parser.add_argument("--widths", default="32,64,128,176,192", help="channels in each block (%(default)s)")
    parser.add_argument("--out", type=Path, required=True, help="the file to write")
    parser.add_argument("--steps", type=int, default=20000, help="length of the schedule (%(default)s)")
    parser.add_argument("--minutes", type=float, help="end the schedule after so long, if that is sooner")
    parser.add_argument("--rate", type=float, default=8e-3, help="peak learning rate, relative to a parameter's size")
    parser.add_argument("--alignment", type=float, default=1.0, help="weight of the inner products (%(default)s)")
    parser.add_argument("--pooling", choices=["average", "max"], default="average")
    parser.add_argument("--start", type=Path, metavar="FILE", help="begin with this student, which may be narrower")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--threads", type=int, help="CPU threads (PyTorch's choice)")
    parser.add_argument("--save-every", type=int, default=250, help="steps between saves (%(default)s)")
    parser.add_argument("--resume", action="store_true", help="go on from the state beside --out")
    arguments = parser.parse_args()
    try:
        arguments.widths = [int(width) for width in arguments.widths.split(",")]
    except ValueError:
        arguments.widths = []
    if len(arguments.widths) != 5 or min(arguments.widths) < 1:
        parser.error("--widths wants five numbers")
    return arguments


def main() -> None:
    arguments = parse_arguments()
    if arguments.threads:
        torch.set_num_threads(arguments.threads)
    training = Training(arguments)
    progress = training.progress

    stop_asked = False

    def ask_to_stop(*_: object) -> None:
        nonlocal stop_asked
        stop_asked = True

    signal.signal(signal.SIGTERM, ask_to_stop)
    signal.signal(signal.SIGINT, ask_to_stop)

    begun_part, last = progress.part, time.monotonic()
    while progress.part < 1 and not stop_asked:
        training.step()
        now = time.monotonic()
        seconds, last = now - last, now
        advance = 1 / arguments.steps
        if arguments.minutes:
            advance = max(advance, (1 - begun_part) * seconds / (60 * arguments.minutes))
        progress.step += 1
        progress.part += advance
        if progress.step % 25 == 0:
            # For each tap: the linear map's error, the misalignment, the centred misalignment (running means).
            taps = "  ".join(f"{tap} " + "/".join(f"{v:.3f}" for v in training.averages[tap].tolist()) for tap in TAPS)
            print(f"{progress.step:6d} {progress.part:6.1%} {seconds:.2f} s  {taps}", flush=True)
        if progress.step % arguments.save_every == 0:
            training.save()
    training.save()


if __name__ == "__main__":
    main()
