"""An export's artifacts on disk: whole, verified, side by side; and as a stream."""

from __future__ import annotations

import asyncio
import errno
import hashlib
import os
import resource
import tempfile
from pathlib import Path

import attrs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from packagex_async import (
    Artifact,
    AsyncPackageX,
    ChecksumError,
    ConfigurationError,
    DestinationError,
    DownloadError,
    DownloadGroupError,
    DownloadReport,
    IncompleteBodyError,
    LinkExpiredError,
    ProgressEvent,
    ProgressKind,
    RetryPolicy,
    StalledError,
    StorageError,
    StorageUnreachableError,
)
from packagex_async.report import ByArtifact
from packagex_async.testing import (
    Cut,
    Emulator,
    Expired,
    IgnoreRange,
    LyingLength,
    NoHash,
    RecordedRequest,
    Redirect,
    Refuse,
    Replace,
    Reset,
    Stall,
    Status,
    Transcoded,
    Undeclared,
    WrongHash,
)
from packagex_async.testing.data.store import Store
from packagex_async.testing.faults import TargetedFault
from packagex_async.testing.server.reply import Reply
from tests.support import AT_ONCE, FakeClock, exports_on, names

NAMES = {
    Artifact.JSON: ".json",
    Artifact.CSV: ".csv",
    Artifact.CSV_ERROR: ".error.csv",
    Artifact.CSV_SANITIZED: ".sanitized.csv",
}


def add(server: Emulator, size: int = 300_000) -> str:
    content = {artifact.value: os.urandom(size + place) for place, artifact in enumerate(Artifact)}
    return server.add_export(content=content).id


class CutUntold(Undeclared):
    """A chunked body that breaks off."""

    def rewrite_response(self, reply: Reply, request: RecordedRequest) -> Reply:
        return Cut(20_000).rewrite_response(super().rewrite_response(reply, request), request)


async def failure_of(
    px: AsyncPackageX, export_id: str, folder: Path, **options: object
) -> DownloadGroupError:
    with pytest.raises(DownloadGroupError) as caught:
        await px.exports.download(export_id, folder, **options)  # type: ignore[arg-type]
    return caught.value


async def test_the_four_artifacts_arrive_byte_for_byte(
    server: Emulator, px: AsyncPackageX, tmp_path: Path
) -> None:
    """Under the names that DESIGN promises, each verified by the hash that storage declares."""
    export_id = add(server)
    report = await px.exports.download(export_id, tmp_path / "new" / "folder")
    assert report.ok
    assert report.missing == ()
    assert report.files.keys() == tuple(Artifact)
    for artifact, file in report.files.items():
        assert file.path == tmp_path / "new" / "folder" / f"{export_id}{NAMES[artifact]}"
        assert file.path.read_bytes() == server.content(export_id, artifact)
        assert (file.size, file.verified) == (file.path.stat().st_size, "checksum")
        assert (file.attempts, file.resumed, file.kept, file.sha256) == (1, False, False, None)
        assert file.elapsed >= 0
    assert len(names(tmp_path / "new" / "folder")) == 4


@given(st.lists(st.integers(0, 3_000_000), min_size=1, max_size=4), st.integers(1, 4))
@settings(max_examples=15)
def test_any_size_arrives_whole(sizes: list[int], concurrency: int) -> None:
    """Nothing, one byte, or more than the buffers hold; one after another or all at once."""
    asyncio.run(bring(sizes, concurrency))


async def bring(sizes: list[int], concurrency: int) -> None:
    content = {artifact.value: os.urandom(size) for artifact, size in zip(Artifact, sizes, strict=False)}
    with tempfile.TemporaryDirectory() as folder:
        async with Emulator(populate=False) as server, server.client() as px:
            export = server.add_export(content=content)
            report = await px.exports.download(export.id, folder, concurrency=concurrency)
            assert {file.artifact: file.path.read_bytes() for file in report.files} == content


async def test_an_artifact_that_is_not_offered_is_missing_not_failed(
    server: Emulator, px: AsyncPackageX, tmp_path: Path
) -> None:
    """`.missing` names it, and nothing is raised."""
    export = server.add_export(rows=5)
    report = await px.exports.download(export.id, tmp_path)
    assert report.ok
    assert report.missing == (Artifact.CSV_ERROR, Artifact.CSV_SANITIZED)
    assert names(tmp_path) == [f"{export.id}.csv", f"{export.id}.json"]
    nothing = server.add_export(content={})
    empty = await px.exports.download(nothing.id, tmp_path / "never")
    assert (empty.files, empty.missing) == ((), tuple(Artifact))
    assert not (tmp_path / "never").exists()


