"""The stored exports and objects."""

from __future__ import annotations

import pytest

from packagex_async.testing.data.lifetimes import Life
from packagex_async.testing.data.store import LIFETIME, Store


class Clock:
    """A clock that stands still until a test changes `seconds`."""

    def __init__(self) -> None:
        self.seconds = 1_000_000.0

    def __call__(self) -> float:
        return self.seconds


@pytest.fixture
def clock() -> Clock:
    """The clock of the store."""
    return Clock()


@pytest.fixture
def store(clock: Clock) -> Store:
    """An empty store."""
    return Store(seed=7, now=clock, pending=Life())


def test_exports_are_ordered_by_creation_time(store: Store, clock: Clock) -> None:
    """Exports older than a day are not returned."""
    new, old = store.add(), store.add(created_at=clock.seconds - 10)
    store.add(created_at=clock.seconds - LIFETIME)
    assert [export.id for export in store.exports()] == [old.id, new.id]
    assert store.get("exp_unknown") is None


def test_artifacts_depend_on_rows_and_content(store: Store) -> None:
    """Error and sanitized rows have their own artifacts."""
    assert store.add().artifacts == ("json", "csv")
    assert store.add(error_rows=1, sanitized_rows=1).artifacts == (
        "json",
        "csv",
        "csv_error",
        "csv_sanitized",
    )
    assert store.add(content={"csv": b"a"}).artifacts == ("csv",)


def test_created_export_has_at_most_the_requested_rows(store: Store) -> None:
    """Batches have 500 rows."""
    export = store.create("item", Life(rows=2000), max_rows=1200)
    assert (export.status, export.count_total, export.count_batches) == ("queued", 1200, 3)
    assert store.create("item", Life(rows=2000), max_rows=None).count_total == 2000
    assert len(store.created) == 2


def test_processing_export_skips_the_queue(store: Store, clock: Clock) -> None:
    """It is completed after the processing time."""
    export = store.add(status="processing")
    clock.seconds += 5
    current = store.get(export.id)
    assert current is not None
    assert (current.status, current.updated_at) == ("completed", clock.seconds)


def test_replaced_content_has_a_new_generation(store: Store) -> None:
    """A missing artifact is not created."""
    export = store.add(content={"csv": b"a"})
    before = store.blob(export.id, "csv")
    store.replace(export.id, "csv", b"b")
    after = store.blob(export.id, "csv")
    assert before is not None
    assert after is not None
    assert (after.content, after.generation > before.generation) == (b"b", True)
    store.replace(export.id, "json", b"c")
    store.replace(None, None, b"c")
    assert store.blob(export.id, "json") is None
