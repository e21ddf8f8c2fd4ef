"""Neural style transfer on the CPU.

    import impasto

    picture = impasto.stylize("photograph.jpg", "painting.jpg", size=512, progress=True)
    impasto.save(picture, "out.png")

`help(impasto.stylize)` has all controls.
"""

from __future__ import annotations

from . import _impasto
from ._errors import (
    ArgumentError,
    CheckpointError,
    Error,
    NotFiniteError,
    OutOfMemoryError,
    PictureError,
    WeightsError,
)
from ._functions import estimate, instruction_set, load, reconstruct, save, stylize, texture
from ._impasto import Progress, Weights
from ._objective import Objective
from ._presets import PRESETS
from ._result import Details, Estimate, ScaleEstimate
from ._style import Style

__version__: str = _impasto.__version__

__all__ = [
    "ArgumentError",
    "CheckpointError",
    "Details",
    "Error",
    "Estimate",
    "NotFiniteError",
    "Objective",
    "OutOfMemoryError",
    "PRESETS",
    "PictureError",
    "Progress",
    "ScaleEstimate",
    "Style",
    "Weights",
    "WeightsError",
    "__version__",
    "estimate",
    "instruction_set",
    "load",
    "reconstruct",
    "save",
    "stylize",
    "texture",
]