async def test_only_what_is_asked_for_is_fetched(server: Emulator, px: AsyncPackageX, tmp_path: Path) -> None:
    """One artifact by name, or several; in one order, whatever order they were named in."""
    export_id = add(server, 10)
    assert (await px.exports.download(export_id, tmp_path, artifacts="json")).files.keys() == ("json",)
    report = await px.exports.download(export_id, tmp_path, artifacts=[Artifact.CSV_ERROR, "csv"])
    assert report.files.keys() == ("csv", "csv_error")
    assert [request.artifact for request in server.requests if request.host == "storage"].count("csv") == 1


async def test_an_export_with_urls_is_not_retrieved_again(
    server: Emulator, px: AsyncPackageX, tmp_path: Path
) -> None:
    """One without them is, with both flags."""
    export_id = add(server, 10)
    export = await px.exports.retrieve(export_id, include_csv=True, include_json=True)
    await px.exports.download(export, tmp_path)
    assert [request.host for request in server.requests].count("api") == 1
    bare = await px.exports.retrieve(export_id)
    await px.exports.download(bare, tmp_path)
    assert server.requests[2 + 4].query == {"include_csv": "true", "include_json": "true"}


async def test_a_sha256_is_computed_when_asked_for(
    server: Emulator, px: AsyncPackageX, tmp_path: Path
) -> None:
    """For files that were fetched, and for files that were kept."""
    export_id = add(server)
    for _ in range(2):
        report = await px.exports.download(export_id, tmp_path, digest="sha256")
        for artifact, file in report.files.items():
            assert file.sha256 == hashlib.sha256(server.content(export_id, artifact)).hexdigest()


async def test_what_was_verified_is_said(server: Emulator, px: AsyncPackageX, tmp_path: Path) -> None:
    """A declared hash, the declared length, or nothing."""
    export_id = add(server)
    server.inject(NoHash(artifact="csv"))
    server.inject(Undeclared(artifact="csv_error"))
    server.inject(Transcoded(artifact="csv_sanitized"))
    report = await px.exports.download(export_id, tmp_path)
    assert [file.verified for file in report.files] == ["checksum", "length", "none", "none"]
    for artifact, file in report.files.items():
        assert file.path.read_bytes() == server.content(export_id, artifact)


async def test_a_file_that_is_there_already_is_kept(
    server: Emulator, px: AsyncPackageX, tmp_path: Path
) -> None:
    """When its length, and its hash where one is declared, are the object's; it is not fetched again."""
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


async def test_a_file_that_differs_is_left_alone(server: Emulator, px: AsyncPackageX, tmp_path: Path) -> None:
    """In length, in hash, or where nothing can tell; the error names what to do, and doing it works."""
    export_id = add(server, 1000)
    other = {artifact: b"x" * (999 + place) for place, artifact in enumerate(Artifact)}
    other[Artifact.CSV] = b"y" * 1001
    for artifact, content in other.items():
        (tmp_path / f"{export_id}{NAMES[artifact]}").write_bytes(content)
    server.inject(Undeclared(artifact="csv_error"))
    error = await failure_of(px, export_id, tmp_path)
    assert [type(failure) for failure in error.report.failures] == [DestinationError] * 4
    for artifact, failure in error.report.failures.items():
        assert "overwrite=True" in str(failure)
        assert isinstance(failure, OSError)
        assert failure.errno == errno.EEXIST
        assert failure.filename == str(tmp_path / f"{export_id}{NAMES[artifact]}")
        assert Path(failure.filename).read_bytes() == other[artifact]
    report = await px.exports.download(export_id, tmp_path, overwrite=True)
    for artifact, file in report.files.items():
        assert file.path.read_bytes() == server.content(export_id, artifact)
        assert not file.kept
    assert len(names(tmp_path)) == 4


