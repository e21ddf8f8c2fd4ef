"""Reads the tensors of a PyTorch checkpoint without PyTorch, and without running what is in it.

A .pth file holds a pickle, which can name any Python function to be called on loading. Here only the
few names that put a tensor together are known, and they stand for functions of this file; any other
name is an error. Both containers are read: the zip archive (PyTorch 1.6 and later) and the row of
pickles with raw data behind them (before).
"""

import pickle
import struct
import zipfile
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np

LEGACY_MAGIC = b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19."
"""How a legacy container begins: a pickle of the number 0x1950a86a20f9469cfc6c."""

LEGACY_PROTOCOL = 1001

STORAGE_DTYPES = {
    "DoubleStorage": np.dtype("<f8"),
    "FloatStorage": np.dtype("<f4"),
    "HalfStorage": np.dtype("<f2"),
    "BFloat16Storage": np.dtype("<u2"),  # numpy has none: the upper half of a float32
    "LongStorage": np.dtype("<i8"),
}


class CheckpointError(ValueError):
    """The file cannot be read as a checkpoint; the message says why."""


@dataclass(frozen=True)
class StorageType:
    """Stands for `torch.FloatStorage` and the like."""

    name: str


@dataclass
class Storage:
    """Numbers in a row, as a checkpoint keeps them; `read` gives them once the file is laid out."""

    kind: StorageType
    key: str
    count: int
    read: Callable[[], bytes] | None = None

    def values(self) -> np.ndarray:
        """All the numbers; bfloat16 as float32."""
        dtype = STORAGE_DTYPES[self.kind.name]
        data = self.read()
        if len(data) != self.count * dtype.itemsize:
            raise CheckpointError(
                f"storage {self.key} should have {self.count * dtype.itemsize} bytes, it has {len(data)}"
            )
        values = np.frombuffer(data, dtype)
        if self.kind.name == "BFloat16Storage":
            return (values.astype(np.uint32) << 16).view(np.float32)
        return values


@dataclass(frozen=True)
class StoredTensor:
    """A view of a storage, as `torch._utils._rebuild_tensor_v2` is told to make it."""

    storage: Storage
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]

    def array(self) -> np.ndarray:
        """The tensor's values, after a check that the view stays inside its storage."""
        whole = (self.offset, *self.shape, *self.strides)
        if len(self.shape) != len(self.strides) or not all(isinstance(n, int) and n >= 0 for n in whole):
            raise CheckpointError(f"a tensor of shape {self.shape} has strides {self.strides}")
        last = self.offset + sum((n - 1) * stride for n, stride in zip(self.shape, self.strides))
        if 0 not in self.shape and last >= self.storage.count:
            raise CheckpointError(
                f"a tensor of shape {self.shape} reaches past the end of storage {self.storage.key}"
            )
        values = self.storage.values()[self.offset :]
        strides = [stride * values.itemsize for stride in self.strides]
        return np.lib.stride_tricks.as_strided(values, self.shape, strides).copy()


def rebuild_tensor(storage, offset, shape, strides, *_):
    """Takes the arguments of `torch._utils._rebuild_tensor_v2`; those about autograd don't matter."""
    if not isinstance(storage, Storage):
        raise CheckpointError("a tensor has no storage")
    return StoredTensor(storage, offset, tuple(shape), tuple(strides))


def rebuild_parameter(tensor, *_):
    """Takes the arguments of `torch._utils._rebuild_parameter`."""
    return tensor


