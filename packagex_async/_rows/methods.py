"""The methods of `AsyncExports` that yield the rows of an artifact while it streams."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import AsyncGenerator, AsyncIterable
from contextlib import AbstractAsyncContextManager, aclosing
from types import TracebackType
from typing import Any, TypeVar

from packagex_async._api.requests import check_integer, select_artifacts
from packagex_async._concurrency.lazy_imports import importing
from packagex_async._context import ClientContext
from packagex_async.errors import PackageXError
from packagex_async.models import Artifact, ArtifactName, Export

T = TypeVar("T")


class ExportRows:
    """The methods of `AsyncExports` that yield rows."""

    _context: ClientContext

    @abstractmethod
    def stream(
        self, export: Export | str, artifact: Artifact | ArtifactName
    ) -> AbstractAsyncContextManager[AsyncIterable[bytes]]:
        """Stream the bytes of one artifact; see `AsyncExports`."""
        ...

    def rows(
        self, export: Export | str, artifact: Artifact | ArtifactName = "csv"
    ) -> AsyncGenerator[dict[str, Any], None]:
        """Yield the rows of one artifact while it streams, without a file. API: Retrieve Export.

        If the iteration ends without an error, length and hash of the artifact are verified, as far as the
        storage host declares them. Commit or publish results only after that. After a connection failure, the
        rest is requested if it certainly has the same content. Memory does not grow with the size of the
        artifact.

        Leaving the loop early closes the connection. Wrap the generator in `contextlib.aclosing` to close it
        at once.

        A row of a CSV artifact is a dict of strings with the columns as keys, in the order of the file. The
        file is read as the standard library's `csv.DictReader` reads it, but strictly: each row must have as
        many cells as the header, and each quoted cell must be closed. Blank lines are skipped. The second of
        two columns `name` is called `name_2`, and a `UserWarning` names it.

        A row of the JSON artifact is a record, with the types of the standard library's `json`. The records
        are the items of an array, the items of the array in the field `data` of an object, or objects on
        separate lines. A file with a single other object has one row. orjson is used if it is installed.

        Args:
            export: The export, or its id. It is retrieved if it has no URL of the artifact.
            artifact: `"csv"`, `"csv_error"`, `"csv_sanitized"` or `"json"` (see `Artifact`).

        Returns:
            An async generator of rows.

        Raises:
            MalformedRowError: A row is malformed; the rows before it were yielded.
            ArtifactNotOfferedError: The export does not offer the artifact.
            StorageError: The storage host refused the request or cannot be reached
                (`StorageUnreachableError`).
            LinkExpiredError: The URL has expired, also after it was renewed.
            IncompleteBodyError: The connection was closed early.
            StalledError: Less than 1 KiB per second arrived for `stall_timeout` seconds, in every attempt.
            ChecksumError: The bytes do not have the declared hash.
            ExportStateError: The export is not completed, has failed, or was deleted (see its subclasses).
            ConfigurationError: At the call: the artifact is invalid. Later: the client is closed.
            ApiError: The API refused to return the export.
            ConnectionFailedError: The API did not respond.
            DecodeError: The response of the API contains no export, or a different one.
        """
        return _each_row(self._row_blocks("rows()", export, artifact))

    def row_batches(
        self, export: Export | str, artifact: Artifact | ArtifactName = "csv", *, size: int = 1000
    ) -> AsyncGenerator[list[dict[str, Any]], None]:
        """Yield the rows of one artifact in lists, which is faster than `rows`. API: Retrieve Export.

        Rows and errors are those of `rows`. The rows before an error are yielded, too.

        Args:
            export: The export, or its id.
            artifact: `"csv"`, `"csv_error"`, `"csv_sanitized"` or `"json"` (see `Artifact`).
            size: The number of rows in each list. The last list may be shorter, but is never empty.

        Returns:
            An async generator of lists of rows.

        Raises:
            ConfigurationError: At the call: the artifact or the size is invalid. Later: the client is closed.
            PackageXError: See `rows`.
        """
        check_integer("size", size, min_value=1)
        return _batches(self._row_blocks("row_batches()", export, artifact), size)

    def _row_blocks(
        self, name: str, export: Export | str, artifact: Artifact | ArtifactName
    ) -> AsyncGenerator[list[dict[str, Any]], None]:
        """Return a generator of lists of rows. Each list is a step of the operation called `name`."""
        with importing(name):
            from packagex_async._rows.decoders import read_rows
        (selected,) = select_artifacts([artifact])
        export_id = export if isinstance(export, str) else export.id
        blocks = read_rows(self.stream(export, selected), export_id, selected)
        return self._context.operations.steps(name, blocks)


# Tools that report errors often show the local variables of all functions in a traceback. Therefore, no
# function in the traceback of an error has a row as a local variable.


async def _each_row(blocks: AsyncGenerator[list[T], None]) -> AsyncGenerator[T, None]:
    async with aclosing(blocks):
        with NewTraceback():
            async for rows in blocks:
                rows.reverse()
                while rows:
                    yield rows.pop()


async def _batches(blocks: AsyncGenerator[list[T], None], size: int) -> AsyncGenerator[list[T], None]:
    rows: list[T] = []
    failure: PackageXError | None = None
    async with aclosing(blocks):
        try:
            async for block in blocks:
                rows += block
                del block
                end = len(rows) - len(rows) % size
                for start in range(0, end, size):
                    yield rows[start : start + size]
                del rows[:end]
        except PackageXError as error:
            failure = error.with_traceback(None)
    if rows:
        yield rows
    if failure is not None:
        del rows
        raise failure


class NewTraceback:
    """Removes the traceback from an error of the package, for functions that have rows as local variables."""

    def __enter__(self) -> None:
        pass

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if isinstance(error, PackageXError):
            raise error.with_traceback(None)
