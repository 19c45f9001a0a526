"""Log messages: one logger, the meaning of each level, and no secrets."""

from __future__ import annotations

import logging
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from packagex_async import (
    AsyncPackageX,
    DecodeError,
    DownloadReport,
    PackageXError,
    RetryPolicy,
    _logs,
    models,
)
from packagex_async.testing import Cut, Emulator, Expired, Life, Refuse, Reset, Status
from packagex_async.testing.faults import TargetedFault
from tests.meta.test_secrets import FAULTS, KEY, SECRETS
from tests.support import FakeClock, open_exports
from tests.time_limits import LIMITED

POSTED: list[TargetedFault] = [
    Refuse(on="api", method="POST"),
    Reset(5, on="api", method="POST"),
    Status(400, body=f'{{"message": "{KEY}", "errors": ["{KEY}"]}}'.encode(), on="api", method="POST"),
    Status(500, body=b"https://storage.example/a?sig=CANARY", on="api", method="POST", done=True),
]


@pytest.fixture(autouse=True)
def _debug_level(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, logger="packagex_async")


@pytest.fixture
async def server() -> AsyncIterator[Emulator]:
    async with Emulator(populate=False, api_key=KEY, life=Life(queued=0, processing=0, rows=5)) as server:
        yield server


def messages(caplog: pytest.LogCaptureFixture, level: int) -> list[str]:
    """Return the messages of our logger at `level`."""
    assert {record.name for record in caplog.records} <= {"packagex_async", "asyncio"}
    ours = (record for record in caplog.records if record.name == "packagex_async")
    return [record.getMessage() for record in ours if record.levelno == level]


async def test_debug_logs_every_response(
    server: Emulator, px: AsyncPackageX, caplog: pytest.LogCaptureFixture
) -> None:
    """Method, path, status and seconds, without the query of signed URLs and searches."""
    stored = server.add_export(rows=1)
    server.inject(Refuse(on="api"))
    [export async for export in px.exports.list(search="Contacts")]
    async with px.exports.stream(stored.id, "csv") as body:
        [block async for block in body]
    lines = [line.rpartition(" in ")[0] for line in messages(caplog, logging.DEBUG)]
    storage = server.url_for(stored.id, "csv").partition("?")[0]
    assert lines == [
        "GET /v1/exports: ConnectionFailedError",
        "GET /v1/exports: 200",
        f"GET /v1/exports/{stored.id}: 200",
        f"GET {storage}?[redacted]: 200",
    ]
    assert all(line.endswith(" s") for line in messages(caplog, logging.DEBUG))


