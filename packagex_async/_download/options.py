"""The options of a download, validated and frozen."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple, Protocol

import attrs

from packagex_async._context import ClientContext
from packagex_async._partials.partial_index import PartialIndex
from packagex_async._partials.targets import Target
from packagex_async._storage.download_url import DownloadUrl
from packagex_async._storage.download_urls import DownloadUrls
from packagex_async._storage.object_metadata import ObjectMetadata
from packagex_async._storage.storage_errors import unusable_body_error
from packagex_async.models import Artifact, Export
from packagex_async.report import OnProgress, StoredFile


class Download(Protocol):
    """The download of one artifact."""

    async def run(self) -> StoredFile:
        """Download the artifact."""
        ...


class ColumnFindings(NamedTuple):
    """The columns that the artifacts of a call have shown.

    Attributes:
        found: The columns with a type that exist.
        has_columns: Whether any columns are known.
        has_unread: Whether the columns of an artifact are not known.
        duplicates: The names that several columns of an artifact have, its export and the artifact.
    """

    found: list[str]
    has_columns: bool
    has_unread: bool
    duplicates: list[tuple[list[str], str, Artifact]]


class FileFormat(Protocol):
    """A format to which artifacts are converted while they arrive; see `ParquetFormat`."""

    name: str

    @property
    def type_names(self) -> dict[str, str] | None:
        """The names of the types by column, or `None` if there are none."""
        ...

    def converts(self, artifact: Artifact) -> bool:
        """Return whether `artifact` is converted."""
        ...

    def rename(self, path: str) -> str:
        """Return the path of a converted file, given the path of the artifact."""
        ...

    def new_download(
        self,
        *,
        export: Export,
        url: DownloadUrl,
        urls: DownloadUrls,
        target: Target,
        context: ClientContext,
        options: DownloadOptions,
        on_progress: OnProgress | None,
        exists: bool,
        has_partial: bool,
    ) -> Download:
        """Return the download of an artifact."""
        ...

    def is_current(self, target: Target, type_names: Mapping[str, str] | None) -> bool:
        """Return whether the target, which was written for these types, can be kept. A blocking call."""
        ...

    def warn(self) -> None:
        """Issue the warnings about artifacts that were converted since the last call."""
        ...

    def new_call(self) -> FileFormat:
        """Return the same format for another call, which shares memory and threads with this one."""
        ...

    def findings(self) -> ColumnFindings:
        """Return what the artifacts of this call have shown so far."""
        ...

    def add_findings(self, findings: ColumnFindings) -> None:
        """Add the findings of another call."""
        ...

    def check_columns(self) -> None:
        """Check at the end that each column with a type occurs in an artifact."""
        ...


@attrs.frozen(kw_only=True, eq=False, repr=False)
class DownloadOptions:
    """The requirements for each file.

    Attributes:
        overwrite: Replace an existing file.
        sha256: Compute the SHA-256 of the file.
        durable: Flush the file to the storage device before it gets its name.
        require_verification: Refuse an artifact whose storage host declares neither length nor hash.
        max_size: The maximum size in bytes.
        partial_index: The partial files of earlier runs. With an index, they are resumed, and an interrupted
            transfer leaves its own partial file.
        segments: The maximum number of connections for one artifact.
        file_format: The format to which artifacts are converted, or `None`.
    """

    overwrite: bool = False
    sha256: bool = False
    durable: bool = False
    require_verification: bool = False
    max_size: int | None = None
    partial_index: PartialIndex | None = None
    segments: int = 1
    file_format: FileFormat | None = None

    def check_limits(self, url: DownloadUrl, known: ObjectMetadata, size: int | None) -> None:
        """Check an artifact against `max_size` and `require_verification`.

        Args:
            url: The URL of the artifact.
            known: The metadata of the object.
            size: The number of bytes, or of those so far, if known.

        Raises:
            StorageError: The artifact is too large, or cannot be verified.
        """
        if self.max_size is not None and size is not None and size > self.max_size:
            reason = f"it has {size} bytes or more, which is above max_size={self.max_size}"
            raise unusable_body_error(url, reason)
        if self.require_verification and known.wire_length is None and not known.hashes:
            reason = "it declares neither length nor hash, and require_verification is set"
            raise unusable_body_error(url, reason)

    def format_of(self, artifact: Artifact) -> FileFormat | None:
        """Return the format to which `artifact` is converted, or `None`."""
        file_format = self.file_format
        return file_format if file_format is not None and file_format.converts(artifact) else None

    def path_of(self, path: str, artifact: Artifact) -> str:
        """Return the path of the file of `artifact`, given the path in its own format."""
        file_format = self.format_of(artifact)
        return path if file_format is None else file_format.rename(path)
