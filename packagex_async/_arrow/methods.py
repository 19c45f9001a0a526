"""The methods of `AsyncExports` that return Arrow data."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import AsyncGenerator, AsyncIterable, Mapping
from contextlib import AbstractAsyncContextManager, aclosing
from typing import TYPE_CHECKING, Any

from packagex_async._api.requests import select_artifacts
from packagex_async._arrow.extra import require_pyarrow
from packagex_async._context import ClientContext
from packagex_async._rows.methods import NewTraceback
from packagex_async.models import Artifact, ArtifactName, Export

if TYPE_CHECKING:
    import pyarrow as pa

    from packagex_async._arrow.decoders import ArrowDecoder

Types = Mapping[str, Any]
"""The types of columns. Each type is a `pyarrow.DataType` or its name."""


class ExportTables:
    """The methods of `AsyncExports` that return Arrow data."""

    _context: ClientContext

    @abstractmethod
    def stream(
        self, export: Export | str, artifact: Artifact | ArtifactName
    ) -> AbstractAsyncContextManager[AsyncIterable[bytes]]:
        """Stream the bytes of one artifact; see `AsyncExports`."""
        ...

    def batches(
        self, export: Export | str, artifact: Artifact | ArtifactName = "csv", *, types: Types | None = None
    ) -> AsyncGenerator[pa.RecordBatch, None]:
        """Yield one artifact as Arrow record batches while it streams, without a file. API: Retrieve Export.

        This needs the extra `arrow`. A record batch has the rows of about 1 MiB of the artifact. If the
        iteration ends without an error, length and hash of the artifact are verified, as far as the storage
        host declares them. Commit or publish results only after that. Memory does not grow with the size of
        the artifact. If a row is malformed, the rows before it are yielded first. If the transfer fails, the
        rows that arrived after the last record batch are not yielded.

        Leaving the loop early closes the connection. Wrap the generator in `contextlib.aclosing` to close it
        at once.

        All columns are strings unless `types` is given, so that zip codes and tracking numbers keep their
        zeros. `batches` and `rows` accept the same CSV files. Records of the JSON artifact must be flat
        objects. Their numbers and booleans become text, with all digits of the file; `null` and missing
        fields become null. A batch has the columns of all records so far.

        Args:
            export: The export, or its id. It is retrieved if it has no URL of the artifact.
            artifact: `"csv"`, `"csv_error"`, `"csv_sanitized"` or `"json"` (see `Artifact`).
            types: Types of columns, such as `{"weight": "int64", "price": "decimal128(10, 2)"}`: a
                `pyarrow.DataType` or its name. An empty cell is null. Any other cell that cannot be converted
                raises a `MalformedRowError`.

        Returns:
            An async generator of `pyarrow.RecordBatch`.

        Raises:
            MalformedRowError: A row is malformed, or a cell does not have the type of its column; the rows
                before it were yielded.
            ConfigurationError: At the call: the artifact or a type is invalid, or pyarrow is not installed.
                Later: the artifact lacks a column that `types` names, or the client is closed.
            PackageXError: See `rows`.
        """
        (selected,) = select_artifacts([artifact])
        require_pyarrow()
        from packagex_async._arrow.decoders import new_decoder
        from packagex_async._arrow.types import parse_types

        parsed = parse_types(types)
        decoded = self._decode(export, selected, new_decoder(selected, parsed), parsed)
        return _each_batch(self._context.operations.steps("batches()", decoded))

    async def table(
        self, export: Export | str, artifact: Artifact | ArtifactName = "csv", *, types: Types | None = None
    ) -> pa.Table:
        """Return one verified artifact as an Arrow table. API: Retrieve Export.

        Args:
            export: The export, or its id.
            artifact: `"csv"`, `"csv_error"`, `"csv_sanitized"` or `"json"` (see `Artifact`).
            types: Types of columns; see `batches`.

        Returns:
            A `pyarrow.Table`. A file without rows has the columns of its header.

        Raises:
            PackageXError: See `batches`.
        """
        (selected,) = select_artifacts([artifact])
        require_pyarrow()
        from packagex_async._arrow.decoders import new_decoder, to_table
        from packagex_async._arrow.types import parse_types

        parsed = parse_types(types)
        decoder = new_decoder(selected, parsed)
        with self._context.operations.running("table()"), NewTraceback():
            async with aclosing(self._decode(export, selected, decoder, parsed)) as batches:
                return to_table([batch async for batch in batches], decoder.schema)

    async def _decode(
        self,
        export: Export | str,
        artifact: Artifact,
        decoder: ArrowDecoder,
        types: dict[str, pa.DataType],
    ) -> AsyncGenerator[pa.RecordBatch, None]:
        from packagex_async._arrow.decoders import check_columns
        from packagex_async._decoders.header import warn_of_duplicates
        from packagex_async._rows.block_decoder import decode_blocks

        async with (
            self.stream(export, artifact) as chunks,
            aclosing(decode_blocks(chunks, decoder)) as blocks,
        ):
            async for batches in blocks:
                if artifact is not Artifact.JSON:
                    check_columns(decoder.schema, types)
                for batch in batches:
                    yield batch
        export_id = export if isinstance(export, str) else export.id
        if decoder.error is not None:
            raise decoder.error.of_export(export_id, artifact)
        check_columns(decoder.schema, types)
        if decoder.duplicates:
            warn_of_duplicates(decoder.duplicates, export_id, artifact)


async def _each_batch(batches: AsyncGenerator[pa.RecordBatch, None]) -> AsyncGenerator[pa.RecordBatch, None]:
    async with aclosing(batches):
        with NewTraceback():
            async for batch in batches:
                yield batch
                # Tools that report errors often show the local variables of a traceback.
                del batch