async def test_info_logs_results(
    server: Emulator, px: AsyncPackageX, caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    """A created export and the files on disk; no warnings."""
    await px.exports.export_and_download("contact", tmp_path)
    (created,) = server.created
    assert messages(caplog, logging.INFO) == [
        f"export {created}: created, completed, of contact",
        f"export {created}: 2 files on disk, 2 not offered, 0 failed",
    ]
    assert messages(caplog, logging.WARNING) == []


async def test_info_logs_status_changes(caplog: pytest.LogCaptureFixture) -> None:
    """Each new status of an export that is waited for."""
    clock = FakeClock()
    async with Emulator(populate=False, now=clock.time) as server, open_exports(clock, server) as exports:
        export = await exports.create("contact")
        await exports.wait(export)
    assert messages(caplog, logging.INFO) == [
        f"export {export.id}: created, queued, of contact",
        f"export {export.id}: processing",
        f"export {export.id}: completed",
    ]


async def test_warnings_log_recovered_failures(
    server: Emulator, px: AsyncPackageX, caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    """A retried request, a retried artifact, and renewed URLs."""
    stored = server.add_export(content={"csv": b"x" * 5000})
    server.inject(Status(503, on="api"))
    server.inject(Expired())
    server.inject(Cut(1000))
    await px.exports.download(stored.id, tmp_path)
    server.inject(Status(503, on="storage"))
    async with px.exports.stream(stored.id, "csv") as body:
        [block async for block in body]
    refused, renewed, expired, cut, streamed = messages(caplog, logging.WARNING)
    assert refused == f"GET /v1/exports/{stored.id}: 503: Service Unavailable; trying again in 0.0 s"
    assert renewed == f"export {stored.id}: its links had expired, and were renewed"
    assert expired.startswith(f"export {stored.id}, artifact csv: the link has expired")
    assert "after 1000 of 5000 bytes" in cut
    assert "answered 503" in streamed
    assert f"export {stored.id}: 1 files on disk, 3 not offered, 0 failed" in messages(caplog, logging.INFO)


async def test_errors_are_raised_and_not_logged(
    server: Emulator, caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    """No message has the level ERROR."""
    stored = server.add_export(content={"csv": b"x" * 5000})
    server.inject(Status(403, on="storage"))
    async with server.client(retry=RetryPolicy(attempts=1)) as px:
        with pytest.raises(PackageXError):
            await px.exports.download(stored.id, tmp_path)
    assert messages(caplog, logging.ERROR) == []
    assert f"export {stored.id}: 0 files on disk, 3 not offered, 1 failed" in messages(caplog, logging.INFO)


@pytest.mark.usefixtures("limits")
@pytest.mark.parametrize("fault", [*FAULTS, *POSTED], ids=lambda fault: type(fault).__name__)
async def test_trap_09_no_secret_is_logged_under_any_fault(
    server: Emulator, caplog: pytest.LogCaptureFixture, tmp_path: Path, fault: TargetedFault
) -> None:
    """At every level, while an export is created, waited for, downloaded and streamed."""
    stored = server.add_export(rows=50)
    server.inject(fault, times=None)
    async with server.client(retry=RetryPolicy(attempts=2, wait_initial=0), **LIMITED) as px:
        for failing in (
            px.exports.export_and_download("contact", tmp_path),
            px.exports.download(stored.id, tmp_path),
            read_stream(px, stored.id),
        ):
            try:
                await failing
            except PackageXError as error:
                logging.getLogger("packagex_async").debug("raised", exc_info=error)
    assert len(messages(caplog, logging.DEBUG)) > 2
    assert not [secret for secret in SECRETS if secret in caplog.text]


async def read_stream(px: AsyncPackageX, export_id: str) -> None:
    async with px.exports.stream(export_id, "csv") as body:
        [block async for block in body]


async def test_level_of_logger_is_respected(
    server: Emulator, px: AsyncPackageX, caplog: pytest.LogCaptureFixture
) -> None:
    """With the level INFO, no DEBUG message is logged."""
    caplog.set_level(logging.INFO, logger="packagex_async")
    await px.exports.create("contact")
    assert (len(messages(caplog, logging.INFO)), messages(caplog, logging.DEBUG)) == (1, [])


def test_no_output_without_handler() -> None:
    """Warnings are not printed by the last-resort handler of `logging`."""
    script = (
        "from packagex_async import _logs, errors, models;"
        "_logs.retrying(errors.DecodeError('x'), 1.0);"
        "_logs.unread_fields(models.Export(id='exp_1', unread=('name',)))"
    )
    done = subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, text=True)
    assert (done.stdout, done.stderr) == ("", "")


@pytest.mark.parametrize(
    "text",
    [
        "exp_1\nWARNING forged",
        "exp_1\r\nforged",
        "a\u2028b\u2029c\x85d",
        "\x1b[2Kexp_2",
        "\u202e1_pxe",
        "a\x00b\ud800",
    ],
    ids=ascii,
)
def test_message_is_one_printable_line(text: str, caplog: pytest.LogCaptureFixture) -> None:
    """Ids, statuses and messages cannot insert lines or terminal control sequences."""
    export = models.Export(
        id=text,
        status=models.ExportStatus(text),
        resource=models.ExportResource(text),
        unread=(text,),
    )
    report = DownloadReport(export_id=text)
    _logs.request_done("GET", f"https://h.example/{text}", text, 0.1)
    _logs.export_created(export)
    _logs.status_changed(export)
    _logs.download_finished(report)
    _logs.retrying(DecodeError(text), 1.0)
    _logs.urls_refreshed(text)
    _logs.unread_fields(export)
    assert len(caplog.records) == 7
    assert all(record.getMessage().isprintable() for record in caplog.records)
    assert {record.funcName for record in caplog.records} >= {"request_done", "export_created"}


async def test_control_characters_in_id_are_escaped(
    server: Emulator, px: AsyncPackageX, caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    """All messages of a download of such an export are printable."""
    stored = server.add_export(export_id="exp_\n\x1b]0;x\x07\u2028", content={"csv": b"x"})
    server.inject(Status(503, on="storage"))
    server.inject(Expired())
    await px.exports.download(stored.id, tmp_path)
    ours = [record for record in caplog.records if record.name == "packagex_async"]
    assert {record.levelname for record in ours} == {"DEBUG", "INFO", "WARNING"}
    assert all(record.getMessage().isprintable() for record in ours)
