"""Download of many exports into one directory, concurrently with listing and polling."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing

import attrs

from packagex_async import _logs
from packagex_async._api.statuses import is_in_progress
from packagex_async._concurrency.buffer import ExportBuffer
from packagex_async._concurrency.limiter import AdaptiveLimiter
from packagex_async._concurrency.queue import ExportQueue
from packagex_async._context import ClientContext
from packagex_async._download.export import DownloadPlan
from packagex_async._files.exclusions import Exclusions
from packagex_async._files.layouts import parse_layout
from packagex_async._polling.export_source import ExportSource
from packagex_async._polling.poll_queue import PollQueue
from packagex_async._polling.schedule import timeout_from
from packagex_async._polling.waiter import OnWait
from packagex_async._sync.changes import (
    KEY_ERRORS,
    ChangedDownloads,
    CountRows,
    Downloads,
    NewState,
    State,
)
from packagex_async._sync.entry_rules import ReusePolicy
from packagex_async._sync.local_state import LocalState
from packagex_async._sync.manifest import Manifest
from packagex_async._sync.pruner import Pruner
from packagex_async.errors import PackageXError
from packagex_async.models import Export
from packagex_async.report import DownloadReport, StoredFile

_QUEUE_SIZE = 1000
_BATCH_SIZE = 100
"""The maximum number of exports that are checked in one call of a thread."""

_MAX_POLLERS = 8


@attrs.frozen(kw_only=True, eq=False, repr=False)
class WaitOptions:
    """The options for waiting for exports that are queued or processing.

    Attributes:
        timeout: Seconds to wait for each export; `None` waits until it is 24 hours old.
        on_wait: Called with the ids of the pending exports at the end of the listing, and when they change
            later.
    """

    timeout: float | None
    on_wait: OnWait | None


def make_downloads(
    source: ExportSource,
    plan: DownloadPlan,
    context: ClientContext,
    *,
    new_state: NewState | None,
    manifest: Manifest,
    layout: str,
    resume: bool,
    verify: bool,
    count_rows: CountRows | None,
    exclusions: Exclusions | None,
) -> ChangedDownloads:
    """Return the downloads of changed exports, given parameters of `download_all`.

    The destination is the bucket of `new_state`, or the directory of `manifest` if that is `None`.

    Raises:
        ConfigurationError: `layout` is invalid.
    """
    limiter = AdaptiveLimiter(plan.concurrency, context.clock, retry_after_max=context.policy.retry_after_max)
    policy = ReusePolicy(resume=resume, verify=verify, count_rows=count_rows is not None)
    state: State
    if new_state is not None:
        state = new_state(parse_layout(layout), policy, exclusions)
    else:
        state = LocalState(
            manifest.path.parent,
            parse_layout(layout),
            policy,
            context.disk,
            context.clock,
            plan.options.partial_index,
            options=plan.options,
            manifest=manifest,
            exclusions=exclusions,
        )
    return ChangedDownloads(
        state,
        source,
        plan,
        attrs.evolve(context, limiter=limiter),
        count_rows=None if plan.dry_run else count_rows,
    )


def wait_options(wait: bool | float, on_wait: OnWait | None) -> WaitOptions | None:
    """Return the options for the parameters `wait` and `on_wait` of `download_all`.

    Raises:
        ConfigurationError: `wait` is invalid.
    """
    timeout = timeout_from(wait)
    return WaitOptions(timeout=timeout, on_wait=on_wait) if wait else None


class SyncRunner:
    """Downloads exports into one directory.

    Args:
        exports: The exports.
        source: Retrieves an export again, with its URLs.
        downloads: Downloads each export.
        plan: The artifacts to download of each export. Its `concurrency` limits the reports that wait for
            the caller.
        context: Shared state of the client.
        wait_options: The options for waiting for pending exports; `None` reports them as not ready.
        pruner: Removes files after all downloads; `None` removes nothing.
        is_repeated: Returns whether an earlier download of an export has failed in this run; `None` if no
            download is repeated.
    """

    def __init__(
        self,
        exports: AsyncGenerator[Export, None],
        source: ExportSource,
        downloads: Downloads,
        plan: DownloadPlan,
        context: ClientContext,
        *,
        wait_options: WaitOptions | None,
        pruner: Pruner | None,
        is_repeated: Callable[[str], bool] | None,
    ) -> None:
        self._exports = exports
        self._source = source
        self._downloads = downloads
        self._plan = plan
        self._context = context
        self._wait_options = wait_options
        self._pruner = pruner
        self._is_repeated = is_repeated or (lambda _: False)
        self._listed = ExportBuffer(_QUEUE_SIZE)
        self._queue = ExportQueue(_QUEUE_SIZE)
        self._polls = PollQueue(
            source.retrieve, context.clock, wait_options.timeout if wait_options else None
        )
        self._pollers = 0
        self._is_listing_complete = False
        self._listing_error: PackageXError | None = None
        self._active_artifacts = 0
        self._artifact_done = asyncio.Event()
        self._reports: asyncio.Queue[DownloadReport[StoredFile] | None] = asyncio.Queue()
        self._report_slots = asyncio.Semaphore(plan.concurrency)

    async def reports(self) -> AsyncGenerator[DownloadReport[StoredFile], None]:
        """Yield the report of each export when it is finished.

        Raises:
            PackageXError: The listing failed, or all downloads would fail; no task is running then.
        """
        file_format = self._plan.options.file_format
        run = asyncio.create_task(self._run())
        run.add_done_callback(lambda _: self._reports.put_nowait(None))
        try:
            while (report := await self._reports.get()) is not None:
                self._report_slots.release()
                if file_format is not None:
                    file_format.warn()
                yield report
            await run
            if file_format is not None and not self._plan.dry_run:
                file_format.check_columns()
        finally:
            run.cancel()
            await asyncio.gather(run, return_exceptions=True)

    async def _run(self) -> None:
        # Downloads continue while the generator is suspended, so they are an operation by themselves.
        with self._context.operations.running("download_all()"):
            async with aclosing(self._downloads) as downloads:
                await downloads.open()
                await self._run_tasks()

    async def _run_tasks(self) -> None:
        error: BaseException | None
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._list(group))
                self._queue.add_producer()
                group.create_task(self._report_unchanged())
                group.create_task(self._start_downloads(group))
        except BaseExceptionGroup as errors:
            error = errors.exceptions[0]
        else:
            error = self._listing_error
        if error is not None:
            raise error
        if self._pruner is not None:
            await self._pruner.run()

    async def _list(self, group: asyncio.TaskGroup) -> None:
        async with aclosing(self._exports) as exports:
            try:
                async for export in exports:
                    if self._wait_options and is_in_progress(export):
                        self._start_polling(export, group)
                    else:
                        await self._listed.put(export)
            except KEY_ERRORS:
                raise
            except PackageXError as error:
                # Exports that were already listed are downloaded before the error is raised.
                self._listing_error = error
        self._is_listing_complete = True
        if self._polls.export_ids:
            _logs.waiting(self._polls.export_ids)
            self._call_on_wait()
        self._listed.end()

    async def _report_unchanged(self) -> None:
        """Report the listed exports of which nothing has to be downloaded, and queue all others.

        Two calls at a time would take longer, because they would hand each other the interpreter lock.
        """
        while exports := await self._listed.get_batch(_BATCH_SIZE):
            unchanged = await self._downloads.unchanged(
                [export for export in exports if not self._is_repeated(export.id)]
            )
            for export in exports:
                if export.id not in unchanged:
                    await self._queue.put(export)
            for report in unchanged.values():
                await self._report(report)
        await self._queue.remove_producer()

    def _call_on_wait(self) -> None:
        if self._is_listing_complete and self._wait_options and self._wait_options.on_wait:
            self._wait_options.on_wait(self._polls.export_ids)

    def _start_polling(self, export: Export, group: asyncio.TaskGroup) -> None:
        self._polls.add(export)
        if self._pollers < _MAX_POLLERS and not self._plan.dry_run:
            self._pollers += 1
            self._queue.add_producer()
            group.create_task(self._poll_exports())

    async def _poll_exports(self) -> None:
        while (scheduled := self._polls.pop()) is not None:
            try:
                if (export := await self._polls.poll(scheduled)) is not None:
                    self._call_on_wait()
                    await self._queue.put(export)
            except KEY_ERRORS:
                raise
            except PackageXError as error:
                self._call_on_wait()
                await self._report(
                    DownloadReport(export_id=scheduled.export.id, export=scheduled.export, error=error)
                )
        self._pollers -= 1
        await self._queue.remove_producer()

    async def _start_downloads(self, group: asyncio.TaskGroup) -> None:
        """Start one download after another; wait while too many artifacts are in progress."""
        while (export := await self._queue.get()) is not None:
            while self._active_artifacts >= self._downloads.max_active:
                self._artifact_done.clear()
                await self._artifact_done.wait()
            # A listed export may have no URLs. It may offer any artifact then.
            artifact_count = len(export.artifacts) or len(self._plan.artifacts)
            self._active_artifacts += artifact_count
            group.create_task(self._download_and_report(export, artifact_count))

    async def _download_and_report(self, export: Export, artifact_count: int) -> None:
        is_repeated = self._is_repeated(export.id)
        try:
            with _logs.repeated(is_repeated):
                report = await self._downloads.download(export, refresh=is_repeated)
            await self._report(report)
        finally:
            self._active_artifacts -= artifact_count
            self._artifact_done.set()

    async def _report(self, report: DownloadReport[StoredFile]) -> None:
        # The report is yielded even if a fatal error cancels the wait.
        self._reports.put_nowait(report)
        await self._report_slots.acquire()
