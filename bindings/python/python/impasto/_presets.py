"""Settings for a purpose."""

from __future__ import annotations

from typing import Any, Dict

#: The presets of the command, as keywords for `stylize`: `stylize(content, style, **PRESETS["portrait"])`.
PRESETS: Dict[str, Dict[str, Any]] = {
    "draft": {"size": 256, "steps": 100},
    "print": {"size": 2048, "steps": 300},
    "sketch": {"style_weight": 2.0, "content_layers": ("relu3_1", "relu4_2")},
    "painting": {"style_weight": 14.0, "style_scale": 1.4},
    "strong": {"style_weight": 30.0, "steps": 300},
    "portrait": {"laplacian_weight": 2.0},
}
