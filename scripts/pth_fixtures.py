"""Writes PyTorch checkpoints byte by byte, without PyTorch, for the tests of the reader.

The pickles hold what `torch.save` puts into them, in the same terms; the tests check against the real
one wherever PyTorch is installed.
"""

import struct
import zipfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np

STORAGES = {np.dtype("f4"): "FloatStorage", np.dtype("f2"): "HalfStorage", np.dtype("f8"): "DoubleStorage"}


@dataclass
class Global:
    """A name that the reader looks up."""

    module: str
    name: str


@dataclass
class Call:
    """A call of a global that the reader makes."""

    function: Global
    arguments: tuple


@dataclass
class Persistent:
    """A reference to something outside the pickle: a storage."""

    id: tuple


def pickled(value) -> bytes:
    """The pickle (protocol 2) of a value."""
    return b"\x80\x02" + opcodes(value) + b"."


def opcodes(value) -> bytes:
    """The opcodes that put a value on the reader's stack."""
    match value:
        case None:
            return b"N"
        case bool():
            return b"\x88" if value else b"\x89"
        case int():
            size = value.bit_length() // 8 + 1
            return b"\x8a" + bytes([size]) + value.to_bytes(size, "little", signed=True)
        case str():
            return b"X" + struct.pack("<I", len(value.encode())) + value.encode()
        case tuple():
            return b"(" + b"".join(map(opcodes, value)) + b"t"
        case list():
            return b"](" + b"".join(map(opcodes, value)) + b"e"
        case dict():
            items = (opcodes(key) + opcodes(item) for key, item in value.items())
            return b"}(" + b"".join(items) + b"u"
        case Global():
            return f"c{value.module}\n{value.name}\n".encode()
        case Call():
            return opcodes(value.function) + opcodes(value.arguments) + b"R"
        case Persistent():
            return opcodes(value.id) + b"Q"
    raise TypeError(f"cannot pickle {value!r}")


def state_dict(arrays: dict[str, np.ndarray], legacy: bool = False) -> tuple[dict, dict[str, bytes]]:
    """What is pickled for named arrays, and the storages' data by key."""
    content, data = {}, {}
    for key, (name, array) in enumerate(arrays.items()):
        kind = Global("torch", STORAGES[array.dtype])
        reference = ("storage", kind, str(key), "cpu", array.size, *([None] if legacy else []))
        strides = tuple(stride // array.itemsize for stride in array.strides)
        hooks = Call(Global("collections", "OrderedDict"), ())
        arguments = (Persistent(reference), 0, array.shape, strides, False, hooks)
        content[name] = Call(Global("torch._utils", "_rebuild_tensor_v2"), arguments)
        data[str(key)] = array.tobytes()
    return content, data


def write_archive(path: Path, content, data: dict[str, bytes]) -> None:
    """A checkpoint in the zip container."""
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("archive/data.pkl", pickled(content))
        archive.writestr("archive/byteorder", "little")
        for key, values in data.items():
            archive.writestr(f"archive/data/{key}", values)
        archive.writestr("archive/version", "3\n")


def write_legacy(path: Path, content, data: dict[str, bytes], itemsize: int) -> None:
    """A checkpoint in the legacy container; all storages have items of one size."""
    system = {
        "protocol_version": 1001,
        "little_endian": True,
        "type_sizes": {"short": 2, "int": 4, "long": 4},
    }
    with path.open("wb") as file:
        for value in (0x1950A86A20F9469CFC6C, 1001, system, content, list(data)):
            file.write(pickled(value))
        for values in data.values():
            file.write(struct.pack("<q", len(values) // itemsize) + values)
