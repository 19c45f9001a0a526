"""Comparison of objects with manifest objects."""

from __future__ import annotations

import hashlib

import pytest
from obstore.store import MemoryStore

from packagex_async import FileState
from packagex_async._bucket_sync.manifest_objects import update_manifest
from packagex_async._bucket_sync.object_checker import ObjectChecker
from packagex_async._sync.manifest_entry import ManifestEntry
from tests.unit.buckets.test_objects import new_objects


@pytest.mark.parametrize(
    ("content", "state"),
    [
        (b"ab", FileState.EXACT),
        (b"aa", FileState.CHANGED),
        (b"a", FileState.CHANGED),
        (None, FileState.MISSING),
    ],
)
def test_states(content: bytes | None, state: FileState) -> None:
    """Length and content are compared."""
    objects = new_objects(MemoryStore())
    entry = ManifestEntry(
        export_id="exp_1", artifact="csv", path="a.csv", size=2, sha256=hashlib.sha256(b"ab").hexdigest(),
        verified="length", when="now", updated_at=None,
    )  # fmt: skip
    absent = ManifestEntry(export_id="exp_1", artifact="json", when="now", updated_at=None)
    update_manifest(objects, "exp_1", [entry, absent])
    if content is not None:
        objects.put("a.csv", content)
    checker = ObjectChecker(objects, lambda _: None)
    (name,) = checker.manifest_names()
    (found,) = checker.entries(name)
    assert checker.check(found).state is state
    assert [checked.key for checked in checker.unlisted_objects(set())] == ["x/y-a.csv"] * (
        content is not None
    )


def test_object_that_disappears() -> None:
    """It is missing."""
    objects = new_objects(MemoryStore())
    objects.put("a.csv", b"ab")
    checker = ObjectChecker(objects, lambda _: None)
    checker.manifest_names()
    objects._obstore.delete(objects.store, "x/y-a.csv")
    entry = ManifestEntry(
        export_id="exp_1", artifact="csv", path="a.csv", size=2, sha256="0" * 64, verified="length",
        when="now", updated_at=None,
    )  # fmt: skip
    assert checker.check(entry).state is FileState.MISSING
