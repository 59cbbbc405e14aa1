# SPDX-License-Identifier: MIT
"""The asserts of test files show the values that they compared: pytest's rewriting, without its runner.

The first assert of a test is also remembered: a failure after it is final, see runner.py.
"""

from __future__ import annotations

import ast
import importlib.abc
import importlib.machinery
import importlib.util
import sys
from collections.abc import Sequence
from pathlib import Path
from types import CodeType, ModuleType

try:
    from _pytest.assertion.rewrite import rewrite_asserts
except ModuleNotFoundError as e:
    raise SystemExit(f"{sys.executable} has no pytest: scripts/setup installs it for /usr/bin/python3") from e

MARK = "_an_assert_begins"

_begun = False


def begun() -> bool:
    """Whether this process has begun with an assert of a test."""
    return _begun


def forget() -> None:
    """A new test begins."""
    global _begun
    _begun = False


def _begin() -> None:
    global _begun
    _begun = True


class _Marked(ast.NodeTransformer):
    """Before each assert comes a call that remembers it."""

    def visit_Assert(self, node: ast.Assert) -> list[ast.stmt]:
        mark = ast.Expr(ast.Call(ast.Name(MARK, ast.Load()), [], []))
        return [ast.fix_missing_locations(ast.copy_location(mark, node)), node]


class _Loader(importlib.machinery.SourceFileLoader):
    def get_code(self, fullname: str) -> CodeType:
        # A .pyc may have been compiled without any of this.
        path = self.get_filename(fullname)
        source = self.get_data(path)
        tree = _Marked().visit(ast.parse(source, path))
        rewrite_asserts(tree, source, path)
        code: CodeType = compile(tree, path, "exec", dont_inherit=True)
        return code

    def exec_module(self, module: ModuleType) -> None:
        setattr(module, MARK, _begin)
        super().exec_module(module)


class _Finder(importlib.abc.MetaPathFinder):
    """Finds the test files of a directory."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        file = self._directory / f"{fullname}.py"
        if path is not None or not fullname.startswith("test_") or not file.is_file():
            return None
        return importlib.util.spec_from_file_location(fullname, file, loader=_Loader(fullname, str(file)))


def rewrite_tests(directory: Path) -> None:
    """From now on, test files that are imported from there show their values."""
    sys.meta_path.insert(0, _Finder(directory))
