"""The task that a worker runs for each batch. The scheduler imports this module, too, so it is small."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from packagex_async.errors import PackageXError
from packagex_async.integrations._dask.messages import BatchResult, ExportRecord

if TYPE_CHECKING:
    from packagex_async.integrations._dask.worker import DownloadWorker


async def download_batch(name: str, number: int, records: list[ExportRecord]) -> BatchResult:
    """Download the exports of a batch in the event loop of a worker.

    Args:
        name: The name of the job.
        number: The number of the batch.
        records: The exports.
    """
    from distributed import get_worker

    worker: Any = get_worker()
    plugin = cast("DownloadWorker | None", worker.plugins.get(name))
    if plugin is None:
        return BatchResult(
            error=PackageXError(
                f"the worker {worker.address} does not know the job: the cluster was restarted; start the "
                "download again"
            )
        )
    return await plugin.download(number, records)
