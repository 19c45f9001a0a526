"""The inferred types of the public names, and calls that a type checker rejects. This module is never run.

A rejected line has the `ignore` comment of each checker. Both checkers report unneeded `ignore` comments, so
that a call that is accepted by mistake fails the check too.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any, Literal, assert_never, assert_type

from packagex_async import (
    ApiError,
    Artifact,
    ArtifactStream,
    AsyncExports,
    AsyncPackageX,
    Bucket,
    BucketFile,
    CheckedFile,
    CsvFieldOptions,
    DestinationError,
    Direction,
    DownloadedFile,
    DownloadError,
    DownloadGroupError,
    DownloadReport,
    Export,
    ExportGoneError,
    ExportResource,
    ExportStateError,
    ExportStatus,
    FileState,
    OrderBy,
    PackageXError,
    Page,
    Pagination,
    ProgressEvent,
    ProgressKind,
    RetryPolicy,
    StorageError,
    WaitTimeoutError,
    verify_directory,
)
from packagex_async.testing import Cut, Delete, Dialect, Emulator, Life, RecordedRequest, StoredExport

Verified = Literal["checksum", "length", "none"]


async def client() -> None:
    """`async with` returns the client; environments are literals."""
    async with AsyncPackageX() as px:
        assert_type(px, AsyncPackageX)
        assert_type(px.exports, AsyncExports)
    assert_type(await px.aclose(), None)
    AsyncPackageX("key", environment="sandbox", retry=RetryPolicy(attempts=1), timeout=5, ssl=False)
    AsyncPackageX(environment="staging")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    AsyncPackageX(time_out=5)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]


async def listing(exports: AsyncExports, words: list[str]) -> None:
    """Exports and pages; unknown literals are rejected, and future values are passed as enum members."""
    found = exports.list(
        order_by="updated_at", direction="desc", resource="contact", statuses=["completed", "failed"]
    )
    assert_type(found, AsyncGenerator[Export, None])
    async for export in found:
        assert_type(export, Export)
    async for page in exports.pages(statuses="completed"):
        assert_type(page, Page)
    exports.list(
        order_by=OrderBy.COUNT_TOTAL,
        direction=Direction.ASC,
        resource=ExportResource("pallet"),
        statuses=[ExportStatus.QUEUED, ExportStatus("paused"), "failed"],
    )
    exports.list(statuses=map(ExportStatus, words))
    exports.list(statuses="complete")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    exports.list(statuses=["complete"])  # type: ignore[list-item]  # pyright: ignore[reportArgumentType]
    exports.list(statuses=words)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    exports.list(resource="contacts")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    exports.list(order_by="name")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    exports.list(direction="up")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]


async def single_export(exports: AsyncExports) -> None:
    """`retrieve`, `create` and `wait` return an `Export`."""
    assert_type(await exports.retrieve("exp_1", include_csv=True, include_json=True), Export)
    created = await exports.create(
        "shipment", options={"limit": "all"}, csv_field_options=CsvFieldOptions(columns=("id", "name"))
    )
    assert_type(created, Export)
    assert_type(await exports.create(ExportResource.ITEM, csv_field_options={"nested": "flat"}), Export)
    assert_type(await exports.wait(created, timeout=5, on_change=lambda export: export.status), Export)
    await exports.create("shipments")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]


async def download(exports: AsyncExports, export: Export, folder: Path) -> None:
    """Artifacts are selected by name or member; the result is a report."""
    report = await exports.download(export, folder, artifacts=["csv", Artifact.JSON], digest="sha256")
    assert_type(report, DownloadReport)
    assert_type(
        await exports.download("exp_1", "exports", artifacts="csv", durability="fsync"), DownloadReport
    )
    assert_type(await exports.export_and_download("contact", folder, on_progress=print), DownloadReport)
    await exports.download(export, folder, artifacts="cvs")  # type: ignore[arg-type]  # pyright: ignore[reportCallIssue, reportArgumentType]
    await exports.download(export, folder, artifacts=["cvs"])  # type: ignore[list-item]  # pyright: ignore[reportCallIssue, reportArgumentType]
    await exports.download(export, folder, digest="md5")  # type: ignore[call-overload]  # pyright: ignore[reportCallIssue, reportArgumentType]
    await exports.download(export, folder, ["csv"])  # type: ignore[call-overload]  # pyright: ignore[reportCallIssue]


async def stream(exports: AsyncExports) -> None:
    """The block yields an iterator of bytes that describes the artifact."""
    async with exports.stream("exp_1", "csv_error") as body:
        assert_type(body, ArtifactStream)
        assert_type(body.size, int | None)
        assert_type(body.filename, str)
        assert_type(body.media_type, str)
        assert_type(await anext(body), bytes)
        async for block in body:
            assert_type(block, bytes)
    exports.stream("exp_1", "xlsx")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]


async def rows(exports: AsyncExports, export: Export) -> None:
    """Rows are dicts, alone or in lists; the artifact is a name or a member."""
    assert_type(exports.rows(export), AsyncGenerator[dict[str, Any], None])
    async for row in exports.rows("exp_1", Artifact.JSON):
        assert_type(row, dict[str, Any])
    async for batch in exports.row_batches(export, "csv_error", size=10):
        assert_type(batch, list[dict[str, Any]])
    exports.rows(export, "xlsx")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    exports.row_batches(export, "csv", 10)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]


async def directory(exports: AsyncExports, folder: Path) -> None:
    """A report for each export, and a result for each checked file; a layout may be a template."""
    reports = exports.download_all(folder, layout="folders", statuses="completed")
    assert_type(reports, AsyncGenerator[DownloadReport, None])
    exports.download_all(folder, layout="{resource}/{id}")
    async for file in verify_directory(folder, on_progress=lambda done, total: done / total):
        assert_type(file, CheckedFile)
        assert_type(file.state, FileState)
        assert_type(file.size, int | None)


def export_fields(export: Export, page: Page) -> None:
    """All fields except the id may be `None`; an unknown status is an `ExportStatus` too."""
    assert_type(export.id, str)
    assert_type(export.status, ExportStatus | None)
    assert_type(export.resource, ExportResource | None)
    assert_type(export.created_at, datetime | None)
    assert_type(export.count_total, int | None)
    assert_type(export.json_url, str | None)
    assert_type(export.artifacts, tuple[Artifact, ...])
    assert_type(export.url("csv_sanitized"), str | None)
    assert_type(export.extra, Mapping[str, Any])
    assert_type(ExportStatus("paused"), ExportStatus)
    assert_type([export.id for export in page], list[str])
    assert_type(page.pagination, Pagination)
    assert_type(page.pagination.has_more, bool)
    assert_type(page.pagination.total_count, int | None)
    export.url("xlsx")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    export.name = "mine"  # type: ignore[misc]  # pyright: ignore[reportAttributeAccessIssue]


def report_fields(report: DownloadReport) -> None:
    """Outcomes are a tuple with access by artifact."""
    assert_type(report.files[0], DownloadedFile)
    assert_type(report.files[:2], tuple[DownloadedFile, ...])
    assert_type(report.files["csv"], DownloadedFile)
    assert_type(report.failures[Artifact.JSON], DownloadError)
    assert_type(report.files.keys(), tuple[Artifact, ...])
    assert_type(report.failures.items(), tuple[tuple[Artifact, DownloadError], ...])
    assert_type([file.path for file in report.files], list[Path])
    assert_type(report.missing, tuple[Artifact, ...])
    assert_type(report.error, PackageXError | None)
    assert_type(report.export, Export | None)
    assert_type(report.files.get("csv"), DownloadedFile | None)
    assert_type(report.files.get("csv", 0), DownloadedFile | int)
    report.files.get("cvs")  # type: ignore[call-overload]  # pyright: ignore[reportArgumentType]
    assert_type(report.ok, bool)
    report.files["cvs"]  # type: ignore[call-overload]  # pyright: ignore[reportCallIssue, reportArgumentType]


def file_fields(file: DownloadedFile) -> None:
    """The hash is optional in the type."""
    assert_type(file.artifact, Artifact)
    assert_type(file.path, Path)
    assert_type(file.size, int)
    assert_type(file.verified, Verified)
    assert_type(file.sha256, str | None)
    assert_type(file.elapsed, float)


def event_kinds(event: ProgressEvent) -> str:
    """A `match` over all kinds is complete."""
    assert_type(event.total, int | None)
    assert_type(event.error, DownloadError | ExportGoneError | None)
    match event.kind:
        case ProgressKind.STARTED | ProgressKind.ADVANCED | ProgressKind.RETRYING:
            return "under way"
        case ProgressKind.KEPT | ProgressKind.FINISHED | ProgressKind.FAILED:
            return "done"
        case _:
            assert_never(event.kind)


async def errors(exports: AsyncExports) -> None:
    """An error has the attributes of its class only."""
    try:
        await exports.download("exp_1", "exports")
    except ApiError as error:
        assert_type(error.status, int)
        assert_type(error.code, str | None)
        assert_type(error.errors, tuple[Any, ...])
        assert_type(error.retry_after, float | None)
    except DownloadGroupError as group:
        assert_type(group.report, DownloadReport)
        assert_type(group.exceptions, tuple[PackageXError | ExceptionGroup[PackageXError], ...])
    except WaitTimeoutError as late:
        assert_type(late.export_id, str)
        assert_type(late.status, str | None)
    except ExportStateError as state:
        assert_type(state.export_id, str)
        print(state.status)  # type: ignore[attr-defined]  # pyright: ignore[reportAttributeAccessIssue]
    except StorageError as refused:
        assert_type(refused.artifact, Artifact)
        assert_type(refused.status, int | None)
    except DestinationError as full:
        assert_type(full.export_id, str)
        print(full.status)  # type: ignore[attr-defined]  # pyright: ignore[reportAttributeAccessIssue]


async def buckets(px: AsyncPackageX, export: Export) -> None:
    """Files in a directory have a path, and objects in a bucket have a key and a URL."""
    in_directory = await px.exports.download(export, "exports/")
    assert_type(in_directory, DownloadReport[DownloadedFile])
    assert_type(in_directory.files["csv"].path, Path)
    in_bucket = await px.exports.download(export, Bucket("s3://b"))
    assert_type(in_bucket.files["csv"].key, str)
    assert_type(in_bucket.files["csv"].url, str)
    print(in_bucket.files["csv"].path)  # type: ignore[attr-defined]  # pyright: ignore[reportAttributeAccessIssue]
    async for report in px.exports.download_all(Bucket("s3://b")):
        assert_type(report, DownloadReport[BucketFile])
    async for checked in verify_directory(Bucket("s3://b")):
        assert_type(checked.key, str)


async def emulator(clients: dict[str, Any]) -> None:
    """The server, its records and its faults; its exports accept any resource."""
    async with Emulator(dialect=Dialect(flags="straight"), life=Life(outcome="paused")) as server:
        assert_type(server, Emulator)
        assert_type(server.client(**clients), AsyncPackageX)
        stored = server.add_export(resource="pallet", status="completed", content={"csv": b"id\n"})
        assert_type(stored, StoredExport)
        assert_type([server.content(stored.id, artifact) for artifact in stored.artifacts], list[bytes])
        assert_type(server.exports, tuple[StoredExport, ...])
        assert_type(server.requests, list[RecordedRequest])
        assert_type(server.created, tuple[str, ...])
        assert_type(server.url_for(stored.id, Artifact.CSV), str)
        server.inject(Cut(10, artifact="json"), times=None)
        server.inject(Delete(stored.id, after_pages=2))
        server.content(stored.id, "xlsx")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
        Cut(10, on="disk")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
        Cut(10, artifact="cvs")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
        Dialect(flags="both")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]


def test_fixture(packagex_emulator: Emulator) -> None:
    """The fixture is an `Emulator`."""
    assert_type(packagex_emulator.base_url, str)
