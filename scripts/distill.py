#!/usr/bin/env python3
"""Distil VGG-19 into a network of the same shape with fewer channels, for style transfer.

    python scripts/distill.py --teacher vgg19.safetensors --images PICTURES \
        --widths 32,64,96,192,192 --out impasto-slim.safetensors

The student has VGG-19's convolutions up to conv5_1, with the given number of channels in each of its five blocks.
It starts as a pruned teacher: layer by layer, the channels that best explain the others are kept, and each kernel is
the least-squares fit from what the student sees to what the teacher computes. Then it learns, at each tap that style
transfer reads, (1) to carry the teacher's feature map, up to a linear map that only training knows, and (2) to have
the teacher's inner products between positions, because content and style losses are functions of these alone. It
sees photographs and paintings, spoiled in many ways, and the pictures that an optimiser makes with the student
itself, renewed all the while, so that it learns to see the noise it would otherwise leave in a picture.

Batch normalisation helps while training and is folded into the convolutions of the file written. The file is F16
safetensors with the teacher's preprocessing. Training state lies beside it (`.state`): saved now and then, at the end
and on SIGTERM or Ctrl-C; `--resume` goes on from it.
"""

import argparse
import dataclasses
import math
import os
import signal
import time
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

LAYERS = ["1_1", "1_2", "2_1", "2_2", "3_1", "3_2", "3_3", "3_4", "4_1", "4_2", "4_3", "4_4", "5_1"]
TAPS = ["1_1", "2_1", "3_1", "4_1", "4_2", "5_1"]
STYLE_TAPS = ["1_1", "2_1", "3_1", "4_1", "5_1"]
CONTENT_TAP = "4_2"

MEAN_BGR = (103.939, 116.779, 123.68)  # Caffe preprocessing: BGR, 0 to 255, minus these
INPUT_SCALE = 1 / 64  # brings the student's input near one while it trains; folded into conv1_1

# (crops in a batch, their side): about the same number of pixels each.
BATCHES = [(8, 96), (5, 128)]
OWN_SIDE = 144  # side of the pictures made with the student
OWN_POOL = 96  # how many of them are kept
OWN_EVERY = 30  # steps between two new ones
OWN_SHARE = 0.3  # of the crops in a batch
FREEZE_AT = 0.7  # the part of the schedule after which batch statistics are frozen

Weights = dict[str, tuple[Tensor, Tensor]]  # layer -> (kernel, bias)


# --- Networks ---------------------------------------------------------------------------------------------------------


def pool(x: Tensor, kind: str) -> Tensor:
    return F.avg_pool2d(x, 2) if kind == "average" else F.max_pool2d(x, 2)


def features(weights: Weights, x: Tensor, pooling: str, taps: list[str] = TAPS) -> dict[str, Tensor]:
    """Feature maps (after ReLU) at `taps` of preprocessed pictures (N, 3, H, W)."""
    maps = {}
    for layer in LAYERS:
        if layer in ("2_1", "3_1", "4_1", "5_1"):
            x = pool(x, pooling)
        kernel, bias = weights[layer]
        x = F.relu(F.conv2d(x, kernel, bias, padding=1))
        if layer in taps:
            maps[layer] = x
    return maps


def load_teacher(path: Path, device: torch.device) -> tuple[Weights, dict[str, str]]:
    with safe_open(path, "pt") as file:
        metadata = file.metadata() or {}
        tensors = {key: file.get_tensor(key).to(device) for key in file.keys()}
    if metadata.get("preprocessing") != "caffe-bgr":
        raise SystemExit(f"{path}: this script wants a teacher whose metadata says preprocessing=caffe-bgr")
    return {layer: (tensors[f"conv{layer}.weight"], tensors[f"conv{layer}.bias"]) for layer in LAYERS}, metadata


