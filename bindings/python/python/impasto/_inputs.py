"""Brings arguments into the forms that the native module takes."""

from __future__ import annotations

import datetime
import io
import os
import re
import sys
from typing import Any, List, Mapping, Optional, Sequence, Tuple, Union

import numpy as np

from . import _impasto
from ._errors import ArgumentError

#: A picture: an array H×W, H×W×3 or H×W×4 (uint8, uint16, or floats of 0–1), a PIL picture, a file's path or its bytes.
PictureLike = Any
#: Seconds, a time as on the command line (`"10m"`), or a `timedelta`.
Time = Union[float, str, datetime.timedelta]
#: Layers by their names, with weights or without.
Layers = Union[str, Sequence[Union[str, Tuple[str, float]]], Mapping[str, Optional[float]]]

_UNITS = {
    "": 1,
    "k": 10**3,
    "m": 10**6,
    "g": 10**9,
    "t": 10**12,
    "ki": 2**10,
    "mi": 2**20,
    "gi": 2**30,
    "ti": 2**40,
}


def picture(name: str, value: PictureLike) -> Any:
    """An array of uint8, uint16 or float32, bytes, or a path."""
    if isinstance(value, (str, os.PathLike)):
        return os.fsdecode(value)
    if isinstance(value, (bytes, bytearray, memoryview)):
        return bytes(value)
    if _is_pil(value):
        return _of_pil(value)
    if isinstance(value, np.ndarray) or hasattr(value, "__array__"):
        return _array(name, np.asarray(value))
    kinds = "an array, a PIL picture, a path or a file's bytes"
    raise TypeError(f"{name}: expected a picture ({kinds}), found {type(value).__name__}")


def pictures(name: str, value: Any) -> List[Any]:
    """A picture, or several."""
    if isinstance(value, (list, tuple)):
        several = len(value) > 1
        return [picture(f"{name}[{index}]" if several else name, item) for index, item in enumerate(value)]
    return [picture(name, value)]


def layers(name: str, value: Layers) -> List[Tuple[str, Optional[float]]]:
    """Pairs of a layer's name and its weight."""
    if isinstance(value, str):
        return [_layer(name, value)]
    if isinstance(value, Mapping):
        return [_layer(name, item) for item in value.items()]
    return [_layer(name, item) for item in value]


def seconds(name: str, value: Time) -> float:
    """A time in seconds."""
    if isinstance(value, datetime.timedelta):
        return value.total_seconds()
    if not isinstance(value, str):
        return value
    found = re.fullmatch(r"(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?", value)
    if value.isdigit():
        return int(value)
    if not value or not found:
        raise ArgumentError(f"{name}: expected seconds, or a time such as 90s, 10m or 1h30m, found {value!r}")
    hours, minutes, rest = (int(count or 0) for count in found.groups())
    return 3600 * hours + 60 * minutes + rest


def memory(name: str, value: Union[int, float, str]) -> Any:
    """An amount of memory in bytes."""
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if not isinstance(value, str):
        return value
    found = re.fullmatch(r"(\d+\.?\d*|\.\d+)([kmgt]i?)?b?", value.lower())
    amount = int(float(found[1]) * _UNITS[found[2] or ""]) if found else 0
    if not 1 <= amount < 10**18:
        raise ArgumentError(f"{name}: expected bytes, or an amount such as 4G, 1500M or 2.5GiB, found {value!r}")
    return amount


def _layer(name: str, item: Any) -> Tuple[str, Optional[float]]:
    """A layer as `"relu4_2"`, `"relu4_2=0.5"` or `("relu4_2", 0.5)`."""
    layer, weight = item if isinstance(item, tuple) and len(item) == 2 else (item, None)
    if isinstance(layer, str) and weight is None and "=" in layer:
        layer, text = layer.split("=", 1)
        try:
            weight = float(text)
        except ValueError:
            raise ArgumentError(f"{name}: expected a number behind =, found {text!r}") from None
    if not isinstance(layer, str) or isinstance(weight, str):
        raise TypeError(f"{name}: expected a layer's name, or a name and a weight, found {item!r}")
    return layer, None if weight is None else float(weight)


def _array(name: str, array: Any) -> Any:
    """The array in one of the types that the native module takes. Values a little outside of 0–1 are clamped by it."""
    if array.dtype == np.bool_:
        return array.astype(np.uint8) * np.uint8(255)
    if array.dtype.kind == "u" and array.dtype.itemsize <= 2:
        return array.astype(array.dtype.newbyteorder("="), copy=False)
    if array.dtype.kind == "f":
        lowest, highest = (float(array.min()), float(array.max())) if array.size else (0.0, 0.0)
        if lowest < -1 or highest > 2:
            found = lowest if lowest < -1 else highest
            raise ArgumentError(f"{name}: floats are of 0 to 1, found {found:g}; for levels of 0 to 255 take uint8")
        return array.astype(np.float32, copy=False)
    raise TypeError(f"{name}: expected an array of uint8, uint16 or floats of 0 to 1, found {array.dtype}")


def _is_pil(value: Any) -> bool:
    module = sys.modules.get("PIL.Image")
    return module is not None and isinstance(value, module.Image)


def _of_pil(image: Any) -> Any:
    """A PIL picture as a file's bytes, which keep its orientation and its colour profile."""
    if image.mode == "F":
        return np.asarray(image)
    if image.mode not in ("1", "L", "LA", "P", "RGB", "RGBA", "I", "I;16"):
        # A profile is of the colours before, such as CMYK.
        profile = None
        converted = image.convert("RGBA" if "a" in image.mode.lower().replace("lab", "") else "RGB")
    else:
        profile, converted = image.info.get("icc_profile"), image
    file = io.BytesIO()
    converted.save(file, "PNG", compress_level=1, exif=image.getexif(), icc_profile=profile)
    return file.getvalue()


def network(name: str, value: Any) -> Any:
    """`Weights`, or a file or a name."""
    if value is None or isinstance(value, _impasto.Weights):
        return value
    if isinstance(value, (str, os.PathLike)):
        return os.fsdecode(value)
    raise TypeError(f"{name}: expected a path, a name or a Weights, found {type(value).__name__}")
