"""File names are ours: safe everywhere, and never shared by two exports."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from packagex_async import Artifact
from packagex_async._files.layouts import artifact_file_name, file_stem


@pytest.mark.parametrize(
    ("artifact", "name"),
    [
        (Artifact.JSON, "exp_7xKyu1HY.json"),
        (Artifact.CSV, "exp_7xKyu1HY.csv"),
        (Artifact.CSV_ERROR, "exp_7xKyu1HY.error.csv"),
        (Artifact.CSV_SANITIZED, "exp_7xKyu1HY.sanitized.csv"),
    ],
)
def test_a_plain_id_stands_as_it_is(artifact: Artifact, name: str) -> None:
    """The names a caller expects."""
    assert artifact_file_name("exp_7xKyu1HY", artifact) == name


@pytest.mark.parametrize(
    "export_id",
    [
        "../../etc/passwd",
        "..",
        ".",
        "",
        "CON",
        "nul",
        "a\0b",
        "a/b",
        "a\\b",
        "x" * 500,
        "exp:1",
        "\ud800",
        "é",
        "-rf",
        "a\n",
    ],
)
def test_trap_10_an_id_cannot_name_another_place(export_id: str) -> None:
    """Separators, devices, controls and lengths that a file system minds are gone; a hash tells ids apart."""
    stem = file_stem(export_id)
    assert re.fullmatch(r"[A-Za-z0-9_-]+~[0-9a-f]{16}", stem)
    assert not stem.startswith("-")
    assert len(stem) < 100


@given(st.text(max_size=40), st.text(max_size=40))
def test_trap_10_two_ids_never_share_a_name(one: str, other: str) -> None:
    """Different ids, different files."""
    assert (file_stem(one) == file_stem(other)) == (one == other)


@given(st.text(alphabet="ab/.~_-\0", max_size=6), st.text(alphabet="ab/.~_-\0", max_size=6))
def test_trap_10_ids_that_sanitize_alike_stay_apart(one: str, other: str) -> None:
    """Ids made of what is replaced are told apart by their hash."""
    assert (file_stem(one) == file_stem(other)) == (one == other)
