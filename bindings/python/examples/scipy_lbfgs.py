"""The loss and its gradient with SciPy's optimiser.

    python bindings/python/examples/scipy_lbfgs.py demo/content.png demo/style.jpg out.png
"""

from __future__ import annotations

import argparse

import numpy as np
from scipy.optimize import Bounds, OptimizeResult, minimize

import impasto


def main() -> None:
    parser = argparse.ArgumentParser(description="Style transfer with SciPy's L-BFGS-B.")
    parser.add_argument("content")
    parser.add_argument("style")
    parser.add_argument("output")
    parser.add_argument("--size", type=int, default=192)
    parser.add_argument("--steps", type=int, default=60)
    arguments = parser.parse_args()

    objective = impasto.Objective(arguments.content, arguments.style, arguments.size)

    def report(intermediate_result: OptimizeResult) -> None:
        print(f"loss {intermediate_result.fun:.4f}")

    found = minimize(
        objective,
        objective.content.ravel().astype(np.float64),
        jac=True,
        method="L-BFGS-B",
        bounds=Bounds(0, 1),
        callback=report,
        options={"maxiter": arguments.steps},
    )
    impasto.save(found.x.reshape(objective.shape), arguments.output)


if __name__ == "__main__":
    main()
