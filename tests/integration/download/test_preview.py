"""Dry runs of `download` and `download_all`: the planned files, and an unchanged disk."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import attrs
import pytest

from packagex_async import AsyncPackageX, DownloadGroupError, PlannedFile
from packagex_async.testing import Emulator, Expired, Garbage, IgnoreRange, Status, TargetedFault, Transcoded
from packagex_async.testing.data.store import Store
from tests.support import names
from tests.sync_support import add, sync

CONTENT = {"csv": b"a,b\n1,2\n", "json": b""}


async def plan(px: AsyncPackageX, folder: Path, **options: Any) -> dict[str, tuple[str, int | None]]:
    """Return reason and size of each planned file of the export."""
    report = await px.exports.download("exp_1", folder, dry_run=True, **options)
    return {file.artifact.value: (file.reason, file.size) for file in report.planned}


@pytest.fixture(autouse=True)
def export(server: Emulator) -> None:
    """Add an export with two artifacts; one is empty."""
    add(server, 1, export_id="exp_1", content=CONTENT)


async def test_nothing_is_written(server: Emulator, px: AsyncPackageX, tmp_path: Path) -> None:
    """The planned files have their sizes. The storage host receives GET requests only."""
    folder = tmp_path / "new"
    assert await plan(px, folder, count_rows=True) == {"csv": ("new", 8), "json": ("new", 0)}
    assert not folder.exists()
    assert {request.method for request in server.requests} == {"GET"}
    report = await px.exports.download("exp_1", folder, dry_run=True, artifacts="csv")
    assert report.planned["csv"] == PlannedFile(
        artifact=report.planned[0].artifact, path=folder / "exp_1.csv", reason="new", size=8
    )
    assert "exp_1.csv (to download: new, 8 bytes)" in str(report)
    assert "1 to download" in str(report)


async def test_server_that_ignores_ranges(server: Emulator, px: AsyncPackageX, tmp_path: Path) -> None:
    """The length is that of the body. Without a length, the size is unknown."""
    server.inject(IgnoreRange(artifact="csv"))
    server.inject(Transcoded(artifact="json"))
    assert await plan(px, tmp_path) == {"csv": ("new", 8), "json": ("new", None)}
    report = await px.exports.download("exp_1", tmp_path, dry_run=True)
    assert report.ok


async def test_failed_requests_are_repeated(server: Emulator, px: AsyncPackageX, tmp_path: Path) -> None:
    """An expired URL is renewed."""
    server.inject(Status(503, on="storage", artifact="csv"))
    server.inject(Expired(artifact="json"))
    assert (await plan(px, tmp_path)).keys() == {"csv", "json"}


async def test_download_that_would_fail(server: Emulator, px: AsyncPackageX, tmp_path: Path) -> None:
    """The failure is the same as that of a download."""
    server.inject(Garbage(on="storage", artifact="csv"), times=None)
    with pytest.raises(DownloadGroupError) as caught:
        await plan(px, tmp_path)
    assert caught.value.report.failures.keys() == ("csv",)
    with pytest.raises(DownloadGroupError, match="1 artifact failed"):
        await plan(px, tmp_path, artifacts=["csv"], max_size=4)


async def test_existing_files(px: AsyncPackageX, tmp_path: Path) -> None:
    """An equal file is kept, and another one fails, unless it is replaced."""
    (tmp_path / "exp_1.csv").write_bytes(CONTENT["csv"])
    report = await px.exports.download("exp_1", tmp_path, dry_run=True, digest="sha256")
    assert (report.files["csv"].kept, report.planned.keys()) == (True, ("json",))
    assert report.files["csv"].sha256
    (tmp_path / "exp_1.csv").write_bytes(b"other")
    with pytest.raises(DownloadGroupError):
        await plan(px, tmp_path)
    assert (await plan(px, tmp_path, overwrite=True))["csv"] == ("changed", 8)
    assert (tmp_path / "exp_1.csv").read_bytes() == b"other"


@attrs.frozen
class _RemoveFile(TargetedFault):
    """Removes a file when the storage host is asked for it."""

    path: Path

    def after_response(self, store: Store) -> None:
        self.path.unlink()


async def test_file_that_disappears(server: Emulator, px: AsyncPackageX, tmp_path: Path) -> None:
    """It would be downloaded again."""
    path = tmp_path / "exp_1.csv"
    path.write_bytes(CONTENT["csv"])
    server.inject(_RemoveFile(path, artifact="csv"))
    assert (await plan(px, tmp_path))["csv"][1] == 8


async def test_reasons_of_download_all(server: Emulator, px: AsyncPackageX, tmp_path: Path) -> None:
    """Files of an earlier run are kept, changed or lost."""
    await sync(px, tmp_path, dry_run=True)
    assert names(tmp_path) == []
    await sync(px, tmp_path)
    (tmp_path / "exp_1.csv").write_bytes(b"changed")
    (tmp_path / "exp_1.json").unlink()
    before = {path: path.read_bytes() for path in tmp_path.iterdir()}
    report = (await sync(px, tmp_path, dry_run=True))["exp_1"]
    assert {file.artifact.value: file.reason for file in report.planned} == {"csv": "changed", "json": "lost"}
    assert {path: path.read_bytes() for path in tmp_path.iterdir()} == before


async def test_pending_exports_are_not_waited_for(
    server: Emulator, px: AsyncPackageX, tmp_path: Path
) -> None:
    """They are passed to `on_wait`."""
    add(server, 1, export_id="exp_2", status="queued")
    waiting: list[tuple[str, ...]] = []
    reports = await sync(px, tmp_path, dry_run=True, wait=True, on_wait=waiting.append)
    assert (list(reports), waiting) == (["exp_1"], [("exp_2",)])


async def test_excluded_artifacts_are_not_requested(
    server: Emulator, px: AsyncPackageX, tmp_path: Path
) -> None:
    """They are neither failures nor missing."""
    for _ in range(2):
        report = (await sync(px, tmp_path, exclude="*.json"))["exp_1"]
        assert (report.files.keys(), report.ok) == (("csv",), True)
        assert report.missing == ("csv_error", "csv_sanitized")
    assert not [request for request in server.requests if request.artifact == "json"]