@pytest.mark.parametrize(
    "fault",
    [Cut(100_000), Reset(100_000), Refuse(), Stall(100_000), WrongHash(), LyingLength(5),
     *(Status(status, on="storage") for status in (408, 429, 500, 502, 503, 504))],
    ids=lambda fault: repr(fault).partition(", on=")[0],
)  # fmt: skip
async def test_a_passing_failure_of_storage_is_tried_again(
    server: Emulator, tmp_path: Path, fault: TargetedFault
) -> None:
    """Until the bytes are whole and right; the report and the events tell of it."""
    export_id = add(server)
    server.inject(fault)
    events: list[ProgressEvent] = []
    clock = FakeClock()
    async with exports_on(clock, server, timeout=1.0) as exports:
        report = await exports.download(export_id, tmp_path, artifacts="csv", on_progress=events.append)
    assert report.files["csv"].attempts == 2
    assert report.files["csv"].path.read_bytes() == server.content(export_id, "csv")
    assert names(tmp_path) == [f"{export_id}.csv"]
    (retrying,) = [event for event in events if event.kind is ProgressKind.RETRYING]
    assert retrying.error is not None
    assert retrying.delay == sum(clock.slept)


async def test_trap_14_retry_after_of_storage_is_waited_out(server: Emulator, tmp_path: Path) -> None:
    """And one beyond the cap is not."""
    export_id = add(server, 10)
    server.inject(Status(503, retry_after="40", on="storage"))
    clock = FakeClock(dice=0.0)
    async with exports_on(clock, server) as exports:
        await exports.download(export_id, tmp_path, artifacts="csv")
        assert clock.slept == [40]
        server.inject(Status(429, retry_after="4000", on="storage"))
        with pytest.raises(DownloadGroupError) as caught:
            await exports.download(export_id, tmp_path, artifacts="json")
    (failure,) = caught.value.report.failures
    assert isinstance(failure, StorageError)
    assert (failure.status, failure.retry_after) == (429, 4000)


@pytest.mark.parametrize(
    ("fault", "kind", "tries"),
    [
        (Cut(0), IncompleteBodyError, 3),
        (Reset(0), IncompleteBodyError, 3),
        (LyingLength(7), IncompleteBodyError, 5),
        (Stall(0), StalledError, 3),
        (Refuse(), StorageUnreachableError, 3),
        (WrongHash(), ChecksumError, 2),
        (Expired(), LinkExpiredError, 2),
        (Status(404, on="storage"), StorageError, 2),
        (Status(206, on="storage"), StorageError, 1),
        (Status(503, on="storage"), StorageError, 3),
        (Redirect("file:///etc/passwd"), StorageError, 1),
    ],
    ids=lambda value: value.__name__ if isinstance(value, type) else None,
)
async def test_trap_26_a_lasting_failure_spares_the_others(
    server: Emulator, tmp_path: Path, fault: TargetedFault, kind: type[DownloadError], tries: int
) -> None:
    """Three artifacts arrive, the fourth is a failure of its kind, and no trace of it is on disk."""
    export_id = add(server, 30_000)
    server.inject(attrs.evolve(fault, artifact="csv"), times=None)
    policy = RetryPolicy(attempts=3, wait_initial=0)
    events: list[ProgressEvent] = []
    async with server.client(retry=policy, stall_timeout=0.4) as px:
        error = await failure_of(px, export_id, tmp_path, on_progress=events.append)
    (failure,) = error.report.failures
    assert type(failure) is kind
    assert (failure.export_id, failure.artifact) == (export_id, Artifact.CSV)
    assert failure in error.exceptions
    assert error.report.failures["csv"] is failure
    assert error.report.files.keys() == ("json", "csv_error", "csv_sanitized")
    assert len(names(tmp_path)) == 3
    assert "csv: failed" in str(error.report)
    failed = [event for event in events if event.kind is ProgressKind.FAILED]
    assert [(event.artifact, event.error) for event in failed] == [(Artifact.CSV, failure)]
    assert len([request for request in server.requests if request.artifact == "csv"]) == tries


async def test_one_attempt_means_never_again(server: Emulator, tmp_path: Path) -> None:
    """Not even for a wrong hash."""
    export_id = add(server, 3000)
    server.inject(WrongHash(artifact="csv"))
    server.inject(Cut(10, artifact="json"))
    async with server.client(retry=RetryPolicy(attempts=1)) as px:
        error = await failure_of(px, export_id, tmp_path)
    assert error.report.failures.keys() == ("json", "csv")


async def test_trap_02_a_try_that_gets_further_is_no_try_in_vain(server: Emulator, tmp_path: Path) -> None:
    """Cut again and again, a transfer outlives its attempts, and asks for no byte twice."""
    export_id = add(server, 3000)
    server.inject(Cut(200, artifact="csv"), times=14)
    async with server.client(retry=RetryPolicy(attempts=2, wait_initial=0)) as px:
        report = await px.exports.download(export_id, tmp_path, artifacts="csv")
    file = report.files["csv"]
    assert (file.attempts, file.resumed, file.verified) == (15, True, "checksum")
    assert file.path.read_bytes() == server.content(export_id, "csv")
    asked = [request.headers.get("Range") for request in server.requests if request.host == "storage"]
    assert asked == [None, *(f"bytes={200 * number}-" for number in range(1, 15))]


