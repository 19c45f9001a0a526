"""Yields the rows of all exports that are not loaded yet, and decides what a failure means."""

from __future__ import annotations

from collections.abc import Generator
from datetime import UTC, datetime
from typing import Any

import dlt
from dlt.common import logger
from dlt.common.configuration.container import Container
from dlt.common.pipeline import PipelineContext

from packagex_async._decoders.header import warn_of_duplicates
from packagex_async._utils.redaction import sanitize
from packagex_async.errors import (
    ArtifactNotOfferedError,
    AuthenticationError,
    ConfigurationError,
    ExportFailedError,
    ExportNotReadyError,
    ExportTimedOutError,
    PackageXError,
    PermissionDeniedError,
)
from packagex_async.integrations.dlt._recorder import RowsMeta
from packagex_async.integrations.dlt.event_loop import EventLoopThread
from packagex_async.integrations.dlt.names import column_names, table_name, warn_of_renamed
from packagex_async.integrations.dlt.parameters import SourceParameters
from packagex_async.integrations.dlt.reader import ExportReader, FailedExport, ReadExport
from packagex_async.integrations.dlt.state import LISTING, LoadState
from packagex_async.integrations.dlt.tables import empty_table, row_tables

_FATAL = (AuthenticationError, PermissionDeniedError, ConfigurationError)
"""Errors that end the run at once. An error that is not a `PackageXError` does so, too."""

_MESSAGE_LIMIT = 300
"""The length in characters to which messages are cut in the state, which may contain thousands of them."""

_WITHOUT_ROWS = (ArtifactNotOfferedError, ExportFailedError, ExportTimedOutError)
"""Errors of exports that never have rows."""


def load_exports(parameters: SourceParameters, resource: str) -> Generator[Any, None, None]:
    """Yield tables with the rows of all exports that are not loaded yet.

    Args:
        parameters: The parameters of the source.
        resource: The name of the resource, whose state contains the loaded exports.

    Raises:
        PackageXError: The API refuses the key, or the listing failed and no export could be loaded.
    """
    state = LoadState(dlt.current.resource_state(resource), datetime.now(UTC))
    run = _Run(parameters, state)
    reader = ExportReader(parameters, state.is_loaded, _working_directory())
    try:
        with EventLoopThread(reader.run()) as loop:
            while (result := loop.run(reader.next_result())) is not None:
                if isinstance(result, FailedExport):
                    run.add_failure(result)
                else:
                    yield from run.items(result)
        run.finish()
    finally:
        state.set_failures(run.failures)


def _working_directory() -> str | None:
    """Return the directory of the active pipeline, which is on a disk, unlike many temporary directories."""
    context = Container()[PipelineContext]
    return context.pipeline().working_dir if context.is_active() else None


class _Run:
    """One run of the resource."""

    def __init__(self, parameters: SourceParameters, state: LoadState) -> None:
        self.failures: dict[str, str] = {}
        self._parameters = parameters
        self._state = state
        self._naming = dlt.current.source_schema().naming
        self._listing_error: PackageXError | None = None
        self._has_rows = False
        self._columns: set[str] = set()

    def items(self, read: ReadExport) -> Generator[Any, None, None]:
        """Yield the rows of an export, with the name of their table."""
        export, rows = read.export, read.rows
        table = table_name(str(export.resource or ""), self._naming.normalize_tables_path)
        names = self._column_names(read)
        loaded = self._state.loaded_rows(export.id)
        try:
            if rows.count == 0 and names:
                meta = RowsMeta(table, export.id, 0, is_last=True)
                yield meta.item(empty_table(export, read.schema, names))
            elif rows.count <= loaded:
                self._state.record_export(export.id)
            for part in row_tables(export, rows.batches(), names, loaded):
                self._has_rows = True
                meta = RowsMeta(table, export.id, part.end, is_last=part.end == rows.count)
                yield meta.item(part.table)
        finally:
            rows.close()

    def _column_names(self, read: ReadExport) -> list[str]:
        self._columns.update(read.schema.names)
        names, renamed = column_names(read.schema.names, self._naming.normalize_path)
        where = read.export.id, self._parameters.artifact, self._parameters.call_site
        if read.duplicates:
            warn_of_duplicates(read.duplicates, *where)
        if renamed:
            warn_of_renamed(renamed, *where)
        return names

    def add_failure(self, failed: FailedExport) -> None:
        """Record a failure.

        Raises:
            Exception: The failure ends the run.
        """
        error = failed.error
        if isinstance(error, _FATAL) or not isinstance(error, PackageXError):
            raise error
        if failed.export is None:
            self._listing_error = error
        elif isinstance(error, _WITHOUT_ROWS):
            logger.warning(str(error))
            self._state.record_export(failed.export.id)
        elif not isinstance(error, ExportNotReadyError):
            self._log_failure(failed.export.id, error, "the export is not loaded")

    def finish(self) -> None:
        """Check the result after all exports were read.

        Raises:
            PackageXError: The listing failed, and there are no rows that would be lost.
        """
        if self._listing_error is None:
            self._state.forget_deleted()
        elif not self._has_rows:
            raise self._listing_error
        else:
            logger.error(
                f"{self._listing_error}; the listing is not complete, and is tried again in the next run"
            )
            self.failures[LISTING] = str(self._listing_error)
        missing = [name for name in self._parameters.types if name not in self._columns]
        if missing and self._columns:
            logger.warning(f"types: no export has the column {', '.join(map(repr, missing))}")

    def _log_failure(self, key: str, error: PackageXError, result: str) -> None:
        logger.error(f"{error}; {result}, and is tried again in the next run")
        self.failures[key] = sanitize(error, limit=_MESSAGE_LIMIT)
