"""The layout of the tests mirrors that of the package, and test files are short."""

from __future__ import annotations

from pathlib import Path

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "packagex_async"
TESTS = ROOT / "tests"

MAX_LINES = 500
"""The maximum number of lines in a test file."""

NOT_TESTED = {"__init__", "__main__", "_version"}
"""Modules without code to test."""


def test_every_module_has_a_test_file() -> None:
    """`test_<module>.py` exists for each module of the package."""
    test_files = {path.stem for path in TESTS.rglob("test_*.py")}
    modules = [path for path in sorted(PACKAGE.rglob("*.py")) if path.stem not in NOT_TESTED]
    missing = [path for path in modules if f"test_{path.stem.strip('_')}" not in test_files]
    assert [str(path.relative_to(PACKAGE)) for path in missing] == []


def test_test_files_are_short() -> None:
    """No file under `tests/` is longer than 500 lines."""
    lines = {path: len(path.read_text(encoding="utf-8").splitlines()) for path in TESTS.rglob("*.py")}
    long = {str(path.relative_to(TESTS)): count for path, count in lines.items() if count > MAX_LINES}
    assert long == {}


def test_folders_of_unit_tests_exist_in_the_package() -> None:
    """Each folder in `tests/unit/` belongs to a folder of the package."""
    folders = {path.name for path in (TESTS / "unit").iterdir() if (path / "__init__.py").exists()}
    packages = {path.name.strip("_") for path in PACKAGE.rglob("*") if (path / "__init__.py").exists()}
    assert folders <= packages
