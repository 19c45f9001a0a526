"""Downloads on the workers of a Dask cluster (extra `dask`)."""

from __future__ import annotations

import importlib
import os
from collections.abc import AsyncGenerator
from typing import Any, Literal

from packagex_async._buckets.bucket import Bucket
from packagex_async.errors import ConfigurationError
from packagex_async.report import DownloadReport

__all__ = ["download_all"]


def download_all(
    dask_client: Any,
    destination: str | os.PathLike[str] | Bucket,
    *,
    base_url: str | None = None,
    environment: Literal["production", "sandbox"] = "production",
    batch_size: int = 32,
    **options: Any,
) -> AsyncGenerator[DownloadReport[Any], None]:
    """Download all matching exports on the workers of a Dask cluster. API: List exports, Retrieve Export.

    This process lists the exports, and sends them to the workers in batches of ids, with the status, the
    resource and the dates of each export. The workers retrieve the URLs, download, and record the files in
    the manifest of `destination`. If a worker dies, another one repeats its batches, and keeps the files that
    are recorded. API keys, URLs and paths of files are not part of tasks and results.

    The environment variable `PX_API_KEY` must be set in this process and on each worker. This package must be
    installed in the same version in this process, on the scheduler and on all workers. The number of threads
    of a worker is the number of batches that it downloads at the same time.

    Leaving the loop early cancels all tasks. Wrap the generator in `contextlib.aclosing` to cancel them at
    once.

    Args:
        dask_client: A connected, asynchronous `distributed.Client`.
        destination: Path of a directory that all workers share, or a `Bucket`. A bucket is sent without
            credentials: each worker finds them in its environment.
        base_url: Base URL to use instead of the environment's; see `AsyncPackageX`.
        environment: `"production"` or `"sandbox"`.
        batch_size: The number of exports of a task.
        **options: Parameters of `AsyncExports.download_all`, except `on_progress`. `concurrency` is the
            maximum number of concurrent artifacts of all workers together; each worker gets an equal share,
            and at least one. The callbacks `on_wait`, `on_poll` and `on_prune` run in this process, and
            `prune_after` needs a directory that this process shares.

    Returns:
        An async generator of one report per export, in the order in which they finish. The `export` of a
        report has no URLs that a worker has retrieved. If a batch is lost because several workers died, its
        reports have an `error`.

    Raises:
        ConfigurationError: At the call: distributed is not installed, the client is not asynchronous or not
            connected, there is no API key, or an option is unknown or invalid. Later: a worker has no API
            key, or the package is missing or has another version on the scheduler or a worker.
        AuthenticationError: The API does not know the key of this process or of a worker.
        PermissionDeniedError: The key of this process or of a worker has no permission.
        ConnectionFailedError: The connection to the scheduler was lost, or the API did not respond to the
            listing.
        PackageXError: See `AsyncExports.download_all`.
    """
    try:
        importlib.import_module("distributed")
    except ImportError as error:
        raise ConfigurationError(
            "downloads on a Dask cluster need the extra dask: pip install 'packagex-async[dask]' adds it "
            f"({error})"
        ) from error
    from packagex_async.integrations._dask.cluster import check_client
    from packagex_async.integrations._dask.job import start_job
    from packagex_async.integrations._dask.options import check_batch_size, check_destination, check_options

    return start_job(
        check_client(dask_client),
        check_destination(destination),
        base_url=base_url,
        environment=environment,
        batch_size=check_batch_size(batch_size),
        options=check_options(options),
    )
