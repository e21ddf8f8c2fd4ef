"""The package's exceptions.

A file that cannot be read or written is an `OSError`, as Python's own functions raise it.
"""

from __future__ import annotations

from typing import Any, Optional


class Error(Exception):
    """The base of the package's exceptions. Each message is one line."""

    #: The best picture so far, where a job failed after it had begun.
    picture: Optional[Any] = None


class ArgumentError(Error, ValueError):
    """An argument's value is not allowed. The message names the argument, and the value that was found."""


class PictureError(Error, ValueError):
    """A picture is damaged, of no known format, or too small for a layer."""


class WeightsError(Error, ValueError):
    """A network is not installed, or its weights file is damaged, or changed while it was in use."""


class CheckpointError(Error, ValueError):
    """A file is not a whole checkpoint, or not one of this job."""


class OutOfMemoryError(Error, MemoryError):
    """The work would need more memory than there is, or than `max_memory`. Nothing of it was begun."""


class NotFiniteError(Error, ArithmeticError):
    """The loss was no longer finite: its weights are too large."""
