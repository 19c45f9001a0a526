"""One job in the client process: listing, distribution and reports."""

from __future__ import annotations

import os
import pickle
import uuid
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import aclosing
from typing import Any, Literal

from distributed import Client

from packagex_async._buckets.bucket import Bucket
from packagex_async._context import ClientContext
from packagex_async._sync.changes import ChangedDownloads, Downloads
from packagex_async._version import __version__
from packagex_async.client import KEY_VARIABLE, AsyncPackageX
from packagex_async.errors import ConfigurationError
from packagex_async.exports import AsyncExports, context_of
from packagex_async.integrations._dask.cluster import Cluster
from packagex_async.integrations._dask.distribution import ClusterDownloads
from packagex_async.integrations._dask.messages import JobSettings
from packagex_async.integrations._dask.options import worker_options
from packagex_async.report import DownloadReport


class ClusterExports(AsyncExports):
    """The exports in the client process, which workers download.

    Args:
        context: The state of the client.
        distribute: Returns the downloads on a cluster, given those in this process.
    """

    def __init__(self, context: ClientContext, distribute: Callable[[ChangedDownloads], Downloads]) -> None:
        super().__init__(context)
        self._on_cluster = distribute

    def _distribute(self, downloads: ChangedDownloads) -> Downloads:
        return self._on_cluster(downloads)


def start_job(
    client: Client,
    destination: str | Bucket,
    *,
    base_url: str | None,
    environment: Literal["production", "sandbox"],
    batch_size: int,
    options: Mapping[str, Any],
) -> AsyncGenerator[DownloadReport[Any], None]:
    """Return the reports of a job. Nothing is sent before the first iteration.

    Args:
        client: The asynchronous Dask client.
        destination: The absolute path of a directory, or a bucket.
        base_url: The base URL of the API, or `None` for that of the environment.
        environment: The environment of the API.
        batch_size: The number of exports of a batch.
        options: The options of `download_all`.

    Raises:
        ConfigurationError: There is no API key, or an option is invalid or cannot be sent.
    """
    if not os.environ.get(KEY_VARIABLE, "").strip():
        raise ConfigurationError(
            f"no API key: set {KEY_VARIABLE} in the environment of this process, and of each worker"
        )
    px = AsyncPackageX(environment=environment, base_url=base_url)
    settings = JobSettings(
        name=f"packagex-download-{uuid.uuid4().hex}",
        version=__version__,
        base_url=base_url,
        environment=environment,
        destination=destination,
        options=worker_options(options),
    )
    _check_portable(settings)
    root = destination if isinstance(destination, str) else destination.url

    def distribute(local: ChangedDownloads) -> ClusterDownloads:
        return ClusterDownloads(local, Cluster(client, settings), root, batch_size)

    exports = ClusterExports(context_of(px.exports), distribute)
    return _reports(px, exports.download_all(destination, **options))


def _check_portable(settings: JobSettings) -> None:
    """Check that the settings can be sent to the workers.

    Raises:
        ConfigurationError: They cannot.
    """
    try:
        pickle.dumps(settings)
    except ConfigurationError:
        raise
    except Exception as error:
        raise ConfigurationError(
            f"an option cannot be sent to the workers ({type(error).__name__}): use text, numbers, and types "
            "of pyarrow"
        ) from None


async def _reports(
    px: AsyncPackageX, reports: AsyncGenerator[DownloadReport[Any], None]
) -> AsyncGenerator[DownloadReport[Any], None]:
    """Yield the reports, and close the client of the API at the end."""
    async with px, aclosing(reports):
        async for report in reports:
            yield report
