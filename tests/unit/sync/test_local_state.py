"""Which artifacts are kept, replaced or absent, according to the directory and its manifest."""

from __future__ import annotations

import errno
import hashlib
import os
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import attrs
import pytest

from packagex_async import Artifact, DestinationError, DownloadedFile, DownloadReport, Export
from packagex_async._download.options import DownloadOptions
from packagex_async._files.executor import FileExecutor
from packagex_async._files.layouts import parse_layout
from packagex_async._partials.partial_index import PartialIndex
from packagex_async._sync.entry_rules import ReusePolicy
from packagex_async._sync.local_state import LocalArtifacts, LocalState
from packagex_async._sync.manifest import MANIFEST_NAME, Manifest
from packagex_async._sync.manifest_entry import ManifestEntry
from packagex_async.report import ByArtifact
from tests.support import FakeClock

UPDATED_AT = datetime(2024, 5, 1, 11, tzinfo=UTC)
EXPORT = Export(id="exp_1", updated_at=UPDATED_AT)
CONTENT = b"a,b"
ENTRY = ManifestEntry(
    export_id="exp_1",
    artifact="csv",
    path="exp_1.csv",
    size=3,
    sha256=hashlib.sha256(CONTENT).hexdigest(),
    verified="checksum",
    when="2024-05-01T12:00:00+00:00",
    updated_at=UPDATED_AT.isoformat(),
)
NOT_OFFERED = attrs.evolve(ENTRY, path=None, size=None, sha256=None, verified=None)


@pytest.fixture
def disk() -> Iterator[FileExecutor]:
    disk = FileExecutor()
    yield disk
    disk.close()


def open_state(
    directory: Path, disk: FileExecutor, *, resume: bool = True, verify: bool = False
) -> LocalState:
    policy = ReusePolicy(resume=resume, verify=verify)
    return LocalState(
        directory,
        parse_layout("flat"),
        policy,
        disk,
        FakeClock(),
        PartialIndex(),
        options=DownloadOptions(),
        manifest=Manifest(directory),
    )


async def inspect(
    directory: Path, disk: FileExecutor, export: Export = EXPORT, *, resume: bool = True, verify: bool = False
) -> LocalArtifacts:
    """Return the local state of the CSV."""
    state = open_state(directory, disk, resume=resume, verify=verify)
    try:
        return await state.inspect(export, (Artifact.CSV,))
    finally:
        state.close()


def classes(local: LocalArtifacts) -> list[str]:
    """Return the names of the sets that contain the CSV; without one, "absent" if nothing exists."""
    names = [name for name in ("kept", "missing", "replaced") if Artifact.CSV in getattr(local, name)]
    return names or ["absent"] * local.existing[Artifact.CSV].is_absent


@pytest.mark.parametrize(
    ("entry", "content", "expected"),
    [
        (None, None, ["absent"]),
        (None, CONTENT, []),
        (ENTRY, CONTENT, ["kept"]),
        (ENTRY, None, ["absent"]),
        (ENTRY, b"x,y", ["kept"]),
        (ENTRY, b"longer", ["replaced"]),
        (attrs.evolve(ENTRY, updated_at=None), CONTENT, ["replaced"]),
        (attrs.evolve(ENTRY, path="other.csv"), CONTENT, []),
        (attrs.evolve(ENTRY, path="other.csv"), None, ["absent"]),
        (NOT_OFFERED, None, ["missing"]),
        (attrs.evolve(NOT_OFFERED, updated_at=None), None, ["absent"]),
    ],
)
async def test_classification(
    tmp_path: Path,
    disk: FileExecutor,
    entry: ManifestEntry | None,
    content: bytes | None,
    expected: list[str],
) -> None:
    """A file without an entry is in no set, so the download compares it with the artifact."""
    if entry is not None:
        (tmp_path / MANIFEST_NAME).write_bytes(entry.dump())
    if content is not None:
        (tmp_path / "exp_1.csv").write_bytes(content)
    local = await inspect(tmp_path, disk)
    assert classes(local) == expected
    needs_download = expected not in (["kept"], ["missing"])
    assert local.to_download((Artifact.CSV,)) == ((Artifact.CSV,) if needs_download else ())
    assert local.targets[Artifact.CSV].name == str(tmp_path / "exp_1.csv")


