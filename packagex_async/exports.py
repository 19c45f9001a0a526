"""`AsyncExports`: the resource, one method for each thing that can be done with exports."""

from __future__ import annotations

import math
import os
from collections.abc import AsyncGenerator, AsyncIterator, Iterable, Mapping
from contextlib import AsyncExitStack, aclosing, asynccontextmanager
from typing import Any, Literal

import attrs

from packagex_async import _logs
from packagex_async._api import requests
from packagex_async._api.statuses import check_downloadable
from packagex_async._concurrency.limiter import AdaptiveLimiter
from packagex_async._concurrency.operations import Operations
from packagex_async._context import ClientContext
from packagex_async._download.export import DownloadPlan, ExportDownload, chosen
from packagex_async._download.options import DownloadOptions
from packagex_async._download.stream import open_stream
from packagex_async._files.layouts import parse_directory, parse_layout
from packagex_async._listing.lister import list_exports, list_pages
from packagex_async._partials.partial_index import PartialIndex
from packagex_async._polling.export_requests import RetrievedExport, create_export, retrieve_export
from packagex_async._polling.poll_queue import OnWait
from packagex_async._polling.waiter import CompletionWaiter, OnChange
from packagex_async._storage.download_urls import DownloadUrls, export_gone_error
from packagex_async.creation import CsvFieldOptions, creation_body
from packagex_async.errors import ConfigurationError, NotFoundError, StorageError
from packagex_async.models import (
    Artifact,
    ArtifactName,
    Direction,
    DirectionName,
    Export,
    ExportResource,
    ExportStatus,
    OrderBy,
    OrderByName,
    Page,
    ResourceName,
    StatusName,
)
from packagex_async.report import DownloadReport, OnProgress

MAX_SEGMENTS = 8
"""Connections that may bring one artifact."""

Artifacts = Artifact | ArtifactName | Iterable[Artifact | ArtifactName]
Statuses = ExportStatus | StatusName | Iterable[ExportStatus | StatusName]


