"""Downloads of the artifacts of an export: contents, options, reports and progress events."""

from __future__ import annotations

import asyncio
import errno
import hashlib
import os
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from packagex_async import (
    Artifact,
    AsyncPackageX,
    ChecksumError,
    DestinationError,
    DownloadGroupError,
    DownloadReport,
    ProgressEvent,
    ProgressKind,
)
from packagex_async.report import ByArtifact
from packagex_async.testing import (
    Cut,
    Emulator,
    NoHash,
    Transcoded,
    Undeclared,
)
from tests.faults.invariant import SUFFIXES
from tests.integration.download.helpers import add, download_error
from tests.support import names


async def test_four_artifacts_are_complete(server: Emulator, px: AsyncPackageX, tmp_path: Path) -> None:
    """The files have the documented names, and each is verified with the declared hash."""
    export_id = add(server)
    report = await px.exports.download(export_id, tmp_path / "new" / "folder")
    assert report.ok
    assert report.missing == ()
    assert report.files.keys() == tuple(Artifact)
    for artifact, file in report.files.items():
        assert file.path == tmp_path / "new" / "folder" / f"{export_id}{SUFFIXES[artifact]}"
        assert file.path.read_bytes() == server.content(export_id, artifact)
        assert (file.size, file.verified) == (file.path.stat().st_size, "checksum")
        assert (file.attempts, file.resumed, file.kept, file.sha256) == (1, False, False, None)
        assert file.elapsed >= 0
    assert len(names(tmp_path / "new" / "folder")) == 4


@given(st.lists(st.integers(0, 3_000_000), min_size=1, max_size=4), st.integers(1, 4))
@settings(max_examples=15)
def test_artifacts_of_any_size_are_complete(sizes: list[int], concurrency: int) -> None:
    """Empty, one byte, or larger than the buffers; in sequence or concurrently."""
    asyncio.run(download_sizes(sizes, concurrency))


async def download_sizes(sizes: list[int], concurrency: int) -> None:
    """Download artifacts of these sizes, and compare the files."""
    content = {artifact.value: os.urandom(size) for artifact, size in zip(Artifact, sizes, strict=False)}
    with tempfile.TemporaryDirectory() as folder:
        async with Emulator(populate=False) as server, server.client() as px:
            export = server.add_export(content=content)
            report = await px.exports.download(export.id, folder, concurrency=concurrency)
            assert {file.artifact: file.path.read_bytes() for file in report.files} == content


async def test_artifact_without_url_is_missing(server: Emulator, px: AsyncPackageX, tmp_path: Path) -> None:
    """The report lists it in `missing`, and no error is raised."""
    export = server.add_export(rows=5)
    report = await px.exports.download(export.id, tmp_path)
    assert report.ok
    assert report.missing == (Artifact.CSV_ERROR, Artifact.CSV_SANITIZED)
    assert names(tmp_path) == [f"{export.id}.csv", f"{export.id}.json"]
    nothing = server.add_export(content={})
    empty = await px.exports.download(nothing.id, tmp_path / "never")
    assert (empty.files, empty.missing) == ((), tuple(Artifact))
    assert not (tmp_path / "never").exists()


async def test_only_selected_artifacts_are_downloaded(
    server: Emulator, px: AsyncPackageX, tmp_path: Path
) -> None:
    """One artifact or several are selected; the order of the report is always the same."""
    export_id = add(server, 10)
    assert (await px.exports.download(export_id, tmp_path, artifacts="json")).files.keys() == ("json",)
    report = await px.exports.download(export_id, tmp_path, artifacts=[Artifact.CSV_ERROR, "csv"])
    assert report.files.keys() == ("csv", "csv_error")
    assert [request.artifact for request in server.requests if request.host == "storage"].count("csv") == 1


async def test_export_with_urls_is_not_retrieved_again(
    server: Emulator, px: AsyncPackageX, tmp_path: Path
) -> None:
    """An export without URLs is retrieved with both flags."""
    export_id = add(server, 10)
    export = await px.exports.retrieve(export_id, include_csv=True, include_json=True)
    await px.exports.download(export, tmp_path)
    assert [request.host for request in server.requests].count("api") == 1
    bare = await px.exports.retrieve(export_id)
    await px.exports.download(bare, tmp_path)
    assert server.requests[2 + 4].query == {"include_csv": "true", "include_json": "true"}


async def test_sha256_digest(server: Emulator, px: AsyncPackageX, tmp_path: Path) -> None:
    """The digest is computed for downloaded files and for kept files."""
    export_id = add(server)
    for _ in range(2):
        report = await px.exports.download(export_id, tmp_path, digest="sha256")
        for artifact, file in report.files.items():
            assert file.sha256 == hashlib.sha256(server.content(export_id, artifact)).hexdigest()


async def test_report_states_what_was_verified(server: Emulator, px: AsyncPackageX, tmp_path: Path) -> None:
    """A declared hash, the declared length, or nothing."""
    export_id = add(server)
    server.inject(NoHash(artifact="csv"))
    server.inject(Undeclared(artifact="csv_error"))
    server.inject(Transcoded(artifact="csv_sanitized"))
    report = await px.exports.download(export_id, tmp_path)
    assert [file.verified for file in report.files] == ["checksum", "length", "none", "none"]
    for artifact, file in report.files.items():
        assert file.path.read_bytes() == server.content(export_id, artifact)


