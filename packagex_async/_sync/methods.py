"""The method of `AsyncExports` that downloads many exports into one directory."""

from __future__ import annotations

import os
from abc import abstractmethod
from collections.abc import AsyncGenerator, Iterable
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypedDict, overload

from packagex_async._arrow.methods import Types
from packagex_async._buckets.bucket import Bucket
from packagex_async._concurrency.lazy_imports import importing
from packagex_async._concurrency.operations import Operations
from packagex_async._concurrency.tuning import DEFAULT_SEGMENTS
from packagex_async._context import ClientContext
from packagex_async._listing.methods import ExportListings, Statuses
from packagex_async._polling.export_source import ExportSource
from packagex_async._polling.waiter import OnWait
from packagex_async.errors import ConfigurationError
from packagex_async.models import (
    Artifact,
    ArtifactName,
    Direction,
    DirectionName,
    ExportResource,
    OrderBy,
    OrderByName,
    ResourceName,
)

if TYPE_CHECKING:
    from packagex_async._download.export import DownloadPlan
    from packagex_async._files.exclusions import Exclusions
    from packagex_async._rows.row_counter import RowCounter
    from packagex_async._sync.changes import ChangedDownloads, Downloads, NewState
    from packagex_async._sync.manifest import Manifest
    from packagex_async._sync.pruner import OnPrune
    from packagex_async._watch.poll import OnPoll
    from packagex_async.report import BucketFile, DownloadReport, OnProgress

Artifacts = Artifact | ArtifactName | Iterable[Artifact | ArtifactName]


class _Filters(TypedDict):
    """The filters of `list` and `watch`."""

    limit: int
    resource: ExportResource | ResourceName | None
    statuses: Statuses | None
    search: str | None
    created_after: datetime | None
    created_before: datetime | None


