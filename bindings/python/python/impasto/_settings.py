"""The settings of a job: their types, and how they go to the native module."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any, Callable, Dict, List, Mapping, Optional, Sequence, Union

from . import _impasto, _inputs
from ._inputs import Layers, PictureLike, Time
from ._style import Style

if TYPE_CHECKING:
    from typing_extensions import Literal, TypedDict

    class Settings(TypedDict, total=False):
        """What `stylize` takes beside the pictures, the size and what its result is."""

        blend: Optional[Sequence[float]]
        style_scale: Union[None, float, Sequence[float]]
        style_size: Union[None, int, Sequence[int]]
        colors: Literal["style", "content", "match"]
        mask: Optional[PictureLike]
        style_masks: Optional[Sequence[PictureLike]]
        regions: Optional[Sequence[PictureLike]]
        content_weight: float
        style_weight: Optional[float]
        tv_weight: Optional[float]
        laplacian_weight: float
        loss: Literal["relative", "gatys"]
        statistic: Optional[Literal["gram", "wasserstein"]]
        content_layers: Layers
        style_layers: Optional[Layers]
        pooling: Literal["max", "average"]
        edges: Optional[Literal["replicate", "zero", "wrap"]]
        init: Union[str, PictureLike]
        seed: Optional[int]
        steps: int
        scales: Union[int, Literal["auto"]]
        optimizer: Literal["lbfgs", "adam"]
        weights: Any
        preprocessing: Optional[Literal["caffe", "torchvision"]]
        threads: int
        isa: Literal["auto", "portable", "neon", "avx2", "avx512"]
        convolution: Literal["auto", "im2col", "winograd"]
        precision: Literal["f32", "bf16"]
        max_memory: Union[None, int, str]
        max_time: Optional[Time]
        checkpoint: Any
        checkpoint_every: Optional[Time]
        resume: bool


#: How each setting that needs it is brought into the native module's form.
_PREPARED: Dict[str, Callable[[str, Any], Any]] = {
    "content": _inputs.picture,
    "mask": _inputs.picture,
    "init": lambda name, value: value if value in ("content", "noise") else _inputs.picture(name, value),
    "style": lambda name, value: value._native if isinstance(value, Style) else _inputs.pictures(name, value),
    "style_masks": _inputs.pictures,
    "regions": _inputs.pictures,
    "content_layers": _inputs.layers,
    "style_layers": _inputs.layers,
    "weights": _inputs.network,
    "max_memory": _inputs.memory,
    "max_time": _inputs.seconds,
    "checkpoint_every": _inputs.seconds,
}


def prepared(arguments: Mapping[str, Any]) -> Dict[str, Any]:
    """The arguments of a job, without those that are `None`."""
    given = {name: value for name, value in arguments.items() if value is not None}
    return {name: _PREPARED[name](name, value) if name in _PREPARED else value for name, value in given.items()}


def checked(function: Callable[..., Any], of: Callable[..., Any], settings: Mapping[str, Any]) -> None:
    """Refuses settings that are none of another function's, as Python refuses keywords."""
    known: List[str] = list(inspect.signature(of).parameters)
    not_settings = ("content", "style", "size", "progress", "output", "details")
    for name in settings:
        if name not in known or name in not_settings:
            raise TypeError(f"{function.__qualname__}() got an unexpected keyword argument {name!r}")


def run(arguments: Mapping[str, Any], progress: Any, output: str, details: bool) -> Any:
    """Makes a picture of these arguments."""
    from ._progress import shown
    from ._result import Details

    is_pil = output == "pil"
    if is_pil:
        from PIL import Image
    with shown(progress) as callback:
        array, facts = _impasto.run(prepared(arguments), callback, "uint8" if is_pil else output)
    made = Image.fromarray(array) if is_pil else array
    return (made, Details(**facts)) if details else made
