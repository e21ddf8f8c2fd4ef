"""`Style`."""

from __future__ import annotations

from typing import Any, Optional, Sequence, Union

from . import _impasto, _inputs


class Style:
    """A style that is kept for many jobs, on any threads: its pictures are read once, and what is computed of them is
    computed once for each size, as long as the jobs have the same `Weights` object or the embedded network.

    `style` is a picture or a list of pictures, of which `blend` has the shares; `style_scale` and `style_size` are as in
    `stylize`, where they can be set anew. Pictures are read at their full size.
    """

    def __init__(
        self,
        style: Any,
        *,
        blend: Optional[Sequence[float]] = None,
        style_scale: Union[None, float, Sequence[float]] = None,
        style_size: Union[None, int, Sequence[int]] = None,
    ) -> None:
        settings = {"blend": blend, "style_scale": style_scale, "style_size": style_size}
        self._native = _impasto.Style(_inputs.pictures("style", style), settings)
