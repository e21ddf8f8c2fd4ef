"""What the tests share: small pictures, and where things are."""

from __future__ import annotations

import os
import unittest
from pathlib import Path
from typing import Any

import numpy as np

import impasto

PACKAGE = Path(__file__).resolve().parents[1]
REPOSITORY = PACKAGE.parents[1]
CONTENT = str(REPOSITORY / "demo" / "content.png")
STYLE = str(REPOSITORY / "demo" / "style.jpg")


def scene(height: int = 48, width: int = 64, seed: int = 1) -> Any:
    """A picture of smooth shapes and some noise, uint8."""
    y, x = np.mgrid[0:height, 0:width] / float(max(height, width))
    waves = [np.sin(7 * x + 3 * y), np.cos(5 * y - 2 * x), np.sin(9 * x * y)]
    noise = np.random.default_rng(seed).normal(scale=0.05, size=(height, width, 3))
    return (255 * np.clip(0.5 + 0.4 * np.stack(waves, axis=-1) + noise, 0, 1)).astype(np.uint8)


def strokes(side: int = 48, seed: int = 2) -> Any:
    """A picture of coloured noise in blocks of 4 pixels, uint8."""
    blocks = np.random.default_rng(seed).integers(0, 256, size=(side // 4, side // 4, 3), dtype=np.uint8)
    return blocks.repeat(4, axis=0).repeat(4, axis=1)


def quick(content: Any = None, style: Any = None, **settings: Any) -> Any:
    """A picture that is soon made."""
    given = {"size": 64, "steps": 2, "scales": 1, **settings}
    return impasto.stylize(scene() if content is None else content, strokes() if style is None else style, **given)


def command() -> str:
    """The command `impasto`: where IMPASTO_COMMAND says, or in target/; else the test is skipped."""
    places = [os.environ.get("IMPASTO_COMMAND", "")]
    places += [str(REPOSITORY / "target" / profile / "impasto") for profile in ("release", "debug")]
    for place in places:
        if place and os.access(place, os.X_OK):
            return place
    raise unittest.SkipTest("there is no command: `cargo build` makes it, or IMPASTO_COMMAND says where it is")
