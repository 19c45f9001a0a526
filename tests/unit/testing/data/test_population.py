"""The sample exports."""

from __future__ import annotations

from packagex_async.testing.data.population import add_sample_exports
from packagex_async.testing.data.store import LIFETIME, Store

NOW = 1_767_268_800.0


def test_sample_exports_are_less_than_a_day_old() -> None:
    """None of them is deleted at once, and they are ordered by age."""
    store = Store(seed=7, now=lambda: NOW, pending=None)
    add_sample_exports(store, now=NOW)
    exports = store.exports()
    assert len(exports) == 15
    assert all(NOW - LIFETIME < export.created_at < NOW for export in exports)
    assert exports[-1].status == "queued"