class Student(nn.Module):
    """The slim network with batch normalisation, and the training-only linear maps to the teacher's channels."""

    def __init__(self, widths: list[int], teacher: Weights, pooling: str):
        super().__init__()
        self.pooling = pooling
        self.convs, self.norms, self.maps = nn.ModuleDict(), nn.ModuleDict(), nn.ModuleDict()
        inputs = 3
        for layer in LAYERS:
            outputs = widths[int(layer[0]) - 1]
            self.convs[layer] = nn.Conv2d(inputs, outputs, 3, padding=1, bias=False)
            self.norms[layer] = nn.BatchNorm2d(outputs, momentum=0.02)
            if layer in TAPS:
                self.maps[layer] = nn.Conv2d(outputs, teacher[layer][1].numel(), 1)
            inputs = outputs

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        maps, x = {}, x * INPUT_SCALE
        for layer in LAYERS:
            if layer in ("2_1", "3_1", "4_1", "5_1"):
                x = pool(x, self.pooling)
            x = F.relu(self.norms[layer](self.convs[layer](x)))
            if layer in TAPS:
                maps[layer] = x
        return maps

    @torch.no_grad()
    def folded(self) -> Weights:
        """Plain convolutions that compute what this network computes with its running statistics."""
        weights = {}
        for layer in LAYERS:
            norm = self.norms[layer]
            scale = norm.weight / torch.sqrt(norm.running_var + norm.eps)
            kernel = self.convs[layer].weight * scale[:, None, None, None]
            if layer == "1_1":
                kernel = kernel * INPUT_SCALE
            weights[layer] = (kernel, norm.bias - norm.running_mean * scale)
        return weights


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
def start_from_teacher(student: Student, teacher: Weights, batches: list[Tensor]) -> None:
    """Set the student's kernels, normalisation and linear maps by selection and regression on `batches`."""
    positions = 192  # samples taken from each crop

    def sampled(maps: Tensor, seed: int) -> Tensor:  # (N, C, H, W) -> (samples, C)
        flat = maps.flatten(2)
        generator = torch.Generator().manual_seed(seed)
        chosen = torch.randperm(flat.shape[2], generator=generator)[:positions].to(maps.device)
        return flat[:, :, chosen].transpose(1, 2).flatten(0, 1)

    seen = list(batches)  # the teacher's input to the layer
    own = [batch * INPUT_SCALE for batch in batches]  # the student's
    for layer in LAYERS:
        if layer in ("2_1", "3_1", "4_1", "5_1"):
            seen = [pool(x, student.pooling) for x in seen]
            own = [pool(x, student.pooling) for x in own]
        kernel, bias = teacher[layer]
        raw = [F.conv2d(x, kernel, bias, padding=1) for x in seen]
        seen = [F.relu(x) for x in raw]
        target = torch.cat([sampled(x, i) for i, x in enumerate(raw)])

        conv, norm = student.convs[layer], student.norms[layer]
        kept = most_telling_channels(target.relu().T @ target.relu(), conv.out_channels)
        target = target[:, kept]
        mean, deviation = target.mean(0), target.std(0)
        patches = torch.cat(
            [
                sampled(F.unfold(x, 3, padding=1).reshape(len(x), -1, *x.shape[2:]), i)
                for i, x in enumerate(own)
            ]
        )
        ones = torch.ones(len(patches), 1, device=patches.device)
        fit = least_squares(torch.cat([patches, ones], 1), (target - mean) / deviation)
        conv.weight.copy_(fit[:-1].T.reshape(conv.weight.shape))
        # The channels keep the teacher's proportions, so that Gram matrices weigh them as the teacher's do.
        norm.weight.copy_(deviation / deviation.square().mean().sqrt())
        norm.bias.copy_(mean / deviation.square().mean().sqrt())

        raw = [conv(x) for x in own]
        joined = torch.cat([x.transpose(0, 1).flatten(1) for x in raw], 1)
        norm.running_mean.copy_(joined.mean(1))
        norm.running_var.copy_(joined.var(1))
        norm.eval()
        own = [F.relu(norm(x)) for x in raw]
        norm.train()

        if layer in TAPS:
            linear = student.maps[layer]
            scale = torch.cat([sampled(x, i) for i, x in enumerate(seen)]).square().mean().sqrt()
            y = torch.cat([sampled(x, i) for i, x in enumerate(seen)]) / scale
            x = torch.cat([sampled(x, i) for i, x in enumerate(own)])
            fit = least_squares(torch.cat([x, ones], 1), y)
            linear.weight.copy_(fit[:-1].T[:, :, None, None])
            linear.bias.copy_(fit[-1])
            linear.register_buffer("scale", scale)


# --- Loss -------------------------------------------------------------------------------------------------------------


def misalignment(x: Tensor, y: Tensor) -> Tensor:
    """1 − the cosine between the tables of inner products XᵀX and YᵀY of all positions; x and y are (C, positions)."""
    return 1 - (x @ y.T).square().sum() / ((x @ x.T).norm() * (y @ y.T).norm())


