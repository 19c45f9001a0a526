"""The name of a partial file identifies its target and the process that created it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from packagex_async._partials.locked_partial import create_partial
from packagex_async._partials.partial_metadata import save_metadata
from packagex_async._partials.partial_names import (
    belongs_to_this_process,
    has_current_name,
    new_partial_path,
    parse_name,
    sidecar,
)
from tests.unit.partials.helpers import METADATA, resume, resumed_path


@pytest.mark.parametrize("suffix", ["", "json", "draft", "claim"])
def test_a_name_is_parsed_to_its_target(tmp_path: Path, suffix: str) -> None:
    """The names of metadata, drafts and claims are parsed in the same way."""
    path = new_partial_path(tmp_path / "exp_1.csv")
    file = sidecar(path, suffix) if suffix else path
    assert parse_name(file.name) == ("exp_1.csv", path.name)


@pytest.mark.parametrize("name", ["exp_1.csv", ".part", ".exp_1.csv.part", ".exp_1.csv.1.part.txt"])
def test_other_names_are_not_parsed(name: str) -> None:
    """A dot at the start or `.part` at the end is not enough."""
    found = parse_name(name)
    assert found is None or found[0] != "exp_1.csv"


def test_new_paths_are_unique_and_belong_to_this_process(tmp_path: Path) -> None:
    """Earlier versions and other processes use other tokens."""
    paths = {new_partial_path(tmp_path / "a.csv") for _ in range(3)}
    assert len(paths) == 3
    assert all(has_current_name(path) and belongs_to_this_process(path) for path in paths)
    assert not belongs_to_this_process(tmp_path / ".a.csv.0123456789abcdef-1.part")
    assert not has_current_name(tmp_path / ".a.csv.0123abcd-17-4711-1.part")


@pytest.mark.parametrize("name", ["x" * 251 + ".csv", "ä" * 125 + ".csv", "\U0001f4e6" * 62 + ".csv"])
def test_a_target_with_a_long_name_has_a_partial_file(tmp_path: Path, name: str) -> None:
    """The name is shortened. A later run finds the file, and does not use it for another target."""
    assert len(os.fsencode(name)) in (252, 254, 255)
    target, other = tmp_path / name, tmp_path / f"{name[:-5]}y.csv"
    partial = create_partial(target, tmp_path)
    save_metadata(partial.path, METADATA)
    partial.close()
    assert resume(other) is None
    assert resumed_path(target) == partial.path
    assert partial.path.name.startswith(f".{name[:40]}")
