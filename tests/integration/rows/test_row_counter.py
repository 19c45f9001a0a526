"""The numbers of rows in reports: counted from the files, and recorded in the manifest."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator
from pathlib import Path

import pytest

from packagex_async import Artifact, AsyncPackageX, DownloadedFile, DownloadReport, Export
from packagex_async._files.executor import FileExecutor
from packagex_async._rows.row_counter import RowCounter
from packagex_async.report import ByArtifact, StoredFile
from packagex_async.testing import Emulator, Life, Replace

CSV = b'id,note\n1,"two\nlines"\n\n2,x\n3,\n'
JSON = b'{"data": [{"id": 1}, {"id": 2}, {"id": 3}]}'
SECRET = b"SECRET-CELL"
MALFORMED = b"id,note\n1,x\n2," + SECRET + b",surplus\n"


async def sync(px: AsyncPackageX, folder: Path, *, count_rows: bool) -> DownloadReport:
    """Download all exports; return the report of the only one."""
    reports = px.exports.download_all(folder, count_rows=count_rows)
    (report,) = [report async for report in reports]
    assert report.ok
    return report


def counts(report: DownloadReport[StoredFile]) -> dict[str, int | None]:
    """Return the number of rows of each file."""
    return {file.artifact.value: file.rows for file in report.files}


def overwrite(path: Path) -> None:
    """Replace the content by blank content of the same length."""
    path.write_bytes(b" " * path.stat().st_size)


async def test_download_counts_rows(server: Emulator, px: AsyncPackageX, tmp_path: Path) -> None:
    """Blank lines are not counted, and a cell may have several lines. Kept files are counted too."""
    export = server.add_export(content={"json": JSON, "csv": CSV, "csv_error": b"", "csv_sanitized": b"id\n"})
    for is_kept in (False, True):
        report = await px.exports.download(export.id, tmp_path, count_rows=True)
        assert counts(report) == {"json": 3, "csv": 3, "csv_error": 0, "csv_sanitized": 0}
        assert {file.kept for file in report.files} == {is_kept}


async def test_rows_are_not_counted_by_default(server: Emulator, px: AsyncPackageX, tmp_path: Path) -> None:
    """`rows` is `None` by default, also if the manifest has a number."""
    export = server.add_export(content={"csv": CSV})
    assert counts(await px.exports.download(export.id, tmp_path / "one")) == {"csv": None}
    assert counts(await sync(px, tmp_path / "all", count_rows=True)) == {"csv": 3}
    assert counts(await sync(px, tmp_path / "all", count_rows=False)) == {"csv": None}


async def test_export_and_download_counts_rows(server: Emulator, px: AsyncPackageX, tmp_path: Path) -> None:
    """The report has the number of rows of the created export."""
    server.life = Life(queued=0, processing=0, rows=7)
    report = await px.exports.export_and_download("contact", tmp_path, artifacts="csv", count_rows=True)
    assert report.files["csv"].rows == 7


async def test_malformed_file_is_no_failure(
    server: Emulator, px: AsyncPackageX, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The bytes are verified. A warning names export, artifact and row, but not the contents."""
    export = server.add_export(content={"csv": MALFORMED, "json": b"[1"})
    with caplog.at_level(logging.WARNING, logger="packagex_async"):
        report = await px.exports.download(export.id, tmp_path, count_rows=True)
    assert counts(report) == {"csv": None, "json": None}
    assert report.files["csv"].verified == "checksum"
    json, csv = [record.getMessage() for record in caplog.records]
    assert csv.startswith(f"the rows were not counted: export {export.id}, artifact csv: row 2: ")
    assert json.startswith(f"the rows were not counted: export {export.id}, artifact json: ")
    assert SECRET.decode() not in caplog.text


async def test_recorded_numbers_are_not_counted_again(
    server: Emulator, px: AsyncPackageX, tmp_path: Path
) -> None:
    """The second run takes the numbers from the manifest, and does not read the files."""
    export = server.add_export(content={"json": JSON, "csv": CSV})
    assert counts(await sync(px, tmp_path, count_rows=True)) == {"json": 3, "csv": 3}
    overwrite(tmp_path / f"{export.id}.csv")
    report = await sync(px, tmp_path, count_rows=True)
    assert counts(report) == {"json": 3, "csv": 3}
    assert all(file.kept for file in report.files)


