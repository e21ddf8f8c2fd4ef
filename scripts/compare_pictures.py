#!/usr/bin/env python3
"""Lets somebody judge settings by their pictures, without knowing which picture is of which setting.

    python scripts/compare_pictures.py make variants.json sheets/ --impasto target/release/impasto
    python scripts/compare_pictures.py count sheets/ votes.txt

`make` takes a JSON object of three entries:

- `pairs`: lists of a content and a style file;
- `variants`: a name for each list of impasto's options;
- `options`: options of all of them, such as `["--size", "384"]`.

All variants get the same seconds: a few steps of each are timed on the first pair, and slower variants then get fewer of the
200 steps. For each pair there are two sheets, `PAIR-1.png` and `PAIR-2.png`: content and style above, below them the
variants' pictures under letters, in two random orders. Which letter is which variant is in `key.json`; whoever judges
doesn't see it.

Votes are lines of a sheet's name and its letters from best to worst: `03-1 C A B D`. `count` says for each variant how often
it came first, its mean place, and how often the same variant came first in both orders of a pair.
"""

import argparse
import json
import random
import resource
import subprocess
import sys
from pathlib import Path

from PIL import Image, ImageDraw

STEPS = 200
TIMED_STEPS = 20
WIDTH = 480
TITLE = 16


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = parser.add_subparsers(dest="command", required=True)
    make = commands.add_parser("make", help="make the pictures and the sheets")
    make.add_argument("plan", type=Path, help="what to compare, as JSON")
    make.add_argument("folder", type=Path, help="where pictures and sheets go")
    make.add_argument("--impasto", default="impasto", metavar="BIN", help="the command (%(default)s)")
    count = commands.add_parser("count", help="count the votes")
    count.add_argument("folder", type=Path, help="where the sheets are")
    count.add_argument("votes", type=Path, help="a line for each sheet")
    arguments = parser.parse_args()
    try:
        if arguments.command == "make":
            make_sheets(arguments)
        else:
            print(table(arguments.folder, arguments.votes))
    except (OSError, ValueError, subprocess.CalledProcessError) as error:
        print(f"compare_pictures.py: {error}", file=sys.stderr)
        return 1
    return 0


def make_sheets(arguments: argparse.Namespace) -> None:
    plan = json.loads(arguments.plan.read_text())
    arguments.folder.mkdir(parents=True, exist_ok=True)
    steps = equal_seconds(arguments.impasto, plan)
    print("steps:", steps)
    key = {}
    for number, pair in enumerate(plan["pairs"], 1):
        made = {}
        for variant, options in plan["variants"].items():
            made[variant] = arguments.folder / f"{number:02}-{variant}.png"
            if not made[variant].exists():
                run(arguments.impasto, plan, pair, options, steps[variant], made[variant])
        for order in (1, 2):
            name = f"{number:02}-{order}"
            variants = list(made)
            random.Random(name).shuffle(variants)
            letters = dict(zip("ABCDEFGHIJKL", variants))
            key[name] = letters
            pictures = {letter: made[variant] for letter, variant in letters.items()}
            sheet(pair, pictures).save(arguments.folder / f"{name}.png")
        (arguments.folder / "key.json").write_text(json.dumps(key, indent=1))


def equal_seconds(impasto: str, plan: dict) -> dict[str, int]:
    """The steps of each variant in the time that the fastest needs for all of them."""
    seconds = {}
    for variant, options in plan["variants"].items():
        before = processor_seconds()
        run(impasto, plan, plan["pairs"][0], ["--scales", "1", *options], TIMED_STEPS, Path("/dev/null"))
        seconds[variant] = processor_seconds() - before
    fastest = min(seconds.values())
    return {variant: round(STEPS * fastest / taken) for variant, taken in seconds.items()}


def processor_seconds() -> float:
    """Seconds that the processors worked for ended commands; other work on the machine changes them little."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def run(impasto: str, plan: dict, pair: list[str], options: list[str], steps: int, output: Path) -> None:
    """Makes one picture; with /dev/null none is kept."""
    command = [impasto, "stylize", *pair, "-q", "--steps", str(steps), *plan["options"], *options]
    if output == Path("/dev/null"):
        subprocess.run([*command, "-o", "-"], check=True, stdout=subprocess.DEVNULL)
    else:
        subprocess.run([*command, "-o", output], check=True)


def sheet(pair: list[str], pictures: dict[str, Path]) -> Image.Image:
    """Content and style in the first row, three pictures in each row below."""
    titled = [("content", pair[0]), ("style", pair[1]), (None, None), *pictures.items()]
    tiles = [(title, scaled(path) if path else None) for title, path in titled]
    rows = [tiles[start : start + 3] for start in range(0, len(tiles), 3)]
    heights = [TITLE + max(tile.height for _, tile in row if tile) for row in rows]
    page = Image.new("RGB", (3 * WIDTH, sum(heights)), "white")
    draw = ImageDraw.Draw(page)
    for index, row in enumerate(rows):
        top = sum(heights[:index])
        for column, (title, tile) in enumerate(row):
            if tile:
                draw.text((column * WIDTH + 4, top + 2), title, fill="black")
                page.paste(tile, (column * WIDTH, top + TITLE))
    return page


def scaled(path: str | Path) -> Image.Image:
    """A picture as wide as a column."""
    with Image.open(path) as picture:
        height = round(picture.height * WIDTH / picture.width)
        return picture.convert("RGB").resize((WIDTH, height), Image.Resampling.LANCZOS)


def table(folder: Path, votes: Path) -> str:
    """The counts as Markdown."""
    key = json.loads((folder / "key.json").read_text())
    places: dict[str, list[int]] = {}
    firsts: dict[str, list[str]] = {}
    for line in votes.read_text().splitlines():
        name, *letters = line.split()
        if sorted(letters) != sorted(key[name]):
            raise ValueError(f"{name}: expected the letters {' '.join(sorted(key[name]))}")
        for place, letter in enumerate(letters, 1):
            places.setdefault(key[name][letter], []).append(place)
        firsts.setdefault(name.split("-")[0], []).append(key[name][letters[0]])
    lines = ["| variant | first | mean place |", "|---|---:|---:|"]
    for variant, of_variant in sorted(places.items(), key=lambda item: sum(item[1])):
        mean = sum(of_variant) / len(of_variant)
        lines.append(f"| {variant} | {of_variant.count(1)} of {len(of_variant)} | {mean:.2f} |")
    both = [first for first in firsts.values() if len(first) == 2]
    same = sum(first[0] == first[1] for first in both)
    return "\n".join([*lines, "", f"The same variant came first in both orders of {same} of {len(both)} pairs."])


if __name__ == "__main__":
    sys.exit(main())