class TensorUnpickler(pickle.Unpickler):
    """Loads dicts, lists, numbers, strings and tensors; refuses every other name."""

    KNOWN = {
        ("collections", "OrderedDict"): OrderedDict,
        ("torch._utils", "_rebuild_tensor_v2"): rebuild_tensor,
        ("torch._utils", "_rebuild_parameter"): rebuild_parameter,
    }

    def __init__(self, file: BinaryIO):
        super().__init__(file, encoding="utf-8")
        self.storages: dict[str, Storage] = {}

    def find_class(self, module, name):
        """The stand-in for a name in the pickle."""
        if module == "torch" and name in STORAGE_DTYPES:
            return StorageType(name)
        if (module, name) in self.KNOWN:
            return self.KNOWN[module, name]
        raise CheckpointError(
            f"the pickle asks for {module}.{name}, and only tensors are read; "
            "save the model's state_dict() and convert that"
        )

    def persistent_load(self, pid):
        """The storage that the pickle refers to: ("storage", type, key, device, count[, view])."""
        tag, kind, key, _, count, *view = pid
        if tag != "storage" or not isinstance(kind, StorageType) or view not in ([], [None]):
            raise CheckpointError(f"the pickle refers to {pid!r}, which is not a storage")
        return self.storages.setdefault(str(key), Storage(kind, str(key), count))


def read_pth(path: Path) -> dict[str, np.ndarray]:
    """The checkpoint's tensors by name, from either container."""
    try:
        with path.open("rb") as file:
            if is_legacy(file):
                return named_arrays(read_legacy(file))
            with zipfile.ZipFile(file) as archive:
                return named_arrays(read_archive(archive))
    except (CheckpointError, OSError):
        raise
    except Exception as error:  # a broken pickle can raise anything
        raise CheckpointError(f"broken PyTorch checkpoint: {error or type(error).__name__}") from error


def is_legacy(file: BinaryIO) -> bool:
    """Whether the file begins as a legacy container does."""
    start = file.read(len(LEGACY_MAGIC))
    file.seek(0)
    return start == LEGACY_MAGIC


def read_archive(archive: zipfile.ZipFile):
    """The object in a zip container: `NAME/data.pkl`, with its storages in `NAME/data/KEY`."""
    names = [name for name in archive.namelist() if name.endswith("/data.pkl")]
    if len(names) != 1:
        raise CheckpointError("not a PyTorch archive: it should have one data.pkl")
    folder = names[0].removesuffix("data.pkl")
    byte_order = f"{folder}byteorder"
    if byte_order in archive.namelist() and archive.read(byte_order) != b"little":
        raise CheckpointError("the numbers are big-endian, which is not supported")
    with archive.open(names[0]) as file:
        unpickler = TensorUnpickler(file)
        content = unpickler.load()
    for key, storage in unpickler.storages.items():
        storage.read = lambda key=key: archive.read(f"{folder}data/{key}")
    return content


def read_legacy(file: BinaryIO):
    """The object in a legacy container: pickles of magic, version, system, object, storage keys; data."""
    TensorUnpickler(file).load()
    if (version := TensorUnpickler(file).load()) != LEGACY_PROTOCOL:
        raise CheckpointError(f"protocol version {version} is unknown, {LEGACY_PROTOCOL} was expected")
    if not TensorUnpickler(file).load().get("little_endian", True):
        raise CheckpointError("the numbers are big-endian, which is not supported")
    unpickler = TensorUnpickler(file)
    content = unpickler.load()
    for key in TensorUnpickler(file).load():
        storage = unpickler.storages[key]
        (count,) = struct.unpack("<q", file.read(8))
        if count != storage.count:
            raise CheckpointError(f"storage {key} has {count} values, its tensors expect {storage.count}")
        data = file.read(count * STORAGE_DTYPES[storage.kind.name].itemsize)
        storage.read = lambda data=data: data
    return content


def named_arrays(content) -> dict[str, np.ndarray]:
    """The tensors of a state dict, or of the state dict that a training script wrapped."""
    while isinstance(content, Mapping) and isinstance(content.get("state_dict"), Mapping):
        content = content["state_dict"]
    if not isinstance(content, Mapping):
        raise CheckpointError(f"it holds a {type(content).__name__}, a state dict was expected")
    return {
        str(name).removeprefix("module."): value.array()
        for name, value in content.items()
        if isinstance(value, StoredTensor)
    }
