"""What travels between the processes of a job: settings, batches and results, without secrets and paths."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal, NamedTuple

import attrs

from packagex_async._buckets.bucket import Bucket
from packagex_async._download.options import ColumnFindings
from packagex_async._version import __version__
from packagex_async.errors import ConfigurationError, PackageXError
from packagex_async.models import Export, ExportResource, ExportStatus

Kind = Literal["api", "storage"]
"""The servers that limit requests independently."""

KINDS: tuple[Kind, ...] = ("api", "storage")


@attrs.frozen(kw_only=True, eq=False, repr=False)
class JobSettings:
    """The settings of a job.

    Attributes:
        name: The name of the job, which is unique in the cluster.
        version: The version of this package in the client process.
        base_url: The base URL of the API, or `None` for that of the environment.
        environment: The environment of the API.
        destination: The absolute path of a directory, or a bucket.
        options: The options of `download_all` for the workers.
    """

    name: str
    version: str
    base_url: str | None
    environment: Literal["production", "sandbox"]
    destination: str | Bucket
    options: dict[str, Any]

    def operation(self, action: str) -> str:
        """Return the name of an operation that the scheduler or a worker provides for this job."""
        return f"{self.name}-{action}"


class ExportRecord(NamedTuple):
    """The fields of an export that determine its files, and whether they are up to date.

    Attributes:
        id: See `Export`.
        status: See `Export`.
        resource: See `Export`.
        created_at: See `Export`.
        updated_at: See `Export`.
        refresh: Whether an earlier download in this job has failed.
    """

    id: str
    status: str | None
    resource: str | None
    created_at: datetime | None
    updated_at: datetime | None
    refresh: bool = False

    @classmethod
    def of(cls, export: Export, *, refresh: bool = False) -> ExportRecord:
        """Return the record of an export."""
        status, resource = export.status, export.resource
        return cls(
            export.id,
            None if status is None else status.value,
            None if resource is None else resource.value,
            export.created_at,
            export.updated_at,
            refresh,
        )

    def to_export(self) -> Export:
        """Return an export with these fields only."""
        return Export(
            id=self.id,
            status=None if self.status is None else ExportStatus(self.status),
            resource=None if self.resource is None else ExportResource(self.resource),
            created_at=self.created_at,
            updated_at=self.updated_at,
        )


class Limits(NamedTuple):
    """The limits of one worker for concurrent requests.

    Attributes:
        revision: The number of the division; a higher one is newer.
        api: The maximum number of requests to the API.
        storage: The maximum number of requests to storage hosts.
    """

    revision: int
    api: int
    storage: int


class FileResult(NamedTuple):
    """A file of a report, without its path."""

    artifact: str
    size: int
    verified: str
    sha256: str | None
    attempts: int
    resumed: bool
    elapsed: float
    kept: bool
    rows: int | None
    source_sha256: str | None


class PlanResult(NamedTuple):
    """A planned file of a report, without its path."""

    artifact: str
    reason: str
    size: int | None


class ReportResult(NamedTuple):
    """A report of a worker, without paths.

    Attributes:
        files: See `DownloadReport`.
        missing: See `DownloadReport`.
        failures: See `DownloadReport`; the errors contain placeholders instead of paths.
        error: See `DownloadReport`; likewise.
        planned: See `DownloadReport`.
        changed: The export without URLs, if it is not in the state in which it was listed.
    """

    files: tuple[FileResult, ...]
    missing: tuple[str, ...]
    failures: tuple[PackageXError, ...]
    error: PackageXError | None
    planned: tuple[PlanResult, ...]
    changed: Export | None


class LostBatchError(PackageXError):
    """Several workers have died while they downloaded a batch."""


class BatchResult(NamedTuple):
    """The result of a batch.

    Attributes:
        reports: The reports, in the order of the batch; empty after an error.
        error: The error that ends the job.
        findings: The columns of converted artifacts.
    """

    reports: tuple[ReportResult, ...] = ()
    error: PackageXError | None = None
    findings: ColumnFindings | None = None


def check_version(version: str, place: str) -> None:
    """Check that this process has the same version of the package as the client process.

    Args:
        version: The version in the client process.
        place: This process, for the message.

    Raises:
        ConfigurationError: The versions differ.
    """
    if version != __version__:
        raise ConfigurationError(
            f"{place} has packagex-async {__version__}, and the client process has {version}: install the "
            "same version on all machines"
        )
