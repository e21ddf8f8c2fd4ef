"""The package's functions."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, Optional, Sequence, Union

from . import _impasto, _inputs, _settings
from ._errors import ArgumentError
from ._inputs import Layers, PictureLike, Time
from ._progress import Callback
from ._result import Estimate, ScaleEstimate
from ._style import Style

if TYPE_CHECKING:
    from typing_extensions import Literal, Unpack

    from ._impasto import Weights
    from ._settings import Settings

#: Arguments that say what comes of a job, rather than what it is.
_RESULT = ("progress", "output", "details")


def stylize(
    content: PictureLike,
    style: Union[PictureLike, Sequence[PictureLike], Style],
    size: int = 512,
    *,
    blend: Optional[Sequence[float]] = None,
    style_scale: Union[None, float, Sequence[float]] = None,
    style_size: Union[None, int, Sequence[int]] = None,
    colors: Literal["style", "content", "match"] = "style",
    mask: Optional[PictureLike] = None,
    style_masks: Optional[Sequence[PictureLike]] = None,
    regions: Optional[Sequence[PictureLike]] = None,
    content_weight: float = 1.0,
    style_weight: Optional[float] = None,
    tv_weight: Optional[float] = None,
    laplacian_weight: float = 0.0,
    loss: Literal["relative", "gatys"] = "relative",
    statistic: Optional[Literal["gram", "wasserstein"]] = None,
    content_layers: Layers = ("relu4_2",),
    style_layers: Optional[Layers] = None,
    pooling: Literal["max", "average"] = "max",
    edges: Optional[Literal["replicate", "zero", "wrap"]] = None,
    init: Union[str, PictureLike] = "content",
    seed: Optional[int] = None,
    steps: int = 200,
    scales: Union[int, Literal["auto"]] = "auto",
    optimizer: Literal["lbfgs", "adam"] = "lbfgs",
    weights: Union[None, str, os.PathLike[str], Weights] = None,
    preprocessing: Optional[Literal["caffe", "torchvision"]] = None,
    threads: int = 0,
    isa: Literal["auto", "portable", "neon", "avx2", "avx512"] = "auto",
    convolution: Literal["auto", "im2col", "winograd"] = "auto",
    precision: Literal["f32", "bf16"] = "f32",
    max_memory: Union[None, int, str] = None,
    max_time: Optional[Time] = None,
    checkpoint: Union[None, str, os.PathLike[str]] = None,
    checkpoint_every: Optional[Time] = None,
    resume: bool = False,
    progress: Union[None, bool, Callback] = None,
    output: Literal["uint8", "uint16", "float32", "pil"] = "uint8",
    details: bool = False,
) -> Any:
    """Paints `content` in the style of `style`.

    A picture is an array (H×W, H×W×3 or H×W×4; uint8, uint16, or floats of 0–1), a PIL picture, a file's path, or a
    file's bytes. The result is an array H×W×3, or H×W×4 where the content has alpha, of uint8; `output` asks for
    uint16, float32 (0–1) or a PIL picture instead. The same pictures, settings and instruction set give the same bytes,
    those of the command `impasto stylize`, whatever the number of threads.

    Ctrl-C ends it within a fraction of a second. Other threads of Python run meanwhile.

    Pictures:
        content: What is to be seen.
        style: How it is to be painted: a picture, several, or a `Style` that is kept for many jobs.
        size: The result's longest side in pixels; 0: the content's own size.
        blend: The shares of several styles, in their order; even by default.

    Strokes and colours:
        style_scale: The size of the strokes: 0.5 finer, 2 coarser, 0.01 to 100; one, or one for each style.
        style_size: The style's longest side in pixels instead, likewise.
        colors: Whose colours the result has; "match": the style's, moved to the content's before the work.

    Where:
        mask: A grey picture: the style acts where it is white; elsewhere the content stays.
        style_masks: With several styles, one for each: where it goes.
        regions: Two maps, of the content and of the style, in which equal colours mark what takes after what.

    Loss:
        content_weight: The weight of the content term.
        style_weight: 10 by default, or 1000 with loss="gatys". 3: painted, all detail left; 25: the style before the
            content.
        tv_weight: The weight of total variation, 10 by default: smooths.
        laplacian_weight: Keeps faces and fine drawing: 2 is clearly seen, 10 is strong.
        loss: "relative": every term over its target's energy; "gatys": as the paper.
        statistic: Of the style's features: "wasserstein" by default, or "gram", as in the paper.
        content_layers: Layers, as names, `("relu4_2", 0.5)`, `"relu4_2=0.5"`, or a dict of weights.
        style_layers: Likewise; by default relu1_1 to relu5_1.
        pooling: What the network's pools do.
        edges: What lies beyond the picture's edges: "replicate" by default, or with loss="gatys" "zero".

    Work:
        init: What the first scale starts from: "content", "noise", or a picture.
        seed: Of the noise, 0 by default.
        steps: Steps of the optimiser, all scales together.
        scales: How many, from coarse to fine; 1: the result's size alone.
        optimizer: Of the pixels.
        max_memory: What the process may take, in bytes or as "4G"; by default what the machine has free. Where an
            evaluation does not fit, it is computed in strips.
        max_time: Ends after this many seconds, "10m" or a timedelta with the best picture until then.
        checkpoint: A file that keeps the state of the work while it runs. One that is there is an error, but with
            resume=True the same job goes on from it, to the same bytes. It is removed once the job is done.
        checkpoint_every: The time between two, a minute by default.
        progress: True shows a bar where tqdm is installed; a function is called with a `Progress` after each step, and
            ends the job with the best picture so far where it returns False.

    Network and computation:
        weights: A safetensors file, the name of an installed network, or `Weights`; by default the embedded network.
        preprocessing: What the network was trained to take, if its file does not say.
        threads: 0: as many as there are cores.
        isa, convolution: The instruction set, and how convolutions are computed.
        precision: That of the convolutions' products. "bf16" is faster on a CPU with AVX-512 BF16, and refused on others.

    Result:
        output: "uint8", "uint16", "float32" or "pil".
        details: Whether to give `(picture, Details)`.

    Raises:
        ArgumentError: A ValueError that names the argument and the value.
        PictureError: A picture that cannot be read, or is too small. A file that is not there is a FileNotFoundError.
        WeightsError, CheckpointError, OutOfMemoryError, NotFiniteError: What their names say. All are `Error`s; where
            some of the work was done, their `picture` is the best so far.
    """
    arguments = {name: value for name, value in locals().items() if name not in _RESULT}
    return _settings.run(arguments, progress, output, details)


def texture(
    style: Union[PictureLike, Sequence[PictureLike], Style],
    size: int = 512,
    *,
    tileable: bool = False,
    blend: Optional[Sequence[float]] = None,
    style_scale: Union[None, float, Sequence[float]] = None,
    style_size: Union[None, int, Sequence[int]] = None,
    tv_weight: Optional[float] = None,
    loss: Literal["relative", "gatys"] = "relative",
    statistic: Optional[Literal["gram", "wasserstein"]] = None,
    style_layers: Optional[Layers] = None,
    pooling: Literal["max", "average"] = "max",
    edges: Optional[Literal["replicate", "zero", "wrap"]] = None,
    seed: int = 0,
    steps: int = 200,
    scales: Union[int, Literal["auto"]] = "auto",
    optimizer: Literal["lbfgs", "adam"] = "lbfgs",
    weights: Union[None, str, os.PathLike[str], Weights] = None,
    preprocessing: Optional[Literal["caffe", "torchvision"]] = None,
    threads: int = 0,
    isa: Literal["auto", "portable", "neon", "avx2", "avx512"] = "auto",
    convolution: Literal["auto", "im2col", "winograd"] = "auto",
    precision: Literal["f32", "bf16"] = "f32",
    max_memory: Union[None, int, str] = None,
    max_time: Optional[Time] = None,
    checkpoint: Union[None, str, os.PathLike[str]] = None,
    checkpoint_every: Optional[Time] = None,
    resume: bool = False,
    progress: Union[None, bool, Callback] = None,
    output: Literal["uint8", "uint16", "float32", "pil"] = "uint8",
    details: bool = False,
) -> Any:
    """A texture of `style` alone, from noise. With `tileable` it repeats without a seam, with both sides rounded to
    multiples of the layers' stride. The other arguments, the result and the exceptions are those of `stylize`."""
    arguments = {name: value for name, value in locals().items() if name not in _RESULT}
    return _settings.run(arguments, progress, output, details)


