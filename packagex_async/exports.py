"""`AsyncExports`: the resource, one method for each thing that can be done with exports."""

from __future__ import annotations

import logging
import os
from collections.abc import AsyncGenerator, AsyncIterator, Iterable
from contextlib import aclosing, asynccontextmanager
from pathlib import Path
from typing import Literal

import attrs

from packagex_async import _wire
from packagex_async._budget import Budget
from packagex_async._folder import Folder, Terms
from packagex_async._layout import layout_of
from packagex_async._links import Links, gone
from packagex_async._paging import Walk
from packagex_async._states import downloadable
from packagex_async._stream import open_stream
from packagex_async._transfer import Demands, Tools
from packagex_async.bulk import Bulk, Source
from packagex_async.downloader import Order, chosen, download_artifacts
from packagex_async.errors import (
    ConfigurationError,
    NotFoundError,
    StorageError,
)
from packagex_async.models import Artifact, Direction, Export, ExportResource, ExportStatus, OrderBy, Page
from packagex_async.report import DownloadReport, OnProgress, ProgressEvent

_log = logging.getLogger("packagex_async")

Statuses = ExportStatus | str | Iterable[ExportStatus | str]


class AsyncExports:
    """The exports of an organization: list them, retrieve one, bring its artifacts home.

    Reached as `AsyncPackageX.exports`. API: Exports.
    """

    def __init__(self, tools: Tools) -> None:
        self._tools = tools

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
            ConfigurationError: The id is empty.
            NotFoundError: There is no such export, or no longer.
            ApiError: The API refused.
            ConnectionFailedError: No answer.
            DecodeError: The answer holds no export.
        """
        target = _wire.export_target(export_id, include_csv=include_csv, include_json=include_json)
        return _noticed(_wire.parse_export(await self._tools.http.get(target)))

    def list(
        self,
        *,
        page: int = 1,
        limit: int = 100,
        order_by: OrderBy | Literal["created_at", "count_batches", "count_total", "updated_at"] | None = None,
        direction: Direction | Literal["asc", "desc"] | None = None,
        resource: ExportResource | str | None = None,
        statuses: Statuses | None = None,
        search: str | None = None,
    ) -> AsyncGenerator[Export, None]:
        """Every export that matches, each once, page after page. API: List exports.

        An export that is alive throughout the walk is yielded once, whatever is created or deleted
        meanwhile; when answers tell of deletions, the walk looks back at its end, and what it finds there
        comes last. Leaving the loop early leaves nothing behind; wrap the generator in
        `contextlib.aclosing` to have it closed at once.

        Args:
            page: The first page, from 1.
            limit: The most exports a page holds; the API may cap it.
            order_by: The field to order by; `created_at` unless given.
            direction: `asc` unless given.
            resource: Only exports of this resource.
            statuses: Only exports of this status, or of any of several.
            search: Only exports whose name matches; each term needs 2 characters or more.

        Returns:
            An async generator of exports.

        Raises:
            ConfigurationError: At once, for a parameter that the API would refuse.
            PaginationError: While walking, when the listing repeats itself or does not advance.
            ApiError: While walking, when the API refuses.
            ConnectionFailedError: While walking, when there is no answer.
            DecodeError: While walking, when an answer holds no page of exports.
        """
        return _exports_of(
            self.pages(
                page=page,
                limit=limit,
                order_by=order_by,
                direction=direction,
                resource=resource,
                statuses=statuses,
                search=search,
            )
        )

    def pages(
        self,
        *,
        page: int = 1,
        limit: int = 100,
        order_by: OrderBy | Literal["created_at", "count_batches", "count_total", "updated_at"] | None = None,
        direction: Direction | Literal["asc", "desc"] | None = None,
        resource: ExportResource | str | None = None,
        statuses: Statuses | None = None,
        search: str | None = None,
    ) -> AsyncGenerator[Page, None]:
        """The same as `list`, a page at a time; a page's `data` leaves out what an earlier page held.

        Takes and raises what `list` takes and raises.

        Returns:
            An async generator of pages.
        """
        return self._walk(
            _wire.Listing.of(
                page=page,
                limit=limit,
                order_by=order_by,
                direction=direction,
                resource=resource,
                statuses=statuses,
                search=search,
            )
        )

    async def download(
        self,
        export: Export | str,
        directory: str | os.PathLike[str],
        *,
        artifacts: Iterable[Artifact | str] | None = None,
        concurrency: int = 4,
        overwrite: bool = False,
        digest: Literal["sha256"] | None = None,
        on_progress: OnProgress | None = None,
        resume: bool = False,
        require_verification: bool = False,
        max_size: int | None = None,
        durability: Literal["fsync"] | None = None,
    ) -> DownloadReport:
        """Bring an export's artifacts to disk, side by side.

        They land in `directory` as `{id}.json`, `{id}.csv`, `{id}.error.csv` and `{id}.sanitized.csv`. A file
        appears there whole and verified, or not at all.

        Args:
            export: The export, or its id. It is retrieved when it holds no URL of the artifacts asked for.
            directory: The folder; made when it is not there.
            artifacts: Which artifacts; all four unless given.
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
        _one_of("digest", digest, "sha256")
        _one_of("durability", durability, "fsync")
        demands = Demands(
            overwrite=overwrite,
            sha256=digest is not None,
            durable=durability is not None,
            verified=require_verification,
            max_size=max_size,
            resume=resume,
        )
        order = _order(directory, artifacts, concurrency, demands, on_progress)
        offering = await self._offering(export, order.artifacts)
        report = await download_artifacts(offering, self._links(offering), order, self._tools)
        report.raise_for_failures()
        return report

    @asynccontextmanager
    async def stream(
        self, export: Export | str, artifact: Artifact | str
    ) -> AsyncGenerator[AsyncIterator[bytes], None]:
        """One artifact's bytes, without touching the disk: `async with` it, then `async for` the blocks.

        A body that breaks off is gone on with where it surely is of the same content.

        Args:
            export: The export, or its id. It is retrieved when it holds no URL of the artifact.
            artifact: Which artifact.

        Returns:
            An async iterator of blocks of bytes, whose end means that the declared length and hash hold.

        Raises:
            StorageError: The export does not offer the artifact, or the storage host refuses it.
            LinkExpiredError: Its link is no longer valid.
            IncompleteBodyError: The body broke off.
            StalledError: No bytes came for `stall_timeout` seconds.
            ChecksumError: The bytes do not have the declared hash.
            ExportStateError: The export is not completed, has failed, or is gone (see its subclasses).
            ConfigurationError: No such artifact.
            ApiError: The API refused to tell of the export.
            ConnectionFailedError: The API did not answer.
        """
        (which,) = chosen([artifact])
        offering = await self._offering(export, (which,))
        links = self._links(offering)
        link = links.link(which)
        if link is None:
            raise StorageError("the export does not offer it", export_id=offering.id, artifact=which)
        async with open_stream(link, links, self._tools.http, self._tools.tries()) as body:
            yield body

    def download_all(
        self,
        directory: str | os.PathLike[str],
        *,
        concurrency: int = 16,
        resume: bool = True,
        layout: str = "flat",
        on_progress: OnProgress | None = None,
        verify: bool = False,
        wait: bool = False,
        artifacts: Iterable[Artifact | str] | None = None,
        order_by: OrderBy | Literal["created_at", "count_batches", "count_total", "updated_at"] | None = None,
        direction: Direction | Literal["asc", "desc"] | None = None,
        resource: ExportResource | str | None = None,
        statuses: Statuses | None = None,
        search: str | None = None,
        limit: int = 100,
        overwrite: bool = False,
        require_verification: bool = False,
        max_size: int | None = None,
        durability: Literal["fsync"] | None = None,
    ) -> AsyncGenerator[DownloadReport, None]:
        """Bring the artifacts of every export that matches to disk, those nearest to their deletion first.

        What arrives is written down in `packagex-manifest.jsonl` in the folder, a line an artifact. A second
        run fetches only what is new or changed. One failure never stops the rest: it is told in its export's
        report. Leaving the loop early ends what is under way; wrap the generator in `contextlib.aclosing` to
        have it ended at once.

        Args:
            directory: The folder; made when it is not there.
            concurrency: How many artifacts at a time, of all exports together. Fewer while the storage host
                refuses for there are too many.
            resume: Go on where an earlier run into this folder has ended: what its manifest has is kept, and
                partials are continued. Without it everything is fetched anew, and nothing unfinished is left.
            layout: `"flat"` for the names that `download` gives, `"folders"` for a folder for each export, or
                a template such as `"{resource}/{created:%Y-%m-%d}/{id}"` with the fields `{id}`,
                `{resource}`, `{status}`, `{created}` (with a format of `strftime`, in UTC) and `{artifact}`.
                The suffix is added to it.
            on_progress: Called with a `ProgressEvent` at every step, from the event loop: keep it short.
            verify: Read what an earlier run has brought, and fetch it again if it has another SHA-256.
            wait: Wait for exports that are still under way. Without it they are reported with an
                `ExportNotReadyError`.
            artifacts: Which artifacts; all four unless given.
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
            DecodeError: When an answer holds no page of exports, likewise.
        """
        _one_of("durability", durability, "fsync")
        demands = Demands(
            overwrite=overwrite,
            sha256=True,
            durable=durability is not None,
            verified=require_verification,
            max_size=max_size,
            resume=resume,
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
        source = Source(found=found, retrieve=self._with_urls, offering=self._offering, links=self._links)
        clock, disk, policy = self._tools.clock, self._tools.disk, self._tools.policy
        terms = Terms(resume=resume, verify=verify)
        folder = Folder(order.directory, layout_of(layout), terms, disk, clock, durable=demands.durable)
        budget = Budget(concurrency, clock, retry_after_max=policy.retry_after_max)
        return Bulk(source, folder, order, attrs.evolve(self._tools, budget=budget), wait=wait).reports()

    async def _walk(self, listing: _wire.Listing) -> AsyncGenerator[Page, None]:
        walk = Walk(start=listing.page, by_creation=listing.by_creation, reorders=listing.reorders)
        while (step := walk.step) is not None:
            asked = listing.oldest_first() if step.back else listing
            answer = await self._tools.http.get(asked.target(step.page))
            page = _wire.parse_page(answer, limit=listing.limit)
            fresh = walk.take(step, page, answer.served)
            if fresh or not step.back:
                yield attrs.evolve(page, data=tuple(map(_noticed, fresh)))

    def _links(self, export: Export) -> Links:
        return Links(export, lambda: self._with_urls(export.id))

    async def _with_urls(self, export_id: str) -> Export:
        return await self.retrieve(export_id, include_csv=True, include_json=True)

    async def _offering(self, export: Export | str, artifacts: tuple[Artifact, ...]) -> Export:
        """The export with its URLs, in a state to be downloaded."""
        if isinstance(export, str):
            return downloadable(await self._with_urls(export))
        if any(export.url(artifact) for artifact in artifacts):
            return downloadable(export)
        try:
            return downloadable(await self._with_urls(export.id))
        except NotFoundError as error:
            raise gone(export.id) from error


async def _exports_of(pages: AsyncGenerator[Page, None]) -> AsyncGenerator[Export, None]:
    async with aclosing(pages):
        async for page in pages:
            for export in page:
                yield export


def _order(
    directory: str | os.PathLike[str],
    artifacts: Iterable[Artifact | str] | None,
    concurrency: int,
    demands: Demands,
    on_progress: OnProgress | None,
) -> Order:
    _at_least_one("concurrency", concurrency)
    if demands.max_size is not None:
        _at_least_one("max_size", demands.max_size)
    return Order(
        directory=Path(directory),
        artifacts=chosen(artifacts),
        concurrency=concurrency,
        demands=demands,
        on_progress=on_progress or _unheard,
    )


def _one_of(name: str, value: str | None, only: str) -> None:
    if value not in (None, only):
        raise ConfigurationError(f"{name} must be {only!r} or None, not {value!r}")


def _at_least_one(name: str, value: int) -> None:
    if value < 1:
        raise ConfigurationError(f"{name} must be 1 or more, not {value}")


def _unheard(_: ProgressEvent) -> None:
    """Nobody asked for progress."""


def _noticed(export: Export) -> Export:
    if export.unread:
        _log.warning("export %s: could not read %s; see its `extra`", export.id, ", ".join(export.unread))
    return export
