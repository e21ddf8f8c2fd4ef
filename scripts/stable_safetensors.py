"""Writes safetensors files whole or not at all, and the same bytes for the same content."""

import json
import os
from pathlib import Path

import safetensors.numpy


def save(path, tensors, metadata, save_file=safetensors.numpy.save_file):
    """Writes `tensors` and `metadata` (both str-keyed) to `path`, replacing it only when complete.

    `save_file` is the library's writer for the kind of tensors given. The library keeps metadata in
    random order; here it is sorted, so that a file made twice is the same file.
    """
    path = Path(path)
    unfinished = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        save_file(tensors, str(unfinished), metadata=metadata)
        _sort_metadata(unfinished)
        os.replace(unfinished, path)
    finally:
        unfinished.unlink(missing_ok=True)


def _sort_metadata(path):
    """Puts the header's metadata in order, in place: the header's length stays."""
    with open(path, "r+b") as file:
        length = int.from_bytes(file.read(8), "little")
        header = json.loads(file.read(length))
        header["__metadata__"] = dict(sorted(header["__metadata__"].items()))
        text = json.dumps(header, separators=(",", ":"), ensure_ascii=False).encode()
        if len(text) > length:
            raise ValueError(f"{path}: the sorted header does not fit into {length} bytes")
        file.seek(8)
        file.write(text.ljust(length))
