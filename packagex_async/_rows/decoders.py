"""The rows of one artifact: its decoder, its warning, and its error."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterable
from contextlib import AbstractAsyncContextManager, aclosing
from typing import Any

from packagex_async._decoders.csv_decoder import CsvDictDecoder
from packagex_async._decoders.header import warn_of_duplicates
from packagex_async._decoders.json_decoder import JsonDecoder
from packagex_async._rows.block_decoder import RowDecoder, decode_blocks
from packagex_async.models import Artifact


def new_decoder(artifact: Artifact) -> RowDecoder:
    """Return a decoder for the rows of an artifact."""
    return JsonDecoder() if artifact is Artifact.JSON else CsvDictDecoder()


async def read_rows(
    stream: AbstractAsyncContextManager[AsyncIterable[bytes]], export_id: str, artifact: Artifact
) -> AsyncGenerator[list[dict[str, Any]], None]:
    """Yield the rows of an artifact in lists that are not empty.

    Args:
        stream: Opens a stream of the artifact.
        export_id: The id of the export, for messages.
        artifact: The artifact.

    Raises:
        MalformedRowError: A row is malformed; the rows before it were yielded.
        PackageXError: See `AsyncExports.stream`.
    """
    decoder = new_decoder(artifact)
    has_warned = False
    async with stream as chunks, aclosing(decode_blocks(chunks, decoder)) as blocks:
        async for rows in blocks:
            if decoder.duplicates and not has_warned:
                has_warned = True
                warn_of_duplicates(decoder.duplicates, export_id, artifact)
            if rows:
                yield rows
    if decoder.error is not None:
        raise decoder.error.of_export(export_id, artifact)
