"""Columns with the same name get different names, and a warning."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from packagex_async import Artifact
from packagex_async._decoders.header import duplicates, unique_names, warn_of_duplicates


@pytest.mark.parametrize(
    ("header", "names"),
    [
        ([], []),
        (["a", "b"], ["a", "b"]),
        (["a", "a", "a"], ["a", "a_2", "a_3"]),
        (["a", "a_2", "a"], ["a", "a_2", "a_3"]),
        (["a", "a", "a_2"], ["a", "a_3", "a_2"]),
        (["a", "a", "a_2", "a_2"], ["a", "a_3", "a_2", "a_2_2"]),
        (["", ""], ["", "_2"]),
    ],
)
def test_numbered_names(header: list[str], names: list[str]) -> None:
    """All but the first of several equal names get a number."""
    assert unique_names(header) == names


@given(st.lists(st.sampled_from(["a", "b", "a_2", "a_3", "a_2_2"])))
def test_names_differ(header: list[str]) -> None:
    """All names are different, and the first of several equal names is unchanged."""
    names = unique_names(header)
    assert len(set(names)) == len(names) == len(header)
    assert {header.index(name) for name in header} == {names.index(name) for name in header}


def test_duplicates() -> None:
    """Each duplicate name is listed once."""
    assert duplicates(["a", "b", "a", "c", "c", "a"]) == ["a", "c"]


def test_warning() -> None:
    """The warning is one line of text, and names the line of the caller's code."""
    with pytest.warns(
        UserWarning, match="export exp_1, artifact csv: several columns .* name: a, b\\\\n;"
    ) as w:
        warn_of_duplicates(["a", "b\n"], "exp_1", Artifact.CSV)
    assert w[0].filename == __file__
