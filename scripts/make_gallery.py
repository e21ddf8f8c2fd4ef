#!/usr/bin/env python3
"""Makes README's gallery: photographs and paintings in the public domain, each pair with its command and seconds.

The pictures that are read are not a part of the project. They are known by their SHA-256, so that whoever finds them elsewhere makes
the same gallery; SOURCES below says what they are.

usage: make_gallery.py --pictures FOLDER [--impasto target/release/impasto]

Writes gallery/NAME.jpg, and gallery/README.md.
"""

import argparse
import hashlib
import pathlib
import shlex
import subprocess
import sys
import time

# Name of the file: SHA-256, what it is, and why it may be used.
SOURCES = {
    "astronaut.png": ("2418889d0d83962d51facc3832b55cf1849690018a1e873d1c551146555cd02f", "An astronaut, NASA", "public domain"),
    "chelsea.png": ("9540e8d656047041ae92c8c19f8aeb2baa4ede5a17030470e8a1cfc7bb26182a", "Chelsea, a cat", "CC0"),
    "coffee.png": ("1b334876bab6bccddc821520b67fad5bceaaf3c454885b75cdc126b7ebfe9576", "A cup of coffee", "CC0"),
    "rocket.png": ("7a88c634b209f0edd7aa95dc8cd5a9f2cb8d09dd3fb176669dd389572846819c", "A rocket, SpaceX", "CC0"),
    "starry_night.jpg": ("228bebf0dd424ea4f740d8d88a67f2960424c166e638086c1ec529260d2e3832", "Van Gogh, The Starry Night", "public domain"),
    "vg_la_cafe.jpg": ("af361f26d92524b959967ca1dda27f4127e9a89a51fd23ae0e9cb88add859d62", "Van Gogh, a café at night", "public domain"),
    "vg_wheat_field.jpg": ("da6959c2bc8e874f09df0cdce63dd86a1f11b61bf560ff498e1dfe483cdf8a81", "Van Gogh, a wheat field", "public domain"),
    "wave_crop.jpg": ("474ac51f1b064bfb3eaee068dea0f51bce8c2a798ff507693d451c989bd4a589", "Hokusai, a wave", "public domain"),
}

# Name of the result, content, style, and further options.
PICTURES = [
    ("rocket", "rocket.png", "starry_night.jpg", ["--size", "640"]),
    ("coffee", "coffee.png", "vg_la_cafe.jpg", ["--size", "600"]),
    ("cat", "chelsea.png", "vg_wheat_field.jpg", ["--style-scale", "0.7"]),
    ("astronaut", "astronaut.png", "wave_crop.jpg", ["--laplacian-weight", "2"]),
]


def check(folder, name):
    """The picture's path, once it is known to be that picture."""
    path = folder / name
    found = hashlib.sha256(path.read_bytes()).hexdigest()
    if found != SOURCES[name][0]:
        sys.exit(f"make_gallery.py: {path} is another picture: its SHA-256 is {found}")
    return path


def main():
    """Makes the pictures and the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pictures", type=pathlib.Path, required=True)
    parser.add_argument("--impasto", default="target/release/impasto")
    arguments = parser.parse_args()
    gallery = pathlib.Path(__file__).resolve().parent.parent / "gallery"
    gallery.mkdir(exist_ok=True)
    lines = [
        "# Gallery", "",
        "Made by `scripts/make_gallery.py` with the embedded network, on two cores of an Intel Sapphire Rapids.", "",
    ]  # fmt: skip
    for name, content, style, options in PICTURES:
        words = ["stylize", check(arguments.pictures, content), check(arguments.pictures, style), *options]
        result = gallery / f"{name}.jpg"
        start = time.monotonic()
        subprocess.run([arguments.impasto, *words, "--strip", "-q", "-o", result], check=True)
        seconds = time.monotonic() - start
        command = shlex.join(["impasto", "stylize", content, style, *options, "-o", result.name])
        of = " × ".join(f"{SOURCES[part][1]} ({SOURCES[part][2]})" for part in (content, style))
        lines += [f"![{of}]({name}.jpg)", "", f"{of}. {seconds:.0f} s:", "", "```sh", command, "```", ""]
        print(f"{name}: {seconds:.1f} s")
    lines += ["The pictures, by SHA-256:", "", "| file | what it is | SHA-256 |", "|---|---|---|"]
    lines += [f"| `{name}` | {what}; {licence} | `{digest}` |" for name, (digest, what, licence) in SOURCES.items()]
    (gallery / "README.md").write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