def tap_losses(own: Tensor, target: Tensor, linear: nn.Conv2d) -> tuple[Tensor, Tensor, Tensor]:
    """Relative squared error of the linear map, and the misalignment of inner products, plain and centred."""
    own, target = own.float(), target.float()
    # Every crop counts alike, dark or bright.
    level = target.square().mean((1, 2, 3), keepdim=True).sqrt()
    own, target = own * (linear.scale / level), target / level
    restored = F.conv2d(own, linear.weight) + (linear.scale / level) * linear.bias[:, None, None]
    error = (restored - target).square().mean()
    x, y = own.transpose(0, 1).flatten(1), target.transpose(0, 1).flatten(1)
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
        extent = most if widest else math.exp(rng.uniform(math.log(least), math.log(most)))
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


def gram(maps: Tensor) -> Tensor:
    flat = maps[0].flatten(1)
    return flat @ flat.T / flat.shape[1]


def make_picture(weights: Weights, pictures: Pictures, pooling: str, device: torch.device) -> np.ndarray:
    """Style transfer with the student as it stands, coarse to fine, from two training pictures: (H, W, 3) RGB."""
    rng = pictures.rng
    content = pictures.crop(OWN_SIDE, widest=True)
    style = pictures.crop(OWN_SIDE, widest=bool(rng.random() < 0.7))
    style_weight = math.exp(rng.uniform(math.log(2), math.log(30)))
    content_all, style_all = preprocess(content[None], device), preprocess(style[None], device)
    x = content_all
    if rng.random() < 0.2:
        x = x + torch.from_numpy(rng.normal(0, 40, x.shape).astype(np.float32)).to(device)
    for side, evaluations in ((OWN_SIDE // 2, 20), (OWN_SIDE, int(rng.integers(8, 36)))):
        resize = lambda picture: F.interpolate(picture, size=(side, side), mode="bilinear", antialias=True)
        with torch.no_grad():
            target = features(weights, resize(content_all), pooling)[CONTENT_TAP]
            style_maps = features(weights, resize(style_all), pooling)
            grams = {tap: gram(style_maps[tap]) for tap in STYLE_TAPS}
        x = resize(x).detach().contiguous().requires_grad_()
        optimizer = torch.optim.LBFGS(
            [x], max_iter=evaluations, max_eval=evaluations, history_size=10, line_search_fn="strong_wolfe"
        )

        def loss() -> Tensor:
            optimizer.zero_grad()
            maps = features(weights, x, pooling)
            total = (maps[CONTENT_TAP] - target).square().sum() / target.square().sum()
            for tap, wanted in grams.items():
                error = (gram(maps[tap]) - wanted).square().sum() / wanted.square().sum()
                total = total + style_weight / len(grams) * error
            total.backward()
            return total

        optimizer.step(loss)
    made = x.detach()[0].permute(1, 2, 0).cpu() + torch.tensor(MEAN_BGR)
    picture = made.numpy()[..., ::-1]
    return np.clip(picture, 0, 255) if rng.random() < 0.5 else picture


# --- Files ------------------------------------------------------------------------------------------------------------


def replace_file(path: Path, write) -> None:
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


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--teacher", type=Path, required=True, help="VGG-19's convolutions, safetensors, Caffe")
    parser.add_argument("--images", type=Path, required=True, help="folder of training pictures")
    parser.add_argument("--widths", default="32,64,96,192,192", help="channels in each block (%(default)s)")
    parser.add_argument("--out", type=Path, required=True, help="the file to write")
    parser.add_argument("--steps", type=int, default=20000, help="length of the schedule (%(default)s)")
    parser.add_argument("--minutes", type=float, help="end the schedule after so long, if that is sooner")
    parser.add_argument("--rate", type=float, default=2e-3, help="Adam's highest learning rate (%(default)s)")
    parser.add_argument("--alignment", type=float, default=1.0, help="weight of the inner products (%(default)s)")
    parser.add_argument("--pooling", choices=["average", "max"], default="average")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--threads", type=int, help="CPU threads (PyTorch's choice)")
    parser.add_argument("--save-every", type=int, default=500, help="steps between saves (%(default)s)")
    parser.add_argument("--resume", action="store_true", help="go on from the state beside --out")
    arguments = parser.parse_args()
    arguments.widths = [int(width) for width in arguments.widths.split(",")]
    if len(arguments.widths) != 5:
        parser.error("--widths wants five numbers")
    return arguments


def main() -> None:
    arguments = parse_arguments()
    if arguments.threads:
        torch.set_num_threads(arguments.threads)
    torch.manual_seed(arguments.seed)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    rng = np.random.default_rng(arguments.seed)
    pictures = Pictures(arguments.images, rng)
    teacher, teacher_metadata = load_teacher(arguments.teacher, device)
    # bfloat16 changes the teacher's maps by under 1e-4 of their energy, far below the student's error.
    fast_teacher = {
        layer: (kernel.bfloat16().to(memory_format=torch.channels_last), bias.bfloat16())
        for layer, (kernel, bias) in teacher.items()
    }
    student = Student(arguments.widths, teacher, arguments.pooling).to(device)
    for linear in student.maps.values():
        linear.register_buffer("scale", torch.ones((), device=device))
    state_path = arguments.out.with_name(arguments.out.name + ".state")
    progress = Progress()
    if arguments.resume:
        state = torch.load(state_path, map_location=device, weights_only=True)
        student.load_state_dict(state["student"])
        progress = Progress(**state["progress"])
        pictures.own = [picture.float().cpu().numpy() for picture in state["own"]]
        rng.bit_generator.state = state["rng"]
    else:
        calibration = [preprocess(pictures.batch(8, 96), device) for _ in range(24)]
        start_from_teacher(student, teacher, calibration)
    student = student.to(memory_format=torch.channels_last)
    optimizer = torch.optim.Adam(student.parameters(), betas=(0.9, 0.99))
    if arguments.resume:
        optimizer.load_state_dict(state["optimizer"])

    stop_asked = False

    def ask_to_stop(*_) -> None:
        nonlocal stop_asked
        stop_asked = True

    signal.signal(signal.SIGTERM, ask_to_stop)
    signal.signal(signal.SIGINT, ask_to_stop)

    def save() -> None:
        state = {
            "student": student.state_dict(),
            "optimizer": optimizer.state_dict(),
            "progress": dataclasses.asdict(progress),
            "own": [torch.from_numpy(picture.copy()).half() for picture in pictures.own],
            "rng": rng.bit_generator.state,
        }
        replace_file(state_path, lambda part: torch.save(state, part))
        widths = ",".join(str(width) for width in arguments.widths)
        metadata = {
            "network": teacher_metadata.get("network", "vgg19"),
            "preprocessing": teacher_metadata["preprocessing"],
            "pooling": arguments.pooling,
            "note": f"slim VGG-19, widths {widths}, distilled from VGG-19 by scripts/distill.py in {progress.step} steps",
            "source": "trained for impasto; teacher: VGG-19, Simonyan and Zisserman 2014, Visual Geometry Group, "
            "University of Oxford, CC BY 4.0",
        }
        write_student(arguments.out, student.folded(), metadata)

    averages: dict[str, Tensor] = {}
    begun_part, last = progress.part, time.monotonic()
    while progress.part < 1 and not stop_asked:
        student.train()
        if progress.part >= FREEZE_AT:
            for norm in student.norms.values():
                norm.eval()
        if progress.step % OWN_EVERY == 0:
            pictures.keep_own(make_picture(student.folded(), pictures, arguments.pooling, device))
        count, side = BATCHES[rng.integers(len(BATCHES))]
        x = preprocess(pictures.batch(count, side), device)
        with torch.inference_mode():
            targets = features(fast_teacher, x.bfloat16(), arguments.pooling)
        with torch.autocast(device.type, torch.bfloat16):
            own = student(x)
        loss = torch.zeros((), device=device)
        for tap in TAPS:
            error, plain, centred = tap_losses(own[tap], targets[tap].clone(), student.maps[tap])
            loss = loss + error + arguments.alignment * (plain + centred)
            now = torch.stack([error, plain, centred]).detach()
            averages[tap] = averages.get(tap, now).lerp(now, max(0.01, 1 / (progress.step + 1)))
        for group in optimizer.param_groups:
            group["lr"] = progress.learning_rate(arguments.rate)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

        now = time.monotonic()
        seconds, last = now - last, now
        advance = 1 / arguments.steps
        if arguments.minutes:
            advance = max(advance, (1 - begun_part) * seconds / (60 * arguments.minutes))
        progress.step += 1
        progress.part += advance
        if progress.step % 25 == 0:
            taps = "  ".join(f"{tap} " + "/".join(f"{v:.3f}" for v in averages[tap].tolist()) for tap in TAPS)
            print(f"{progress.step:6d} {progress.part:6.1%} {seconds:.2f} s  {taps}", flush=True)
        if progress.step % arguments.save_every == 0:
            save()
    save()


if __name__ == "__main__":
    main()
