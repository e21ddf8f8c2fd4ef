"""What a job tells beside its picture."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Dict, List, Optional


@dataclass(frozen=True)
class Details:
    """What is to be known of a result, with `details=True`."""

    #: "done"; "ended", where `progress` returned `False`; or "time_up", where `max_time` was over.
    end: str
    #: Steps of the optimiser.
    steps: int
    #: Evaluations of the loss.
    evaluations: int
    #: Seconds of the work, without reading the pictures.
    seconds: float
    #: The loss and its terms after the last step; `None` where there was no step.
    losses: Optional[Dict[str, Any]]


@dataclass(frozen=True)
class ScaleEstimate:
    """What one scale of a job is estimated to take."""

    width: int
    height: int
    steps: int
    seconds: float


@dataclass(frozen=True)
class Estimate:
    """What a job is estimated to take."""

    #: Seconds, if every scale takes all its steps.
    seconds: float
    #: Peak memory of the process in bytes.
    memory: int
    #: The scales, from coarse to fine.
    scales: List[ScaleEstimate]
