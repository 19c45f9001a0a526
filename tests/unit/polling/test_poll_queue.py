"""The order of polls, and the exports that are still polled."""

from __future__ import annotations

import attrs
import pytest

from packagex_async import Export, ExportGoneError, ExportStatus, NotFoundError, WaitTimeoutError
from packagex_async._polling.export_requests import RetrievedExport
from packagex_async._polling.poll_queue import PollQueue
from tests.support import FakeClock


@attrs.define
class Api:
    """A fake API with the status of each export; an unknown id is not found."""

    statuses: dict[str, ExportStatus]

    async def retrieve(self, export_id: str) -> RetrievedExport:
        if export_id not in self.statuses:
            raise NotFoundError("not found", status=404)
        return RetrievedExport(Export(id=export_id, status=self.statuses[export_id]), None)


def make_queue(timeout: float | None = None, **statuses: ExportStatus) -> tuple[PollQueue, FakeClock]:
    clock = FakeClock(jitter_fraction=1.0)
    queue = PollQueue(Api(statuses).retrieve, clock, timeout)
    for export_id in statuses:
        queue.add(Export(id=export_id, status=ExportStatus.QUEUED))
        clock.now += 0.1
    return queue, clock


async def test_exports_are_polled_in_turn() -> None:
    """A queued export is scheduled again, after exports that are due earlier."""
    queue, _ = make_queue(a=ExportStatus.QUEUED, b=ExportStatus.PROCESSING, c=ExportStatus.COMPLETED)
    polled = []
    while queue.export_ids:
        scheduled = queue.pop()
        assert scheduled is not None
        polled.append(scheduled.export.id)
        if await queue.poll(scheduled) is not None:
            break
    assert polled == ["a", "b", "c"]
    assert queue.export_ids == ("a", "b")
    following = queue.pop()
    assert following is not None
    assert following.export.id == "a"


async def test_empty_queue_has_no_poll() -> None:
    """A poll that is being executed is not in the queue either."""
    queue, _ = make_queue(a=ExportStatus.COMPLETED)
    assert queue.pop() is not None
    assert queue.pop() is None
    assert queue.export_ids == ("a",)


async def test_export_that_fails_is_no_longer_polled() -> None:
    """A deleted export is removed from the queue."""
    clock = FakeClock()
    queue = PollQueue(Api({}).retrieve, clock, None)
    queue.add(Export(id="a"))
    scheduled = queue.pop()
    assert scheduled is not None
    with pytest.raises(ExportGoneError):
        await queue.poll(scheduled)
    assert queue.export_ids == ()


async def test_time_limit_of_each_export() -> None:
    """The last request is sent at the time limit."""
    queue, clock = make_queue(timeout=10, a=ExportStatus.QUEUED)
    started_at = clock.now - 0.1
    with pytest.raises(WaitTimeoutError, match="export a is still queued after 10 seconds"):
        while (scheduled := queue.pop()) is not None:
            assert await queue.poll(scheduled) is None
    assert clock.now - started_at == pytest.approx(10)