async def test_trap_27_every_step_is_told(server: Emulator, px: AsyncPackageX, tmp_path: Path) -> None:
    """Started, advanced, retrying, finished; with numbers that grow to the length."""
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
    again = events[kinds.index(ProgressKind.RETRYING) + 1 :]
    received = [event.received for event in again]
    assert received == sorted(received)
    assert events[-1].received == size
    assert {(event.export_id, event.artifact) for event in events} == {(export_id, Artifact.CSV)}


async def test_an_error_of_the_callers_own_callback_is_not_swallowed(
    server: Emulator, px: AsyncPackageX, tmp_path: Path
) -> None:
    """Bugs propagate, whatever they are; nothing half-written stays."""
    export_id = add(server)

    def broken(event: ProgressEvent) -> None:
        if event.kind is ProgressKind.ADVANCED:
            raise BrokenPipeError("the caller's pipe")

    with pytest.raises(ExceptionGroup) as caught:
        await px.exports.download(export_id, tmp_path, on_progress=broken)
    assert not isinstance(caught.value, DownloadGroupError)
    assert caught.value.subgroup(BrokenPipeError) is not None
    assert names(tmp_path) == []


async def test_a_folder_that_cannot_be_written_is_a_destination_error(
    server: Emulator, px: AsyncPackageX, tmp_path: Path
) -> None:
    """A file stands where the folder should be; a folder where the file should be."""
    export_id = add(server, 10)
    (tmp_path / "file").touch()
    (tmp_path / f"{export_id}.csv").mkdir()
    for folder in (tmp_path / "file", tmp_path):
        error = await failure_of(px, export_id, folder, artifacts="csv")
        (failure,) = error.report.failures
        assert isinstance(failure, DestinationError)
        assert failure.filename == str(folder / f"{export_id}.csv")
        assert failure.__cause__ is not None
    error = await failure_of(px, export_id, tmp_path, artifacts="csv", overwrite=True)
    assert isinstance(error.report.failures["csv"], DestinationError)
    assert names(tmp_path) == [f"{export_id}.csv", "file"]


