"""Every export, every artifact, once: found, downloaded and handed out side by side, run after run."""

from __future__ import annotations

import asyncio
import errno
import hashlib
import json
import os
import sys
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import aclosing
from pathlib import Path
from typing import Any

import attrs
import pytest

from packagex_async import (
    Artifact,
    AsyncPackageX,
    AuthenticationError,
    ConfigurationError,
    DestinationError,
    DownloadReport,
    ExportFailedError,
    ExportGoneError,
    ExportNotReadyError,
    ExportTimedOutError,
    PaginationError,
    PermissionDeniedError,
    ProgressEvent,
    ProgressKind,
    RetryPolicy,
    ServerError,
    StorageError,
)
from packagex_async._sync.manifest import MANIFEST_NAME
from packagex_async._sync.queue import ExportQueue
from packagex_async.models import Export
from packagex_async.testing import (
    Cut,
    Delete,
    Dialect,
    Emulator,
    Expired,
    RecordedRequest,
    Stall,
    Status,
    serve_in_thread,
)
from packagex_async.testing.data.store import Store
from packagex_async.testing.faults import Fault
from packagex_async.testing.server.reply import Reply
from tests.support import AT_ONCE, FakeClock, exports_on, in_a_pid_namespace, names

SUFFIXES = {"json": ".json", "csv": ".csv", "csv_error": ".error.csv", "csv_sanitized": ".sanitized.csv"}


@pytest.fixture
def apart() -> Iterator[Emulator]:
    """An empty emulator on a thread of its own: the tasks of the test's loop are the client's."""
    with serve_in_thread(Emulator(populate=False)) as server:
        yield server


def add(server: Emulator, count: int = 3, **options: Any) -> list[str]:
    """As many exports with all four artifacts, of a second each."""
    added = []
    for number in range(count):
        content = {artifact.value: os.urandom(2000 + number) for artifact in Artifact}
        known: dict[str, Any] = {"content": content, "created_at": server.now() - 3600 + len(server.exports)}
        added.append(server.add_export(**(known | options)).id)
    return added


async def bring(px: AsyncPackageX, folder: Path, **options: Any) -> dict[str, DownloadReport]:
    reports: dict[str, DownloadReport] = {}
    async for report in px.exports.download_all(folder, **options):
        assert report.export_id not in reports
        reports[report.export_id] = report
    return reports


def manifest(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / MANIFEST_NAME).read_text().splitlines()]


def asked(server: Emulator, since: int = 0) -> list[str]:
    """What was asked for: `list`, the id of an export, or an id with its artifact."""
    return [
        "/".join(filter(None, [request.export_id, request.artifact])) or "list"
        for request in server.requests[since:]
    ]


async def settle() -> None:
    for _ in range(20):
        await asyncio.sleep(0)


def assert_exact(server: Emulator, folder: Path) -> None:
    """Every artifact of every export is there, whole, and the manifest agrees; and nothing else."""
    expected = {}
    for export in server.exports:
        for artifact in export.artifacts:
            expected[f"{export.id}{SUFFIXES[artifact]}"] = server.content(export.id, artifact)
    assert names(folder) == sorted([*expected, MANIFEST_NAME])
    told = {line["path"]: line for line in manifest(folder) if line["path"] is not None}
    assert told.keys() == expected.keys()
    for name, content in expected.items():
        assert (folder / name).read_bytes() == content
        assert told[name]["size"] == len(content)
        assert told[name]["sha256"] == hashlib.sha256(content).hexdigest()


async def test_every_artifact_of_every_export_arrives(
    server: Emulator, px: AsyncPackageX, tmp_path: Path
) -> None:
    """Each once, with a report for each export and a line in the manifest for each artifact."""
    added = add(server, 25)
    reports = await bring(px, tmp_path / "new", limit=10)
    assert reports.keys() == set(added)
    for report in reports.values():
        assert (report.ok, report.error, len(report.files)) == (True, None, 4)
        report.raise_for_failures()
        for file in report.files:
            assert (file.kept, file.verified, file.attempts) == (False, "checksum", 1)
            assert file.sha256 == hashlib.sha256(file.path.read_bytes()).hexdigest()
    assert_exact(server, tmp_path / "new")
    assert len(asked(server)) == 3 + 25 * 5


