"""Exports without anything to download are found as `LocalState.inspect` finds them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import attrs
import pytest

from packagex_async import Artifact, DownloadReport, Export, ExportStatus
from packagex_async._download.options import DownloadOptions
from packagex_async._files.exclusions import Exclusions
from packagex_async._files.executor import FileExecutor
from packagex_async._files.layouts import parse_layout
from packagex_async._partials.partial_index import PartialIndex
from packagex_async._sync.entry_rules import ReusePolicy
from packagex_async._sync.local_state import LocalState
from packagex_async._sync.manifest import MANIFEST_NAME, Manifest
from packagex_async._sync.manifest_entry import ManifestEntry
from packagex_async.report import StoredFile
from tests.support import FakeClock
from tests.unit.sync.test_local_state import CONTENT, ENTRY, UPDATED_AT

EXPORT = Export(id="exp_1", status=ExportStatus.COMPLETED, updated_at=UPDATED_AT)
NOT_OFFERED = attrs.evolve(ENTRY, artifact="json", path=None, size=None, sha256=None, verified=None)
WANTED = (Artifact.CSV, Artifact.JSON)


@pytest.fixture
def disk() -> Iterator[FileExecutor]:
    disk = FileExecutor()
    yield disk
    disk.close()


def write(folder: Path, *entries: ManifestEntry, path: str = "exp_1.csv") -> None:
    (folder / MANIFEST_NAME).write_bytes(b"".join(entry.dump() for entry in entries))
    (folder / path).parent.mkdir(exist_ok=True)
    (folder / path).write_bytes(CONTENT)


async def reports(
    folder: Path, disk: FileExecutor, export: Export = EXPORT, *, layout: str = "flat", **options: Any
) -> Mapping[str, DownloadReport[StoredFile]]:
    """Return the reports of unchanged exports; compare them with `inspect`."""
    exclude = options.pop("exclude", None)
    policy = ReusePolicy(**({"resume": True, "verify": False} | options))
    state = LocalState(
        folder,
        parse_layout(layout),
        policy,
        disk,
        FakeClock(),
        PartialIndex(),
        options=DownloadOptions(),
        manifest=Manifest(folder),
        exclusions=Exclusions.from_argument(exclude),
    )
    found = await state.unchanged([export], WANTED)
    local = await state.inspect(export, WANTED)
    if report := found.get(export.id):
        assert local.to_download(WANTED) == ()
        assert report == local.merge_into(DownloadReport(export_id=export.id, export=export))
    state.close()
    return found


async def test_kept_and_not_offered_artifacts(tmp_path: Path, disk: FileExecutor) -> None:
    """The report has the file and the artifact that is not offered."""
    write(tmp_path, ENTRY, NOT_OFFERED)
    report = (await reports(tmp_path, disk))["exp_1"]
    (file,) = report.files
    assert (file.artifact, file.size, file.kept, file.attempts) == (Artifact.CSV, 3, True, 0)
    assert (report.missing, report.export) == ((Artifact.JSON,), EXPORT)


@pytest.mark.parametrize(
    "entries",
    [
        (),
        (ENTRY,),
        (attrs.evolve(ENTRY, size=4), NOT_OFFERED),
        (attrs.evolve(ENTRY, path="other.csv"), NOT_OFFERED),
        (attrs.evolve(ENTRY, updated_at="2024-05-01T10:00:00+00:00"), NOT_OFFERED),
        (ENTRY, attrs.evolve(NOT_OFFERED, updated_at=None)),
    ],
)
async def test_other_exports_are_left_out(
    tmp_path: Path, disk: FileExecutor, entries: tuple[ManifestEntry, ...]
) -> None:
    """An artifact is new, damaged, outdated or in another path."""
    write(tmp_path, *entries)
    assert await reports(tmp_path, disk) == {}


@pytest.mark.parametrize(
    "export",
    [
        attrs.evolve(EXPORT, updated_at=None),
        attrs.evolve(EXPORT, status=ExportStatus.PROCESSING),
        attrs.evolve(EXPORT, status=ExportStatus.FAILED),
    ],
)
async def test_export_without_date_or_not_completed(
    tmp_path: Path, disk: FileExecutor, export: Export
) -> None:
    """Nothing shows that its files are current."""
    write(tmp_path, ENTRY, NOT_OFFERED)
    assert await reports(tmp_path, disk, export) == {}


@pytest.mark.parametrize("options", [{"verify": True}, {"resume": False}])
async def test_files_that_have_to_be_read(
    tmp_path: Path, disk: FileExecutor, options: dict[str, Any]
) -> None:
    """`inspect` reads them, one export at a time."""
    write(tmp_path, ENTRY, NOT_OFFERED)
    assert await reports(tmp_path, disk, **options) == {}


async def test_missing_file_and_directory_in_its_place(tmp_path: Path, disk: FileExecutor) -> None:
    """Only a regular file is kept."""
    write(tmp_path, ENTRY, NOT_OFFERED)
    (tmp_path / "exp_1.csv").unlink()
    assert await reports(tmp_path, disk) == {}
    (tmp_path / "exp_1.csv").mkdir()
    assert await reports(tmp_path, disk) == {}


async def test_directories_of_exports(tmp_path: Path, disk: FileExecutor) -> None:
    """A file is kept in its directory, and not behind a symbolic link."""
    write(tmp_path, attrs.evolve(ENTRY, path="exp_1/exp_1.csv"), NOT_OFFERED, path="exp_1/exp_1.csv")
    assert list(await reports(tmp_path, disk, layout="folders")) == ["exp_1"]
    (tmp_path / "exp_1").rename(tmp_path / "elsewhere")
    (tmp_path / "exp_1").symlink_to(tmp_path / "elsewhere")
    assert await reports(tmp_path, disk, layout="folders") == {}


async def test_excluded_artifacts_are_neither_kept_nor_needed(tmp_path: Path, disk: FileExecutor) -> None:
    """The others decide."""
    write(tmp_path, ENTRY)
    report = (await reports(tmp_path, disk, exclude="*.json"))["exp_1"]
    assert (report.files.keys(), report.missing) == ((Artifact.CSV,), ())


async def test_no_exports(tmp_path: Path, disk: FileExecutor) -> None:
    """The manifest is not created."""
    state = LocalState(
        tmp_path / "new",
        parse_layout("flat"),
        ReusePolicy(resume=True, verify=False),
        disk,
        FakeClock(),
        PartialIndex(),
        options=DownloadOptions(),
        manifest=Manifest(tmp_path / "new"),
    )
    assert await state.unchanged([], WANTED) == {}
    assert list(tmp_path.iterdir()) == []
