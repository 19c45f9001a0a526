"""Each directory is listed once per run."""

from __future__ import annotations

from pathlib import Path

import pytest

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
