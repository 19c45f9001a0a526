"""Waiting for exports that are not completed yet, in `download_all`."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import attrs
import pytest

from packagex_async import (
    AsyncPackageX,
    AuthenticationError,
    ConfigurationError,
    DownloadReport,
    ExportFailedError,
    ExportGoneError,
    ExportNotReadyError,
    RequestTimeoutError,
    RetryPolicy,
    ServerError,
    WaitTimeoutError,
)
from packagex_async._logs import waiting
from packagex_async._polling import schedule
from packagex_async.testing import (
    Dialect,
    Emulator,
    RecordedRequest,
    Stall,
    Status,
)
from packagex_async.testing.data.store import Store
from packagex_async.testing.faults import Fault
from tests.support import FakeClock, open_exports
from tests.sync_support import add, assert_exact, manifest
from tests.time_limits import LIMITED

DAY = 86_400


@attrs.frozen
class NoDates(Dialect):
    """No export has a time of creation or change."""

    def format_timestamp(self, seconds: float) -> Any:
        return None


async def reports_of(
    clock: FakeClock, server: Emulator, folder: Path, **options: Any
) -> dict[str, DownloadReport]:
    async with open_exports(clock, server) as exports:
        return {report.export_id: report async for report in exports.download_all(folder, **options)}


@pytest.mark.parametrize("seconds", [0.5, 60, 4000.0])
async def test_wait_limits_the_time_for_each_export(tmp_path: Path, seconds: float) -> None:
    """Exports that are not completed in time are reported with a timeout."""
    clock = FakeClock()
    async with Emulator(populate=False, pending=None, now=clock.time) as server:
        ready = server.add_export(content={"csv": b"1"}).id
        late = [server.add_export(status=status).id for status in ("queued", "processing", "processing")]
        started_at = clock.now
        reports = await reports_of(clock, server, tmp_path, wait=seconds)
    assert reports.keys() == {ready, *late}
    assert reports[ready].ok
    for export_id in late:
        error = reports[export_id].error
        assert isinstance(error, WaitTimeoutError)
        assert f"export {export_id} is still" in str(error)
        assert f"after {seconds:g} seconds" in str(error)
    assert seconds <= clock.now - started_at <= 3 * seconds


@pytest.mark.parametrize("dialect", [Dialect(), NoDates()], ids=["dated", "dateless"])
async def test_wait_true_ends_when_exports_are_24_hours_old(tmp_path: Path, dialect: Dialect) -> None:
    """The server time decides, or the time since the listing if exports have no dates."""
    clock = FakeClock()
    # The server time does not advance, so no export is deleted.
    async with Emulator(populate=False, pending=None, dialect=dialect, now=lambda: 1_714_564_800.0) as server:
        stored = server.add_export(status="processing")
        started_at = clock.now
        reports = await reports_of(clock, server, tmp_path, wait=True)
    error = reports[stored.id].error
    assert isinstance(error, ExportGoneError)
    assert "is still processing after 24 hours" in str(error)
    assert DAY <= clock.now - started_at <= DAY + 60


async def test_expired_export_is_not_waited_for(tmp_path: Path) -> None:
    """The server time decides, even if the timeout is longer."""
    clock = FakeClock()

    class Ageing(Dialect):
        def format_timestamp(self, seconds: float) -> Any:
            return seconds - DAY

    async with Emulator(populate=False, pending=None, dialect=Ageing(), now=clock.time) as server:
        stored = server.add_export(status="processing")
        reports = await reports_of(clock, server, tmp_path, wait=3600)
    assert isinstance(reports[stored.id].error, ExportGoneError)
    assert len(clock.sleeps) == 1


@pytest.mark.usefixtures("limits")
async def test_timeout_limits_each_request(
    server: Emulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The wait ends in time if the API does not respond."""
    monkeypatch.setattr(schedule, "MIN_REQUEST_TIMEOUT", 0.01)
    stored = server.add_export(status="processing")
    server.inject(Stall(0, on="api", export_id=stored.id), times=None)
    async with server.client() as px:
        (report,) = [report async for report in px.exports.download_all(tmp_path, wait=0.05)]
    assert isinstance(report.error, WaitTimeoutError)
    async with server.client(retry=RetryPolicy(attempts=1), **LIMITED) as px:
        (report,) = [report async for report in px.exports.download_all(tmp_path, wait=60)]
    assert isinstance(report.error, RequestTimeoutError)


@pytest.mark.parametrize("wait", [0, 0.0, -1, math.nan, math.inf, -math.inf, "10", None, []])
async def test_invalid_wait_is_a_configuration_error(px: AsyncPackageX, tmp_path: Path, wait: Any) -> None:
    """The call raises it before any request."""
    with pytest.raises(ConfigurationError, match="wait must be True, False or a number of seconds above 0"):
        px.exports.download_all(tmp_path, wait=wait)