@pytest.mark.parametrize(("content", "expected"), [(CONTENT, "kept"), (b"x,y", "replaced")])
async def test_verify_compares_the_hash(
    tmp_path: Path, disk: FileExecutor, content: bytes, expected: str
) -> None:
    """Without it only the length is compared."""
    (tmp_path / MANIFEST_NAME).write_bytes(ENTRY.dump())
    (tmp_path / "exp_1.csv").write_bytes(content)
    assert classes(await inspect(tmp_path, disk, verify=True)) == [expected]


async def test_without_resume_existing_files_are_replaced(tmp_path: Path, disk: FileExecutor) -> None:
    """An entry for an artifact that was not offered has no effect either."""
    (tmp_path / MANIFEST_NAME).write_bytes(ENTRY.dump())
    (tmp_path / "exp_1.csv").write_bytes(CONTENT)
    assert classes(await inspect(tmp_path, disk, resume=False)) == ["replaced"]
    (tmp_path / MANIFEST_NAME).write_bytes(NOT_OFFERED.dump())
    (tmp_path / "exp_1.csv").unlink()
    assert classes(await inspect(tmp_path, disk, resume=False)) == ["absent"]


async def test_directory_in_place_of_a_file(tmp_path: Path, disk: FileExecutor) -> None:
    """It is neither kept nor replaced. The download reports the error."""
    (tmp_path / MANIFEST_NAME).write_bytes(ENTRY.dump())
    (tmp_path / "exp_1.csv").mkdir()
    assert classes(await inspect(tmp_path, disk)) == []


async def test_recorded_artifacts_are_known_in_the_next_run(tmp_path: Path, disk: FileExecutor) -> None:
    """The report of the next run has the kept file and the missing artifact."""
    wanted = (Artifact.JSON, Artifact.CSV)
    target = tmp_path / "exp_1.csv"
    target.write_bytes(CONTENT)
    file = DownloadedFile(
        artifact=Artifact.CSV, path=target, size=3, verified="checksum", sha256=ENTRY.sha256, attempts=1
    )
    report = DownloadReport(export_id="exp_1", files=ByArtifact([file]), missing=(Artifact.JSON,))
    state = open_state(tmp_path, disk)
    await state.record(EXPORT, await state.inspect(EXPORT, wanted), report)
    state.close()
    state = open_state(tmp_path, disk)
    local = await state.inspect(EXPORT, wanted)
    state.close()
    assert local.to_download(wanted) == ()
    merged = local.merge_into(DownloadReport(export_id="exp_1"))
    assert merged.missing == (Artifact.JSON,)
    assert merged.files.values() == (attrs.evolve(file, kept=True, attempts=0),)
    (event,) = local.kept_events("exp_1")
    assert (event.artifact, event.received, event.total) == (Artifact.CSV, 3, 3)


async def test_unusable_manifest_is_a_destination_error(tmp_path: Path, disk: FileExecutor) -> None:
    """The message has the path."""
    os.mkdir(tmp_path / MANIFEST_NAME)
    with pytest.raises(DestinationError, match=f"{MANIFEST_NAME} cannot be kept"):
        await inspect(tmp_path, disk)


async def test_link_in_place_of_the_directory_of_an_export(tmp_path: Path, disk: FileExecutor) -> None:
    """Nothing is known about its files. The download reports the error."""
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "exp_1").symlink_to(tmp_path / "elsewhere")
    policy = ReusePolicy(resume=True, verify=False)
    layout = parse_layout("folders")
    manifest = Manifest(tmp_path)
    options = DownloadOptions()
    state = LocalState(
        tmp_path, layout, policy, disk, FakeClock(), PartialIndex(), options=options, manifest=manifest
    )
    assert classes(await state.inspect(EXPORT, (Artifact.CSV,))) == []
    state.close()


async def test_unreadable_file_is_replaced(
    tmp_path: Path, disk: FileExecutor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With `verify`, a file that cannot be read counts as damaged."""
    (tmp_path / MANIFEST_NAME).write_bytes(ENTRY.dump())
    (tmp_path / "exp_1.csv").write_bytes(CONTENT)
    real = os.open

    def fail_for_the_file(path: Any, *args: Any, **kwargs: Any) -> int:
        if Path(path).name == "exp_1.csv":
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        return real(path, *args, **kwargs)

    monkeypatch.setattr(os, "open", fail_for_the_file)
    assert classes(await inspect(tmp_path, disk, verify=True)) == ["replaced"]
