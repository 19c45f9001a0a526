"""Every report has its export, also if the export could not be downloaded."""

from __future__ import annotations

import pickle
from pathlib import Path

import pytest

from packagex_async import (
    AsyncPackageX,
    DownloadGroupError,
    DownloadReport,
    ExportGoneError,
    ExportNotReadyError,
    WaitTimeoutError,
)
from packagex_async.testing import Cut, Delete, Emulator
from tests.support import FakeClock, open_exports


async def only_report(px: AsyncPackageX, folder: Path) -> DownloadReport:
    """Download all exports; return the report of the only one."""
    (report,) = [report async for report in px.exports.download_all(folder)]
    return report


def check(report: DownloadReport, count: int) -> None:
    """Check that the report is about an export with this `count_total`."""
    assert report.export is not None
    assert (report.export.id, report.export.count_total) == (report.export_id, count)


async def test_export_of_download(server: Emulator, px: AsyncPackageX, tmp_path: Path) -> None:
    """The report has the retrieved export for an id, and the given export if it has URLs."""
    stored = server.add_export(rows=3)
    check(await px.exports.download(stored.id, tmp_path), 3)
    export = await px.exports.retrieve(stored.id, include_csv=True, include_json=True)
    assert (await px.exports.download(export, tmp_path)).export is export


async def test_export_of_failed_download(server: Emulator, px: AsyncPackageX, tmp_path: Path) -> None:
    """The report in the error has the export."""
    stored = server.add_export(rows=3)
    server.inject(Cut(0, artifact="csv"), times=None)
    with pytest.raises(DownloadGroupError) as caught:
        await px.exports.download(stored.id, tmp_path)
    check(caught.value.report, 3)


async def test_export_of_export_and_download(tmp_path: Path) -> None:
    """The report has the completed export, not the queued one."""
    clock = FakeClock()
    async with Emulator(populate=False, now=clock.time) as server, open_exports(clock, server) as exports:
        report = await exports.export_and_download("contact", tmp_path)
    assert report.export is not None
    assert report.export.status == "completed"


async def test_export_of_download_all(server: Emulator, px: AsyncPackageX, tmp_path: Path) -> None:
    """The report of each run has the export, also if the run only lists it."""
    server.add_export(rows=3)
    check(await only_report(px, tmp_path), 3)
    second = await only_report(px, tmp_path)
    assert all(file.kept for file in second.files)
    check(second, 3)


async def test_export_that_is_not_completed(server: Emulator, px: AsyncPackageX, tmp_path: Path) -> None:
    """The report has the listed export."""
    server.add_export(status="queued", rows=3)
    report = await only_report(px, tmp_path)
    assert isinstance(report.error, ExportNotReadyError)
    assert report.export is not None
    assert report.export.status == "queued"


async def test_export_that_was_deleted(server: Emulator, px: AsyncPackageX, tmp_path: Path) -> None:
    """The report has the listed export, although it could not be retrieved."""
    stored = server.add_export(rows=3)
    server.inject(Delete(stored.id, after_pages=1))
    report = await only_report(px, tmp_path)
    assert isinstance(report.error, ExportGoneError)
    check(report, 3)


async def test_export_that_was_not_completed_in_time(tmp_path: Path) -> None:
    """The report of a wait that timed out has the export in its last state."""
    async with Emulator(populate=False, pending=None) as server:
        server.add_export(status="processing", rows=3)
        async with open_exports(FakeClock(), server) as exports:
            (report,) = [report async for report in exports.download_all(tmp_path, wait=5)]
    assert isinstance(report.error, WaitTimeoutError)
    assert report.export is not None
    assert report.export.status == "processing"


async def test_export_is_not_part_of_repr_and_comparison(
    server: Emulator, px: AsyncPackageX, tmp_path: Path
) -> None:
    """A pickled report has the export without its URLs."""
    stored = server.add_export(rows=3)
    report = await px.exports.download(stored.id, tmp_path)
    assert "Export(" not in repr(report)
    copy = pickle.loads(pickle.dumps(report))
    assert copy == report
    assert copy.export.artifacts == ()
    check(copy, 3)
