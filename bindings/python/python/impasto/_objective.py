"""`Objective`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Dict, Optional, Sequence, Tuple, Union

import numpy as np

from . import _functions, _impasto, _settings
from ._inputs import PictureLike
from ._style import Style

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from typing_extensions import Unpack

    from ._settings import Settings


class Objective:
    """The loss as a function of a picture, and its gradient: `loss, gradient = objective(picture)`.

    The picture is H×W×3 as `shape` says, or the same values flat, of float32 or float64, in 0–1; so is the gradient. SciPy
    takes it as it is:

        objective = impasto.Objective("photograph.jpg", "painting.jpg", size=128)
        found = scipy.optimize.minimize(
            objective, objective.content.ravel(), jac=True, method="L-BFGS-B", bounds=Bounds(0, 1)
        )

    The arguments are those of `stylize`; of them only what the loss depends on has an effect. Without a content it is the
    loss of a texture, without a style that of a reconstruction. It computes in float32: the loss has about 7 digits.
    """

    def __init__(
        self,
        content: Optional[PictureLike],
        style: Union[None, PictureLike, Sequence[PictureLike], Style],
        size: int = 512,
        **settings: Unpack[Settings],
    ) -> None:
        _settings.checked(type(self), _functions.stylize, settings)
        arguments = _settings.prepared({"content": content, "style": style, "size": size, **settings})
        self._native = _impasto.Objective(arguments)

    @property
    def shape(self) -> Tuple[int, int, int]:
        """Height, width and 3."""
        return self._native.shape

    @property
    def content(self) -> Optional[NDArray[np.float32]]:
        """The content at this size, H×W×3, from which to start; `None` without a content."""
        return self._native.content

    @property
    def losses(self) -> Dict[str, Any]:
        """The loss and its terms at the last evaluation: "total" is weighted; "content", "style", "tv" and "laplacian"
        are not; "content_layers" and "style_layers" have those of each layer."""
        return self._native.losses

    def __call__(self, picture: Any) -> Tuple[float, Any]:
        """The loss of a picture, and its gradient in the picture's shape and type."""
        return self._native.evaluate(np.asarray(picture))