def reconstruct(
    content: PictureLike,
    content_layers: Layers,
    size: int = 512,
    *,
    tv_weight: Optional[float] = None,
    loss: Literal["relative", "gatys"] = "relative",
    pooling: Literal["max", "average"] = "max",
    edges: Optional[Literal["replicate", "zero", "wrap"]] = None,
    seed: int = 0,
    steps: int = 200,
    scales: Union[int, Literal["auto"]] = "auto",
    optimizer: Literal["lbfgs", "adam"] = "lbfgs",
    weights: Union[None, str, os.PathLike[str], Weights] = None,
    preprocessing: Optional[Literal["caffe", "torchvision"]] = None,
    threads: int = 0,
    isa: Literal["auto", "portable", "neon", "avx2", "avx512"] = "auto",
    convolution: Literal["auto", "im2col", "winograd"] = "auto",
    precision: Literal["f32", "bf16"] = "f32",
    max_memory: Union[None, int, str] = None,
    max_time: Optional[Time] = None,
    checkpoint: Union[None, str, os.PathLike[str]] = None,
    checkpoint_every: Optional[Time] = None,
    resume: bool = False,
    progress: Union[None, bool, Callback] = None,
    output: Literal["uint8", "uint16", "float32", "pil"] = "uint8",
    details: bool = False,
) -> Any:
    """What layers keep of `content`: a picture, from noise, with the same features. `tv_weight` is 1 by default; the
    other arguments, the result and the exceptions are those of `stylize`."""
    arguments = {name: value for name, value in locals().items() if name not in _RESULT}
    return _settings.run({**arguments, "init": "noise"}, progress, output, details)