async def test_files_of_earlier_runs_are_counted(server: Emulator, px: AsyncPackageX, tmp_path: Path) -> None:
    """The numbers of kept files are recorded. The entries keep the time of the download."""
    export = server.add_export(content={"json": JSON, "csv": CSV})
    await sync(px, tmp_path, count_rows=False)
    manifest = tmp_path / "packagex-manifest.jsonl"
    before = manifest.read_text().splitlines()
    assert counts(await sync(px, tmp_path, count_rows=True)) == {"json": 3, "csv": 3}
    after = manifest.read_text().splitlines()
    assert after == before + [line.replace("}", ',"rows":3}') for line in before if '"size":null' not in line]
    overwrite(tmp_path / f"{export.id}.csv")
    assert counts(await sync(px, tmp_path, count_rows=True)) == {"json": 3, "csv": 3}
    assert manifest.read_text().splitlines() == after


async def test_changed_export_is_counted_again(server: Emulator, px: AsyncPackageX, tmp_path: Path) -> None:
    """The manifest has the number of the replaced file, which is not used."""
    export = server.add_export(content={"csv": CSV})
    await sync(px, tmp_path, count_rows=True)
    server.update_export(export.id, updated_at=export.updated_at + 1)
    server.inject(Replace(b"id\n1\n"))
    assert counts(await sync(px, tmp_path, count_rows=True)) == {"csv": 1}


async def test_difference_is_reported(server: Emulator, px: AsyncPackageX, tmp_path: Path) -> None:
    """A difference is not a failure. The rows of `csv_error` are not compared."""
    content = {"json": JSON, "csv": b"id\n" + b"1\n" * 1234, "csv_error": b"id\n1\n"}
    export = server.add_export(content=content)
    server.update_export(export.id, count_total=3)
    report = await px.exports.download(export.id, tmp_path, count_rows=True)
    assert report.ok
    assert report.row_differences == (report.files["csv"],)
    _, json, csv, csv_error, _ = str(report).splitlines()
    assert json.endswith(", checksum verified, 3 rows, count_total 3)")
    assert csv.endswith(", checksum verified, 1,234 rows, count_total 3)")
    assert csv_error.endswith(", checksum verified, 1 row)")


@pytest.fixture
def disk() -> Iterator[FileExecutor]:
    """Provide the threads for file operations."""
    disk = FileExecutor()
    yield disk
    disk.close()


def report_of(path: Path, *, rows: int | None = None) -> DownloadReport:
    """Return a report with one CSV file."""
    file = DownloadedFile(artifact=Artifact.CSV, path=path, size=1, verified="length", rows=rows)
    return DownloadReport(export_id="exp_1", export=Export(id="exp_1"), files=ByArtifact([file]))


async def test_file_that_was_removed(
    disk: FileExecutor, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """If a file was removed, its number of rows is unknown, and the reason is logged."""
    with caplog.at_level(logging.WARNING, logger="packagex_async"):
        report = await RowCounter(disk).add_rows(report_of(tmp_path / "gone.csv"))
    assert counts(report) == {"csv": None}
    assert "gone.csv cannot be read: No such file" in caplog.text


async def test_known_number_is_kept(disk: FileExecutor, tmp_path: Path) -> None:
    """A file with a known number of rows is not read."""
    report = report_of(tmp_path / "gone.csv", rows=5)
    assert await RowCounter(disk).add_rows(report) == report


async def test_cancelled_count(disk: FileExecutor, tmp_path: Path) -> None:
    """Counting ends within a few blocks, and the next count is not blocked."""
    path = tmp_path / "large.csv"
    path.write_bytes(b"id\n" + b"12345\n" * 200_000)
    counter = RowCounter(disk)
    counting = asyncio.create_task(counter.add_rows(report_of(path)))
    await asyncio.sleep(0)
    counting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await counting
    assert counts(await counter.add_rows(report_of(path))) == {"csv": 200_000}
