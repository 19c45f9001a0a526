"""`download_all`: every artifact once, again after changes, and never over foreign files."""

from __future__ import annotations

import asyncio
import errno
import hashlib
import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import attrs
import pytest

from packagex_async import (
    Artifact,
    AsyncPackageX,
    ConfigurationError,
    DestinationError,
    DownloadReport,
    ProgressEvent,
    ProgressKind,
    RetryPolicy,
)
from packagex_async._sync.manifest import MANIFEST_NAME
from packagex_async.testing import (
    Cut,
    Dialect,
    Emulator,
    Encoded,
    RecordedRequest,
    Undeclared,
    serve_in_thread,
)
from packagex_async.testing.data.store import Store
from packagex_async.testing.faults import Fault
from tests.support import FakeClock, names, open_exports, pid_namespace_command
from tests.sync_support import add, assert_exact, manifest, requested, sync


@pytest.fixture
def thread_server() -> Iterator[Emulator]:
    """An empty emulator in another thread, so that all tasks of the event loop belong to the client."""
    with serve_in_thread(Emulator(populate=False)) as server:
        yield server


async def test_all_artifacts_are_downloaded(server: Emulator, px: AsyncPackageX, tmp_path: Path) -> None:
    """Each is downloaded once. There is one report per export and one manifest entry per artifact."""
    added = add(server, 25)
    reports = await sync(px, tmp_path / "new", limit=10)
    assert reports.keys() == set(added)
    for report in reports.values():
        assert (report.ok, report.error, len(report.files)) == (True, None, 4)
        report.raise_for_failures()
        for file in report.files:
            assert (file.kept, file.verified, file.attempts) == (False, "checksum", 1)
            assert file.sha256 == hashlib.sha256(file.path.read_bytes()).hexdigest()
    assert_exact(server, tmp_path / "new")
    assert len(requested(server)) == 3 + 25 * 5


async def test_manifest_entries(server: Emulator, tmp_path: Path) -> None:
    """An artifact that is not offered has an entry, too, so it is not requested again."""
    clock = FakeClock()
    (export_id,) = (server.add_export(content={"csv": b"a,b"}, created_at=server.now() - 60).id,)
    async with open_exports(clock, server) as exports:
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


async def test_second_run_requests_only_the_listing(
    server: Emulator, px: AsyncPackageX, tmp_path: Path
) -> None:
    """Without changes no export is retrieved, and the manifest does not grow."""
    add(server, 3)
    server.add_export(content={"csv": b"1"})
    server.add_export(content={})
    first = await sync(px, tmp_path)
    lines, since = manifest(tmp_path), len(server.requests)
    events: list[ProgressEvent] = []
    second = await sync(px, tmp_path, on_progress=events.append)
    assert requested(server, since) == ["list"]
    assert manifest(tmp_path) == lines
    for export_id, report in second.items():
        assert report.missing == first[export_id].missing
        expected = tuple(
            attrs.evolve(file, kept=True, attempts=0, elapsed=0.0) for file in first[export_id].files
        )
        assert report.files.values() == expected
    assert {event.kind for event in events} == {ProgressKind.KEPT}
    assert len(events) == 13


async def test_second_run_downloads_changes(server: Emulator, px: AsyncPackageX, tmp_path: Path) -> None:
    """Changed exports replace their files. Lost and damaged files are downloaded again."""
    unchanged, changed, lost = add(server, 3)
    await sync(px, tmp_path)
    (new,) = add(server, 1)
    server.update_export(changed, updated_at=server.now() + 5)
    content = b"other"
    server.inject(ReplacedContent(changed, content))
    (tmp_path / f"{lost}.csv").unlink()
    (tmp_path / f"{lost}.json").write_bytes(b"cut")
    since = len(server.requests)
    reports = await sync(px, tmp_path)
    assert all(report.ok for report in reports.values())
    assert not [request for request in requested(server, since) if request.startswith(unchanged)]
    assert sorted(request for request in requested(server, since) if request.startswith(f"{lost}/")) == [
        f"{lost}/csv",
        f"{lost}/json",
    ]
    assert len([request for request in requested(server, since) if request.startswith(f"{new}/")]) == 4
    assert (tmp_path / f"{changed}.csv").read_bytes() == content
    assert_exact(server, tmp_path)