async def test_without_wait_pending_exports_are_not_ready(tmp_path: Path) -> None:
    """They are reported at once."""
    clock = FakeClock()
    async with Emulator(populate=False, pending=None, now=clock.time) as server:
        stored = server.add_export(status="processing")
        reports = await reports_of(clock, server, tmp_path, wait=False)
    assert type(reports[stored.id].error) is ExportNotReadyError
    assert clock.sleeps == []


async def test_pending_exports_are_logged_and_passed_to_on_wait(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """`on_wait` is called at the end of the listing and after each change."""
    caplog.set_level(logging.INFO, logger="packagex_async")
    clock = FakeClock()
    events: list[tuple[str, ...]] = []
    async with Emulator(populate=False, pending=None, now=clock.time) as server:
        pending = [server.add_export(status="processing").id for _ in range(3)]
        await reports_of(clock, server, tmp_path, wait=100, on_wait=events.append, limit=2)
    assert events[0] == tuple(pending)
    assert list(map(len, events)) == [3, 2, 1, 0]
    lines = [record.getMessage() for record in caplog.records if "waiting" in record.getMessage()]
    assert lines == [f"waiting for 3 exports: {', '.join(pending)}"]


async def test_no_log_message_without_pending_exports(
    server: Emulator, px: AsyncPackageX, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """`on_wait` is not called either."""
    caplog.set_level(logging.INFO, logger="packagex_async")
    server.add_export(content={"csv": b"1"})
    events: list[tuple[str, ...]] = []
    async for report in px.exports.download_all(tmp_path, wait=True, on_wait=events.append):
        report.raise_for_failures()
    assert events == []
    assert not [record for record in caplog.records if "waiting" in record.getMessage()]


def test_log_message_is_one_short_line(caplog: pytest.LogCaptureFixture) -> None:
    """Only the first ids are shown, and control characters are escaped."""
    caplog.set_level(logging.INFO, logger="packagex_async")
    waiting(["exp_\n1"])
    waiting([f"exp_{number}" for number in range(25)])
    one, many = (record.getMessage() for record in caplog.records)
    assert one == "waiting for 1 export: exp_\\n1"
    assert many.startswith("waiting for 25 exports: exp_0, exp_1,")
    assert many.endswith("exp_19 and 5 more")


async def test_pending_exports_are_polled(server: Emulator, tmp_path: Path) -> None:
    """Each ends with its own result: completed, failed, deleted, or an API error."""
    clock = FakeClock()
    ready, slow, failing, vanishing, unknown = add(server, 5)
    for export_id in (slow, failing, vanishing, unknown):
        server.update_export(export_id, status="processing")
    server.inject(ChangeAfter(slow, 4, lambda store: store.update(slow, status="completed")))
    server.inject(ChangeAfter(failing, 2, lambda store: store.update(failing, status="failed")))
    server.inject(ChangeAfter(vanishing, 1, lambda store: store.delete(vanishing)))
    server.inject(Status(500, on="api", export_id=unknown), times=None)
    async with open_exports(clock, server, policy=RetryPolicy(attempts=1)) as exports:
        reports = {report.export_id: report async for report in exports.download_all(tmp_path, wait=True)}
    assert reports[ready].ok
    assert reports[slow].ok
    assert isinstance(reports[failing].error, ExportFailedError)
    assert isinstance(reports[vanishing].error, ExportGoneError)
    assert isinstance(reports[unknown].error, ServerError)
    assert len(clock.sleeps) >= 4
    assert max(clock.sleeps) <= 30
    assert [line["export_id"] for line in manifest(tmp_path)].count(slow) == 4


@attrs.frozen
class ChangeAfter(Fault):
    """Changes the store after a number of requests for an export."""

    export_id: str
    times: int
    change: Callable[[Store], object]
    seen: list[bool] = attrs.field(factory=list)

    def matches(self, request: RecordedRequest) -> bool:
        if (request.host, request.export_id) != ("api", self.export_id):
            return False
        self.seen.append(True)
        return len(self.seen) == self.times

    def after_response(self, store: Store) -> None:
        self.change(store)


async def test_many_exports_are_polled(server: Emulator, tmp_path: Path) -> None:
    """Only some of them are polled concurrently."""
    clock = FakeClock()
    added = add(server, 20)
    for export_id in added:
        server.update_export(export_id, status="queued")
        server.inject(ChangeAfter(export_id, 2, complete(export_id)))
    async with open_exports(clock, server) as exports:
        reports = [report async for report in exports.download_all(tmp_path, wait=True)]
    assert all(report.ok for report in reports)
    assert_exact(server, tmp_path)


def complete(export_id: str) -> Callable[[Store], object]:
    return lambda store: store.update(export_id, status="completed")


async def test_refused_key_while_waiting_ends_all_downloads(
    server: Emulator, px: AsyncPackageX, tmp_path: Path
) -> None:
    """No report is yielded."""
    (export_id,) = add(server, 1, status="queued")
    server.inject(Status(401, on="api", export_id=export_id))
    clock = FakeClock()
    async with open_exports(clock, server) as exports:
        with pytest.raises(AuthenticationError):
            async for _ in exports.download_all(tmp_path, wait=True):
                pytest.fail("nothing can be reported")