async def test_a_line_of_the_manifest_tells_what_came_and_when(server: Emulator, tmp_path: Path) -> None:
    """An artifact that is not offered has one, too, so that nobody asks for it again."""
    clock = FakeClock()
    (export_id,) = (server.add_export(content={"csv": b"a,b"}, created_at=server.now() - 60).id,)
    async with exports_on(clock, server) as exports:
        async for report in exports.download_all(tmp_path, artifacts=["csv", "json"]):
            assert report.missing == (Artifact.JSON,)
            listed = await exports.retrieve(export_id)
    updated_at = listed.updated_at.isoformat() if listed.updated_at else None
    shared = {"export_id": export_id, "when": "2024-05-01T12:00:00+00:00", "updated_at": updated_at}
    csv = {
        "artifact": "csv",
        "path": f"{export_id}.csv",
        "size": 3,
        "sha256": hashlib.sha256(b"a,b").hexdigest(),
        "verified": "checksum",
    }
    absent = {"artifact": "json", "path": None, "size": None, "sha256": None, "verified": None}
    assert manifest(tmp_path) == [shared | csv, shared | absent]


async def test_a_second_run_asks_for_nothing_but_the_listing(
    server: Emulator, px: AsyncPackageX, tmp_path: Path
) -> None:
    """Nothing is new: not even the exports are retrieved, and the manifest does not grow."""
    add(server, 3)
    server.add_export(content={"csv": b"1"})
    server.add_export(content={})
    first = await bring(px, tmp_path)
    lines, since = manifest(tmp_path), len(server.requests)
    events: list[ProgressEvent] = []
    second = await bring(px, tmp_path, on_progress=events.append)
    assert asked(server, since) == ["list"]
    assert manifest(tmp_path) == lines
    for export_id, report in second.items():
        assert report.missing == first[export_id].missing
        expected = tuple(
            attrs.evolve(file, kept=True, attempts=0, elapsed=0.0) for file in first[export_id].files
        )
        assert report.files.values() == expected
    assert {event.kind for event in events} == {ProgressKind.KEPT}
    assert len(events) == 13


async def test_a_second_run_brings_what_is_new_or_changed(
    server: Emulator, px: AsyncPackageX, tmp_path: Path
) -> None:
    """A changed export replaces what was brought of it; what was lost from the folder comes again."""
    unchanged, changed, lost = add(server, 3)
    await bring(px, tmp_path)
    (new,) = add(server, 1)
    server.update_export(changed, updated_at=server.now() + 5)
    content = b"other"
    server.inject(Swap(changed, content))
    (tmp_path / f"{lost}.csv").unlink()
    (tmp_path / f"{lost}.json").write_bytes(b"cut")
    since = len(server.requests)
    reports = await bring(px, tmp_path)
    assert all(report.ok for report in reports.values())
    assert not [what for what in asked(server, since) if what.startswith(unchanged)]
    assert sorted(what for what in asked(server, since) if what.startswith(f"{lost}/")) == [
        f"{lost}/csv",
        f"{lost}/json",
    ]
    assert len([what for what in asked(server, since) if what.startswith(f"{new}/")]) == 4
    assert (tmp_path / f"{changed}.csv").read_bytes() == content
    assert_exact(server, tmp_path)


@attrs.frozen
class Swap(Fault):
    """The CSV of an export is another from the moment it is retrieved."""

    export_id: str
    content: bytes

    def strikes(self, request: RecordedRequest) -> bool:
        return (request.host, request.export_id) == ("api", self.export_id)

    def leave(self, store: Store) -> None:
        store.replace(self.export_id, "csv", self.content)


async def test_verify_reads_what_is_there_and_mends_it(
    server: Emulator, px: AsyncPackageX, tmp_path: Path
) -> None:
    """A file of the right length and the wrong bytes is noticed only then."""
    spoiled, sound = add(server, 2)
    await bring(px, tmp_path)
    path = tmp_path / f"{spoiled}.csv"
    path.write_bytes(b"x" * path.stat().st_size)
    since = len(server.requests)
    await bring(px, tmp_path)
    assert asked(server, since) == ["list"]
    reports = await bring(px, tmp_path, verify=True)
    assert sorted(asked(server, since + 1)) == sorted(["list", spoiled, f"{spoiled}/csv"])
    assert not reports[spoiled].files["csv"].kept
    assert all(file.kept for file in reports[sound].files)
    assert_exact(server, tmp_path)


