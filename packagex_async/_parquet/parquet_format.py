"""The format `parquet` of downloads."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

import pyarrow as pa

from packagex_async._context import ClientContext
from packagex_async._decoders.header import warn_of_duplicates
from packagex_async._download.options import ColumnFindings, Download, DownloadOptions
from packagex_async._parquet.download import ParquetDownload
from packagex_async._parquet.resources import Resources
from packagex_async._parquet.source import has_types, read_existing
from packagex_async._partials.targets import Target
from packagex_async._storage.download_url import DownloadUrl
from packagex_async._storage.download_urls import DownloadUrls
from packagex_async._utils.call_site import find_call_site
from packagex_async.errors import ConfigurationError
from packagex_async.models import Artifact, Export
from packagex_async.report import OnProgress


class ParquetFormat:
    """The format `parquet` of one call: CSV artifacts become Parquet files.

    Args:
        types: The types of columns. Artifacts without such a column ignore its type.
        resources: The memory and threads; by default, those of this call only.
    """

    name = "parquet"

    def __init__(self, types: Mapping[str, pa.DataType], resources: Resources | None = None) -> None:
        self._types = types
        self._resources = resources or Resources()
        self._found: set[str] = set()
        self._unread: set[str] = set()
        self._has_columns = False
        self._duplicates: list[tuple[list[str], str, Artifact]] = []
        # The stack of a download task does not contain the caller's code.
        self._call_site = find_call_site()

    @property
    def type_names(self) -> dict[str, str] | None:
        """The names of the types by column, or `None` if there are none."""
        return {column: str(data_type) for column, data_type in self._types.items()} or None

    def converts(self, artifact: Artifact) -> bool:
        """Return whether `artifact` is converted."""
        return artifact is not Artifact.JSON

    def rename(self, path: str) -> str:
        """Return the path of the Parquet file, given the path of the CSV file."""
        return f"{path.removesuffix('.csv')}.parquet"

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
        """Return the download of an artifact; see `ParquetDownload`."""
        self._unread.add(target.name)
        return ParquetDownload(
            export=export,
            url=url,
            urls=urls,
            target=target,
            context=context,
            options=options,
            on_progress=on_progress,
            exists=exists,
            has_partial=has_partial,
            types=self._types,
            resources=self._resources,
            on_schema=partial(self._add_columns, target.name),
            on_duplicates=lambda names: self._duplicates.append((names, export.id, url.artifact)),
        )

    def is_current(self, target: Target, type_names: Mapping[str, str] | None) -> bool:
        """Return whether an existing Parquet file has the types of this call. A blocking call.

        Args:
            target: The file or object.
            type_names: The names of the types for which the file was written, by column.
        """
        if not self._types:
            return not type_names
        existing = read_existing(target.open)
        if existing is None or not has_types(existing.schema, self._types):
            return False
        self._add_columns(target.name, existing.schema)
        return True

    def warn(self) -> None:
        """Warn of columns with the same name in the artifacts that were converted since the last call."""
        while self._duplicates:
            names, export_id, artifact = self._duplicates.pop(0)
            warn_of_duplicates(names, export_id, artifact, self._call_site)

    def new_call(self) -> ParquetFormat:
        """Return the same format for another call, which shares memory and threads with this one."""
        return ParquetFormat(self._types, self._resources)

    def findings(self) -> ColumnFindings:
        """Return what the artifacts of this call have shown so far, for `add_findings`."""
        return ColumnFindings(
            sorted(self._found), self._has_columns, bool(self._unread), list(self._duplicates)
        )

    def add_findings(self, findings: ColumnFindings) -> None:
        """Add the findings of another call, so that `warn` and `check_columns` count its artifacts, too."""
        self._found.update(findings.found)
        self._has_columns |= findings.has_columns
        if findings.has_unread:
            self._unread.add("")
        self._duplicates += findings.duplicates

    def check_columns(self) -> None:
        """Check that each column with a type occurs in an artifact, if the columns of all are known.

        Raises:
            ConfigurationError: No artifact has one of the columns.
        """
        missing = [name for name in self._types if name not in self._found]
        if missing and self._has_columns and not self._unread:
            names = ", ".join(map(repr, missing))
            raise ConfigurationError(f"types: no artifact has the column {names}")

    def _add_columns(self, target: str, schema: pa.Schema) -> None:
        self._unread.discard(target)
        self._found.update(self._types.keys() & set(schema.names))
        self._has_columns |= bool(schema.names)
