"""Judges a network by another: how far its pictures go the other's way, as the other sees it.

    python scripts/judge_network.py --teacher vgg19.safetensors --network slim --size 512 \\
        photo.jpg:painting.jpg other.jpg:painting.jpg

For each pair CONTENT:STYLE, stylises with both networks at the default settings, measures both pictures and the
untouched content with the teacher (`impasto loss`), and prints the share of the teacher's way that the network goes
in style, (untouched - network) / (untouched - teacher), and its content loss over the teacher's. Needs no packages.
"""

import argparse
import json
import statistics
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def main() -> int:
    arguments = parse_arguments()
    arguments.out.mkdir(parents=True, exist_ok=True)
    print("| content | style | style's share | content ratio | seconds, network | seconds, teacher |")
    print("|---|---|---:|---:|---:|---:|")
    shares, ratios = [], []
    for pair in arguments.pairs:
        content, style = map(Path, pair.split(":"))
        picture = {}
        seconds = {}
        for role, weights in {"teacher": arguments.teacher, "network": arguments.network}.items():
            picture[role] = arguments.out / f"{role}_{content.stem}_{style.stem}.png"
            start = time.monotonic()
            run(arguments, ["stylize", content, style, "-o", picture[role], "--weights", weights, "--quiet"])
            seconds[role] = time.monotonic() - start
        untouched, teacher, network = (
            losses(arguments, image, content, style)
            for image in (content, picture["teacher"], picture["network"])
        )
        share = (untouched["style"] - network["style"]) / (untouched["style"] - teacher["style"])
        ratio = network["content"] / teacher["content"]
        shares.append(share)
        ratios.append(ratio)
        times = f"{seconds['network']:.1f} | {seconds['teacher']:.1f}"
        print(f"| {content.stem} | {style.stem} | {share:.1%} | {ratio:.2f} | {times} |", flush=True)
    print(f"| median | | {statistics.median(shares):.1%} | {statistics.median(ratios):.2f} | | |")
    print(f"| least, most | | {min(shares):.1%} | {max(ratios):.2f} | | |")
    return 0


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("pairs", nargs="+", metavar="CONTENT:STYLE")
    parser.add_argument("--teacher", required=True, metavar="FILE|NAME", help="the judge")
    parser.add_argument("--network", default="slim", metavar="FILE|NAME", help="the judged (%(default)s)")
    parser.add_argument("--size", type=int, default=512, metavar="N", help="longest side (%(default)s)")
    parser.add_argument("--out", type=Path, default=Path("judged"), metavar="DIR", help="for the pictures")
    binary = ROOT / "target" / "release" / "impasto"
    parser.add_argument("--impasto", type=Path, default=binary, metavar="BIN")
    return parser.parse_args()


def losses(arguments: argparse.Namespace, image: Path, content: Path, style: Path) -> dict[str, float]:
    """The teacher's mean content and style terms, unweighted."""
    terms = ["loss", image, "--content", content, "--style", style, "--weights", arguments.teacher, "--json"]
    answer = json.loads(run(arguments, terms))
    return {kind: statistics.mean(answer[kind].values()) for kind in ("content", "style")}


def run(arguments: argparse.Namespace, command: list) -> str:
    command = [arguments.impasto, *command, "--size", arguments.size]
    return subprocess.run([str(part) for part in command], check=True, stdout=subprocess.PIPE, text=True).stdout


if __name__ == "__main__":
    sys.exit(main())
