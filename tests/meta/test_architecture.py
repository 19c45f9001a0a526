"""Layers, folders, and the modules that may perform I/O."""

from __future__ import annotations

import ast
import runpy
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "packagex_async"
PAGE = ROOT / "docs/explanation/architecture.md"

MAX_FILES = 12
"""The maximum number of modules in a folder."""

PROGRAM = "__main__"
"""A module that runs the command line. It is not counted, because it contains no code."""

PRIVATE_IN_ROOT = {"_context", "_logs", "_version"}
CONSUMERS = {"cli", "testing"}
"""Folders that import public names only."""


class Import(NamedTuple):
    """An imported module, and whether only the type checker imports it."""

    module: str
    typing_only: bool


def guarded(tree: ast.Module) -> set[ast.AST]:
    """Return all nodes under `if TYPE_CHECKING:`."""
    ifs = [node for node in ast.walk(tree) if isinstance(node, ast.If)]
    return {inner for node in ifs if "TYPE_CHECKING" in ast.unparse(node.test) for inner in ast.walk(node)}


def imports(source: str) -> Iterator[Import]:
    """Yield the full names of all modules that a file imports, at the top or in a function."""
    tree = ast.parse(source)
    typing_only = guarded(tree)
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield Import(alias.name, node in typing_only)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "relative imports are not used in the package"
            for alias in node.names:
                yield Import(_module(node.module or "", alias.name), node in typing_only)


def _module(base: str, name: str) -> str:
    """Return the module that `from base import name` imports; `name` may be a module."""
    nested = ROOT / base.replace(".", "/") / f"{name}.py"
    return f"{base}.{name}" if nested.is_file() else base


@pytest.fixture(scope="module")
def rows() -> list[Any]:
    """Provide the rows of the table, as parsed by the script of the figure."""
    script = ROOT / "docs" / "layers.py"
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(script.parent)
        table: list[Any] = runpy.run_path(str(script))["rows"](PAGE.read_text(encoding="utf-8"))
    return table


@pytest.fixture(scope="module")
def positions(rows: list[Any]) -> dict[str, tuple[int, str, int]]:
    """Provide layer, folder and position of each module of the table."""
    return {
        f"{row.folder.replace('/', '.')}{module}": (row.layer, row.folder, position)
        for row in rows
        for position, module in enumerate(row.modules)
    }


FILES = sorted(file for file in PACKAGE.rglob("*.py") if file.name != "__init__.py")


def name_of(file: Path) -> str:
    """Return the dotted name of a module within the package."""
    return ".".join(file.relative_to(PACKAGE).with_suffix("").parts)


LAYERED = [file for file in FILES if name_of(file).split(".")[0] not in CONSUMERS | {"_version", PROGRAM}]


def imports_of(file: Path) -> list[Import]:
    """Return all modules that a file imports."""
    return list(imports(file.read_text(encoding="utf-8")))


def own_imports(file: Path) -> set[str]:
    """Return the modules of the package that a file imports, type-only imports included."""
    used = {module for module, _ in imports_of(file)}
    return {module.removeprefix("packagex_async.") for module in used if module.startswith("packagex_async.")}


def test_the_table_lists_every_module(rows: list[Any], positions: dict[str, tuple[int, str, int]]) -> None:
    """The table contains all modules, and no others."""
    assert set(positions) == {name_of(file) for file in LAYERED}
    assert {row.folder for row in rows if not row.modules} == {f"{name}/" for name in CONSUMERS}


def test_the_table_is_ordered(rows: list[Any]) -> None:
    """The highest layer comes first."""
    layers = [row.layer for row in rows]
    assert layers == sorted(layers, reverse=True)


@pytest.mark.parametrize("file", LAYERED, ids=name_of)
def test_imports_point_down(file: Path, positions: dict[str, tuple[int, str, int]]) -> None:
    """A module imports from lower layers, or from modules to its right in its own folder."""
    layer, folder, position = positions[name_of(file)]
    for module in own_imports(file) - {"_version"}:
        other_layer, other_folder, other_position = positions[module]
        assert other_layer < layer or (folder and other_folder == folder and other_position > position), (
            module
        )


@pytest.mark.parametrize("file", sorted({*FILES} - {*LAYERED}), ids=name_of)
def test_consumers_use_public_modules(file: Path) -> None:
    """The command line and the emulator import public modules, and `redaction`."""
    private = {name for name in own_imports(file) if name.startswith("_")}
    assert private <= {"_utils.redaction"}


def test_folders_are_small() -> None:
    """No folder has more than twelve modules."""
    counts = Counter(file.parent for file in PACKAGE.rglob("*.py") if file.stem != PROGRAM)
    assert {folder: count for folder, count in counts.items() if count > MAX_FILES} == {}


def test_few_private_modules_are_in_the_root() -> None:
    """All other private modules are in folders."""
    private = {file.stem for file in PACKAGE.glob("_*.py")} - {"__init__", PROGRAM}
    assert private == PRIVATE_IN_ROOT


@pytest.mark.parametrize(
    ("library", "users"),
    [
        ("aiohttp", {"_transport", "testing"}),
        ("aiofiles", {"_files.executor"}),
        ("cyclopts", {"cli"}),
        ("rich", {"cli"}),
    ],
)
def test_few_modules_use_the_outside(library: str, users: set[str]) -> None:
    """Each library is imported in one folder or module. The client names types of aiohttp."""
    found = {
        name_of(file)
        for file in FILES
        for module, typing_only in imports_of(file)
        if module.split(".")[0] == library and not (typing_only and name_of(file) == "client")
    }
    assert {name for name in found if name not in users and name.split(".")[0] not in users} == set()


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("import aiohttp.web", [("aiohttp.web", False)]),
        ("from packagex_async import _logs", [("packagex_async._logs", False)]),
        ("from packagex_async._api import requests", [("packagex_async._api.requests", False)]),
        ("from packagex_async import Export", [("packagex_async", False)]),
        ("from packagex_async.report import DownloadReport", [("packagex_async.report", False)]),
        ("def late():\n    import rich", [("rich", False)]),
        ("if TYPE_CHECKING:\n    from aiohttp import web", [("aiohttp", True)]),
    ],
)
def test_every_kind_of_import_is_found(source: str, expected: list[tuple[str, bool]]) -> None:
    """The parser recognizes every form of import that the package uses."""
    assert list(imports(source)) == expected