@attrs.frozen
class ReplacedContent(Fault):
    """The CSV of an export changes when the export is retrieved."""

    export_id: str
    content: bytes

    def matches(self, request: RecordedRequest) -> bool:
        return (request.host, request.export_id) == ("api", self.export_id)

    def after_response(self, store: Store) -> None:
        store.replace(self.export_id, "csv", self.content)


async def test_verify_replaces_damaged_files(server: Emulator, px: AsyncPackageX, tmp_path: Path) -> None:
    """A changed file of the same length is found only with `verify`."""
    damaged, intact = add(server, 2)
    await sync(px, tmp_path)
    path = tmp_path / f"{damaged}.csv"
    path.write_bytes(b"x" * path.stat().st_size)
    since = len(server.requests)
    await sync(px, tmp_path)
    assert requested(server, since) == ["list"]
    reports = await sync(px, tmp_path, verify=True)
    assert sorted(requested(server, since + 1)) == sorted(["list", damaged, f"{damaged}/csv"])
    assert not reports[damaged].files["csv"].kept
    assert all(file.kept for file in reports[intact].files)
    assert_exact(server, tmp_path)


async def test_unreadable_file_is_downloaded_again(
    server: Emulator, px: AsyncPackageX, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With `verify`, such a file counts as damaged. It does not stop the other downloads."""
    (export_id,) = add(server, 1)
    await sync(px, tmp_path)
    real = os.open

    def fail_to_read(path: Any, *args: Any, **kwargs: Any) -> int:
        if Path(path).name == f"{export_id}.csv":
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        return real(path, *args, **kwargs)

    monkeypatch.setattr(os, "open", fail_to_read)
    report = (await sync(px, tmp_path, verify=True))[export_id]
    assert [file.artifact for file in report.files if not file.kept] == ["csv"]


async def test_without_resume_everything_is_downloaded(
    server: Emulator, px: AsyncPackageX, tmp_path: Path
) -> None:
    """Files of an earlier run are replaced."""
    (export_id,) = add(server, 1)
    await sync(px, tmp_path)
    reports = await sync(px, tmp_path, resume=False)
    assert not any(file.kept for file in reports[export_id].files)
    assert_exact(server, tmp_path)


async def test_foreign_files_are_not_replaced(server: Emulator, px: AsyncPackageX, tmp_path: Path) -> None:
    """A file that is not in the manifest is kept if it is identical. Otherwise it is an error."""
    (export_id,) = add(server, 1)
    (tmp_path / f"{export_id}.csv").write_bytes(b"mine")
    (tmp_path / f"{export_id}.error.csv").mkdir()
    (tmp_path / f"{export_id}.json").write_bytes(server.content(export_id, "json"))
    report = (await sync(px, tmp_path))[export_id]
    assert report.failures.keys() == ("csv", "csv_error")
    assert isinstance(report.failures["csv"], DestinationError)
    assert report.files["json"].kept
    assert (tmp_path / f"{export_id}.csv").read_bytes() == b"mine"
    (tmp_path / f"{export_id}.error.csv").rmdir()
    reports = await sync(px, tmp_path, overwrite=True)
    assert reports[export_id].ok
    assert_exact(server, tmp_path)


@pytest.mark.parametrize("fault", [Undeclared(), Encoded()])
async def test_file_that_the_metadata_does_not_identify(
    server: Emulator, px: AsyncPackageX, tmp_path: Path, fault: Fault
) -> None:
    """It may be from an earlier run that was killed. It is downloaded again, and compared."""
    server.inject(fault, times=None)
    same, other = add(server, 2)
    (tmp_path / f"{same}.csv").write_bytes(server.content(same, "csv"))
    (tmp_path / f"{other}.csv").write_bytes(b"mine")
    plan = await sync(px, tmp_path, dry_run=True)
    assert all(report.planned.keys() == tuple(Artifact) for report in plan.values())
    reports = await sync(px, tmp_path)
    assert reports[same].ok
    failure = reports[other].failures["csv"]
    assert isinstance(failure, DestinationError)
    assert (failure.errno, "pass overwrite=True" in str(failure)) == (errno.EEXIST, True)
    assert (tmp_path / f"{other}.csv").read_bytes() == b"mine"
    (tmp_path / f"{other}.csv").unlink()
    assert all(report.ok for report in (await sync(px, tmp_path)).values())
    assert_exact(server, tmp_path)


@pytest.mark.parametrize("longer", [0, 1])
async def test_file_that_appears_during_the_run_is_not_replaced(
    server: Emulator, px: AsyncPackageX, tmp_path: Path, longer: int
) -> None:
    """The directory was empty at the start. The length of the new file does not matter."""
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
    assert f"another file of {len(mine)} bytes exists there" in str(refused)
    assert [report.ok for report in reports.values()].count(False) == 1


@pytest.mark.parametrize("path", ["../outside.csv", "/etc/passwd", "", "a/../../b", "\0"])
async def test_paths_in_the_manifest_are_not_opened(
    server: Emulator, px: AsyncPackageX, tmp_path: Path, path: str
) -> None:
    """The layout alone determines the path of an artifact."""
    folder = tmp_path / "folder"
    (export_id,) = add(server, 1)
    (tmp_path / "outside.csv").write_bytes(b"precious")
    await sync(px, folder, artifacts="csv")
    (folder / f"{export_id}.csv").unlink()
    (line,) = manifest(folder)
    with (folder / MANIFEST_NAME).open("a") as file:
        file.write(json.dumps(line | {"path": path, "size": 8}) + "\n")
    reports = await sync(px, folder, artifacts="csv")
    assert not reports[export_id].files["csv"].kept
    assert (tmp_path / "outside.csv").read_bytes() == b"precious"


async def test_layout_determines_the_paths(server: Emulator, px: AsyncPackageX, tmp_path: Path) -> None:
    """A second run with the same layout keeps the files."""
    (export_id,) = add(server, 1, resource="shipment")
    for layout, csv in [
        ("folders", f"{export_id}/{export_id}.csv"),
        ("{resource}/{id}", f"shipment/{export_id}.csv"),
    ]:
        for kept in (False, True):
            report = (await sync(px, tmp_path, layout=layout))[export_id]
            assert report.files["csv"].path == tmp_path / csv
            assert report.files["csv"].kept == kept
        assert manifest(tmp_path)[-3]["path"] == csv


async def test_export_without_updated_at_is_always_downloaded(tmp_path: Path) -> None:
    """The existing file may be outdated."""
    async with Emulator(populate=False, dialect=NoDates()) as server, server.client() as px:
        server.add_export(content={"csv": b"1"})
        await sync(px, tmp_path)
        since = len(server.requests)
        (report,) = (await sync(px, tmp_path)).values()
        assert len(requested(server, since)) == 3
        assert (report.files["csv"].kept, report.ok) == (False, True)
        assert report.missing == (Artifact.JSON, Artifact.CSV_ERROR, Artifact.CSV_SANITIZED)


@attrs.frozen
class NoDates(Dialect):
    """No export has a time of creation or change."""

    def format_timestamp(self, seconds: float) -> Any:
        return None


async def test_filters_and_artifacts(server: Emulator, px: AsyncPackageX, tmp_path: Path) -> None:
    """They are sent to the API unchanged."""
    add(server, 1)
    (wanted,) = add(server, 1, resource="shipment", name="Late ones")
    options = {"resource": "shipment", "statuses": ["completed"], "search": "late", "order_by": "count_total"}
    reports = await sync(px, tmp_path, artifacts=["csv"], **options)
    assert reports.keys() == {wanted}
    assert names(tmp_path) == [f"{wanted}.csv", MANIFEST_NAME]
    assert server.requests[0].query == {
        "page": "1", "limit": "100", "order_by": "count_total", "resource": "shipment",
        "statuses": "completed", "search": "late",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"concurrency": 0}, "concurrency must be 1 or more"),
        ({"max_size": 0}, "max_size must be 1 or more"),
        ({"durability": "flush"}, "durability must be 'fsync' or None"),
        ({"layout": "{name}"}, "layout must be"),
        ({"artifacts": []}, "artifacts must be some of"),
        ({"limit": 0}, "limit"),
        ({"order_by": "size"}, "order_by"),
        ({"search": ""}, "search"),
    ],
)
async def test_invalid_options_are_refused_at_the_call(
    px: AsyncPackageX, tmp_path: Path, options: dict[str, Any], message: str
) -> None:
    """The directory is not created."""
    with pytest.raises(ConfigurationError, match=message):
        px.exports.download_all(tmp_path / "never", **options)
    assert names(tmp_path) == []


async def test_max_size_and_durability(server: Emulator, px: AsyncPackageX, tmp_path: Path) -> None:
    """`max_size` applies to every artifact. `durability` does not change the result."""
    (export_id,) = add(server, 1)
    report = (await sync(px, tmp_path, max_size=10, durability="fsync"))[export_id]
    assert len(report.failures) == 4
    assert (await sync(px, tmp_path, durability="fsync"))[export_id].ok


async def test_wrong_local_clock_has_no_effect(tmp_path: Path) -> None:
    """Server times are compared with each other, not with the local clock."""
    for skew in (-86_400.0, 86_400.0):
        folder = tmp_path / str(skew)
        async with Emulator(populate=False) as server:
            add(server, 2)
            for expected in (11, 1):
                clock = FakeClock(now=server.now() + skew)
                since = len(server.requests)
                async with open_exports(clock, server) as exports:
                    assert [report.ok async for report in exports.download_all(folder)] == [True, True]
                assert len(requested(server, since)) == expected
            assert_exact(server, folder)


async def test_partial_file_of_an_earlier_run_is_continued(server: Emulator, tmp_path: Path) -> None:
    """A failed run keeps it, and the next run continues it."""
    body = os.urandom(3_000_000)
    export_id = server.add_export(content={"csv": body}).id
    server.inject(Cut(2_000_000))
    async with server.client(retry=RetryPolicy(attempts=1)) as px:
        (first,) = (await sync(px, tmp_path)).values()
        assert not first.ok
        (second,) = (await sync(px, tmp_path)).values()
    assert second.files["csv"].resumed
    assert int(server.requests[-1].headers["Range"].removeprefix("bytes=").rstrip("-")) > 0
    assert (tmp_path / f"{export_id}.csv").read_bytes() == body
    assert names(tmp_path) == [f"{export_id}.csv", MANIFEST_NAME]


@pytest.mark.parametrize("length", [130, 240])
async def test_partial_file_with_a_long_name_is_continued(
    server: Emulator, tmp_path: Path, length: int
) -> None:
    """Names have up to the maximum length of the file system."""
    body = os.urandom(3_000_000)
    export_id = server.add_export(content={"csv": body}).id
    layout = "x" * (length - len(export_id)) + "{id}"
    server.inject(Cut(2_000_000))
    async with server.client(retry=RetryPolicy(attempts=1)) as px:
        (first,) = (await sync(px, tmp_path, layout=layout)).values()
        assert not first.ok
        (second,) = (await sync(px, tmp_path, layout=layout)).values()
    assert second.files["csv"].resumed
    assert second.files["csv"].path.read_bytes() == body
    assert names(tmp_path) == [MANIFEST_NAME, second.files["csv"].path.name]


@pytest.mark.parametrize("separate_pid_namespaces", [False, True], ids=["one host", "two containers"])
async def test_two_processes_share_a_directory(
    thread_server: Emulator, tmp_path: Path, separate_pid_namespaces: bool
) -> None:
    """Both succeed, also if neither can see the process id of the other."""
    server = thread_server
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
    prefix = pid_namespace_command() if separate_pid_namespaces else ()
    both = [await asyncio.create_subprocess_exec(*prefix, *command, env=env) for _ in range(2)]
    assert [await process.wait() for process in both] == [0, 0]
    assert_exact(server, tmp_path)
    since = len(server.requests)
    again = await asyncio.create_subprocess_exec(*command, env=env)
    assert await again.wait() == 0
    assert requested(server, since) == ["list"]