async def test_trap_23_a_disk_that_takes_no_more_says_what_to_do(
    server: Emulator, px: AsyncPackageX, tmp_path: Path
) -> None:
    """With the path, the number of the operating system, and no partial."""
    export_id = add(server, 200_000)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, hard))
    try:
        error = await failure_of(px, export_id, tmp_path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    for failure in error.report.failures:
        assert isinstance(failure, DestinationError)
        assert failure.errno == errno.EFBIG
    assert names(tmp_path) == []


async def test_two_downloads_of_one_export_do_not_spoil_each_other(
    server: Emulator, px: AsyncPackageX, tmp_path: Path
) -> None:
    """Both say what is true."""
    export_id = add(server)
    reports = await asyncio.gather(*(px.exports.download(export_id, tmp_path) for _ in range(4)))
    assert all(report.ok for report in reports)
    for artifact in Artifact:
        path = tmp_path / f"{export_id}{NAMES[artifact]}"
        assert path.read_bytes() == server.content(export_id, artifact)
    assert len(names(tmp_path)) == 4


async def test_concurrency_bounds_what_runs_side_by_side(
    server: Emulator, px: AsyncPackageX, tmp_path: Path
) -> None:
    """One at a time means that none starts before the other has ended."""
    export_id = add(server)
    events: list[ProgressEvent] = []
    await px.exports.download(export_id, tmp_path, concurrency=1, on_progress=events.append)
    ends = [event.kind for event in events if event.kind in (ProgressKind.STARTED, ProgressKind.FINISHED)]
    assert ends == [ProgressKind.STARTED, ProgressKind.FINISHED] * 4


async def test_trap_10_an_odd_id_lands_inside_the_folder(
    server: Emulator, px: AsyncPackageX, tmp_path: Path
) -> None:
    """Whatever it is made of."""
    odd = server.add_export(export_id="..%2F..%2Fetc", rows=1).id
    report = await px.exports.download(odd, tmp_path / "in")
    assert all(file.path.parent == tmp_path / "in" for file in report.files)
    assert names(tmp_path) == ["in"]


async def test_a_stream_never_touches_the_disk(
    server: Emulator, px: AsyncPackageX, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The bytes come as they are; leaving early is fine."""
    monkeypatch.chdir(tmp_path)
    export_id = add(server, 1_000_000)
    async with px.exports.stream(export_id, Artifact.CSV) as body:
        assert b"".join([block async for block in body]) == server.content(export_id, "csv")
    server.inject(NoHash())
    async with px.exports.stream(export_id, "json") as body:
        async for block in body:
            assert server.content(export_id, "json").startswith(block)
            break
    assert names(tmp_path) == []


@pytest.mark.parametrize(
    ("fault", "kind"),
    [
        (Cut(0), IncompleteBodyError),
        (WrongHash(), ChecksumError),
        (Stall(0), StalledError),
    ],
)
async def test_trap_01_a_stream_that_is_not_the_artifact_does_not_end_well(
    server: Emulator, fault: TargetedFault, kind: type[DownloadError]
) -> None:
    """Its end means that length and hash hold; anything else raises."""
    export_id = add(server, 50_000)
    server.inject(fault, times=None)
    async with server.client(retry=RetryPolicy(attempts=2, wait_initial=0), stall_timeout=0.3) as px:
        with pytest.raises(kind):
            async with px.exports.stream(export_id, "csv") as body:
                [block async for block in body]


class LittleAtATime(TargetedFault):
    """Storage that answers a range with no more than its first thousand bytes."""

    def rewrite_request(self, request: RecordedRequest, store: Store) -> RecordedRequest:
        start = int(request.headers.get("Range", "bytes=0-").strip("bytes=-"))
        return request.with_headers({**request.headers, "Range": f"bytes={start}-{start + 999}"})


@pytest.mark.parametrize("fault", [Cut(20_000), Stall(20_000), Cut(0)])
async def test_trap_02_a_stream_goes_on_where_it_broke_off(server: Emulator, fault: TargetedFault) -> None:
    """No byte is missing, none comes twice, and the hash of the whole still holds."""
    export_id = add(server, 50_000)
    server.inject(fault)
    server.inject(Cut(10_000))
    server.inject(LittleAtATime())
    server.inject(Expired())
    async with server.client(retry=AT_ONCE, stall_timeout=0.4) as px:
        async with px.exports.stream(export_id, "csv") as body:
            assert b"".join([block async for block in body]) == server.content(export_id, "csv")


@pytest.mark.parametrize("faults", [[Cut(20_000), Replace(b"other")], [CutUntold()]])
async def test_trap_02_a_stream_never_goes_on_with_something_else(
    server: Emulator, px: AsyncPackageX, faults: list[TargetedFault]
) -> None:
    """Bytes that were handed out cannot be taken back: another object ends the stream."""
    export_id = add(server, 50_000)
    for fault in faults:
        server.inject(fault)
    with pytest.raises(DownloadError):
        async with px.exports.stream(export_id, "csv") as body:
            [block async for block in body]


@pytest.mark.parametrize("fault", [IgnoreRange(), Undeclared()])
async def test_a_stream_skips_the_bytes_it_has_handed_out_where_ranges_are_ignored(
    server: Emulator, px: AsyncPackageX, fault: TargetedFault
) -> None:
    """A 200 that validators confirm carries the same object from its first byte."""
    export_id = add(server, 50_000)
    server.inject(Cut(20_000))
    server.inject(fault)
    async with px.exports.stream(export_id, "csv") as body:
        assert b"".join([block async for block in body]) == server.content(export_id, "csv")


async def test_asking_for_a_stream_is_tried_again(server: Emulator, px: AsyncPackageX) -> None:
    """As long as no byte has been handed out."""
    export_id = add(server, 50_000)
    server.inject(Status(503, on="storage"), times=2)
    async with px.exports.stream(export_id, "csv") as body:
        assert b"".join([block async for block in body]) == server.content(export_id, "csv")


async def test_a_stream_of_what_is_not_offered_says_so(server: Emulator, px: AsyncPackageX) -> None:
    """An artifact the export does not have, and one that no export has."""
    export = server.add_export(rows=1)
    with pytest.raises(
        StorageError, match=f"export {export.id}, artifact csv_error: the export does not offer it"
    ):
        async with px.exports.stream(export.id, "csv_error"):
            pytest.fail("there is none")
    with pytest.raises(ConfigurationError, match="not 'xlsx'"):
        async with px.exports.stream(export.id, "xlsx"):  # type: ignore[arg-type]
            pytest.fail("there is none")


def test_a_report_is_asked_by_artifact() -> None:
    """Outcomes are found by index and by artifact."""
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