class AsyncExports:
    """The exports of an organization: list them, retrieve one, bring its artifacts home.

    Reached as `AsyncPackageX.exports`. API: Exports.
    """

    def __init__(self, context: ClientContext) -> None:
        self._context = context

    @property
    def _operations(self) -> Operations:
        return self._context.operations

    def __repr__(self) -> str:
        return f"AsyncExports(base_url={self._context.sessions.base_url!r})"

    async def retrieve(
        self, export_id: str, *, include_csv: bool = False, include_json: bool = False
    ) -> Export:
        """One export. API: Retrieve Export.

        Args:
            export_id: Its id, `exp_...`.
            include_csv: Ask for download URLs. The API's pages disagree on which of the flags brings
                which URL: set both to get every URL.
            include_json: See `include_csv`.

        Returns:
            The export; its URLs are `None` where it does not offer the artifact.

        Raises:
            ConfigurationError: The id is empty, or the client is closed.
            NotFoundError: There is no such export, or no longer.
            ApiError: The API refused.
            ConnectionFailedError: No answer.
            DecodeError: The answer holds no export, or is about another one.
        """
        with self._operations.running("retrieve()"):
            retrieved = await retrieve_export(
                self._context.api, export_id, include_csv=include_csv, include_json=include_json
            )
            _logs.unread_fields(retrieved.export)
            return retrieved.export

    def list(
        self,
        *,
        page: int = 1,
        limit: int = 100,
        order_by: OrderBy | OrderByName | None = None,
        direction: Direction | DirectionName | None = None,
        resource: ExportResource | ResourceName | None = None,
        statuses: Statuses | None = None,
        search: str | None = None,
        prefetch: int = 16,
    ) -> AsyncGenerator[Export, None]:
        """Every export that matches, each once, page after page. API: List exports.

        An export that is alive throughout the walk is yielded once, whatever is created or deleted
        meanwhile; when answers tell of deletions, the walk looks back at its end, and what it finds there
        comes last. Nothing is asked for before the first step of the loop; from the second page on, further
        pages are asked for while the consumer is at work, the more the longer the listing keeps still.
        Leaving the loop early leaves nothing behind; wrap the generator in `contextlib.aclosing` to have it
        closed at once.

        An item of a page that is no export, or has no usable id, sinks nothing: a warning is logged, all
        exports of all pages are yielded, and a `DecodeError` at the end says which item it was.

        Args:
            page: The first page, from 1.
            limit: The most exports a page holds; the API may cap it.
            order_by: The field to order by: `"created_at"`, `"count_batches"`, `"count_total"` or
                `"updated_at"`; the first of them unless given.
            direction: `"asc"` or `"desc"`; ascending unless given.
            resource: Only exports of this resource, such as `"contact"` (see `ExportResource`).
            statuses: Only exports of this status, or of any of several, such as `"completed"` (see
                `ExportStatus`).
            search: Only exports whose name matches.
            prefetch: The most pages asked for ahead of the one the consumer is at, and held in memory; 0 asks
                for one page after another.

        Returns:
            An async generator of exports.

        Raises:
            ConfigurationError: At once, for a parameter that the API would refuse.
            PaginationError: While walking, when the listing repeats itself or does not advance.
            ApiError: While walking, when the API refuses.
            ConnectionFailedError: While walking, when there is no answer.
            DecodeError: While walking, when an answer holds no page of exports; at the end, when items of a
                page were no exports.
        """
        return list_exports(
            requests.ListQuery.from_arguments(
                page=page,
                limit=limit,
                order_by=order_by,
                direction=direction,
                resource=resource,
                statuses=statuses,
                search=search,
            ),
            self._context,
            requests.check_integer("prefetch", prefetch, min_value=0),
        )

    def pages(
        self,
        *,
        page: int = 1,
        limit: int = 100,
        order_by: OrderBy | OrderByName | None = None,
        direction: Direction | DirectionName | None = None,
        resource: ExportResource | ResourceName | None = None,
        statuses: Statuses | None = None,
        search: str | None = None,
        prefetch: int = 16,
    ) -> AsyncGenerator[Page, None]:
        """The same as `list`, a page at a time; a page's `data` leaves out what an earlier page held.

        A page's `malformed` says how many of its items are no exports.

        Takes and raises what `list` takes and raises. API: List exports, Pagination.

        Returns:
            An async generator of pages.
        """
        return list_pages(
            requests.ListQuery.from_arguments(
                page=page,
                limit=limit,
                order_by=order_by,
                direction=direction,
                resource=resource,
                statuses=statuses,
                search=search,
            ),
            self._context,
            requests.check_integer("prefetch", prefetch, min_value=0),
        )

    async def download(
        self,
        export: Export | str,
        directory: str | os.PathLike[str],
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
        segments: int = MAX_SEGMENTS,
    ) -> DownloadReport:
        """Bring an export's artifacts to disk, side by side.

        They land in `directory` as `{id}.json`, `{id}.csv`, `{id}.error.csv` and `{id}.sanitized.csv`. A file
        appears there whole and verified, or not at all. API: Retrieve Export.

        Args:
            export: The export, or its id. It is retrieved when it holds no URL of the artifacts asked for.
            directory: The folder; made when it is not there.
            artifacts: Which artifact, or several, of `"json"`, `"csv"`, `"csv_error"` and `"csv_sanitized"`
                (see `Artifact`); all four unless given.
            concurrency: How many at a time.
            overwrite: Replace files that are there already. Without it, a file of the artifact's length
                (and hash, where the storage host declares one) is kept, and any other is left as it is and
                reported as a `DestinationError`.
            digest: `"sha256"` to have each file's SHA-256 in the report.
            on_progress: Called with a `ProgressEvent` at every step, from the event loop: keep it short.
            resume: Leave what an interrupted download has brought, in hidden files beside the target, to the
                next one that is called with it; without it, nothing unfinished is left.
            require_verification: Fail an artifact whose storage host declares neither length nor hash.
            max_size: The most bytes an artifact may have.
            durability: `"fsync"` to have file and folder on the medium before a file counts as there.
            segments: The most connections that bring one large artifact (16 MiB or more), 1 to 8. More than
                one are used only while that is faster, and only where the storage host names the content
                and honours ranges; 1 turns it off.

        Returns:
            What is on disk now. Artifacts that the export does not offer are in its `missing`.

        Raises:
            DownloadGroupError: At least one artifact failed; the report it carries has the others.
            ExportStateError: The export is not completed, has failed, or is gone (see its subclasses).
            ConfigurationError: An option that cannot work.
            ApiError: The API refused to tell of the export.
            ConnectionFailedError: The API did not answer.
            DecodeError: The API's answer holds no export.
        """
        demands = _demands(
            overwrite=overwrite,
            digest=digest,
            leftovers=PartialIndex() if resume else None,
            require_verification=require_verification,
            max_size=max_size,
            durability=durability,
            segments=segments,
        )
        order = _order(directory, artifacts, concurrency, demands, on_progress)
        with self._operations.running("download()"):
            offering = await self._offering(export, order.artifacts)
            return _successful(await self._export_download(offering, order).run())

    async def create(
        self,
        resource: ExportResource | ResourceName,
        *,
        options: Mapping[str, Any] | None = None,
        csv_field_options: CsvFieldOptions | Mapping[str, Any] | None = None,
    ) -> Export:
        """Have an export made. API: Create Export.

        It is asked for once. Trying again under the policy is for what surely was not done: there was no
        connection, or the API refused with a 429. The API knows no idempotency key, so after anything else
        a second request could make a second export.

        Args:
            resource: What to export, such as `"contact"` (see `ExportResource`).
            options: Which of it, by the filters of that resource's own list API, such as `limit` (a number,
                or `"all"`), `order_by`, `direction`, and `created_at` like `"gte:2024-01-01"`.
            csv_field_options: How the CSV is written; a plain mapping is sent as it is.

        Returns:
            The export, queued; `wait` for it.

        Raises:
            ConfigurationError: Something that the API would refuse; nothing was sent.
            UnconfirmedError: The export may have been created, and there is no word of it: no answer, a 5xx,
                or one that makes no sense.
            ApiError: The API refused. What it does not accept is in the `errors` of a `BadRequestError`.
            ConnectionFailedError: There was no connection, and nothing was created.
        """
        body = creation_body(resource, options, csv_field_options)
        with self._operations.running("create()"):
            return await create_export(self._context.api, body)

    async def wait(
        self, export: Export | str, *, timeout: float | None = None, on_change: OnChange | None = None
    ) -> Export:
        """Wait until an export is completed, looking at it in growing, jittered intervals of 1 to 30 seconds.

        A status that is unknown today is waited on. Leaving early, as by cancellation, leaves nothing behind.
        API: Retrieve Export.

        Args:
            export: The export, or its id.
            timeout: Seconds to wait, to which a last look may add one; unless given, or if it is longer than
                that, until the export's 24 hours are over.
            on_change: Called with the export whenever its status is another than the one last known, from the
                event loop: keep it short.

        Returns:
            The export, completed, with its URLs.

        Raises:
            WaitTimeoutError: It was not completed within `timeout` seconds; this is a `TimeoutError`.
            ExportFailedError: The platform could not prepare it.
            ExportTimedOutError: The platform gave up preparing it.
            ExportGoneError: It was there and is no longer, or its 24 hours are over.
            NotFoundError: There is no export of that id.
            ConfigurationError: No id, or no time to wait.
            ApiError: The API refused, and trying again under the policy did not help.
            ConnectionFailedError: No answer, likewise.
            DecodeError: The answer holds no export, or is about another one.
        """
        _seconds("timeout", timeout)
        waiter = CompletionWaiter(
            export, timeout=timeout, on_change=on_change or _unheard, context=self._context
        )
        with self._operations.running("wait()"):
            return await waiter.wait()

    async def export_and_download(
        self,
        resource: ExportResource | ResourceName,
        directory: str | os.PathLike[str],
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
        segments: int = MAX_SEGMENTS,
    ) -> DownloadReport:
        """`create`, `wait` and `download` in one call.

        What fails after the export was created leaves it where it is: `wait` for it or `download` it by its
        id, which `on_change` is told first, and the log, too.

        Args:
            resource: As `create` takes it, with `options` and `csv_field_options`.
            directory: As `download` takes it, with everything from `artifacts` on.
            options: See `create`.
            csv_field_options: See `create`.
            timeout: Seconds to wait, as `wait` takes it; creating and downloading do not count.
            on_change: Called with the export once it is created, and whenever its status changes.
            artifacts: See `download`.
            concurrency: See `download`.
            overwrite: See `download`.
            digest: See `download`.
            on_progress: See `download`.
            resume: See `download`.
            require_verification: See `download`.
            max_size: See `download`.
            durability: See `download`.
            segments: See `download`.

        Returns:
            What is on disk now.

        Raises:
            ConfigurationError: An option that cannot work; nothing was created.
            PackageXError: What `create`, `wait` and `download` raise.
        """
        _seconds("timeout", timeout)
        demands = _demands(
            overwrite=overwrite,
            digest=digest,
            leftovers=PartialIndex() if resume else None,
            require_verification=require_verification,
            max_size=max_size,
            durability=durability,
            segments=segments,
        )
        order = _order(directory, artifacts, concurrency, demands, on_progress)
        with self._operations.running("export_and_download()"):
            export = await self.create(resource, options=options, csv_field_options=csv_field_options)
            (on_change or _unheard)(export)
            export = await self.wait(export, timeout=timeout, on_change=on_change)
            offering = await self._offering(export, order.artifacts)
            return _successful(await self._export_download(offering, order).run())

    @asynccontextmanager
    async def stream(
        self, export: Export | str, artifact: Artifact | ArtifactName
    ) -> AsyncGenerator[AsyncIterator[bytes], None]:
        """One artifact's bytes, without touching the disk: `async with` it, then `async for` the blocks.

        A body that breaks off is taken up again where it surely is of the same content. API: Retrieve Export.

        Args:
            export: The export, or its id. It is retrieved when it holds no URL of the artifact.
            artifact: Which artifact: `"json"`, `"csv"`, `"csv_error"` or `"csv_sanitized"` (see `Artifact`).

        Returns:
            An async iterator of blocks of bytes, whose end means that the declared length and hash hold.

        Raises:
            StorageError: The export does not offer the artifact, or the storage host refuses it or is out of
                reach (`StorageUnreachableError`).
            LinkExpiredError: Its link is no longer valid, and a fresh one did not help.
            IncompleteBodyError: The body broke off.
            StalledError: No bytes came for `stall_timeout` seconds.
            ChecksumError: The bytes do not have the declared hash.
            ExportStateError: The export is not completed, has failed, or is gone (see its subclasses).
            ConfigurationError: No such artifact.
            ApiError: The API refused to tell of the export.
            ConnectionFailedError: The API did not answer.
            DecodeError: The API's answer holds no export.
        """
        (which,) = chosen([artifact])
        async with AsyncExitStack() as stack:
            with self._operations.running("stream()"):
                body = await stack.enter_async_context(self._stream(export, which))
            opened = await stack.enter_async_context(self._context.sessions.streams.track(body))
            yield await stack.enter_async_context(aclosing(self._operations.steps("stream()", opened)))

    def download_all(
        self,
        directory: str | os.PathLike[str],
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
        limit: int = 100,
        overwrite: bool = False,
        require_verification: bool = False,
        max_size: int | None = None,
        durability: Literal["fsync"] | None = None,
        segments: int = MAX_SEGMENTS,
    ) -> AsyncGenerator[DownloadReport, None]:
        """Bring the artifacts of every export that matches to disk, those nearest to their deletion first.

        What arrives is written down in `packagex-manifest.jsonl` in the folder, a line an artifact. A second
        run fetches only what is new or changed. One failure never stops the rest: it is told in its export's
        report. Leaving the loop early ends what is under way; wrap the generator in `contextlib.aclosing` to
        have it ended at once. API: List exports, Retrieve Export.

        Args:
            directory: The folder; made when it is not there.
            concurrency: How many artifacts at a time, of all exports together. There are fewer for a while
                when the storage host refuses because there are too many.
            resume: Go on where an earlier run into this folder has ended: what its manifest has is kept, and
                partials are continued. Without it everything is fetched anew, and nothing unfinished is left.
            layout: `"flat"` for the names that `download` gives, `"folders"` for a folder for each export, or
                a template such as `"{resource}/{created:%Y-%m-%d}/{id}"` with the fields `{id}`,
                `{resource}`, `{status}`, `{created}` (with a format of `strftime`, in UTC) and `{artifact}`.
                The suffix is added to it.
            on_progress: Called with a `ProgressEvent` at every step, from the event loop: keep it short.
            verify: Read what an earlier run has brought, and fetch it again if it has another SHA-256.
            wait: `True` to wait for exports that are still under way, each until its 24 hours are over; or
                the seconds to wait for each of them, from when it is listed. An export that is not completed
                in that time is reported with a `WaitTimeoutError`. Without it they are reported with an
                `ExportNotReadyError`.
            on_wait: Called with the ids of the exports that are waited for when the listing has ended, and
                whenever their number changes after that, from the event loop: keep it short.
            artifacts: Which artifact, or several; all four unless given.
            order_by: The order of the listing, as in `list`.
            direction: As in `list`.
            resource: As in `list`.
            statuses: As in `list`.
            search: As in `list`.
            limit: As in `list`.
            overwrite: Replace files that are there already and are not in the manifest; see `download`.
            require_verification: Fail an artifact whose storage host declares neither length nor hash.
            max_size: The most bytes an artifact may have.
            durability: `"fsync"` to have files, folders and manifest on the medium before a file counts.
            segments: The most connections that bring one large artifact; see `download`.

        Returns:
            An async generator of one report for each export, as they finish. Exports that could not be
            downloaded at all have an `error` in theirs.

        Raises:
            ConfigurationError: At once, for an option that cannot work or the API would refuse.
            AuthenticationError: While downloading, when the API does not know the key.
            PermissionDeniedError: While downloading, when the key may not do this.
            DestinationError: While downloading, when the disk is full or read-only, or the manifest cannot be
                kept. These three stop everything at once.
            PaginationError: When the listing makes no sense; what it had told of is downloaded first.
            ApiError: When the API refuses the listing, likewise.
            ConnectionFailedError: When the listing is not answered, likewise.
            DecodeError: When an answer holds no page of exports, or items of one are no exports, likewise.
        """
        timeout = _waiting_time(wait)
        leftovers = PartialIndex()
        demands = _demands(
            overwrite=overwrite,
            digest="sha256",
            leftovers=leftovers if resume else None,
            require_verification=require_verification,
            max_size=max_size,
            durability=durability,
            segments=segments,
        )
        order = _order(directory, artifacts, concurrency, demands, on_progress)
        found = self.list(
            limit=limit,
            order_by=order_by,
            direction=direction,
            resource=resource,
            statuses=statuses,
            search=search,
        )
        # Not at the head of the file: who downloads one export does not wait for them to be imported.
        try:
            from packagex_async._sync.local_state import LocalState, Terms
            from packagex_async._sync.runner import Patience, Source, SyncRunner
        except (ImportError, OSError) as error:
            raise ConfigurationError(
                "download_all() cannot be loaded: this process has too many open files, "
                "or the package is damaged"
            ) from error

        source = Source(found=found, retrieve=self._retrieved, offering=self._offering, links=self._links)
        clock, disk, policy = self._context.clock, self._context.disk, self._context.policy
        terms = Terms(resume=resume, verify=verify)
        folder = LocalState(
            order.directory, parse_layout(layout), terms, disk, clock, leftovers, durable=demands.durable
        )
        limiter = AdaptiveLimiter(concurrency, clock, retry_after_max=policy.retry_after_max)
        context = attrs.evolve(self._context, limiter=limiter)
        patience = Patience(timeout=timeout, on_wait=on_wait) if wait else None
        bulk = SyncRunner(source, folder, order, context, patience=patience)
        return self._operations.steps("download_all()", bulk.reports())

    @asynccontextmanager
    async def _stream(
        self, export: Export | str, artifact: Artifact
    ) -> AsyncGenerator[AsyncGenerator[bytes, None], None]:
        offering = await self._offering(export, (artifact,))
        links = self._links(offering)
        link = links.get(artifact)
        if link is None:
            raise StorageError("the export does not offer it", export_id=offering.id, artifact=artifact)
        async with open_stream(link, links, self._context) as body:
            yield body

    def _export_download(self, offering: Export, plan: DownloadPlan) -> ExportDownload:
        return ExportDownload(offering, self._links(offering), plan, self._context)

    def _links(self, export: Export) -> DownloadUrls:
        return DownloadUrls(export, lambda: self._with_urls(export.id))

    async def _retrieved(self, export_id: str) -> RetrievedExport:
        retrieved = await retrieve_export(self._context.api, export_id, include_csv=True, include_json=True)
        _logs.unread_fields(retrieved.export)
        return retrieved

    async def _with_urls(self, export_id: str) -> Export:
        return (await self._retrieved(export_id)).export

    async def _offering(self, export: Export | str, artifacts: tuple[Artifact, ...]) -> Export:
        """The export with its URLs, in a state to be downloaded."""
        if isinstance(export, str):
            return check_downloadable(await self._with_urls(export))
        if any(export.url(artifact) for artifact in artifacts):
            return check_downloadable(export)
        try:
            return check_downloadable(await self._with_urls(export.id))
        except NotFoundError as error:
            raise export_gone_error(export.id) from error


