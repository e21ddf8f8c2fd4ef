"""`progress=True`: a bar where tqdm is installed, and lines on standard error where it is not."""

from __future__ import annotations

import sys
import time
from contextlib import contextmanager
from typing import Any, Callable, Iterator, Optional, Union

from ._impasto import Progress

#: Called after each step. The job ends with the best picture so far where it returns `False`.
Callback = Callable[[Progress], Optional[bool]]

#: Seconds between two lines.
_INTERVAL = 5.0


@contextmanager
def shown(progress: Union[None, bool, Callback]) -> Iterator[Optional[Callback]]:
    """The function that is called with each step, if there is one."""
    if progress is None or progress is False:
        yield None
    elif progress is not True:
        if not callable(progress):
            raise TypeError(f"progress: expected a function, True or False, found {progress!r}")
        yield progress
    else:
        try:
            from tqdm.auto import tqdm
        except ImportError:
            yield _lines()
            return
        bar: Any = tqdm(desc="impasto", unit="step")
        try:
            yield lambda state: _update(bar, state)
        finally:
            bar.close()


def _update(bar: Any, state: Progress) -> None:
    bar.total = state.steps
    bar.set_postfix_str(f"{state.width}×{state.height}, loss {state.loss:.4g}", refresh=False)
    bar.update(state.step - bar.n)


def _lines() -> Callback:
    last = time.monotonic()

    def line(state: Progress) -> None:
        nonlocal last
        if time.monotonic() - last >= _INTERVAL:
            last = time.monotonic()
            print(
                f"impasto: step {state.step} of {state.steps}, {state.width}×{state.height}, "
                f"loss {state.loss:.4g}, {state.seconds_left:.0f} s left",
                file=sys.stderr,
            )

    return line
