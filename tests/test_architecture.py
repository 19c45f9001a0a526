"""The house has floors: the table in the docs is held against the imports of every file."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "packagex_async"
PAGE = (ROOT / "docs/explanation/architecture.md").read_text(encoding="utf-8")
NO_FLOOR = {"__init__", "_version"}
GUESTS = {"cli", "testing"}


class Import(NamedTuple):
    """One imported module, and whether only the type checker imports it."""

    module: str
    typing_only: bool


def floors() -> dict[str, int]:
    """The floor of each file or subpackage, as the docs tell it."""
    rows = re.findall(r"^\| (-?\d+) \| ([^|]+) \|", PAGE, re.MULTILINE)
    return {name: int(floor) for floor, cell in rows for name in re.findall(r"`(\w+)(?:\.py|/)`", cell)}


def room(file: Path) -> str:
    """The name in the table that a file belongs to: its own, or that of its subpackage."""
    return file.relative_to(PACKAGE).parts[0].removesuffix(".py")


def guarded(tree: ast.Module) -> set[ast.AST]:
    """Everything that stands under `if TYPE_CHECKING:`."""
    ifs = [node for node in ast.walk(tree) if isinstance(node, ast.If)]
    return {inner for node in ifs if "TYPE_CHECKING" in ast.unparse(node.test) for inner in ast.walk(node)}


def imports(source: str, package: str = "packagex_async") -> Iterator[Import]:
    """Every module that a file of `package` imports, at its head or inside a function, by its full name."""
    tree = ast.parse(source)
    typing_only = guarded(tree)
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield Import(alias.name, node in typing_only)
        elif isinstance(node, ast.ImportFrom):
            parents = package.split(".")[: len(package.split(".")) + 1 - node.level] if node.level else []
            base = ".".join([*parents, *filter(None, [node.module])])
            for alias in node.names:
                name = f"{base}.{alias.name}" if base == "packagex_async" else base
                yield Import(name, node in typing_only)


FILES = sorted(PACKAGE.rglob("*.py"))
FLOORS = floors()


def imports_of(file: Path) -> list[Import]:
    """Every module that a file of ours imports."""
    package = ".".join(file.relative_to(ROOT).parent.parts)
    return list(imports(file.read_text(encoding="utf-8"), package))


def rooms_used(file: Path) -> set[str]:
    """The files and subpackages of ours that a file imports from; a public name comes from `__init__`."""
    parts = [
        module.split(".")[1:]
        for module, typing_only in imports_of(file)
        if module.split(".")[0] == "packagex_async" and not typing_only
    ]
    rooms = {part[0] if part and part[0] in {*FLOORS, "_version"} else "__init__" for part in parts}
    return rooms - {"_version"}


def rooms_below(own: str) -> set[str]:
    """Where a file may import from; the guests may use each other, themselves and the public names."""
    below = {name for name, floor in FLOORS.items() if floor < FLOORS[own]}
    return below | {own, "testing", "__init__"} if own in GUESTS else below


def test_every_file_has_a_floor_and_every_floor_a_file() -> None:
    """The table names what there is, no more and no less."""
    assert set(FLOORS) == {room(file) for file in FILES} - NO_FLOOR


def test_the_table_is_read_from_the_ground_up() -> None:
    """Its rows stand in the order of their floors."""
    assert list(FLOORS.values()) == sorted(FLOORS.values())


def test_the_page_names_no_file_that_is_not_there() -> None:
    """In its prose, either."""
    assert set(re.findall(r"`(\w+)\.py`", PAGE)) <= {room(file) for file in FILES}


@pytest.mark.parametrize("file", [file for file in FILES if room(file) in FLOORS], ids=lambda file: file.stem)
def test_imports_point_down(file: Path) -> None:
    """A file imports only from floors below its own."""
    assert rooms_used(file) <= rooms_below(room(file))


@pytest.mark.parametrize(
    ("library", "doors"),
    [
        ("aiohttp", {"_http", "_connector", "_transport_errors", "testing"}),
        ("aiofiles", {"_disk"}),
        ("cyclopts", {"cli"}),
        ("rich", {"cli"}),
    ],
)
def test_the_outside_has_one_door_each(library: str, doors: set[str]) -> None:
    """The network, the disk and the terminal are each reached through one file or subpackage."""
    users = {
        room(file)
        for file in FILES
        for module, typing_only in imports_of(file)
        if module.split(".")[0] == library and not (typing_only and room(file) == "client")
    }
    assert users <= doors


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("import aiohttp.web", [("aiohttp.web", False)]),
        ("from packagex_async import _logs", [("packagex_async._logs", False)]),
        ("from packagex_async.report import DownloadReport", [("packagex_async.report", False)]),
        ("def late():\n    import rich", [("rich", False)]),
        ("if TYPE_CHECKING:\n    from aiohttp import web", [("aiohttp", True)]),
        ("from . import errors", [("packagex_async.errors", False)]),
        ("from .errors import ApiError", [("packagex_async.errors", False)]),
    ],
)
def test_no_import_is_overlooked(source: str, expected: list[tuple[str, bool]]) -> None:
    """The reader of imports knows every way of writing one."""
    assert list(imports(source)) == expected
