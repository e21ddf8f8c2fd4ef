#!/usr/bin/env python3
"""Compares impasto's forward pass with ncnn's, a forward-only CPU engine that has Winograd kernels of its own.

    cargo build --release
    python scripts/compare_ncnn.py --weights vgg19.safetensors [--sizes 256 512] [--rounds 5]

Both compute VGG-19 to relu5_1, with max pooling, in f32, on the same number of threads; impasto keeps every map, for the
backward pass, ncnn only the last. They take turns, each time in a process of its own; the table has the medians over
all rounds. impasto's seconds are `profile`'s, of the network alone. What ncnn computes is checked against impasto
(`features`). Needs numpy, pillow, safetensors and ncnn.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from PIL import Image
from safetensors.numpy import load_file

ROOT = Path(__file__).resolve().parent.parent
BLOCKS = [2, 2, 4, 4, 1]
MEAN_BGR = np.float32([103.939, 116.779, 123.68])


def main() -> int:
    arguments = parse_arguments()
    if arguments.ncnn:
        folder, size = Path(arguments.ncnn[0]), int(arguments.ncnn[1])
        print(json.dumps(evaluate_ncnn(folder, size, arguments.threads)))
        return 0
    print(f"{arguments.threads} threads, medians of {arguments.rounds} rounds, load {os.getloadavg()[0]:.1f}\n")
    print("| | ncnn | impasto | ratio | difference |\n|---|---:|---:|---:|---:|")
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        write_model(folder, load_file(arguments.weights))
        for size in arguments.sizes:
            compare(arguments, folder, size)
    return 0


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--weights", type=Path, required=True, metavar="FILE", help="VGG-19, safetensors, Caffe")
    binary = ROOT / "target" / "release" / "impasto"
    parser.add_argument("--impasto", type=Path, default=binary, metavar="BIN", help="the command to measure")
    parser.add_argument("--sizes", type=int, nargs="+", default=[256, 512], metavar="N", help="sides, in pixels")
    parser.add_argument("--rounds", type=int, default=5, metavar="N", help="turns of each (%(default)s)")
    threads = len(os.sched_getaffinity(0))
    parser.add_argument("--threads", type=int, default=threads, metavar="N", help="of both (%(default)s)")
    parser.add_argument("--ncnn", nargs=2, help=argparse.SUPPRESS)
    return parser.parse_args()


def compare(arguments: argparse.Namespace, folder: Path, size: int) -> None:
    """Prints the row of one size."""
    values = np.random.default_rng(size).integers(0, 256, (size, size, 3), dtype=np.uint8)
    Image.fromarray(values).save(folder / "picture.png")
    threads = ["--threads", str(arguments.threads)]
    ncnn, impasto = [], []
    for _ in range(arguments.rounds):
        again = [sys.executable, __file__, "--weights", arguments.weights, *threads, "--ncnn", folder, str(size)]
        ncnn.append(json.loads(run(again))["seconds"])
        profile = [arguments.impasto, "profile", "--weights", arguments.weights, "--size", str(size), "--json"]
        impasto.append(json.loads(run([*profile, *threads]))["forward_seconds"])
    maps = folder / "features.safetensors"
    features = [arguments.impasto, "features", folder / "picture.png", "--layer", "relu5_1", "-o", maps]
    run([*features, "--weights", arguments.weights, "--pooling", "max", "--quiet"])
    expected, found = load_file(maps)["relu5_1"], np.load(folder / "ncnn.npy")
    difference = np.linalg.norm(found - expected) / np.linalg.norm(expected)
    a, b = statistics.median(ncnn), statistics.median(impasto)
    print(f"| {size}²: seconds forward | {a:.3f} | {b:.3f} | {a / b:.2f} times as fast | {difference:.1e} |", flush=True)


def run(command: list) -> str:
    return subprocess.run([str(part) for part in command], check=True, stdout=subprocess.PIPE, text=True).stdout


def write_model(folder: Path, tensors: dict[str, np.ndarray]) -> None:
    """VGG-19 to relu5_1 in ncnn's own format: the layers as text, the weights one after another."""
    layers, weights, blob = ["Input input 0 1 data"], [], "data"
    for group, count in enumerate(BLOCKS, 1):
        for index in range(1, count + 1):
            name = f"{group}_{index}"
            kernel, bias = tensors[f"conv{name}.weight"], tensors[f"conv{name}.bias"]
            # Outputs, kernel, padding, bias, weights, and a ReLU at once.
            numbers = f"0={len(bias)} 1=3 4=1 5=1 6={kernel.size} 9=1"
            layers.append(f"Convolution conv{name} 1 1 {blob} relu{name} {numbers}")
            blob = f"relu{name}"
            weights += [np.int32([0]).tobytes(), kernel.astype("<f4").tobytes(), bias.astype("<f4").tobytes()]
        if group < len(BLOCKS):
            # The maximum, of 2×2, with stride 2, and no partial windows.
            layers.append(f"Pooling pool{group} 1 1 {blob} pool{group} 0=0 1=2 2=2 5=1")
            blob = f"pool{group}"
    (folder / "vgg19.param").write_text("\n".join(["7767517", f"{len(layers)} {len(layers)}", *layers]) + "\n")
    (folder / "vgg19.bin").write_bytes(b"".join(weights))


def evaluate_ncnn(folder: Path, size: int, threads: int) -> dict[str, float]:
    """The median time of a forward pass by ncnn; its result is left in the folder."""
    import ncnn

    net = ncnn.Net()
    net.opt.num_threads = threads
    net.opt.use_fp16_packed = net.opt.use_fp16_storage = net.opt.use_fp16_arithmetic = False
    net.opt.use_bf16_storage = False
    net.load_param(str(folder / "vgg19.param"))
    net.load_model(str(folder / "vgg19.bin"))
    rgb = np.asarray(Image.open(folder / "picture.png"), dtype=np.float32)
    planes = np.ascontiguousarray((rgb[..., ::-1] - MEAN_BGR).transpose(2, 0, 1))
    seconds = []
    for _ in range(6):
        start = time.perf_counter()
        extractor = net.create_extractor()
        extractor.input("data", ncnn.Mat(planes))
        _, result = extractor.extract("relu5_1")
        values = np.array(result)
        seconds.append(time.perf_counter() - start)
    np.save(folder / "ncnn.npy", values)
    # The first finds untouched memory.
    return {"seconds": statistics.median(seconds[1:])}


if __name__ == "__main__":
    sys.exit(main())
