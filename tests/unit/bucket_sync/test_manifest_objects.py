"""Manifest objects."""

from __future__ import annotations

import pytest
from obstore.store import MemoryStore

from packagex_async._bucket_sync import manifest_objects
from packagex_async._bucket_sync.manifest_objects import manifest_name, read_manifest, update_manifest
from packagex_async._buckets.bucket_error import BucketError, ObjectChangedError
from packagex_async._sync.manifest_entry import ManifestEntry
from tests.unit.buckets.test_objects import new_objects


def entry(artifact: str, **values: str | None) -> ManifestEntry:
    return ManifestEntry(export_id="exp_1", artifact=artifact, when="now", updated_at=None, **values)  # type: ignore[arg-type]


def test_entries_are_merged() -> None:
    """A later write keeps the entries of other artifacts and formats."""
    objects = new_objects(MemoryStore())
    update_manifest(objects, "exp_1", [entry("csv")])
    update_manifest(objects, "exp_1", [entry("csv", format="parquet"), entry("json")])
    found = read_manifest(objects, manifest_name("exp_1"), "exp_1")
    assert set(found.entries) == {("csv", None), ("csv", "parquet"), ("json", None)}
    assert found.find(["csv", "csv_error"], {"csv": "parquet"})["csv"].format == "parquet"
    assert read_manifest(objects, manifest_name("exp_1"), "exp_2").entries == {}


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"{}", b'{"entries": 7}', b'{"entries": [7, {}]}'])
def test_unreadable_objects(content: bytes) -> None:
    """They count as empty, and are replaced."""
    objects = new_objects(MemoryStore())
    objects.put(manifest_name("exp_1"), content)
    assert read_manifest(objects, manifest_name("exp_1")).entries == {}
    update_manifest(objects, "exp_1", [entry("csv")])
    assert len(read_manifest(objects, manifest_name("exp_1")).entries) == 1


def test_conflicts(monkeypatch: pytest.MonkeyPatch) -> None:
    """A write is repeated after a conflict, but not for ever."""
    objects = new_objects(MemoryStore())
    calls = []

    def refuse(*_: object, **__: object) -> None:
        calls.append(1)
        raise ObjectChangedError("x", "memory:///a")

    monkeypatch.setattr(objects, "put", refuse)
    with pytest.raises(BucketError, match="all the time"):
        update_manifest(objects, "exp_1", [entry("csv")])
    assert len(calls) == manifest_objects._MAX_ATTEMPTS
