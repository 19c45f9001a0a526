"""The part of a job in each worker: the client of the API, and the limits of this worker."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from distributed.diagnostics.plugin import WorkerPlugin

from packagex_async._buckets.bucket import Bucket
from packagex_async._context import ClientContext
from packagex_async._download.plans import make_plan
from packagex_async._files.exclusions import Exclusions
from packagex_async._parquet.requested import parse_format
from packagex_async._sync.changes import ChangedDownloads
from packagex_async._sync.manifest import Manifest
from packagex_async.client import KEY_VARIABLE, AsyncPackageX
from packagex_async.errors import ConfigurationError, ConnectionFailedError, PackageXError
from packagex_async.exports import AsyncExports, context_of
from packagex_async.integrations._dask.batch import Batch
from packagex_async.integrations._dask.limits import SharedLimiter
from packagex_async.integrations._dask.messages import (
    KINDS,
    BatchResult,
    ExportRecord,
    JobSettings,
    Kind,
    Limits,
    check_version,
)
from packagex_async.integrations._dask.reports import encode_error


class WorkerExports(AsyncExports):
    """The exports in a worker, which lists none itself."""

    def downloads(self, destination: str | Bucket, options: Mapping[str, Any]) -> ChangedDownloads:
        """Return the downloads into a directory or bucket.

        Args:
            destination: The path of the directory, or the bucket.
            options: The options of `download_all` for the workers.

        Raises:
            ConfigurationError: A package is not installed on this worker.
        """
        plan = make_plan(
            destination,
            artifacts=options["artifacts"],
            concurrency=options["concurrency"],
            on_progress=None,
            overwrite=options["overwrite"],
            digest="sha256",
            resume=options["resume"],
            require_verification=options["require_verification"],
            max_size=options["max_size"],
            durability=options["durability"],
            segments=options["segments"],
            file_format=parse_format(options["format"], options["types"]),
            dry_run=options["dry_run"],
        )
        return self._changed_downloads(
            destination,
            plan,
            Manifest(plan.directory or Path(), durable=plan.options.durable, read_only=plan.dry_run),
            layout=options["layout"],
            resume=options["resume"],
            verify=options["verify"],
            count_rows=options["count_rows"],
            exclusions=Exclusions.from_argument(options["exclude"]),
        )


class DownloadWorker(WorkerPlugin):  # type: ignore[misc]  # untyped without the extra
    """Downloads the batches of one job on one worker, with one client of the API.

    An error of the setup is the result of each batch on this worker, so that the worker can join the cluster.

    Args:
        settings: The settings of the job.
    """

    def __init__(self, settings: JobSettings) -> None:
        self.name: str = settings.name
        self._settings = settings

    async def setup(self, worker: Any) -> None:
        """Create the client, and get the limits of this worker."""
        self._worker = worker
        self._px: AsyncPackageX | None = None
        self._error: PackageXError | None = None
        self._revision = 0
        self._tasks: set[asyncio.Task[object]] = set()
        try:
            self._downloads = self._new_downloads(worker)
            self._limiters = self._new_limiters(self._downloads.context)
            self._handlers = {"resize": self.resize, "follow": self.follow}
            for action, handler in self._handlers.items():
                worker.handlers[self._settings.operation(action)] = handler
            await self.resize(await self._request("ready", worker=worker.address))
        except PackageXError as error:
            self._error = error
        except OSError:
            self._error = self._lost_scheduler()

    async def teardown(self, worker: Any) -> None:
        """End running batches, and close the client."""
        for action in ("resize", "follow"):
            worker.handlers.pop(self._settings.operation(action), None)
        if self._px is not None:
            await self._px.aclose()
            await self._downloads.aclose()

    async def download(self, number: int, records: list[ExportRecord]) -> BatchResult:
        """Download a batch.

        Args:
            number: The number of the batch.
            records: Its exports.
        """
        if self._error is not None:
            return BatchResult(error=encode_error(self._error, self._root))
        try:
            is_repeated = bool(await self._request("begin", number=number))
        except OSError:
            return BatchResult(error=encode_error(self._lost_scheduler(), self._root))
        return await Batch(self._downloads, records, self._root, is_repeated=is_repeated).download()

    async def resize(self, limits: list[Any]) -> None:
        """Set the share of this worker in the limits, unless a newer share is known."""
        share = Limits(*limits)
        if share.revision > self._revision:
            self._revision = share.revision
            self._limiters["api"].resize(share.api)
            self._limiters["storage"].resize(share.storage)

    async def follow(self, kind: Kind, generation: int, retry_after: float | None) -> None:
        """Slow down after a request of any worker was refused."""
        self._limiters[kind].follow(generation, retry_after)

    @property
    def _root(self) -> str:
        destination = self._settings.destination
        return destination if isinstance(destination, str) else destination.url

    def _lost_scheduler(self) -> ConnectionFailedError:
        return ConnectionFailedError(
            f"the worker {self._worker.address} has lost the connection to the Dask scheduler"
        )

    def _new_downloads(self, worker: Any) -> ChangedDownloads:
        settings = self._settings
        check_version(settings.version, f"the worker {worker.address}")
        if not os.environ.get(KEY_VARIABLE, "").strip():
            raise ConfigurationError(
                f"no API key on the worker {worker.address}: set {KEY_VARIABLE} in the environment of each "
                "worker"
            )
        self._px = AsyncPackageX(environment=settings.environment, base_url=settings.base_url)
        exports = WorkerExports(context_of(self._px.exports))
        return exports.downloads(settings.destination, settings.options)

    def _new_limiters(self, context: ClientContext) -> dict[Kind, SharedLimiter]:
        limiters = {"api": context.api.limiter, "storage": context.limiter}
        return {kind: SharedLimiter(limiters[kind], self._reporter(kind)) for kind in KINDS}

    def _reporter(self, kind: Kind) -> Any:
        def report(generation: int, retry_after: float | None, is_halved: bool) -> None:
            work = self._request_quietly(
                "throttled", kind=kind, generation=generation, retry_after=retry_after, is_halved=is_halved
            )
            task = asyncio.get_running_loop().create_task(work)
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

        return report

    async def _request(self, action: str, **arguments: Any) -> Any:
        """Call an operation of the coordinator.

        Raises:
            OSError: The scheduler, or the job, does not exist any more.
        """
        reply = await getattr(self._worker.scheduler, self._settings.operation(action))(**arguments)
        if reply is None:
            raise ConnectionResetError("the scheduler does not know the operation")
        return reply

    async def _request_quietly(self, action: str, **arguments: Any) -> None:
        try:
            await self._request(action, **arguments)
        except OSError:
            # Without the coordinator, this worker still follows its own limits.
            return
