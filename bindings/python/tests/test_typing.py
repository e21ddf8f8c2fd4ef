"""The types that are stated are those that there are."""

from __future__ import annotations

import ast
import inspect
import pathlib
import subprocess
import sys
import unittest
from importlib import util
from typing import Any, Dict

import impasto
from impasto import _impasto
from common import PACKAGE

INSTALLED = pathlib.Path(impasto.__file__).parent


def stated(node: Any) -> Dict[str, Any]:
    """The functions and classes that a stub states, each with its parameters' names and kinds."""
    found: Dict[str, Any] = {}
    for item in node.body:
        if isinstance(item, ast.FunctionDef):
            names = [argument.arg for argument in item.args.args] + [f"*{a.arg}" for a in item.args.kwonlyargs]
            is_property = any(isinstance(d, ast.Name) and d.id == "property" for d in item.decorator_list)
            found[item.name] = "property" if is_property else [name for name in names if name != "self"]
        elif isinstance(item, ast.ClassDef):
            found[item.name] = stated(item)
    return found


def parameters(function: Any) -> Any:
    kinds = inspect.signature(function).parameters.values()
    names = [f"*{p.name}" if p.kind is inspect.Parameter.KEYWORD_ONLY else p.name for p in kinds]
    return [name for name in names if name != "self"]


class Stubs(unittest.TestCase):
    def test_the_stub_is_of_the_module(self) -> None:
        stub = stated(ast.parse((INSTALLED / "_impasto.pyi").read_text(encoding="utf-8")))
        there = {name for name in dir(_impasto) if not name.startswith("__")}
        self.assertEqual(set(stub), there)
        for name, expected in stub.items():
            item = getattr(_impasto, name)
            if not isinstance(expected, dict):
                self.assertEqual(parameters(item), expected, name)
                continue
            members = {member for member in vars(item) if not member.startswith("__")}
            self.assertEqual({member for member in expected if member != "__init__"}, members, name)
            for member, of_member in expected.items():
                if of_member == "property":
                    self.assertTrue(inspect.isgetsetdescriptor(vars(item)[member]), f"{name}.{member}")
                elif member == "__init__":
                    self.assertEqual(parameters(item), of_member, name)
                else:
                    self.assertEqual(parameters(getattr(item, member)), of_member, f"{name}.{member}")

    def test_the_settings_are_those_of_stylize(self) -> None:
        source = (INSTALLED / "_settings.py").read_text(encoding="utf-8")
        (settings,) = [n for n in ast.walk(ast.parse(source)) if isinstance(n, ast.ClassDef) and n.name == "Settings"]
        names = [item.target.id for item in settings.body if isinstance(item, ast.AnnAssign)]  # type: ignore[union-attr]
        others = ("content", "style", "size", "progress", "output", "details")
        self.assertEqual(names, [name for name in inspect.signature(impasto.stylize).parameters if name not in others])

    def test_everything_is_documented(self) -> None:
        for name in impasto.__all__:
            item = getattr(impasto, name)
            if callable(item):
                self.assertTrue(item.__doc__, name)
                members = vars(item).items() if isinstance(item, type) else ()
                for member, value in members:
                    if not member.startswith("_") and not isinstance(value, (str, type(None))):
                        self.assertTrue(getattr(value, "__doc__", None), f"{name}.{member}")

    def test_it_is_marked_as_typed(self) -> None:
        self.assertTrue((INSTALLED / "py.typed").exists())

    @unittest.skipUnless(util.find_spec("mypy"), "mypy is not installed")
    def test_mypy_agrees(self) -> None:
        ran = subprocess.run(
            [sys.executable, "-m", "mypy", "--strict", "--cache-dir", "/dev/null", "python/impasto"],
            cwd=PACKAGE, capture_output=True, text=True,
        )  # fmt: skip
        self.assertEqual(ran.returncode, 0, ran.stdout + ran.stderr)


if __name__ == "__main__":
    unittest.main()
