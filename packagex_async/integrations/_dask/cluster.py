"""The connection of the client process to a Dask cluster."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Generator
from typing import Any

from distributed import CancelledError, Client, Future
from distributed.scheduler import KilledWorker

from packagex_async._utils.redaction import sanitize
from packagex_async.errors import ConfigurationError, ConnectionFailedError, PackageXError
from packagex_async.integrations._dask.coordinator import Coordinator
from packagex_async.integrations._dask.messages import (
    BatchResult,
    ExportRecord,
    JobSettings,
    LostBatchError,
)
from packagex_async.integrations._dask.task import download_batch
from packagex_async.integrations._dask.worker import DownloadWorker

_CLEANUP_SECONDS = 30
"""Seconds after which the end of a job does not wait for the cluster any more."""


class Cluster:
    """A Dask cluster with one job.

    Args:
        client: The asynchronous client.
        settings: The settings of the job.
    """

    def __init__(self, client: Client, settings: JobSettings) -> None:
        self._client: Any = client
        self._settings = settings
        self._futures: set[Any] = set()

    async def open(self) -> None:
        """Prepare the scheduler and all workers, also those that join later.

        Raises:
            ConfigurationError: This package is missing on the scheduler or a worker, or has another version.
            ConnectionFailedError: The scheduler does not respond.
        """
        settings, client = self._settings, self._client
        coordinator = Coordinator(settings.name, settings.version, client.id, settings.options["concurrency"])
        with translated_errors("the Dask cluster cannot run the download"):
            await client.register_plugin(coordinator, name=settings.name)
            await client.register_plugin(DownloadWorker(settings), name=settings.name)

    async def threads(self) -> list[int]:
        """Return the number of threads of each worker.

        Raises:
            ConnectionFailedError: The scheduler does not respond.
        """
        with translated_errors("the workers cannot be counted"):
            counts: dict[str, int] = await self._client.nthreads()
        return list(counts.values())

    async def download(self, number: int, records: list[ExportRecord]) -> BatchResult:
        """Download a batch on a worker.

        Args:
            number: The number of the batch.
            records: Its exports.

        Raises:
            LostBatchError: Several workers have died while they downloaded the batch.
            ConfigurationError: A worker cannot run the task.
            ConnectionFailedError: The connection to the scheduler was lost.
        """
        name = self._settings.name
        with translated_errors("a Dask worker cannot run the download"):
            future: Future[Any] = self._client.submit(
                download_batch, name, number, records, key=f"{name}-{number}"
            )
            self._futures.add(future)
            result: BatchResult = await future
        self._futures.discard(future)
        future.release()
        return result

    async def aclose(self) -> None:
        """Cancel all tasks, and remove the job from the cluster. It may have lost the connection."""
        client, futures = self._client, list(self._futures)
        self._futures.clear()
        if client.status != "running":
            return
        with contextlib.suppress(OSError, TimeoutError):
            async with asyncio.timeout(_CLEANUP_SECONDS):
                if futures:
                    await client.cancel(futures, force=True)
                await getattr(client.scheduler, self._settings.operation("end"))()


@contextlib.contextmanager
def translated_errors(operation: str) -> Generator[None, None, None]:
    """Convert errors of Dask to public errors.

    Args:
        operation: The operation that failed, for the message.
    """
    failure: PackageXError
    try:
        yield
        return
    except PackageXError:
        raise
    except CancelledError as error:
        failure = ConnectionFailedError(f"the Dask cluster has cancelled a task: {_first_line(error)}")
    except KilledWorker as error:
        count = error.allowed_failures + 1
        died = "1 worker died while it" if count == 1 else f"{count} workers died while they"
        failure = LostBatchError(
            f"{died} downloaded the batch of this export: check the memory limit and the logs of the workers"
        )
    except OSError as error:
        failure = ConnectionFailedError(
            f"the Dask scheduler does not respond: {_first_line(error)}; check that the cluster is running"
        )
    except Exception as error:
        failure = ConfigurationError(
            f"{operation}: {type(error).__name__}: {_first_line(error)}; install packagex-async "
            "with the extra dask, in the same version, on the scheduler and all workers"
        )
    raise failure


def _first_line(error: BaseException) -> str:
    return sanitize(" ".join(str(error).split()))


def check_client(client: Any) -> Client:
    """Return the client if it can be used in the current event loop.

    Raises:
        ConfigurationError: It is no Dask client, or it is synchronous, not connected, or of another loop.
    """
    if not isinstance(client, Client):
        raise ConfigurationError(f"dask_client must be a distributed.Client, not {type(client).__name__}")
    if not client.asynchronous:
        raise ConfigurationError(
            "dask_client must be asynchronous, and belong to this event loop: use `async with "
            "Client(address, asynchronous=True) as dask_client`"
        )
    if client.status != "running":
        raise ConfigurationError(
            f"dask_client is not connected (its status is {client.status}): use it inside `async with "
            "Client(address, asynchronous=True) as dask_client`"
        )
    return client
