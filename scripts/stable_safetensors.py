"""Writes safetensors files whole or not at all, and the same bytes for the same content."""

import json
import os
from collections.abc import Callable
from pathlib import Path

import safetensors.numpy


def save(
    path: Path, tensors: dict, metadata: dict[str, str], serialize: Callable = safetensors.numpy.save
) -> None:
    """Writes tensors by name and `metadata` to `path`, which is replaced only when all is written.

    `serialize` is the library's function for the kind of tensors given. It puts metadata in random
    order; here they are sorted, so that a file made twice is the same file.
    """
    data = memoryview(serialize(tensors, metadata=metadata))
    length = int.from_bytes(data[:8], "little")
    header = json.loads(bytes(data[8 : 8 + length]))
    header["__metadata__"] = dict(sorted(header["__metadata__"].items()))
    text = json.dumps(header, separators=(",", ":"), ensure_ascii=False).encode()
    padded = text.ljust(-(-len(text) // 8) * 8)  # tensors begin at a multiple of 8
    unfinished = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with unfinished.open("wb") as file:
            file.write(len(padded).to_bytes(8, "little"))
            file.write(padded)
            file.write(data[8 + length :])
        unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)