async def test_a_file_that_cannot_be_read_again_is_fetched_again(
    server: Emulator, px: AsyncPackageX, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With `verify`, what cannot be told counts as not there; it stops nothing."""
    (export_id,) = add(server, 1)
    await bring(px, tmp_path)
    real = os.open

    def worn(path: Any, *args: Any, **kwargs: Any) -> int:
        if Path(path).name == f"{export_id}.csv":
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        return real(path, *args, **kwargs)

    monkeypatch.setattr(os, "open", worn)
    report = (await bring(px, tmp_path, verify=True))[export_id]
    assert [file.artifact for file in report.files if not file.kept] == ["csv"]


async def test_without_resume_everything_is_fetched_anew(
    server: Emulator, px: AsyncPackageX, tmp_path: Path
) -> None:
    """Over what an earlier run has brought."""
    (export_id,) = add(server, 1)
    await bring(px, tmp_path)
    reports = await bring(px, tmp_path, resume=False)
    assert not any(file.kept for file in reports[export_id].files)
    assert_exact(server, tmp_path)


async def test_what_is_not_ours_is_left_alone(server: Emulator, px: AsyncPackageX, tmp_path: Path) -> None:
    """A file that no manifest knows is kept if it is the artifact; else it is left, and that is told."""
    (export_id,) = add(server, 1)
    (tmp_path / f"{export_id}.csv").write_bytes(b"mine")
    (tmp_path / f"{export_id}.error.csv").mkdir()
    (tmp_path / f"{export_id}.json").write_bytes(server.content(export_id, "json"))
    report = (await bring(px, tmp_path))[export_id]
    assert report.failures.keys() == ("csv", "csv_error")
    assert isinstance(report.failures["csv"], DestinationError)
    assert report.files["json"].kept
    assert (tmp_path / f"{export_id}.csv").read_bytes() == b"mine"
    (tmp_path / f"{export_id}.error.csv").rmdir()
    reports = await bring(px, tmp_path, overwrite=True)
    assert reports[export_id].ok
    assert_exact(server, tmp_path)


@pytest.mark.parametrize("longer", [0, 1])
async def test_what_appears_during_the_run_is_left_alone(
    server: Emulator, px: AsyncPackageX, tmp_path: Path, longer: int
) -> None:
    """The folder was empty when the run looked at it; whatever the length, no file is replaced unseen."""
    added = add(server, 10)
    mine = bytes(len(server.content(added[-1], "csv")) + longer)
    reports: dict[str, DownloadReport] = {}
    async for report in px.exports.download_all(tmp_path, concurrency=1):
        if not reports:
            (tmp_path / f"{added[-1]}.csv").write_bytes(mine)
        reports[report.export_id] = report
    assert (tmp_path / f"{added[-1]}.csv").read_bytes() == mine
    refused = reports[added[-1]].failures["csv"]
    assert isinstance(refused, DestinationError)
    assert f"another file of {len(mine)} bytes has appeared there" in str(refused)
    assert [report.ok for report in reports.values()].count(False) == 1


@pytest.mark.parametrize("path", ["../outside.csv", "/etc/passwd", "", "a/../../b", "\0"])
async def test_a_path_in_the_manifest_is_never_followed(
    server: Emulator, px: AsyncPackageX, tmp_path: Path, path: str
) -> None:
    """Wherever it leads, the artifact is where the layout says, or it is fetched."""
    folder = tmp_path / "folder"
    (export_id,) = add(server, 1)
    (tmp_path / "outside.csv").write_bytes(b"precious")
    await bring(px, folder, artifacts="csv")
    (folder / f"{export_id}.csv").unlink()
    (line,) = manifest(folder)
    with (folder / MANIFEST_NAME).open("a") as file:
        file.write(json.dumps(line | {"path": path, "size": 8}) + "\n")
    reports = await bring(px, folder, artifacts="csv")
    assert not reports[export_id].files["csv"].kept
    assert (tmp_path / "outside.csv").read_bytes() == b"precious"


async def test_a_layout_decides_where_things_go(server: Emulator, px: AsyncPackageX, tmp_path: Path) -> None:
    """And what is there under it, is known under it the next time."""
    (export_id,) = add(server, 1, resource="shipment")
    for layout, csv in [
        ("folders", f"{export_id}/{export_id}.csv"),
        ("{resource}/{id}", f"shipment/{export_id}.csv"),
    ]:
        for kept in (False, True):
            report = (await bring(px, tmp_path, layout=layout))[export_id]
            assert report.files["csv"].path == tmp_path / csv
            assert report.files["csv"].kept == kept
        assert manifest(tmp_path)[-3]["path"] == csv


async def test_an_export_that_does_not_tell_when_it_changed_is_always_brought(tmp_path: Path) -> None:
    """What is there may not be what it offers now."""
    async with Emulator(populate=False, dialect=Undated()) as server, server.client() as px:
        server.add_export(content={"csv": b"1"})
        await bring(px, tmp_path)
        since = len(server.requests)
        (report,) = (await bring(px, tmp_path)).values()
        assert len(asked(server, since)) == 3
        assert (report.files["csv"].kept, report.ok) == (False, True)
        assert report.missing == (Artifact.JSON, Artifact.CSV_ERROR, Artifact.CSV_SANITIZED)


@attrs.frozen
class Undated(Dialect):
    """No export says when it was made or changed."""

    def stamp(self, seconds: float) -> Any:
        return None


async def test_one_failure_spares_the_rest(server: Emulator, px: AsyncPackageX, tmp_path: Path) -> None:
    """Of an artifact, of an export, of its retrieval: each is told in the report it belongs to."""
    good, forbidden, broken, failed, late, queued = add(server, 6)
    for export_id, status in ((failed, "failed"), (late, "timed_out"), (queued, "queued")):
        server.update_export(export_id, status=status)
    server.inject(Status(403, on="storage", export_id=forbidden, artifact="csv"), times=None)
    server.inject(Status(500, on="api", export_id=broken), times=None)
    reports = await bring(px, tmp_path)
    assert reports[good].ok
    assert isinstance(reports[forbidden].failures["csv"], StorageError)
    assert len(reports[forbidden].files) == 3
    errors = {
        broken: ServerError,
        failed: ExportFailedError,
        late: ExportTimedOutError,
        queued: ExportNotReadyError,
    }
    for export_id, kind in errors.items():
        report = reports[export_id]
        assert isinstance(report.error, kind)
        assert not report.ok
        assert f"failed: {report.error}" in str(report)
        with pytest.raises(kind):
            report.raise_for_failures()


async def test_an_export_deleted_between_listing_and_download_is_gone(
    server: Emulator, px: AsyncPackageX, tmp_path: Path
) -> None:
    """That is told of it alone."""
    first, second = add(server, 2)
    server.inject(Delete(second))
    reports = await bring(px, tmp_path)
    assert reports[first].ok
    assert isinstance(reports[second].error, ExportGoneError)
    assert_exact(server, tmp_path)


async def test_an_export_deleted_amid_its_download_keeps_what_has_come(
    server: Emulator, px: AsyncPackageX, tmp_path: Path
) -> None:
    """The report tells both."""
    (export_id,) = add(server, 1)
    server.inject(Gone(export_id=export_id, artifact="csv_error"))
    reports = await bring(px, tmp_path, concurrency=1)
    assert isinstance(reports[export_id].error, ExportGoneError)
    assert reports[export_id].files.keys() == ("json", "csv")
    assert [line["artifact"] for line in manifest(tmp_path)] == ["json", "csv"]


@attrs.frozen
class Gone(Expired):
    """The export is deleted when this artifact is asked for."""

    def hear(self, request: RecordedRequest, store: Store) -> RecordedRequest:
        store.delete(request.export_id or "")
        return super().hear(request, store)


@pytest.mark.parametrize(("status", "kind"), [(401, AuthenticationError), (403, PermissionDeniedError)])
@pytest.mark.parametrize("where", ["listing", "retrieval", "renewal"])
async def test_a_refused_key_stops_everything(
    apart: Emulator, tmp_path: Path, status: int, kind: type[Exception], where: str
) -> None:
    """At once, and nothing is left at work."""
    server = apart
    added = add(server, 30)
    if where == "listing":
        server.inject(Status(status, on="api"))
    elif where == "retrieval":
        server.inject(Status(status, on="api", export_id=added[5]), times=None)
    else:
        server.inject(RefusedRenewal(status, added[5]), times=None)
        server.inject(Expired(export_id=added[5]), times=None)
    before = asyncio.all_tasks()
    async with server.client(retry=AT_ONCE) as px:
        with pytest.raises(kind):
            await bring(px, tmp_path, concurrency=2)
    await settle()
    assert asyncio.all_tasks() == before
    assert len([what for what in asked(server) if "/" in what]) < 60


@attrs.frozen
class RefusedRenewal(Fault):
    """The key is refused from an export's second retrieval on."""

    status: int
    export_id: str
    seen: list[bool] = attrs.field(factory=list)

    def strikes(self, request: RecordedRequest) -> bool:
        if (request.host, request.export_id) != ("api", self.export_id):
            return False
        self.seen.append(True)
        return len(self.seen) > 1

    def answer(self, reply: Reply, request: RecordedRequest) -> Reply:
        return Reply.of(self.status)


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EROFS])
async def test_a_full_disk_stops_everything(
    apart: Emulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    """Nothing more fits; nothing unfinished stays, and what is there is whole."""
    added = add(apart, 30)

    def unless_full(step: Callable[..., None]) -> Callable[..., None]:
        def act(source: object, target: Path, **options: Any) -> None:
            if Path(target).name == f"{added[3]}.csv":
                raise OSError(number, os.strerror(number))
            step(source, target, **options)

        return act

    # A file gets its place by either.
    monkeypatch.setattr(os, "link", unless_full(os.link))
    monkeypatch.setattr(os, "replace", unless_full(os.replace))
    before = asyncio.all_tasks()
    async with apart.client(retry=AT_ONCE) as px:
        with pytest.raises(DestinationError) as caught:
            await bring(px, tmp_path, concurrency=2, resume=False)
    assert caught.value.errno == number
    await settle()
    assert asyncio.all_tasks() == before
    assert len(names(tmp_path)) < 40
    assert not [name for name in names(tmp_path) if name.startswith(".")]


async def test_a_manifest_that_cannot_be_kept_stops_everything(
    server: Emulator, px: AsyncPackageX, tmp_path: Path
) -> None:
    """What is not written down would be fetched every night."""
    add(server, 3)
    (tmp_path / MANIFEST_NAME).mkdir()
    with pytest.raises(
        DestinationError, match=f"{MANIFEST_NAME} cannot be kept: .*{MANIFEST_NAME} is a directory"
    ):
        await bring(px, tmp_path)


async def test_a_listing_that_fails_midway_ends_after_what_was_found(
    server: Emulator, px: AsyncPackageX, tmp_path: Path
) -> None:
    """Then its error is raised."""
    found = add(server, 4)
    server.inject(FailingPage(2), times=None)
    done = []
    with pytest.raises(ServerError):
        async for report in px.exports.download_all(tmp_path, limit=2):
            done.append(report.export_id)
    assert sorted(done) == sorted(found[:2])


@attrs.frozen
class FailingPage(Fault):
    """One page of the listing is never answered."""

    page: int

    def strikes(self, request: RecordedRequest) -> bool:
        return request.query.get("page") == str(self.page)

    def answer(self, reply: Reply, request: RecordedRequest) -> Reply:
        return Reply.of(500)


@attrs.frozen
class SamePage(FailingPage):
    """The page before is sent again."""

    def answer(self, reply: Reply, request: RecordedRequest) -> Reply:
        envelope = json.loads(reply.body)
        envelope["pagination"] |= {"page": 1, "has_more": True}
        envelope["data"] = []
        return Reply.of(200, json.dumps(envelope).encode())


async def test_a_listing_that_goes_in_circles_is_told_in_the_end(
    server: Emulator, px: AsyncPackageX, tmp_path: Path
) -> None:
    """As of any walk."""
    add(server, 4)
    server.inject(SamePage(2), times=None)
    done = []
    with pytest.raises(PaginationError):
        async for report in px.exports.download_all(tmp_path, limit=2):
            done.append(report)
    assert len(done) == 2


async def test_leaving_early_leaves_nothing_behind(apart: Emulator, tmp_path: Path) -> None:
    """No task, no partial; whatever was under way, stalled transfers included."""
    server = apart
    added = add(server, 40)
    for export_id in added[1:]:
        server.inject(Stall(10, export_id=export_id), times=None)
    async with server.client() as px:
        before = asyncio.all_tasks()
        async with aclosing(px.exports.download_all(tmp_path, resume=False)) as reports:
            async for report in reports:
                assert report.export_id == added[0]
                break
        await settle()
        assert asyncio.all_tasks() == before
    assert not [name for name in names(tmp_path) if name.startswith(".")]


async def test_a_cancelled_bulk_ends_at_once(apart: Emulator, tmp_path: Path) -> None:
    """While its consumer waits for the next report."""
    add(apart, 1)
    apart.inject(Stall(10), times=None)
    begun = asyncio.Event()

    async with apart.client() as px:
        before = asyncio.all_tasks()
        task = asyncio.create_task(bring(px, tmp_path, on_progress=lambda _: begun.set()))
        await begun.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await settle()
        assert asyncio.all_tasks() == before


async def test_a_bug_of_the_callers_is_raised(server: Emulator, px: AsyncPackageX, tmp_path: Path) -> None:
    """An error of its `on_progress` stops everything."""
    add(server, 5)

    def buggy(_: ProgressEvent) -> None:
        raise LookupError("bug")

    with pytest.raises(ExceptionGroup) as caught:
        await bring(px, tmp_path, on_progress=buggy)
    assert caught.group_contains(LookupError)


async def test_a_slow_consumer_slows_everything_down(
    server: Emulator, px: AsyncPackageX, tmp_path: Path
) -> None:
    """While it is busy, no more is finished than can be counted on the fingers."""
    add(server, 40)
    finished: set[str] = set()
    seen = 0

    def told(event: ProgressEvent) -> None:
        finished.add(event.export_id)

    async for _ in px.exports.download_all(tmp_path, concurrency=2, on_progress=told):
        seen += 1
        if seen < 5:
            for _ in range(3000):
                await asyncio.sleep(0)
            # In hand, waiting to be taken, and waiting to be put there.
            assert len(finished) <= seen + 2 + 2
    assert seen == 40


async def test_the_oldest_go_first(server: Emulator, px: AsyncPackageX, tmp_path: Path) -> None:
    """Whatever the order of the listing, among those that are known."""
    added = add(server, 6)
    done = []
    options = {"direction": "desc", "limit": 6, "concurrency": 1}
    async for report in px.exports.download_all(tmp_path, **options):  # type: ignore[arg-type]
        done.append(report.export_id)
    # The first may have been begun before the rest was known.
    assert [one for one in added if one != done[0]] == done[1:]


async def test_a_file_that_is_put_in_its_place_holds_up_no_request(
    apart: Emulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The disk may take its time: whoever comes next is asked for meanwhile."""
    content = {"json": b"{}"}
    add(apart, 2, content=content)
    begun, asked_for = threading.Event(), threading.Event()
    link = os.link

    def slow(source: object, target: Path, **options: Any) -> None:
        if not begun.is_set():
            begun.set()
            assert asked_for.wait(30)
        link(source, target, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(os, "link", slow)
    async with apart.client(retry=AT_ONCE) as px:
        run = asyncio.create_task(bring(px, tmp_path, artifacts="json", concurrency=1))
        while len([one for one in asked(apart) if one.endswith("json")]) < 2:
            await asyncio.sleep(0)
        asked_for.set()
        reports = await run
    assert [report.ok for report in reports.values()] == [True, True]
    assert_exact(apart, tmp_path)


async def test_filters_and_artifacts_are_those_of_the_other_methods(
    server: Emulator, px: AsyncPackageX, tmp_path: Path
) -> None:
    """Passed on as they are."""
    add(server, 1)
    (wanted,) = add(server, 1, resource="shipment", name="Late ones")
    options = {"resource": "shipment", "statuses": ["completed"], "search": "late", "order_by": "count_total"}
    reports = await bring(px, tmp_path, artifacts=["csv"], **options)
    assert reports.keys() == {wanted}
    assert names(tmp_path) == [f"{wanted}.csv", MANIFEST_NAME]
    assert server.requests[0].query == {
        "page": "1", "limit": "100", "order_by": "count_total", "resource": "shipment",
        "statuses": "completed", "search": "late",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"concurrency": 0}, "concurrency must be 1 or more"),
        ({"max_size": 0}, "max_size must be 1 or more"),
        ({"durability": "flush"}, "durability must be 'fsync' or None"),
        ({"layout": "{name}"}, "layout is"),
        ({"artifacts": []}, "artifacts must be some of"),
        ({"limit": 0}, "limit"),
        ({"order_by": "size"}, "order_by"),
        ({"search": ""}, "search"),
    ],
)
async def test_what_cannot_work_is_refused_at_the_call(
    px: AsyncPackageX, tmp_path: Path, options: dict[str, Any], says: str
) -> None:
    """Before anything is iterated, and nothing is made in the folder."""
    with pytest.raises(ConfigurationError, match=says):
        px.exports.download_all(tmp_path / "never", **options)
    assert names(tmp_path) == []


async def test_demands_hold_for_every_artifact(server: Emulator, px: AsyncPackageX, tmp_path: Path) -> None:
    """`max_size`, and durability, which costs only time."""
    (export_id,) = add(server, 1)
    report = (await bring(px, tmp_path, max_size=10, durability="fsync"))[export_id]
    assert len(report.failures) == 4
    assert (await bring(px, tmp_path, durability="fsync"))[export_id].ok


async def test_with_wait_what_is_under_way_is_waited_for(server: Emulator, tmp_path: Path) -> None:
    """At growing intervals; what fails, vanishes or cannot be asked for is told."""
    clock = FakeClock()
    ready, slow, failing, vanishing, unknown = add(server, 5)
    for export_id in (slow, failing, vanishing, unknown):
        server.update_export(export_id, status="processing")
    server.inject(After(slow, 4, lambda store: store.update(slow, status="completed")))
    server.inject(After(failing, 2, lambda store: store.update(failing, status="failed")))
    server.inject(After(vanishing, 1, lambda store: store.delete(vanishing)))
    server.inject(Status(500, on="api", export_id=unknown), times=None)
    async with exports_on(clock, server, policy=RetryPolicy(attempts=1)) as exports:
        reports = {report.export_id: report async for report in exports.download_all(tmp_path, wait=True)}
    assert reports[ready].ok
    assert reports[slow].ok
    assert isinstance(reports[failing].error, ExportFailedError)
    assert isinstance(reports[vanishing].error, ExportGoneError)
    assert isinstance(reports[unknown].error, ServerError)
    assert len(clock.slept) >= 4
    assert max(clock.slept) <= 30
    assert [line["export_id"] for line in manifest(tmp_path)].count(slow) == 4


@attrs.frozen
class After(Fault):
    """Something happens to the store when an export has been retrieved so many times."""

    export_id: str
    times: int
    change: Callable[[Store], object]
    seen: list[bool] = attrs.field(factory=list)

    def strikes(self, request: RecordedRequest) -> bool:
        if (request.host, request.export_id) != ("api", self.export_id):
            return False
        self.seen.append(True)
        return len(self.seen) == self.times

    def leave(self, store: Store) -> None:
        self.change(store)


async def test_more_than_a_few_can_be_waited_for(server: Emulator, tmp_path: Path) -> None:
    """Each has its turn, though not all at a time."""
    clock = FakeClock()
    added = add(server, 20)
    for export_id in added:
        server.update_export(export_id, status="queued")
        server.inject(After(export_id, 2, complete(export_id)))
    async with exports_on(clock, server) as exports:
        reports = [report async for report in exports.download_all(tmp_path, wait=True)]
    assert all(report.ok for report in reports)
    assert_exact(server, tmp_path)


def complete(export_id: str) -> Callable[[Store], object]:
    return lambda store: store.update(export_id, status="completed")


async def test_a_key_refused_while_waiting_stops_everything(
    server: Emulator, px: AsyncPackageX, tmp_path: Path
) -> None:
    """As anywhere else."""
    (export_id,) = add(server, 1, status="queued")
    server.inject(Status(401, on="api", export_id=export_id))
    clock = FakeClock()
    async with exports_on(clock, server) as exports:
        with pytest.raises(AuthenticationError):
            async for _ in exports.download_all(tmp_path, wait=True):
                pytest.fail("nothing can be reported")


async def test_a_clock_that_is_wrong_changes_nothing(tmp_path: Path) -> None:
    """A day ahead or behind: times of the far side are compared with each other, and with no clock."""
    for skew in (-86_400.0, 86_400.0):
        folder = tmp_path / str(skew)
        async with Emulator(populate=False) as server:
            add(server, 2)
            for expected in (11, 1):
                clock = FakeClock(now=server.now() + skew)
                since = len(server.requests)
                async with exports_on(clock, server) as exports:
                    assert [report.ok async for report in exports.download_all(folder)] == [True, True]
                assert len(asked(server, since)) == expected
            assert_exact(server, folder)


async def test_a_partial_of_an_earlier_run_is_gone_on_with(server: Emulator, tmp_path: Path) -> None:
    """A run that fails leaves it; the next takes it up."""
    body = os.urandom(3_000_000)
    export_id = server.add_export(content={"csv": body}).id
    server.inject(Cut(2_000_000))
    async with server.client(retry=RetryPolicy(attempts=1)) as px:
        (first,) = (await bring(px, tmp_path)).values()
        assert not first.ok
        (second,) = (await bring(px, tmp_path)).values()
    assert second.files["csv"].resumed
    assert int(server.requests[-1].headers["Range"].removeprefix("bytes=").rstrip("-")) > 0
    assert (tmp_path / f"{export_id}.csv").read_bytes() == body
    assert names(tmp_path) == [f"{export_id}.csv", MANIFEST_NAME]


@pytest.mark.parametrize("length", [130, 240])
async def test_a_partial_of_a_long_name_is_gone_on_with(
    server: Emulator, tmp_path: Path, length: int
) -> None:
    """Up to the longest name that a file may have."""
    body = os.urandom(3_000_000)
    export_id = server.add_export(content={"csv": body}).id
    layout = "x" * (length - len(export_id)) + "{id}"
    server.inject(Cut(2_000_000))
    async with server.client(retry=RetryPolicy(attempts=1)) as px:
        (first,) = (await bring(px, tmp_path, layout=layout)).values()
        assert not first.ok
        (second,) = (await bring(px, tmp_path, layout=layout)).values()
    assert second.files["csv"].resumed
    assert second.files["csv"].path.read_bytes() == body
    assert names(tmp_path) == [MANIFEST_NAME, second.files["csv"].path.name]


async def test_storage_that_is_overwhelmed_is_given_a_rest(server: Emulator, tmp_path: Path) -> None:
    """Everything comes in the end, though every refusal asks for a minute."""
    clock = FakeClock()
    add(server, 10)
    server.inject(Status(429, retry_after="60", on="storage"), times=5)
    async with exports_on(clock, server) as exports:
        began = clock.now
        assert all([report.ok async for report in exports.download_all(tmp_path)])
        assert clock.now - began >= 60
    assert_exact(server, tmp_path)


@pytest.mark.parametrize("apart_from_each_other", [False, True], ids=["one host", "two containers"])
async def test_two_processes_on_one_folder_do_each_other_no_harm(
    apart: Emulator, tmp_path: Path, apart_from_each_other: bool
) -> None:
    """Both end well, and what is there is exact; though neither may see the other's process."""
    server = apart
    add(server, 30)
    script = (
        "import asyncio, sys; from packagex_async import AsyncPackageX\n"
        "async def main(url, folder):\n"
        "    async with AsyncPackageX(base_url=url) as px:\n"
        "        async for report in px.exports.download_all(folder):\n"
        "            report.raise_for_failures()\n"
        "asyncio.run(main(*sys.argv[1:]))\n"
    )
    command = [sys.executable, "-c", script, server.base_url, str(tmp_path)]
    env = os.environ | {"PX_API_KEY": server.api_key}
    prefix = in_a_pid_namespace() if apart_from_each_other else ()
    both = [await asyncio.create_subprocess_exec(*prefix, *command, env=env) for _ in range(2)]
    assert [await process.wait() for process in both] == [0, 0]
    assert_exact(server, tmp_path)
    since = len(server.requests)
    again = await asyncio.create_subprocess_exec(*command, env=env)
    assert await again.wait() == 0
    assert asked(server, since) == ["list"]


async def test_pending_exports_are_bounded_and_end(server: Emulator) -> None:
    """Who finds more than there is room for waits; who takes gets the oldest, then nothing."""
    queue = ExportQueue(2)
    queue.add_producer()

    async def feed() -> None:
        for number in range(4):
            await queue.put(Export(id=str(number)))
        await queue.remove_producer()

    feeder = asyncio.create_task(feed())
    await settle()
    assert not feeder.done()

    async def taken() -> AsyncIterator[str]:
        while (export := await queue.get()) is not None:
            yield export.id

    assert [one async for one in taken()] == ["0", "1", "2", "3"]
    await feeder