async def test_matching_file_is_kept(server: Emulator, px: AsyncPackageX, tmp_path: Path) -> None:
    """A file with the declared length and hash is not downloaded again."""
    export_id = add(server)
    await px.exports.download(export_id, tmp_path)
    before = {path.name: path.stat().st_ino for path in tmp_path.iterdir()}
    server.inject(NoHash(artifact="json"))
    events: list[ProgressEvent] = []
    report = await px.exports.download(export_id, tmp_path, on_progress=events.append)
    assert all(file.kept for file in report.files)
    assert [file.verified for file in report.files] == ["length", "checksum", "checksum", "checksum"]
    assert {path.name: path.stat().st_ino for path in tmp_path.iterdir()} == before
    assert {event.kind for event in events} == {ProgressKind.STARTED, ProgressKind.KEPT}
    assert "kept" in str(report)


async def test_different_file_stays(server: Emulator, px: AsyncPackageX, tmp_path: Path) -> None:
    """The error suggests `overwrite=True`, and a second download with it replaces the files."""
    export_id = add(server, 1000)
    other = {artifact: b"x" * (999 + index) for index, artifact in enumerate(Artifact)}
    other[Artifact.CSV] = b"y" * 1001
    for artifact, content in other.items():
        (tmp_path / f"{export_id}{SUFFIXES[artifact]}").write_bytes(content)
    server.inject(Undeclared(artifact="csv_error"))
    error = await download_error(px, export_id, tmp_path)
    assert [type(failure) for failure in error.report.failures] == [DestinationError] * 4
    for artifact, failure in error.report.failures.items():
        assert "overwrite=True" in str(failure)
        assert isinstance(failure, OSError)
        assert failure.errno == errno.EEXIST
        assert failure.filename == str(tmp_path / f"{export_id}{SUFFIXES[artifact]}")
        assert Path(failure.filename).read_bytes() == other[artifact]
    report = await px.exports.download(export_id, tmp_path, overwrite=True)
    for artifact, file in report.files.items():
        assert file.path.read_bytes() == server.content(export_id, artifact)
        assert not file.kept
    assert len(names(tmp_path)) == 4


async def test_trap_27_progress_events(server: Emulator, px: AsyncPackageX, tmp_path: Path) -> None:
    """The events are started, advanced, retrying, finished; `received` grows up to the length."""
    export_id = add(server)
    server.inject(Cut(100_000))
    events: list[ProgressEvent] = []
    await px.exports.download(export_id, tmp_path, artifacts="csv", on_progress=events.append)
    size = len(server.content(export_id, "csv"))
    kinds = [event.kind for event in events]
    assert kinds[0] is ProgressKind.STARTED
    assert kinds[-1] is ProgressKind.FINISHED
    assert kinds.count(ProgressKind.RETRYING) == 1
    assert {event.total for event in events} == {size}
    assert {event.attempt for event in events} == {1, 2}
    later = events[kinds.index(ProgressKind.RETRYING) + 1 :]
    received = [event.received for event in later]
    assert received == sorted(received)
    assert events[-1].received == size
    assert {(event.export_id, event.artifact) for event in events} == {(export_id, Artifact.CSV)}


async def test_concurrent_downloads_of_one_export(
    server: Emulator, px: AsyncPackageX, tmp_path: Path
) -> None:
    """All reports are true, and the files are complete."""
    export_id = add(server)
    reports = await asyncio.gather(*(px.exports.download(export_id, tmp_path) for _ in range(4)))
    assert all(report.ok for report in reports)
    for artifact in Artifact:
        path = tmp_path / f"{export_id}{SUFFIXES[artifact]}"
        assert path.read_bytes() == server.content(export_id, artifact)
    assert len(names(tmp_path)) == 4


async def test_concurrency_limits_parallel_artifacts(
    server: Emulator, px: AsyncPackageX, tmp_path: Path
) -> None:
    """With `concurrency=1`, an artifact starts after the previous one has finished."""
    export_id = add(server)
    events: list[ProgressEvent] = []
    await px.exports.download(export_id, tmp_path, concurrency=1, on_progress=events.append)
    kinds = [event.kind for event in events if event.kind in (ProgressKind.STARTED, ProgressKind.FINISHED)]
    assert kinds == [ProgressKind.STARTED, ProgressKind.FINISHED] * 4


async def test_trap_10_unusual_id_stays_inside_directory(
    server: Emulator, px: AsyncPackageX, tmp_path: Path
) -> None:
    """An id with `..` and separators is escaped."""
    export_id = server.add_export(export_id="..%2F..%2Fetc", rows=1).id
    report = await px.exports.download(export_id, tmp_path / "in")
    assert all(file.path.parent == tmp_path / "in" for file in report.files)
    assert names(tmp_path) == ["in"]


def test_report_lookup_by_artifact() -> None:
    """Outcomes are available by index and by artifact."""
    error = ChecksumError("no match", export_id="exp_1", artifact=Artifact.JSON)
    report = DownloadReport(export_id="exp_1", failures=ByArtifact([error]))
    assert not report.ok
    assert report.failures[0] is report.failures["json"] is report.failures[Artifact.JSON]
    assert report.failures[:1] == (error,)
    assert "json" in report.failures  # type: ignore[comparison-overlap]
    assert error in report.failures
    assert "csv" not in report.failures  # type: ignore[comparison-overlap]
    assert report.failures.values() == (error,)
    assert dict(report.failures) == {Artifact.JSON: error}
    with pytest.raises(KeyError, match="csv"):
        report.failures["csv"]
    with pytest.raises(DownloadGroupError):
        report.raise_for_failures()