def _successful(report: DownloadReport) -> DownloadReport:
    """Log `report`, and return it if nothing failed.

    Raises:
        DownloadGroupError: At least one artifact failed.
        ExportGoneError: The export was deleted meanwhile.
    """
    _logs.download_finished(report)
    report.raise_for_failures()
    return report


def _demands(
    *,
    overwrite: bool,
    digest: Literal["sha256"] | None,
    leftovers: PartialIndex | None,
    require_verification: bool,
    max_size: int | None,
    durability: Literal["fsync"] | None,
    segments: int,
) -> DownloadOptions:
    _one_of("digest", digest, "sha256")
    _one_of("durability", durability, "fsync")
    if max_size is not None:
        _at_least_one("max_size", max_size)
    _at_least_one("segments", segments)
    if segments > MAX_SEGMENTS:
        raise ConfigurationError(f"segments must be {MAX_SEGMENTS} at most, not {segments}")
    return DownloadOptions(
        overwrite=overwrite,
        sha256=digest is not None,
        durable=durability is not None,
        verified=require_verification,
        max_size=max_size,
        leftovers=leftovers,
        segments=segments,
    )


def _order(
    directory: str | os.PathLike[str],
    artifacts: Artifacts | None,
    concurrency: int,
    demands: DownloadOptions,
    on_progress: OnProgress | None,
) -> DownloadPlan:
    _at_least_one("concurrency", concurrency)
    return DownloadPlan(
        directory=parse_directory(directory),
        artifacts=chosen(artifacts),
        concurrency=concurrency,
        demands=demands,
        on_progress=on_progress,
    )


def _one_of(name: str, value: str | None, only: str) -> None:
    if value not in (None, only):
        raise ConfigurationError(f"{name} must be {only!r} or None, not {value!r}")


def _at_least_one(name: str, value: int) -> None:
    if value < 1:
        raise ConfigurationError(f"{name} must be 1 or more, not {value}")


def _seconds(name: str, value: float | None) -> None:
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if value is not None and not (number and value > 0):
        raise ConfigurationError(f"{name} must be more than 0 seconds, or None, not {value!r}")


def _waiting_time(wait: bool | float) -> float | None:
    """Return the number of seconds in `wait`, or `None` if it is `True` or `False`."""
    if isinstance(wait, bool):
        return None
    if not isinstance(wait, (int, float)) or not 0 < wait < math.inf:
        raise ConfigurationError(f"wait must be True, False or a number of seconds above 0, not {wait!r}")
    return wait


def _unheard(_: Export) -> None:
    """Nobody asked to be told."""
