"""Each directory is listed once per run."""

from __future__ import annotations

from pathlib import Path

import pytest

from packagex_async._partials import partial_index
from packagex_async._partials.partial_index import PartialIndex
from tests.unit.partials.helpers import make_partial


def test_a_directory_is_listed_once(tmp_path: Path) -> None:
    """Files that appear later are not found. A missing directory is empty."""
    index = PartialIndex()
    partial = make_partial(tmp_path)
    assert index.find(tmp_path / "b.csv") == []
    make_partial(tmp_path, "2")
    assert index.find(tmp_path / "a.csv") == [partial]
    assert index.find(tmp_path / "new" / "a.csv") == []
    assert not index.may_exist(tmp_path / "new" / "a.csv")


@pytest.mark.parametrize(
    ("target", "may_exist"), [("exp_1.csv", True), ("exp_2.csv", True), ("exp_1.json", False)]
)
def test_a_target_may_exist_if_its_suffix_does(tmp_path: Path, target: str, may_exist: bool) -> None:
    """The suffixes of all files are known, in any case of the letters."""
    (tmp_path / "exp_1.CSV").touch()
    assert PartialIndex().may_exist(tmp_path / target) == may_exist


def test_a_directory_that_cannot_be_listed_may_contain_any_target(tmp_path: Path) -> None:
    """No partial file is found in it."""
    (tmp_path / "file").touch()
    index = PartialIndex()
    assert index.find(tmp_path / "file" / "a.csv") == []
    assert index.may_exist(tmp_path / "file" / "a.csv")


def test_directories_are_listed_again_after_clear(tmp_path: Path) -> None:
    """The index then contains files that have appeared."""
    index = PartialIndex()
    assert index.find(tmp_path / "a.csv") == []
    partial = make_partial(tmp_path)
    index.clear()
    assert index.find(tmp_path / "a.csv") == [partial]


def test_the_number_of_directories_is_limited(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A full index is cleared, so a run without end needs a limited amount of memory."""
    monkeypatch.setattr(partial_index, "_MAX_LISTINGS", 2)
    index = PartialIndex()
    for name in ("1", "2", "3"):
        assert index.find(tmp_path / name / "a.csv") == []
    (tmp_path / "1").mkdir()
    (tmp_path / "3").mkdir()
    partials = [make_partial(tmp_path / name) for name in ("1", "3")]
    assert index.find(tmp_path / "1" / "a.csv") == [partials[0]]
    assert index.find(tmp_path / "3" / "a.csv") == []
