"""A manifest is read without changing it."""

from __future__ import annotations

from pathlib import Path

import attrs
import pytest

from packagex_async._files.paths import UnsafePathError
from packagex_async._sync.manifest import MANIFEST_NAME
from packagex_async._sync.manifest_entry import ManifestEntry
from packagex_async._sync.manifest_snapshot import ManifestSnapshot
from tests.unit.sync.manifests import ENTRY, MISSING


def write(directory: Path, *entries: ManifestEntry, ending: bytes = b"") -> bytes:
    content = b"".join(entry.dump() for entry in entries) + ending
    (directory / MANIFEST_NAME).write_bytes(content)
    return content


def test_last_entry_of_each_artifact(tmp_path: Path) -> None:
    """Artifacts that are not offered have no file. Incomplete and foreign lines are skipped."""
    newer = attrs.evolve(ENTRY, size=8)
    other = attrs.evolve(ENTRY, export_id="exp_2", size=3)
    content = write(tmp_path, ENTRY, MISSING, other, newer, ending=b'[]\n{"export_id"')
    with ManifestSnapshot(tmp_path) as snapshot:
        assert snapshot.total_size == 11
        assert list(snapshot.entries()) == [other, newer]
    assert (tmp_path / MANIFEST_NAME).read_bytes() == content


def test_artifact_that_is_no_longer_offered(tmp_path: Path) -> None:
    """The last entry counts."""
    write(tmp_path, attrs.evolve(ENTRY, artifact="json"), MISSING)
    with ManifestSnapshot(tmp_path) as snapshot:
        assert snapshot.total_size == 0
        assert list(snapshot.entries()) == []


def test_entries_that_are_added_later_are_not_in_the_snapshot(tmp_path: Path) -> None:
    """The manifest may grow while it is read."""
    write(tmp_path, ENTRY)
    with ManifestSnapshot(tmp_path) as snapshot:
        write(tmp_path, ENTRY, attrs.evolve(ENTRY, export_id="exp_2"))
        assert list(snapshot.entries()) == [ENTRY]


def test_missing_manifest_is_an_error(tmp_path: Path) -> None:
    """No file is created."""
    with pytest.raises(FileNotFoundError):
        ManifestSnapshot(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_symbolic_link_is_an_error(tmp_path: Path) -> None:
    """It is not followed."""
    (tmp_path / "other").write_bytes(ENTRY.dump())
    (tmp_path / MANIFEST_NAME).symlink_to(tmp_path / "other")
    with pytest.raises(UnsafePathError):
        ManifestSnapshot(tmp_path)