class ExportSync(ExportListings):
    """The method of `AsyncExports` that downloads many exports."""

    _context: ClientContext
    _operations: Operations
    _source: ExportSource

    @abstractmethod
    def _row_counter(self, destination: str | os.PathLike[str] | Bucket) -> RowCounter:
        """Return a counter of rows; see `AsyncExports`."""
        ...

    @abstractmethod
    def _bucket_state(self, bucket: Bucket, plan: DownloadPlan) -> NewState:
        """Return a function that returns the state of a bucket; see `AsyncExports`."""
        ...

    @overload
    def download_all(
        self,
        directory: str | os.PathLike[str],
        *,
        concurrency: int = ...,
        resume: bool = ...,
        layout: Literal["flat", "folders"] | str = ...,
        on_progress: OnProgress | None = ...,
        verify: bool = ...,
        wait: bool | float = ...,
        on_wait: OnWait | None = ...,
        artifacts: Artifacts | None = ...,
        order_by: OrderBy | OrderByName | None = ...,
        direction: Direction | DirectionName | None = ...,
        resource: ExportResource | ResourceName | None = ...,
        statuses: Statuses | None = ...,
        search: str | None = ...,
        created_after: datetime | None = ...,
        created_before: datetime | None = ...,
        limit: int = ...,
        overwrite: bool = ...,
        require_verification: bool = ...,
        max_size: int | None = ...,
        durability: Literal["fsync"] | None = ...,
        segments: int = ...,
        format: Literal["parquet"] | None = ...,
        types: Types | None = ...,
        count_rows: bool = ...,
        exclude: str | Iterable[str] | None = ...,
        prune_after: float | timedelta | None = ...,
        on_prune: OnPrune | None = ...,
        dry_run: bool = ...,
        follow: bool = ...,
        interval: float = ...,
        on_poll: OnPoll | None = ...,
    ) -> AsyncGenerator[DownloadReport, None]: ...
    @overload
    def download_all(
        self,
        directory: Bucket,
        *,
        concurrency: int = ...,
        resume: bool = ...,
        layout: Literal["flat", "folders"] | str = ...,
        on_progress: OnProgress | None = ...,
        verify: bool = ...,
        wait: bool | float = ...,
        on_wait: OnWait | None = ...,
        artifacts: Artifacts | None = ...,
        order_by: OrderBy | OrderByName | None = ...,
        direction: Direction | DirectionName | None = ...,
        resource: ExportResource | ResourceName | None = ...,
        statuses: Statuses | None = ...,
        search: str | None = ...,
        created_after: datetime | None = ...,
        created_before: datetime | None = ...,
        limit: int = ...,
        overwrite: bool = ...,
        require_verification: bool = ...,
        max_size: int | None = ...,
        durability: Literal["fsync"] | None = ...,
        segments: int = ...,
        format: Literal["parquet"] | None = ...,
        types: Types | None = ...,
        count_rows: bool = ...,
        exclude: str | Iterable[str] | None = ...,
        prune_after: float | timedelta | None = ...,
        on_prune: OnPrune | None = ...,
        dry_run: bool = ...,
        follow: bool = ...,
        interval: float = ...,
        on_poll: OnPoll | None = ...,
    ) -> AsyncGenerator[DownloadReport[BucketFile], None]: ...
    def download_all(
        self,
        directory: str | os.PathLike[str] | Bucket,
        *,
        concurrency: int = 16,
        resume: bool = True,
        layout: Literal["flat", "folders"] | str = "flat",
        on_progress: OnProgress | None = None,
        verify: bool = False,
        wait: bool | float = False,
        on_wait: OnWait | None = None,
        artifacts: Artifacts | None = None,
        order_by: OrderBy | OrderByName | None = None,
        direction: Direction | DirectionName | None = None,
        resource: ExportResource | ResourceName | None = None,
        statuses: Statuses | None = None,
        search: str | None = None,
        created_after: datetime | None = None,
        created_before: datetime | None = None,
        limit: int = 100,
        overwrite: bool = False,
        require_verification: bool = False,
        max_size: int | None = None,
        durability: Literal["fsync"] | None = None,
        segments: int = DEFAULT_SEGMENTS,
        format: Literal["parquet"] | None = None,
        types: Types | None = None,
        count_rows: bool = False,
        exclude: str | Iterable[str] | None = None,
        prune_after: float | timedelta | None = None,
        on_prune: OnPrune | None = None,
        dry_run: bool = False,
        follow: bool = False,
        interval: float = 60.0,
        on_poll: OnPoll | None = None,
    ) -> AsyncGenerator[DownloadReport[Any], None]:
        """Download all matching exports into one directory or bucket. API: List exports, Retrieve Export.

        The oldest exports are downloaded first, because the API deletes them first.

        The manifest `packagex-manifest.jsonl` in the directory gets one line per artifact. A second run
        downloads only what is new or changed. A failure ends only the download it belongs to, and is in the
        report of its export.

        Leaving the loop early cancels everything. Wrap the generator in `contextlib.aclosing` to cancel it at
        once.

        Parameters that are not described here are those of `list` and `download`.

        Args:
            directory: Path of the directory, which is created if it does not exist; or a `Bucket`, whose
                manifest is one object per export.
            concurrency: Maximum number of concurrent artifacts of all exports together. It is reduced
                temporarily when the storage host refuses requests because there are too many.
            resume: Keep files that match the manifest, and continue partial files. Otherwise everything is
                downloaded again, and partial files are removed.
            layout: `"flat"` uses the file names of `download`, `"folders"` one directory per export. A
                template such as `"{resource}/{created:%Y-%m-%d}/{id}"` may contain `{id}`, `{resource}`,
                `{status}`, `{artifact}` and `{created}` (in UTC, with a `strftime` format). The file
                extension is added.
            verify: Read the files of earlier runs, and download those again whose SHA-256 has changed.
            wait: `True` waits for exports that are queued or processing until they are 24 hours old. A number
                is the maximum of seconds to wait for each, from when it is listed; later it is reported with
                a `WaitTimeoutError`. `False` reports them with an `ExportNotReadyError`.
            on_wait: Called in the event loop with the ids of the exports that are queued or processing, at
                the end of the listing and when they change later. It should return quickly.
            overwrite: Replace existing files that are not in the manifest; see `download`.
            exclude: One or several glob patterns such as `"*.json"`, as in `fnmatch`, for the paths of files
                relative to the directory, with `/` as separator. `*` also matches `/`, and a pattern that
                ends with `/` matches everything below that directory. Artifacts whose file matches are
                neither downloaded nor reported, and their files are not removed.
            prune_after: Remove files that are older than this, in seconds or as a `timedelta`. The age is the
                time since the download that the manifest lists. Only files are removed that the manifest
                lists, that are unchanged, and whose export does not exist any more: another listing without
                filters checks that. This happens at the end, and only if the listing was successful. Symbolic
                links are not followed. Directories that become empty are removed. Buckets need a lifecycle
                rule instead.
            on_prune: Called in the event loop with a `PrunedFile` for each file that was removed, or could
                not be removed. It should return quickly.
            dry_run: Download and remove nothing, and write nothing to the disk. The `planned` files of a
                report are those that would be downloaded, with their sizes. With `wait`, exports that are
                queued or processing are passed to `on_wait`, and are not waited for. Bytes in partial files
                are not subtracted from the sizes.
            follow: Do not end, and download each export once it is final, as `watch` yields it. A download
                that failed is repeated by the next poll, and then after growing intervals of up to 15
                minutes, until it is complete or the export is deleted. Each attempt has a report. Exports
                that are queued or processing have no report. So `wait` and `on_wait` have no effect, and
                `order_by`, `direction`, `prune_after` and `dry_run` cannot be used.
            interval: Seconds between the end of a poll and the start of the next one; above 0.
            on_poll: Called in the event loop with a `Poll` after each poll. It should return quickly.

        Returns:
            An async generator of one report per export, in the order in which they finish. `error` of a
            report is why the export could not be downloaded at all.

        Raises:
            ConfigurationError: At the call: a parameter is invalid. Later: the client is closed. At the end:
                no artifact has a column that `types` names.
            AuthenticationError: The API does not know the key. Ends all downloads at once.
            PermissionDeniedError: The key has no permission. Ends all downloads at once.
            DestinationError: The disk is full or read-only, or the manifest cannot be used. Ends all
                downloads at once.
            PaginationError: The listing does not advance. Exports that were already listed are downloaded
                first.
            ApiError: The API refused the listing; likewise.
            ConnectionFailedError: The API did not respond to the listing; likewise.
            DirectoryError: The manifest cannot be read to remove files.
            DecodeError: The listing is malformed, or contains malformed items; likewise.
        """
        with importing("download_all()"):
            from packagex_async._download.plans import make_plan
            from packagex_async._files.exclusions import Exclusions
            from packagex_async._parquet.requested import parse_format
            from packagex_async._sync.manifest import Manifest
            from packagex_async._sync.pruner import PruneOptions, Pruner, parse_age
            from packagex_async._sync.runner import SyncRunner, wait_options
            from packagex_async._watch.failed_exports import FailedExports
            from packagex_async._watch.followed_exports import (
                FollowedExports,
                check_follow_options,
                followed_reports,
            )
            from packagex_async._watch.watcher import make_watcher
        plan = make_plan(
            directory,
            artifacts=artifacts,
            concurrency=concurrency,
            on_progress=on_progress,
            overwrite=overwrite,
            digest="sha256",
            resume=resume,
            require_verification=require_verification,
            max_size=max_size,
            durability=durability,
            segments=segments,
            file_format=parse_format(format, types),
            dry_run=dry_run,
        )
        if isinstance(directory, Bucket) and prune_after is not None:
            raise ConfigurationError(
                "prune_after is for directories: a lifecycle rule of the bucket removes old objects"
            )
        followed: FollowedExports | None = None
        filters: _Filters = {
            "limit": limit,
            "resource": resource,
            "statuses": statuses,
            "search": search,
            "created_after": created_after,
            "created_before": created_before,
        }
        if follow:
            check_follow_options(
                order_by=order_by, direction=direction, prune_after=prune_after, dry_run=dry_run
            )
            watcher = make_watcher(self._context, interval=interval, **filters)
            followed = FollowedExports(watcher, FailedExports(self._context.clock, interval), on_poll)
            exports = followed.exports()
        else:
            exports = self.list(order_by=order_by, direction=direction, **filters)
        exclusions = Exclusions.from_argument(exclude)
        manifest = Manifest(plan.directory or Path(), durable=plan.options.durable, read_only=dry_run)
        pruner: Pruner | None = None
        if prune_after is not None:
            pruner = Pruner(
                manifest.path.parent,
                manifest,
                PruneOptions(parse_age(prune_after), self.list, on_prune),
                self._context,
                exclusions=exclusions,
                durable=plan.options.durable,
                dry_run=dry_run,
            )
        downloads = self._changed_downloads(
            directory,
            plan,
            manifest,
            layout=layout,
            resume=resume,
            verify=verify,
            count_rows=count_rows,
            exclusions=exclusions,
        )
        runner = SyncRunner(
            exports,
            self._source,
            self._distribute(downloads),
            plan,
            self._context,
            wait_options=wait_options(wait, on_wait),
            pruner=pruner,
            is_repeated=None if followed is None else followed.is_repeated,
        )
        reports = runner.reports() if followed is None else followed_reports(runner.reports(), followed)
        return self._operations.steps("download_all()", reports)

    def _changed_downloads(
        self,
        directory: str | os.PathLike[str] | Bucket,
        plan: DownloadPlan,
        manifest: Manifest,
        *,
        layout: str,
        resume: bool,
        verify: bool,
        count_rows: bool,
        exclusions: Exclusions | None,
    ) -> ChangedDownloads:
        """Return the downloads of exports that are new or have changed, given parameters of `download_all`.

        Raises:
            ConfigurationError: `layout` is invalid.
        """
        from packagex_async._sync.runner import make_downloads

        return make_downloads(
            self._source,
            plan,
            self._context,
            new_state=self._bucket_state(directory, plan) if isinstance(directory, Bucket) else None,
            manifest=manifest,
            layout=layout,
            resume=resume,
            verify=verify,
            count_rows=self._row_counter(directory).add_rows if count_rows else None,
            exclusions=exclusions,
        )

    def _distribute(self, downloads: ChangedDownloads) -> Downloads:
        """Return the downloads that `download_all` uses. A subclass may run them on other machines."""
        return downloads
