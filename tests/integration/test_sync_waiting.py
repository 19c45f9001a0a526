"""Exports that are not completed yet are waited for within limits, and it is said which."""

from __future__ import annotations

import logging
import math
from pathlib import Path
from typing import Any

import attrs
import pytest

from packagex_async import (
    AsyncPackageX,
    ConfigurationError,
    DownloadReport,
    ExportGoneError,
    ExportNotReadyError,
    RequestTimeoutError,
    RetryPolicy,
    WaitTimeoutError,
)
from packagex_async._logs import waiting
from packagex_async._polling import schedule
from packagex_async.testing import Dialect, Emulator, Stall
from tests.support import FakeClock, exports_on

DAY = 86_400


@attrs.frozen
class Dateless(Dialect):
    """No export says when it was created."""

    def format_timestamp(self, seconds: float) -> Any:
        return None


async def reports_of(
    clock: FakeClock, server: Emulator, folder: Path, **options: Any
) -> dict[str, DownloadReport]:
    async with exports_on(clock, server) as exports:
        return {report.export_id: report async for report in exports.download_all(folder, **options)}


@pytest.mark.parametrize("seconds", [0.5, 60, 4000.0])
async def test_a_number_of_seconds_is_the_longest_wait(tmp_path: Path, seconds: float) -> None:
    """What is not completed by then is reported with a timeout; everything else arrives."""
    clock = FakeClock()
    async with Emulator(populate=False, pending=None, now=clock.time) as server:
        ready = server.add_export(content={"csv": b"1"}).id
        late = [server.add_export(status=status).id for status in ("queued", "processing", "processing")]
        began = clock.now
        reports = await reports_of(clock, server, tmp_path, wait=seconds)
    assert reports.keys() == {ready, *late}
    assert reports[ready].ok
    for export_id in late:
        error = reports[export_id].error
        assert isinstance(error, WaitTimeoutError)
        assert f"export {export_id} is still" in str(error)
        assert f"after {seconds:g} seconds" in str(error)
    assert seconds <= clock.now - began <= 3 * seconds


@pytest.mark.parametrize("dialect", [Dialect(), Dateless()], ids=["dated", "dateless"])
async def test_without_a_limit_the_wait_ends_with_the_lives_of_the_exports(
    tmp_path: Path, dialect: Dialect
) -> None:
    """By the clock of the server, or 24 hours after they were listed where no date is told."""
    clock = FakeClock()
    # The clock of the server stands still, and it deletes nothing.
    async with Emulator(populate=False, pending=None, dialect=dialect, now=lambda: 1_714_564_800.0) as server:
        stored = server.add_export(status="processing")
        began = clock.now
        reports = await reports_of(clock, server, tmp_path, wait=True)
    error = reports[stored.id].error
    assert isinstance(error, ExportGoneError)
    assert "its 24 hours are over" in str(error)
    assert DAY <= clock.now - began <= DAY + 60


async def test_an_export_past_its_life_is_given_up_by_the_clock_of_the_server(tmp_path: Path) -> None:
    """Whatever time is left to wait for it."""
    clock = FakeClock()

    class Ageing(Dialect):
        def format_timestamp(self, seconds: float) -> Any:
            return seconds - DAY

    async with Emulator(populate=False, pending=None, dialect=Ageing(), now=clock.time) as server:
        stored = server.add_export(status="processing")
        reports = await reports_of(clock, server, tmp_path, wait=3600)
    assert isinstance(reports[stored.id].error, ExportGoneError)
    assert len(clock.slept) == 1


async def test_a_silent_api_does_not_outlast_the_wait(
    server: Emulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The request is given up with it."""
    monkeypatch.setattr(schedule, "LAST_LOOK", 0.01)
    stored = server.add_export(status="processing")
    server.inject(Stall(0, on="api", export_id=stored.id), times=None)
    async with server.client() as px:
        (report,) = [report async for report in px.exports.download_all(tmp_path, wait=0.05)]
    assert isinstance(report.error, WaitTimeoutError)
    async with server.client(timeout=0.05, retry=RetryPolicy(attempts=1)) as px:
        (report,) = [report async for report in px.exports.download_all(tmp_path, wait=60)]
    assert isinstance(report.error, RequestTimeoutError)


@pytest.mark.parametrize("wait", [0, 0.0, -1, math.nan, math.inf, -math.inf, "10", None, []])
async def test_a_wait_that_makes_no_sense_is_refused_at_the_call(
    px: AsyncPackageX, tmp_path: Path, wait: Any
) -> None:
    """Before anything is asked for."""
    with pytest.raises(ConfigurationError, match="wait must be True, False or a number of seconds above 0"):
        px.exports.download_all(tmp_path, wait=wait)


async def test_without_wait_nothing_is_waited_for(tmp_path: Path) -> None:
    """It is reported as not ready."""
    clock = FakeClock()
    async with Emulator(populate=False, pending=None, now=clock.time) as server:
        stored = server.add_export(status="processing")
        reports = await reports_of(clock, server, tmp_path, wait=False)
    assert type(reports[stored.id].error) is ExportNotReadyError
    assert clock.slept == []


async def test_it_is_said_what_is_waited_for(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """When all are listed, and whenever it is fewer."""
    caplog.set_level(logging.INFO, logger="packagex_async")
    clock = FakeClock()
    told: list[tuple[str, ...]] = []
    async with Emulator(populate=False, pending=None, now=clock.time) as server:
        pending = [server.add_export(status="processing").id for _ in range(3)]
        await reports_of(clock, server, tmp_path, wait=100, on_wait=told.append, limit=2)
    assert told[0] == tuple(pending)
    assert list(map(len, told)) == [3, 2, 1, 0]
    lines = [record.getMessage() for record in caplog.records if "waiting" in record.getMessage()]
    assert lines == [f"waiting for 3 exports: {', '.join(pending)}"]


async def test_where_nothing_is_waited_for_nothing_is_said(
    server: Emulator, px: AsyncPackageX, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Neither to the caller nor to the log."""
    caplog.set_level(logging.INFO, logger="packagex_async")
    server.add_export(content={"csv": b"1"})
    told: list[tuple[str, ...]] = []
    async for report in px.exports.download_all(tmp_path, wait=True, on_wait=told.append):
        report.raise_for_failures()
    assert told == []
    assert not [record for record in caplog.records if "waiting" in record.getMessage()]


def test_a_line_names_no_more_exports_than_fit(caplog: pytest.LogCaptureFixture) -> None:
    """And is one line, whatever their ids are."""
    caplog.set_level(logging.INFO, logger="packagex_async")
    waiting(["exp_\n1"])
    waiting([f"exp_{number}" for number in range(25)])
    one, many = (record.getMessage() for record in caplog.records)
    assert one == "waiting for 1 export: exp_\\n1"
    assert many.startswith("waiting for 25 exports: exp_0, exp_1,")
    assert many.endswith("exp_19 and 5 more")