def estimate(
    content: Optional[PictureLike],
    style: Union[None, PictureLike, Sequence[PictureLike], Style],
    size: int = 512,
    **settings: Unpack[Settings],
) -> Estimate:
    """What `stylize` with these arguments would take, measured with small pictures in about a second. Without a content
    it is of a texture, without a style of a reconstruction."""
    _settings.checked(estimate, stylize, settings)
    arguments = _settings.prepared({"content": content, "style": style, "size": size, **settings})
    facts = _impasto.estimate(arguments)
    scales = [ScaleEstimate(**scale) for scale in facts["scales"]]
    return Estimate(facts["seconds"], facts["memory"], scales)


def load(
    picture: PictureLike,
    longest: Optional[int] = None,
    *,
    output: Literal["uint8", "uint16", "float32"] = "uint8",
) -> Any:
    """A picture as an array H×W×3, or H×W×4 with alpha, in sRGB and turned as its file asks for. With `longest`, files
    much larger than this are read at a reduced size of about twice that."""
    return _impasto.read(_inputs.picture("picture", picture), longest, output)


def save(
    picture: PictureLike,
    path: Union[str, os.PathLike[str]],
    *,
    depth: Optional[Literal[8, 16]] = None,
    metadata_of: Union[None, str, os.PathLike[str]] = None,
    keep_location: bool = False,
) -> None:
    """Writes a picture as PNG, JPEG, WebP or TIFF, as the path's extension says. Nobody sees half a file: one that was
    there is replaced once the new one is whole. Arrays of uint16 are written with 16 bits a sample, where `depth` does
    not say otherwise. With `metadata_of`, a photograph's file, date, camera, lens, artist, copyright and resolution of it are
    kept, as in the command's results; the place where it was taken only with `keep_location`."""
    # On the command line "-" is standard output.
    path = os.path.join(".", "-") if os.fsdecode(path) == "-" else os.fsdecode(path)
    value = _inputs.picture("picture", picture)
    if depth is None:
        depth = 16 if getattr(value, "dtype", None) == "uint16" else 8
    elif depth not in (8, 16):
        raise ArgumentError(f"depth: must be 8 or 16, found {depth!r}")
    if keep_location and metadata_of is None:
        raise ArgumentError("keep_location: True keeps the place in metadata_of, which is None: give the photograph's file")
    file = None if metadata_of is None else os.fsdecode(metadata_of)
    _impasto.write(value, path, depth, file, keep_location)


def instruction_set() -> str:
    """The widest instruction set that this CPU has, which is used by default: "portable", "neon", "avx2" or "avx512"."""
    return _impasto.instruction_sets()[0]
