"""Known exports: the differences between observations, and when ids are forgotten."""

from __future__ import annotations

from packagex_async import Export, ExportStatus
from packagex_async._watch.known_exports import Change, KnownExports

DAY = 24 * 3600.0


def export(export_id: str, status: str | None) -> Export:
    known = status if status not in set(ExportStatus) else ExportStatus(status)
    return Export(id=export_id, status=known)  # type: ignore[arg-type]


def test_changes_of_one_export() -> None:
    """An export is final once; a status that changes afterwards is ignored."""
    known = KnownExports()
    statuses = ("queued", "queued", "processing", "odd", None, "completed", "completed", "queued", "failed")
    changes = [known.observe(export("exp_1", status), 0.0) for status in statuses]
    pending = [Change.PENDING, Change.NONE, Change.PENDING, Change.PENDING, Change.PENDING]
    assert changes == [*pending, Change.FINAL, Change.NONE, Change.NONE, Change.NONE]
    assert known.is_final("exp_1")
    assert not known.is_final("exp_2")


def test_exports_in_progress_by_last_observation() -> None:
    """Unknown statuses are not in progress. The export that was seen first comes first."""
    known = KnownExports()
    for number, status in enumerate(("queued", "processing", "odd", "failed", "queued")):
        known.observe(export(f"exp_{number}", status), 10.0 - number)
    assert known.in_progress(unseen_since=10.0) == ["exp_4", "exp_1"]
    known.remove("exp_1")
    known.remove("exp_9")
    assert known.in_progress(unseen_since=100.0) == ["exp_4", "exp_0"]


def test_ids_are_forgotten_if_they_are_unseen_for_a_lifetime() -> None:
    """Ids that were seen since the start of the scan, or within the lifetime, are kept."""
    known = KnownExports()
    known.observe(export("exp_old", "completed"), 0.0)
    known.observe(export("exp_waiting", "queued"), 0.0)
    known.observe(export("exp_new", "completed"), 10.0)
    known.forget(unseen_since=DAY, now=DAY + 5.0, lifetimes=2)
    assert len(known) == 3
    known.forget(unseen_since=0.0, now=2 * DAY)
    assert len(known) == 3
    known.forget(unseen_since=DAY, now=DAY + 5.0)
    assert len(known) == 1
    assert known.observe(export("exp_new", "completed"), DAY) is Change.NONE
    assert known.observe(export("exp_old", "completed"), DAY) is Change.FINAL
