"""An asyncio client for the Exports API of PackageX.

Public names are imported at their first use. The pytest plugin of this package is loaded by every pytest run,
and must not cost import time.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from packagex_async._version import __version__ as __version__

if TYPE_CHECKING:
    from packagex_async._bucket_sync.object_checker import CheckedObject as CheckedObject
    from packagex_async._buckets.bucket import Bucket as Bucket
    from packagex_async._download.artifact_stream import ArtifactStream as ArtifactStream
    from packagex_async._sync.file_checker import CheckedFile as CheckedFile
    from packagex_async._sync.file_checker import FileState as FileState
    from packagex_async._sync.pruner import PrunedFile as PrunedFile
    from packagex_async._watch.poll import Poll as Poll
    from packagex_async.client import AsyncPackageX as AsyncPackageX
    from packagex_async.creation import CsvFieldOptions as CsvFieldOptions
    from packagex_async.errors import ApiError as ApiError
    from packagex_async.errors import ArtifactNotOfferedError as ArtifactNotOfferedError
    from packagex_async.errors import AuthenticationError as AuthenticationError
    from packagex_async.errors import BadRequestError as BadRequestError
    from packagex_async.errors import ChecksumError as ChecksumError
    from packagex_async.errors import ClientClosedError as ClientClosedError
    from packagex_async.errors import ConfigurationError as ConfigurationError
    from packagex_async.errors import ConnectionFailedError as ConnectionFailedError
    from packagex_async.errors import DecodeError as DecodeError
    from packagex_async.errors import DestinationError as DestinationError
    from packagex_async.errors import DirectoryError as DirectoryError
    from packagex_async.errors import DownloadError as DownloadError
    from packagex_async.errors import ExportFailedError as ExportFailedError
    from packagex_async.errors import ExportGoneError as ExportGoneError
    from packagex_async.errors import ExportNotReadyError as ExportNotReadyError
    from packagex_async.errors import ExportStateError as ExportStateError
    from packagex_async.errors import ExportTimedOutError as ExportTimedOutError
    from packagex_async.errors import IncompleteBodyError as IncompleteBodyError
    from packagex_async.errors import LinkExpiredError as LinkExpiredError
    from packagex_async.errors import MalformedRowError as MalformedRowError
    from packagex_async.errors import NotFoundError as NotFoundError
    from packagex_async.errors import PackageXError as PackageXError
    from packagex_async.errors import PaginationError as PaginationError
    from packagex_async.errors import PermissionDeniedError as PermissionDeniedError
    from packagex_async.errors import RateLimitError as RateLimitError
    from packagex_async.errors import RequestTimeoutError as RequestTimeoutError
    from packagex_async.errors import ServerError as ServerError
    from packagex_async.errors import StalledError as StalledError
    from packagex_async.errors import StorageError as StorageError
    from packagex_async.errors import StorageUnreachableError as StorageUnreachableError
    from packagex_async.errors import UnconfirmedError as UnconfirmedError
    from packagex_async.errors import WaitTimeoutError as WaitTimeoutError
    from packagex_async.exports import AsyncExports as AsyncExports
    from packagex_async.models import Artifact as Artifact
    from packagex_async.models import Direction as Direction
    from packagex_async.models import Export as Export
    from packagex_async.models import ExportResource as ExportResource
    from packagex_async.models import ExportStatus as ExportStatus
    from packagex_async.models import OrderBy as OrderBy
    from packagex_async.models import Page as Page
    from packagex_async.models import Pagination as Pagination
    from packagex_async.report import BucketFile as BucketFile
    from packagex_async.report import DownloadedFile as DownloadedFile
    from packagex_async.report import DownloadGroupError as DownloadGroupError
    from packagex_async.report import DownloadReport as DownloadReport
    from packagex_async.report import PlannedFile as PlannedFile
    from packagex_async.report import ProgressEvent as ProgressEvent
    from packagex_async.report import ProgressKind as ProgressKind
    from packagex_async.retry import RetryPolicy as RetryPolicy
    from packagex_async.verification import verify_directory as verify_directory

__all__ = [
    "ApiError",
    "Artifact",
    "ArtifactNotOfferedError",
    "ArtifactStream",
    "AsyncExports",
    "AsyncPackageX",
    "AuthenticationError",
    "BadRequestError",
    "Bucket",
    "BucketFile",
    "CheckedFile",
    "CheckedObject",
    "ChecksumError",
    "ClientClosedError",
    "ConfigurationError",
    "ConnectionFailedError",
    "CsvFieldOptions",
    "DecodeError",
    "DestinationError",
    "Direction",
    "DirectoryError",
    "DownloadError",
    "DownloadGroupError",
    "DownloadReport",
    "DownloadedFile",
    "Export",
    "ExportFailedError",
    "ExportGoneError",
    "ExportNotReadyError",
    "ExportResource",
    "ExportStateError",
    "ExportStatus",
    "ExportTimedOutError",
    "FileState",
    "IncompleteBodyError",
    "LinkExpiredError",
    "MalformedRowError",
    "NotFoundError",
    "OrderBy",
    "PackageXError",
    "Page",
    "Pagination",
    "PaginationError",
    "PermissionDeniedError",
    "PlannedFile",
    "Poll",
    "ProgressEvent",
    "ProgressKind",
    "PrunedFile",
    "RateLimitError",
    "RequestTimeoutError",
    "RetryPolicy",
    "ServerError",
    "StalledError",
    "StorageError",
    "StorageUnreachableError",
    "UnconfirmedError",
    "WaitTimeoutError",
    "__version__",
    "verify_directory",
]

_MODULES = (
    "models", "errors", "creation", "retry", "report", "_download.artifact_stream", "_sync.file_checker",
    "_sync.pruner", "_watch.poll", "verification",
)  # fmt: skip
_SINGLE_MODULES = {
    "AsyncExports": "exports",
    "AsyncPackageX": "client",
    "Bucket": "_buckets.bucket",
    "CheckedObject": "_bucket_sync.object_checker",
}


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    # Do not import the other modules for the client.
    names = (_SINGLE_MODULES[name],) if name in _SINGLE_MODULES else _MODULES
    modules = (importlib.import_module(f"{__name__}.{module}") for module in names)
    value = globals()[name] = next(getattr(module, name) for module in modules if hasattr(module, name))
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
