#!/usr/bin/env python3
"""A folder of photographs in one style, over a cluster of machines by Ray Data.

    pip install ./bindings/python 'ray[data]'      # on every machine
    python examples/ray_batch.py photographs painting.jpg results

Each machine has one actor, if not said otherwise, which keeps the style and the network. The folders must be the same on all of them, as a
shared file system has them. A result is written whole; what is there already is skipped, so the same call goes on
where another ended. Where a machine is lost on the way, its photographs are made by the others.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from pathlib import Path
from typing import Any, Dict, List, Optional

import ray
from ray.data import ActorPoolStrategy, DataContext

import impasto

EXTENSIONS = {".bmp", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp"}

#: How often in succession it may happen that no photograph is made, before it is given up.
ATTEMPTS = 10


class Painter:
    """One machine's actor."""

    def __init__(self, style: str, weights: Optional[str], settings: Dict[str, Any]) -> None:
        self.style = impasto.Style(style)
        self.settings = {**settings, "weights": impasto.Weights(weights)}

    def __call__(self, row: Dict[str, str]) -> Dict[str, str]:
        if not os.path.exists(row["result"]):
            try:
                picture = impasto.stylize(row["photograph"], self.style, **self.settings)
                # To a temporary file, which is then renamed.
                impasto.save(picture, row["result"], metadata_of=row["photograph"])
            except (impasto.Error, OSError) as error:
                # Another attempt would not help.
                return {**row, "error": f"{row['photograph']}: {error}"}
        return {**row, "error": ""}


def main() -> int:
    arguments = parsed()
    # What is missing or damaged is said here, before any machine is asked.
    impasto.Style(arguments.style)
    impasto.Weights(arguments.weights)
    ray.init(address=arguments.address, log_to_driver=False)
    # The loss of an actor costs its photographs, which come again below, and not the rest.
    DataContext.get_current().max_errored_blocks = -1
    failed: Dict[str, str] = {}
    attempts = ATTEMPTS
    while attempts > 0:
        todo = [row for row in rows(arguments) if not os.path.exists(row["result"]) and row["photograph"] not in failed]
        if not todo:
            break
        print(f"{len(todo)} to do", flush=True)
        errors = paint(todo, arguments)
        for row in errors:
            failed[row["photograph"]] = row["error"]
        if errors or any(os.path.exists(row["result"]) for row in todo):
            attempts = ATTEMPTS
        else:
            # No machine is there, or not yet again.
            attempts -= 1
            time.sleep(10)
    for error in failed.values():
        print(error, file=sys.stderr)
    return 0 if attempts > 0 and not failed else 1


def parsed() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("photographs", type=Path, help="a folder")
    parser.add_argument("style", type=Path, help="a picture")
    parser.add_argument("results", type=Path, help="a folder")
    parser.add_argument("--size", type=int, default=512)
    parser.add_argument("--steps", type=int, default=200)
    parser.add_argument("--weights", help="a safetensors file, or the name of an installed network")
    parser.add_argument("--cpus", type=int, help="of each actor; by default all of the smallest machine")
    parser.add_argument("--actors", type=int, help="how many; by default one for each machine")
    parser.add_argument("--address", help="of the cluster; by default one of this machine alone, unless it is in one")
    return parser.parse_args()


def rows(arguments: argparse.Namespace) -> List[Dict[str, str]]:
    """Each photograph with the file of its result, by absolute paths."""
    results = arguments.results.resolve()
    results.mkdir(parents=True, exist_ok=True)
    photographs = sorted(p for p in arguments.photographs.resolve().iterdir() if p.suffix.lower() in EXTENSIONS)
    # With its extension, as there may be a .jpg and a .png of one name.
    return [{"photograph": str(p), "result": str(results / f"{p.name}.png")} for p in photographs]


def paint(todo: List[Dict[str, str]], arguments: argparse.Namespace) -> List[Dict[str, str]]:
    """Makes these photographs, as far as the machines live, and gives those that can't be made."""
    machines = [n["Resources"].get("CPU", 0) for n in ray.nodes() if n["Alive"]]
    cpus = arguments.cpus or int(min(count for count in machines if count))
    actors = arguments.actors or max(1, sum(count >= cpus for count in machines))
    settings = {"size": arguments.size, "steps": arguments.steps, "threads": cpus}
    weights = arguments.weights
    if weights and os.path.exists(weights):
        weights = os.path.abspath(weights)
    made = ray.data.from_items(todo, override_num_blocks=len(todo)).map(
        Painter,
        fn_constructor_args=(str(arguments.style.resolve()), weights, settings),
        compute=ActorPoolStrategy(size=min(actors, len(todo)), max_tasks_in_flight_per_actor=1),
        num_cpus=cpus,
        # An actor that waits for a machine to come back would hold its photographs.
        max_restarts=0,
        max_task_retries=0,
        scheduling_strategy="SPREAD",
    )
    errors = []
    try:
        for row in made.iter_rows():
            print(row["error"] or row["result"], flush=True)
            if row["error"]:
                errors.append(row)
    except ray.exceptions.RayError as error:
        print(f"a machine was lost: {type(error).__name__}", flush=True)
    return errors


if __name__ == "__main__":
    sys.exit(main())
