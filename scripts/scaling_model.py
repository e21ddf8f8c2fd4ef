#!/usr/bin/env python3
"""How fast many machines compute one picture together: a model of `mpirun -n N impasto stylize`.

An evaluation on N ranks takes
    fixed + pixels · seconds a pixel / N          each rank's own work: what does not depend on the band, and the band
  + borders · (latency + bytes of a row / bandwidth)     two rows are exchanged before each convolution, in both passes
  + sums · 2 · log2(N) · (latency + bytes / bandwidth)   moments, losses, and the optimiser's dot products

The Laplacian term, by default without weight, is not in it: it sums a grid of the whole picture.

`--measured F.json …` compares it with what some ranks took: each file has {"ranks", "width", "height", "seconds",
"threads"}, of which one with a single rank, and `--latency`, `--gbit` say what connected them.

usage: scaling_model.py [--fixed S] [--per-pixel S] [--latency S] [--gbit G …] [--ranks N …] [--measured F.json …]
"""

import argparse
import json
import math

# VGG-19 up to relu5_1: for each convolution the stride of its maps, and its input and output channels.
CONVOLUTIONS = [
    (1, 3, 64), (1, 64, 64),
    (2, 64, 128), (2, 128, 128),
    (4, 128, 256), (4, 256, 256), (4, 256, 256), (4, 256, 256),
    (8, 256, 512), (8, 512, 512), (8, 512, 512), (8, 512, 512),
    (16, 512, 512),
]  # fmt: skip
# Channels of the style layers, whose moments are summed over the ranks.
STYLE_CHANNELS = [64, 128, 256, 512, 512]
# Steps of the network between which an end is agreed upon, in both passes: convolutions and pools, and the taps.
AGREEMENTS = 2 * 18
# Sums of a number in a step of L-BFGS with ten pairs: dot products, the losses of the terms, finite or not.
SCALAR_SUMS = 70
SIZES = {"4K": (3840, 2160), "16K": (15360, 8640), "64K": (61440, 34560)}


def blocks(channels):
    """Channels of a row that is sent: whole blocks of eight."""
    return 8 * math.ceil(channels / 8)


def border_bytes(width):
    """Bytes that a rank sends to one neighbour in an evaluation, and how many messages they are."""
    rows = [(stride, channels) for stride, before, after in CONVOLUTIONS for channels in (before, after)]
    return sum(4 * blocks(channels) * (width // stride + 2) for stride, channels in rows), len(rows)


def sum_bytes():
    """Bytes of the moments that are summed in an evaluation: f64, the upper half of S, μ and n."""
    return sum(8 * (n * (n + 1) // 2 + n + 1) for n in STYLE_CHANNELS)


def evaluation(ranks, width, height, fixed, per_pixel, latency, bandwidth):
    """Seconds of an evaluation with its step on so many ranks, and those of them that are communication."""
    # The largest band counts: bands are cut at multiples of 16 rows.
    units = max(1, height // 16)
    rows = min(height, 16 * math.ceil(units / ranks))
    own = fixed + per_pixel * width * rows
    if ranks == 1:
        return own, 0.0
    row_bytes, messages = border_bytes(width)
    borders = messages * latency + row_bytes / bandwidth
    rounds = 2 * math.ceil(math.log2(ranks))
    sums = (SCALAR_SUMS + AGREEMENTS + len(STYLE_CHANNELS)) * rounds * latency
    sums += rounds * sum_bytes() / bandwidth
    return own + borders + sums, borders + sums


def table(arguments):
    """Prints seconds and efficiency for the sizes, numbers of ranks and bandwidths."""
    row_bytes, messages = border_bytes(3840)
    print(f"4K: {row_bytes / 1e6:.1f} MB in {messages} messages to each neighbour, {sum_bytes() / 1e6:.1f} MB of moments")
    for name, (width, height) in SIZES.items():
        alone, _ = evaluation(1, width, height, arguments.fixed, arguments.per_pixel, 0, 1)
        print(f"\n{name}, {width}×{height}: one machine {alone:.1f} s an evaluation")
        print("  ranks " + "".join(f"{gbit:>10g} Gbit/s      " for gbit in arguments.gbit))
        for ranks in arguments.ranks:
            cells = []
            for gbit in arguments.gbit:
                seconds, spoken = evaluation(
                    ranks, width, height, arguments.fixed, arguments.per_pixel, arguments.latency, gbit * 1e9 / 8
                )
                cells.append(f"{seconds:8.2f} s {100 * alone / seconds / ranks:3.0f} % ({spoken:.2f})")
            print(f"  {ranks:5} " + "  ".join(cells))
    print("\nof each: seconds an evaluation, the share of the ideal speed, and (seconds of communication)")


def compare(arguments):
    """Compares the model with measurements."""
    runs = [json.load(open(path, encoding="utf-8")) for path in arguments.measured]
    for run in sorted(runs, key=lambda run: run["ranks"]):
        seconds, spoken = evaluation(
            run["ranks"], run["width"], run["height"], arguments.fixed, arguments.per_pixel, arguments.latency,
            arguments.gbit[0] * 1e9 / 8,
        )  # fmt: skip
        off = 100 * (seconds / run["seconds"] - 1)
        print(f"{run['ranks']} ranks, {run['width']}×{run['height']}: measured {run['seconds']:.3f} s, "
              f"model {seconds:.3f} s ({off:+.0f} %), of which {spoken:.3f} s are communication")


def main():
    """Reads the arguments."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--fixed", type=float, default=0.04, help="seconds that do not depend on the band")
    parser.add_argument("--per-pixel", type=float, default=1.95e-6, help="seconds a pixel on one rank")
    parser.add_argument("--latency", type=float, default=3e-5, help="seconds of a message")
    parser.add_argument("--gbit", type=float, nargs="+", default=[1, 10, 100])
    parser.add_argument("--ranks", type=int, nargs="+", default=[4, 16, 64, 256])
    parser.add_argument("--measured", nargs="+", metavar="F.json")
    arguments = parser.parse_args()
    if arguments.measured:
        compare(arguments)
    else:
        table(arguments)


if __name__ == "__main__":
    main()
