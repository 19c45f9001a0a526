"""Entries of the manifest as JSON, and invalid entries."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from packagex_async._files.operations import FileDigest
from packagex_async._sync.manifest import MANIFEST_NAME
from packagex_async._sync.manifest_entry import (
    MIN_LINE_SIZE,
    ManifestEntry,
    entry_key,
    entry_keys,
    parse_entries,
)
from tests.unit.sync.manifests import ENTRY, find, open_manifest


def test_entry_is_a_json_object(tmp_path: Path) -> None:
    """Its keys are documented, and it is one line. Rows that were not counted are left out."""
    counted = attrs.evolve(ENTRY, rows=3)
    with open_manifest(tmp_path) as manifest:
        manifest.append([ENTRY, counted])
        manifest.close()
    text, with_rows = (tmp_path / MANIFEST_NAME).read_text().splitlines()
    values = {name: value for name, value in attrs.asdict(ENTRY).items() if value is not None}
    assert json.loads(text) == values
    assert json.loads(with_rows) == values | {"rows": 3}
    assert ManifestEntry.parse(text.encode()) == ENTRY
    assert ManifestEntry.parse(with_rows.encode()) == counted
    assert list(json.loads(text)) == [
        "export_id", "artifact", "path", "size", "sha256", "verified", "when", "updated_at",
    ]  # fmt: skip


@pytest.mark.parametrize(
    "changes",
    [
        {"export_id": 7},
        {"artifact": None},
        {"path": 1},
        {"path": None},
        {"size": "7"},
        {"size": True},
        {"size": -1},
        {"size": 1.5},
        {"sha256": None},
        {"verified": None},
        {"when": None},
        {"updated_at": 5},
        {"size": 2**63},
        {"sha256": "x" * 64},
        {"sha256": "\x1b[31m"},
        {"verified": "surely"},
        {"rows": "3"},
        {"rows": -1},
        {"rows": True},
        {"rows": 2**63},
    ],
)
def test_invalid_entry_is_skipped(tmp_path: Path, changes: dict[str, Any]) -> None:
    """The earlier valid entry counts."""
    invalid_lines = json.dumps(attrs.asdict(ENTRY) | changes).encode()
    (tmp_path / MANIFEST_NAME).write_bytes(ENTRY.dump() + invalid_lines + b"\n")
    assert find(tmp_path) == {"csv": ENTRY}


texts = st.text(max_size=8) | st.sampled_from(["exp_1", 'a"b', "a\\b", "\x7f", "caf\xe9", "x" * 300])
values: dict[str, st.SearchStrategy[Any]] = {
    "export_id": texts,
    "artifact": texts,
    "path": texts | st.none(),
    "size": st.sampled_from([0, 7, 10**17, 10**18, 2**63 - 1, 2**63, -1, 1.5, None]),
    "sha256": st.sampled_from(["0" * 64, "F" * 64, None]),
    "verified": st.sampled_from(["checksum", "length", "none", "surely", None]),
    "when": texts,
    "updated_at": texts | st.none(),
}


@given(st.fixed_dictionaries(values), st.booleans(), st.sampled_from([b"", b" ", b"}", b",", b"\r", b"\n"]))
def test_lines_are_parsed_as_json(values: dict[str, Any], compact: bool, end: bytes) -> None:
    """The fast path accepts the same lines, with the same result."""
    line = json.dumps(values, separators=(",", ":") if compact else None).encode() + end
    try:
        expected = ManifestEntry.from_json(json.loads(line))
    except ValueError:
        expected = None
    assert ManifestEntry.parse(line) == expected
    found = list(parse_entries(line))
    assert found == ([(0, expected)] if expected and len(line.rstrip(b"\n")) >= MIN_LINE_SIZE else [])
    keys = [(start, entry_key(each.export_id, each.artifact, each.format)) for start, each in found]
    assert list(entry_keys(line)) == keys


@given(st.binary(max_size=200))
def test_any_bytes_are_parsed(text: bytes) -> None:
    """The result is an entry or `None`."""
    assert ManifestEntry.parse(text) is None


def test_entry_matches_a_file_of_its_length_and_hash() -> None:
    """Both are compared."""
    digest = hashlib.sha256(b"content").digest()
    entry = attrs.evolve(ENTRY, size=7, sha256=digest.hex())
    assert entry.matches(FileDigest(7, {"sha256": digest}))
    assert not entry.matches(FileDigest(8, {"sha256": digest}))
    assert not entry.matches(FileDigest(7, {"sha256": bytes(32)}))
