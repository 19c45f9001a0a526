"""`AsyncExports`: the operations on exports, one method for each."""

from __future__ import annotations

import os
from collections.abc import AsyncGenerator, Mapping
from contextlib import AsyncExitStack, aclosing, asynccontextmanager
from typing import TYPE_CHECKING, Any, Literal, overload

import attrs

from packagex_async import _logs
from packagex_async._api import requests
from packagex_async._arrow.methods import ExportTables, Types
from packagex_async._buckets.bucket import Bucket, objects_of
from packagex_async._concurrency.lazy_imports import importing
from packagex_async._concurrency.tuning import DEFAULT_SEGMENTS
from packagex_async._context import ClientContext
from packagex_async._polling.export_requests import retrieve_export
from packagex_async._polling.export_source import ExportSource
from packagex_async._polling.methods import ExportCreation, ignore_change
from packagex_async._polling.schedule import check_timeout
from packagex_async._polling.waiter import OnChange
from packagex_async._rows.methods import ExportRows
from packagex_async._sync.methods import Artifacts, ExportSync
from packagex_async._watch.methods import ExportWatch
from packagex_async.models import (
    Artifact,
    ArtifactName,
    Export,
    ExportResource,
    ResourceName,
)

if TYPE_CHECKING:
    from packagex_async._download.artifact_stream import ArtifactStream
    from packagex_async._download.export import DownloadPlan, ExportDownload
    from packagex_async._files.exclusions import Exclusions
    from packagex_async._files.layouts import Layout
    from packagex_async._rows.row_counter import RowCounter
    from packagex_async._sync.changes import NewState
    from packagex_async._sync.entry_rules import ReusePolicy
    from packagex_async.creation import CsvFieldOptions
    from packagex_async.report import BucketFile, DownloadReport, F_co, OnProgress


