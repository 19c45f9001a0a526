"""The content of a path before a download."""

from __future__ import annotations

from pathlib import Path

import pytest

from packagex_async._partials.existing_files import ABSENT, examine
from packagex_async._partials.partial_index import PartialIndex
from packagex_async._partials.partial_names import new_partial_path


@pytest.mark.parametrize("has_index", [True, False])
def test_regular_file(tmp_path: Path, has_index: bool) -> None:
    """A regular file exists, has a length, and can be read."""
    target = tmp_path / "exp_1.csv"
    target.write_bytes(b"a,b")
    found = examine(target, tmp_path, PartialIndex() if has_index else None)
    assert (found.size, found.exists, found.is_readable, found.is_absent) == (3, True, True, False)


def test_something_else(tmp_path: Path) -> None:
    """A directory or a broken link exists, but cannot be read as a file."""
    (tmp_path / "exp_1.csv").mkdir()
    (tmp_path / "exp_2.csv").symlink_to(tmp_path / "elsewhere")
    for name in ("exp_1.csv", "exp_2.csv"):
        found = examine(tmp_path / name, tmp_path, None)
        assert (found.exists, found.is_readable, found.is_absent) == (True, False, False)


@pytest.mark.parametrize("expected", [True, False])
def test_nothing(tmp_path: Path, expected: bool) -> None:
    """The path has neither a file nor a partial file."""
    assert examine(tmp_path / "exp_1.csv", tmp_path, PartialIndex(), expected=expected) is ABSENT
    assert ABSENT.is_absent


def test_unexpected_file_is_not_looked_for_if_none_has_its_suffix(tmp_path: Path) -> None:
    """The index saves a system call. A file that appears after the directory was listed is not found."""
    index, target = PartialIndex(), tmp_path / "exp_1.csv"
    assert index.may_exist(target) is False
    target.write_bytes(b"a,b")
    assert examine(target, tmp_path, index, expected=False) is ABSENT
    assert examine(target, tmp_path, index).exists


def test_partial_file(tmp_path: Path) -> None:
    """A partial file is found only with an index."""
    target = tmp_path / "exp_1.csv"
    new_partial_path(target).touch()
    found = examine(target, tmp_path, PartialIndex())
    assert (found.exists, found.has_partial, found.is_absent) == (False, True, False)
    assert examine(target, tmp_path, None) is ABSENT


def test_link_in_place_of_a_directory(tmp_path: Path) -> None:
    """A link in place of a directory is refused, whatever its target is."""
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere/exp_1.csv").write_bytes(b"a,b")
    (tmp_path / "folder").symlink_to(tmp_path / "elsewhere")
    found = examine(tmp_path / "folder/exp_1.csv", tmp_path, PartialIndex())
    assert found.refused is not None
    assert (found.exists, found.is_absent) == (False, False)
