"""Many exports: found, downloaded and handed out at the same time, whatever becomes of the others."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing, closing

import attrs

from packagex_async import _logs
from packagex_async._api.statuses import check_downloadable, is_in_progress
from packagex_async._context import ClientContext
from packagex_async._download.export import DownloadPlan, ExportDownload
from packagex_async._files.operations import FATAL_ERRNOS
from packagex_async._polling.export_requests import RetrievedExport
from packagex_async._polling.poll_queue import OnWait, PollQueue
from packagex_async._storage.download_urls import DownloadUrls
from packagex_async._sync.local_state import Known, LocalState
from packagex_async._sync.queue import Pending
from packagex_async.errors import (
    AuthenticationError,
    DestinationError,
    PackageXError,
    PermissionDeniedError,
)
from packagex_async.models import Artifact, Export
from packagex_async.report import DownloadReport

_ROOM = 1000
_WATCHERS = 8
_AHEAD = 2
"""Artifacts begun for each place: while some are looked up, put in place and written down, others come."""

_REFUSED_KEY = (AuthenticationError, PermissionDeniedError)
# Of a single artifact, a failure is told in its report; raised as such, it is one of the whole folder.
_FATAL = (*_REFUSED_KEY, DestinationError)


@attrs.frozen(kw_only=True, eq=False, repr=False)
class Patience:
    """How exports that are not completed yet are waited for.

    Attributes:
        timeout: Seconds that each of them is waited for; `None` for as long as it lives.
        on_wait: Is told which exports are waited for, whenever that changes after the listing has ended.
    """

    timeout: float | None
    on_wait: OnWait | None


@attrs.frozen(kw_only=True, eq=False, repr=False)
class Source:
    """Where exports come from.

    Attributes:
        found: Finds them.
        retrieve: Retrieves one by its id, with its URLs.
        offering: Retrieves one if it has none of the URLs that are wanted.
        links: Makes the links of one.
    """

    found: AsyncGenerator[Export, None]
    retrieve: Callable[[str], Awaitable[RetrievedExport]]
    offering: Callable[[Export, tuple[Artifact, ...]], Awaitable[Export]]
    links: Callable[[Export], DownloadUrls]


class SyncRunner:
    """The download of all exports of a source to one folder.

    Args:
        source: Where they come from.
        folder: Where they go, and what of them is there already.
        order: What is wanted of each of them; its `concurrency` is that of all together.
        context: What to work with.
        patience: How to wait for those that are still under way; `None` to report them as not ready.
    """

    def __init__(
        self,
        source: Source,
        folder: LocalState,
        order: DownloadPlan,
        context: ClientContext,
        *,
        patience: Patience | None,
    ) -> None:
        self._source = source
        self._folder = folder
        self._order = order
        self._context = context
        self._patience = patience
        self._pending = Pending(_ROOM)
        self._watch = PollQueue(source.retrieve, context.clock, patience.timeout if patience else None)
        self._watchers = 0
        self._listed = False
        self._finished: asyncio.Queue[DownloadReport | None] = asyncio.Queue()
        self._room = asyncio.Semaphore(order.concurrency)
        self._under_way = 0
        self._eased = asyncio.Event()
        self._unlisted: PackageXError | None = None

    async def reports(self) -> AsyncGenerator[DownloadReport, None]:
        """What became of each export, as they finish.

        Raises:
            PackageXError: What stopped the download, or the listing; all else has ended by then.
        """
        self._pending.expect()
        run = asyncio.create_task(self._run())
        run.add_done_callback(lambda _: self._finished.put_nowait(None))
        try:
            while (report := await self._finished.get()) is not None:
                self._room.release()
                yield report
            await run
        finally:
            run.cancel()
            await asyncio.gather(run, return_exceptions=True)

    async def _run(self) -> None:
        # It goes on while no step of `reports` runs, and has to end when the client is closed.
        with self._context.operations.running("download_all()"), closing(self._folder):
            await self._run_all()

    async def _run_all(self) -> None:
        failure: BaseException | None
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._discover(group))
                group.create_task(self._dispatch(group))
        except BaseExceptionGroup as failures:
            failure = failures.exceptions[0]
        else:
            failure = self._unlisted
        if failure is not None:
            raise failure

    async def _discover(self, group: asyncio.TaskGroup) -> None:
        async with aclosing(self._source.found) as found:
            try:
                async for export in found:
                    if self._patience and is_in_progress(export):
                        self._begin_to_watch(export, group)
                    else:
                        await self._pending.put(export)
            except _REFUSED_KEY:
                raise
            except PackageXError as error:
                # What was found is finished first.
                self._unlisted = error
        self._listed = True
        if self._watch.export_ids:
            _logs.waiting(self._watch.export_ids)
            self._tell_what_is_waited_for()
        await self._pending.done()

    def _tell_what_is_waited_for(self) -> None:
        if self._listed and self._patience and self._patience.on_wait:
            self._patience.on_wait(self._watch.export_ids)

    def _begin_to_watch(self, export: Export, group: asyncio.TaskGroup) -> None:
        self._watch.add(export)
        if self._watchers < _WATCHERS:
            self._watchers += 1
            self._pending.expect()
            group.create_task(self._see_to_the_unfinished())

    async def _see_to_the_unfinished(self) -> None:
        while (turn := self._watch.pop()) is not None:
            try:
                if (export := await self._watch.poll(turn)) is not None:
                    self._tell_what_is_waited_for()
                    await self._pending.put(export)
            except _REFUSED_KEY:
                raise
            except PackageXError as error:
                self._tell_what_is_waited_for()
                await self._hand_out(DownloadReport(export_id=turn.export_id, error=error))
        self._watchers -= 1
        await self._pending.done()

    async def _dispatch(self, group: asyncio.TaskGroup) -> None:
        """Begin exports until there are artifacts enough for all places, and for those that soon are free."""
        while (export := await self._pending.take()) is not None:
            while self._under_way >= _AHEAD * self._order.concurrency:
                self._eased.clear()
                await self._eased.wait()
            # One that tells of no links may offer anything.
            artifacts = len(export.artifacts) or len(self._order.artifacts)
            self._under_way += artifacts
            group.create_task(self._see_to(export, artifacts))

    async def _see_to(self, export: Export, artifacts: int) -> None:
        try:
            await self._hand_out(await self._bring(export))
        finally:
            self._under_way -= artifacts
            self._eased.set()

    async def _hand_out(self, report: DownloadReport) -> None:
        await self._room.acquire()
        self._finished.put_nowait(report)

    async def _bring(self, export: Export) -> DownloadReport:
        known = Known()
        try:
            known = await self._folder.known(check_downloadable(export), self._order.artifacts)
            fresh = await self._fetch(export, known)
        except _FATAL:
            raise
        except PackageXError as error:
            fresh = DownloadReport(export_id=export.id, error=error)
        if self._order.on_progress is not None:
            for event in known.events(export.id):
                self._order.on_progress(event)
        return known.joined(fresh)

    async def _fetch(self, export: Export, known: Known) -> DownloadReport:
        artifacts = known.open(self._order.artifacts)
        if not artifacts:
            return DownloadReport(export_id=export.id)
        offering = await self._source.offering(export, artifacts)
        order = attrs.evolve(
            self._order,
            artifacts=artifacts,
            targets=known.targets,
            replaced=known.replaced,
            absent=known.absent,
        )
        report = await ExportDownload(offering, self._source.links(offering), order, self._context).run()
        _stop_where_nothing_helps(report)
        await self._folder.record(offering, known, report)
        return report


def _stop_where_nothing_helps(report: DownloadReport) -> None:
    """Raise a failure that all others would share: the disk takes nothing more, or the key is refused."""
    for failure in report.failures:
        if isinstance(failure, DestinationError) and failure.errno in FATAL_ERRNOS:
            raise failure
        if isinstance(failure.__cause__, _REFUSED_KEY):
            raise failure.__cause__