class AsyncExports(ExportSync, ExportWatch, ExportCreation, ExportRows, ExportTables):
    """The exports of an organization: list, retrieve, create and download them. API: Exports.

    Use it as `AsyncPackageX.exports`.
    """

    def __init__(self, context: ClientContext) -> None:
        self._context = context
        self._operations = context.operations
        self._source = ExportSource(context.api)

    def __repr__(self) -> str:
        return f"AsyncExports(base_url={self._context.sessions.base_url!r})"

    async def retrieve(
        self, export_id: str, *, include_csv: bool = False, include_json: bool = False
    ) -> Export:
        """Retrieve one export. API: Retrieve Export.

        Args:
            export_id: Id of the export, `exp_...`.
            include_csv: Request download URLs. The API documentation is contradictory about which of the two
                flags returns which URL, so set both to get all URLs.
            include_json: See `include_csv`.

        Returns:
            The export. The URL of an artifact that it does not offer is `None`.

        Raises:
            ConfigurationError: The id is invalid, or the client is closed.
            NotFoundError: The export does not exist, or was deleted.
            ApiError: The API refused the request.
            ConnectionFailedError: The API did not respond.
            DecodeError: The response contains no export, or a different one.
        """
        with self._operations.running("retrieve()"):
            retrieved = await retrieve_export(
                self._context.api, export_id, include_csv=include_csv, include_json=include_json
            )
            _logs.unread_fields(retrieved.export)
            return retrieved.export

    @overload
    async def download(
        self,
        export: Export | str,
        directory: str | os.PathLike[str],
        *,
        artifacts: Artifacts | None = ...,
        concurrency: int = ...,
        overwrite: bool = ...,
        digest: Literal["sha256"] | None = ...,
        on_progress: OnProgress | None = ...,
        resume: bool = ...,
        require_verification: bool = ...,
        max_size: int | None = ...,
        durability: Literal["fsync"] | None = ...,
        segments: int = ...,
        format: Literal["parquet"] | None = ...,
        types: Types | None = ...,
        count_rows: bool = ...,
        dry_run: bool = ...,
    ) -> DownloadReport: ...
    @overload
    async def download(
        self,
        export: Export | str,
        directory: Bucket,
        *,
        artifacts: Artifacts | None = ...,
        concurrency: int = ...,
        overwrite: bool = ...,
        digest: Literal["sha256"] | None = ...,
        on_progress: OnProgress | None = ...,
        resume: bool = ...,
        require_verification: bool = ...,
        max_size: int | None = ...,
        durability: Literal["fsync"] | None = ...,
        segments: int = ...,
        format: Literal["parquet"] | None = ...,
        types: Types | None = ...,
        count_rows: bool = ...,
        dry_run: bool = ...,
    ) -> DownloadReport[BucketFile]: ...
    async def download(
        self,
        export: Export | str,
        directory: str | os.PathLike[str] | Bucket,
        *,
        artifacts: Artifacts | None = None,
        concurrency: int = 4,
        overwrite: bool = False,
        digest: Literal["sha256"] | None = None,
        on_progress: OnProgress | None = None,
        resume: bool = False,
        require_verification: bool = False,
        max_size: int | None = None,
        durability: Literal["fsync"] | None = None,
        segments: int = DEFAULT_SEGMENTS,
        format: Literal["parquet"] | None = None,
        types: Types | None = None,
        count_rows: bool = False,
        dry_run: bool = False,
    ) -> DownloadReport[Any]:
        """Download the artifacts of an export concurrently. API: Retrieve Export.

        The files are `{id}.json`, `{id}.csv`, `{id}.error.csv` and `{id}.sanitized.csv` in `directory`. A
        file appears there when it is complete and verified.

        Args:
            export: The export, or its id. It is retrieved if it has no URL of the requested artifacts.
            directory: Path of the directory, which is created if it does not exist; or a `Bucket`.
            artifacts: One or several of `"json"`, `"csv"`, `"csv_error"` and `"csv_sanitized"` (see
                `Artifact`); default: all.
            concurrency: Maximum number of concurrent artifacts.
            overwrite: Replace existing files. Otherwise an existing file is kept if it has the length (and
                the hash, if the storage host declares one) of the artifact. If the storage host declares
                neither, the artifact is downloaded and compared. Any other file is not changed; its
                artifact fails with a `DestinationError`.
            digest: `"sha256"` adds the SHA-256 of each file to the report.
            on_progress: Called in the event loop with a `ProgressEvent` at every step. It should return
                quickly.
            resume: Keep partial files of an interrupted download (hidden files next to the target), and
                continue those of an earlier one. Otherwise partial files are removed.
            require_verification: Fail artifacts for which the storage host declares neither length nor hash.
            max_size: Maximum bytes of an artifact.
            durability: `"fsync"` calls `fsync` on file and directory before a file counts as downloaded.
            segments: Maximum number of connections for one artifact of 4 MiB or more, from 1 to 16. Several
                are used only while that is faster, and only if the storage host identifies the content and
                supports ranges.
            format: `"parquet"` writes CSV artifacts as `{id}.parquet`, `{id}.error.parquet` and
                `{id}.sanitized.parquet` (extra `arrow`); JSON stays JSON. A malformed row makes its artifact
                fail with a `MalformedRowError`. All columns are text unless `types` is given. An existing
                file is kept if it was written from the same artifact with the same types. Partial Parquet
                files are not kept, and `segments` has no effect.
            types: With `format="parquet"`: types of columns, such as `{"weight": "int64"}` (a
                `pyarrow.DataType` or its name). An empty cell is null. Any other cell that cannot be
                converted makes the artifact fail with a `MalformedRowError`. Artifacts without the column
                ignore the type.
            count_rows: Count the rows of each file, also of kept ones, after it was verified. A malformed
                file is not a failure: its `rows` is `None`, and a warning is logged.
            dry_run: Download nothing, and write nothing to the disk. The `planned` files of the report are
                those that would be downloaded, with their sizes.

        Returns:
            The files that are on disk now, and in `missing` the artifacts that the export does not offer.

        Raises:
            DownloadGroupError: At least one artifact failed. Its `report` contains the others.
            ExportStateError: The export is not completed, has failed, or was deleted (see its subclasses).
            ConfigurationError: An option is invalid, or the client is closed. Or, after the files were
                written: no artifact has a column that `types` names.
            ApiError: The API refused to return the export.
            ConnectionFailedError: The API did not respond.
            DecodeError: The response of the API contains no export, or a different one.
        """
        with importing("download()"):
            from packagex_async._download.plans import make_plan
            from packagex_async._parquet.requested import parse_format
        plan = make_plan(
            directory,
            artifacts=artifacts,
            concurrency=concurrency,
            on_progress=on_progress,
            overwrite=overwrite,
            digest=digest,
            resume=resume,
            require_verification=require_verification,
            max_size=max_size,
            durability=durability,
            segments=segments,
            file_format=parse_format(format, types),
            dry_run=dry_run,
        )
        with self._operations.running("download()"):
            if isinstance(directory, Bucket):
                return await self._download_to_bucket(export, directory, plan, count_rows=count_rows)
            export = await self._source.with_urls(export, plan.artifacts)
            report: DownloadReport[Any] = await self._export_download(export, plan).run()
            if count_rows and not dry_run:
                report = await self._row_counter(directory).add_rows(report)
            return _successful(report, plan)

    @overload
    async def export_and_download(
        self,
        resource: ExportResource | ResourceName,
        directory: str | os.PathLike[str],
        *,
        options: Mapping[str, Any] | None = ...,
        csv_field_options: CsvFieldOptions | Mapping[str, Any] | None = ...,
        timeout: float | None = ...,
        on_change: OnChange | None = ...,
        artifacts: Artifacts | None = ...,
        concurrency: int = ...,
        overwrite: bool = ...,
        digest: Literal["sha256"] | None = ...,
        on_progress: OnProgress | None = ...,
        resume: bool = ...,
        require_verification: bool = ...,
        max_size: int | None = ...,
        durability: Literal["fsync"] | None = ...,
        segments: int = ...,
        format: Literal["parquet"] | None = ...,
        types: Types | None = ...,
        count_rows: bool = ...,
    ) -> DownloadReport: ...
    @overload
    async def export_and_download(
        self,
        resource: ExportResource | ResourceName,
        directory: Bucket,
        *,
        options: Mapping[str, Any] | None = ...,
        csv_field_options: CsvFieldOptions | Mapping[str, Any] | None = ...,
        timeout: float | None = ...,
        on_change: OnChange | None = ...,
        artifacts: Artifacts | None = ...,
        concurrency: int = ...,
        overwrite: bool = ...,
        digest: Literal["sha256"] | None = ...,
        on_progress: OnProgress | None = ...,
        resume: bool = ...,
        require_verification: bool = ...,
        max_size: int | None = ...,
        durability: Literal["fsync"] | None = ...,
        segments: int = ...,
        format: Literal["parquet"] | None = ...,
        types: Types | None = ...,
        count_rows: bool = ...,
    ) -> DownloadReport[BucketFile]: ...
    async def export_and_download(
        self,
        resource: ExportResource | ResourceName,
        directory: str | os.PathLike[str] | Bucket,
        *,
        options: Mapping[str, Any] | None = None,
        csv_field_options: CsvFieldOptions | Mapping[str, Any] | None = None,
        timeout: float | None = None,
        on_change: OnChange | None = None,
        artifacts: Artifacts | None = None,
        concurrency: int = 4,
        overwrite: bool = False,
        digest: Literal["sha256"] | None = None,
        on_progress: OnProgress | None = None,
        resume: bool = False,
        require_verification: bool = False,
        max_size: int | None = None,
        durability: Literal["fsync"] | None = None,
        segments: int = DEFAULT_SEGMENTS,
        format: Literal["parquet"] | None = None,
        types: Types | None = None,
        count_rows: bool = False,
    ) -> DownloadReport[Any]:
        """Create an export, wait until it is completed, and download it.

        The parameters are those of `create` (`resource`, `options`, `csv_field_options`), `wait` (`timeout`,
        `on_change`) and `download` (all others). `on_change` is also called with the created export. If a
        later step fails, use its id to `wait` or `download` again.

        Returns:
            See `download`.

        Raises:
            ConfigurationError: A parameter is invalid, or the client is closed; nothing was created.
            PackageXError: See `create`, `wait` and `download`.
        """
        check_timeout(timeout)
        with importing("export_and_download()"):
            from packagex_async._download.plans import make_plan
            from packagex_async._parquet.requested import parse_format
        plan = make_plan(
            directory,
            artifacts=artifacts,
            concurrency=concurrency,
            on_progress=on_progress,
            overwrite=overwrite,
            digest=digest,
            resume=resume,
            require_verification=require_verification,
            max_size=max_size,
            durability=durability,
            segments=segments,
            file_format=parse_format(format, types),
        )
        with self._operations.running("export_and_download()"):
            export = await self.create(resource, options=options, csv_field_options=csv_field_options)
            (on_change or ignore_change)(export)
            export = await self.wait(export, timeout=timeout, on_change=on_change)
            if isinstance(directory, Bucket):
                return await self._download_to_bucket(export, directory, plan, count_rows=count_rows)
            export = await self._source.with_urls(export, plan.artifacts)
            report: DownloadReport[Any] = await self._export_download(export, plan).run()
            if count_rows:
                report = await self._row_counter(directory).add_rows(report)
            return _successful(report, plan)

    @asynccontextmanager
    async def stream(
        self, export: Export | str, artifact: Artifact | ArtifactName
    ) -> AsyncGenerator[ArtifactStream, None]:
        """Stream the bytes of one artifact without writing to disk. API: Retrieve Export.

        Use `async with` to open the stream and `async for` to read it. After a connection failure, the rest
        is requested if it certainly has the same content.

        Args:
            export: The export, or its id. It is retrieved if it has no URL of the artifact.
            artifact: `"json"`, `"csv"`, `"csv_error"` or `"csv_sanitized"` (see `Artifact`).

        Returns:
            An async iterator of chunks of bytes, with `size`, `filename` and `media_type`. If it ends without
            an error, length and hash are verified, as far as the storage host declares them.

        Raises:
            ArtifactNotOfferedError: The export does not offer the artifact. Raised on entering the block.
            StorageError: The storage host refused the request or cannot be reached
                (`StorageUnreachableError`).
            LinkExpiredError: The URL has expired, also after it was renewed.
            IncompleteBodyError: The connection was closed early.
            StalledError: Less than 1 KiB per second arrived for `stall_timeout` seconds, in every attempt.
            ChecksumError: The bytes do not have the declared hash.
            ExportStateError: The export is not completed, has failed, or was deleted (see its subclasses).
            ConfigurationError: The artifact is invalid, or the client is closed.
            ApiError: The API refused to return the export.
            ConnectionFailedError: The API did not respond.
            DecodeError: The response of the API contains no export, or a different one.
        """
        with importing("stream()"):
            from packagex_async._download.stream import open_stream
        (selected,) = requests.select_artifacts([artifact])
        async with AsyncExitStack() as stack:
            with self._operations.running("stream()"):
                export = await self._source.with_urls(export, (selected,))
                body = await stack.enter_async_context(
                    open_stream(export, selected, self._source.urls(export), self._context)
                )
            chunks = await stack.enter_async_context(self._context.sessions.streams.track(body))
            steps = await stack.enter_async_context(aclosing(self._operations.steps("stream()", chunks)))
            yield attrs.evolve(body, chunks=steps)

    def _export_download(self, export: Export, plan: DownloadPlan) -> ExportDownload:
        from packagex_async._download.export import ExportDownload

        return ExportDownload(export, self._source.urls(export), plan, self._context)

    async def _download_to_bucket(
        self, export: Export | str, bucket: Bucket, plan: DownloadPlan, *, count_rows: bool
    ) -> DownloadReport[Any]:
        with importing("download()"):
            from packagex_async._bucket_sync.export_download import download_to_bucket
        if isinstance(export, str):
            export = await self._source.with_urls(export, plan.artifacts)
        add_rows = self._row_counter(bucket).add_rows if count_rows else None
        report = await download_to_bucket(
            export, objects_of(bucket), self._source, plan, self._context, add_rows
        )
        return _successful(report, plan)

    def _bucket_state(self, bucket: Bucket, plan: DownloadPlan) -> NewState:
        """Return a function that returns the state of a bucket."""
        with importing("download_all()"):
            from packagex_async._bucket_sync.state import BucketState

        def new_state(layout: Layout, policy: ReusePolicy, exclusions: Exclusions | None) -> BucketState:
            return BucketState(
                objects_of(bucket),
                layout,
                policy,
                plan.options,
                self._context.clock,
                exclusions=exclusions,
                read_only=plan.dry_run,
            )

        return new_state

    def _row_counter(self, destination: str | os.PathLike[str] | Bucket) -> RowCounter:
        with importing("count_rows"):
            from packagex_async._rows.row_counter import RowCounter
        return RowCounter(
            self._context.disk, objects_of(destination) if isinstance(destination, Bucket) else None
        )


def context_of(exports: AsyncExports) -> ClientContext:
    """Return the state of the client of `exports`."""
    return exports._context  # pyright: ignore[reportPrivateUsage]


def _successful(report: DownloadReport[F_co], plan: DownloadPlan) -> DownloadReport[F_co]:
    """Log `report`, and return it if nothing failed.

    Raises:
        DownloadGroupError: At least one artifact failed.
        ExportGoneError: The export was deleted meanwhile.
        ConfigurationError: No artifact has a column for which a type was requested.
    """
    _logs.download_finished(report)
    file_format = plan.options.file_format
    if file_format is not None:
        file_format.warn()
    report.raise_for_failures()
    if file_format is not None and not plan.dry_run:
        file_format.check_columns()
    return report
