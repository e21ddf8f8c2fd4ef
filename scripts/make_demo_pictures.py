#!/usr/bin/env python3
"""Makes the two demonstration pictures: a rendered scene and a generated painting.

    python scripts/make_demo_pictures.py [--out DIR]       # demo/content.png and demo/style.jpg

Both come from a seed and nothing else, so that nothing of unclear licence ships.
"""

import argparse
from pathlib import Path

from PIL import Image

import demo_painting
import demo_scene

FOLDER = Path(__file__).resolve().parent.parent / "demo"
SEED = 7


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", type=Path, default=FOLDER, metavar="DIR", help="where to write")
    folder = parser.parse_args().out
    folder.mkdir(parents=True, exist_ok=True)

    content = Image.fromarray(demo_scene.render(SEED, width=512, height=384))
    content.save(folder / "content.png", optimize=True)
    style = Image.fromarray(demo_painting.paint(SEED, side=512))
    style.save(folder / "style.jpg", quality=90)
    for name in ("content.png", "style.jpg"):
        print(f"{folder / name}: {(folder / name).stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    main()
