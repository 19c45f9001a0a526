"""The part of a job in the scheduler: it divides the limits, spreads throttling, and cleans up."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

from distributed.diagnostics.plugin import SchedulerPlugin

from packagex_async._concurrency.limiter import DEFAULT_LIMIT
from packagex_async.integrations._dask.limits import Generations, divide
from packagex_async.integrations._dask.messages import Kind, Limits, check_version


class Coordinator(SchedulerPlugin):  # type: ignore[misc]  # untyped without the extra
    """Coordinates the workers of one job.

    It ends the job if the client process disappears.

    Args:
        name: The name of the job.
        version: The version of this package in the client process.
        client_id: The id of the Dask client.
        concurrency: The maximum number of concurrent requests to storage hosts of all workers together.
    """

    def __init__(self, name: str, version: str, client_id: str, concurrency: int) -> None:
        self.name: str = name
        self._version = version
        self._client_id = client_id
        self._concurrency = concurrency
        self._scheduler: Any = None
        self._workers: list[str] = []
        self._revision = 0
        self._generations = Generations()
        self._begun: set[int] = set()
        self._tasks: set[asyncio.Task[object]] = set()

    async def start(self, scheduler: Any) -> None:
        """Provide the operations of the job.

        Raises:
            ConfigurationError: The scheduler has another version of this package.
        """
        check_version(self._version, "the scheduler")
        self._scheduler = scheduler
        for operation in (self.ready, self.begin, self.throttled, self.end):
            scheduler.handlers[f"{self.name}-{operation.__name__}"] = operation

    def remove_worker(self, scheduler: Any, worker: str, **_: Any) -> None:
        """Divide the limits among the other workers."""
        if worker in self._workers:
            self._workers.remove(worker)
            self._divide()

    def remove_client(self, scheduler: Any, client: str) -> None:
        """End the job if its client process has disappeared."""
        if client == self._client_id:
            self._start(self.end())

    async def ready(self, worker: str) -> list[int]:
        """Include a worker in the division of the limits; return its `Limits`."""
        if worker not in self._workers:
            self._workers.append(worker)
        limits = self._divide(exclude=worker)
        return list(limits[worker])

    async def begin(self, number: int) -> bool:
        """Return whether the batch was begun before, by a worker that has died or left."""
        is_repeated = number in self._begun
        self._begun.add(number)
        return is_repeated

    async def throttled(
        self, kind: Kind, generation: int, retry_after: float | None, is_halved: bool
    ) -> bool:
        """Let all workers slow down after a request of one of them was refused; return `True`."""
        is_new = is_halved and self._generations.advance(kind, generation)
        if is_new or retry_after is not None:
            self._send(
                self._workers,
                "follow",
                kind=kind,
                generation=self._generations.number(kind),
                retry_after=retry_after,
            )
        # A scheduler replies `None` to an unknown operation.
        return True

    async def end(self) -> None:
        """Remove the job from all workers and from the scheduler. Idempotent."""
        scheduler = self._scheduler
        if self.name not in scheduler.plugins:
            return
        scheduler.remove_plugin(self.name)
        scheduler.worker_plugins.pop(self.name, None)
        await scheduler.broadcast(msg={"op": "plugin-remove", "name": self.name}, on_error="ignore")
        for action in ("ready", "begin", "throttled", "end"):
            scheduler.handlers.pop(f"{self.name}-{action}", None)

    def _divide(self, exclude: str = "") -> dict[str, Limits]:
        """Divide the limits, and send each worker its share, except for one."""
        self._revision += 1
        count = len(self._workers)
        if not count:
            return {}
        shares = zip(divide(DEFAULT_LIMIT, count), divide(self._concurrency, count), strict=True)
        limits = {
            worker: Limits(self._revision, api, storage)
            for worker, (api, storage) in zip(self._workers, shares, strict=True)
        }
        for share in {*limits.values()}:
            workers = [worker for worker, other in limits.items() if other == share and worker != exclude]
            self._send(workers, "resize", limits=list(share))
        return limits

    def _send(self, workers: list[str], action: str, **arguments: Any) -> None:
        if workers:
            message = {"op": f"{self.name}-{action}", **arguments}
            self._start(self._scheduler.broadcast(msg=message, workers=list(workers), on_error="ignore"))

    def _start(self, work: Coroutine[Any, Any, object]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
