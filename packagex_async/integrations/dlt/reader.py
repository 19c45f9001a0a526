"""Reads several exports at a time, and returns each when it is complete and verified."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import aclosing

import attrs
import pyarrow as pa

from packagex_async._arrow.decoders import ArrowDecoder, new_decoder
from packagex_async._rows.block_decoder import decode_blocks
from packagex_async._utils.aio import run_shielded
from packagex_async.client import AsyncPackageX
from packagex_async.errors import PackageXError
from packagex_async.integrations.dlt.parameters import SourceParameters
from packagex_async.integrations.dlt.row_buffer import RowBuffer
from packagex_async.models import Export, ExportStatus

CONCURRENCY = 8
"""The maximum number of exports that are read at a time, or wait to be loaded."""

_IN_PROGRESS = {ExportStatus.QUEUED, ExportStatus.PROCESSING}


@attrs.frozen(eq=False, repr=False)
class ReadExport:
    """An export whose artifact is verified.

    Attributes:
        export: The export.
        rows: Its rows.
        schema: The columns.
        duplicates: The names of columns that occur more than once.
    """

    export: Export
    rows: RowBuffer
    schema: pa.Schema
    duplicates: tuple[str, ...]


@attrs.frozen(eq=False, repr=False)
class FailedExport:
    """An export that could not be read.

    Attributes:
        export: The export, or `None` if the listing failed.
        error: The reason.
    """

    export: Export | None
    error: Exception


Result = ReadExport | FailedExport


class ExportReader:
    """Lists exports, and reads those that are not loaded yet.

    Args:
        parameters: The parameters of the source.
        is_loaded: Returns whether an export with this id was loaded. Called in the event loop.
        directory: The directory of temporary files; see `RowBuffer`.
    """

    def __init__(
        self, parameters: SourceParameters, is_loaded: Callable[[str], bool], directory: str | None
    ) -> None:
        self._parameters = parameters
        self._is_loaded = is_loaded
        self._directory = directory
        self._results: asyncio.Queue[Result | None] = asyncio.Queue()
        self._slots = asyncio.Semaphore(CONCURRENCY)
        self._held = 0

    async def run(self) -> None:
        """Read all exports."""
        client = self._parameters.new_client()
        try:
            async with asyncio.TaskGroup() as group:
                await self._start_all(client, group)
        except Exception as error:
            await self._results.put(FailedExport(None, error))
        finally:
            await run_shielded(client.aclose())
        await self._results.put(None)

    async def next_result(self) -> Result | None:
        """Return the next export, or the failure of an export or the listing; `None` at the end.

        The previous result must not be used any more.
        """
        for _ in range(self._held):
            self._slots.release()
        result = await self._results.get()
        self._held = int(result is not None and result.export is not None)
        return result

    async def _start_all(self, client: AsyncPackageX, group: asyncio.TaskGroup) -> None:
        try:
            async with aclosing(self._parameters.list_exports(client)) as exports:
                async for export in exports:
                    if not self._is_loaded(export.id) and export.status not in _IN_PROGRESS:
                        await self._slots.acquire()
                        group.create_task(self._read(client, export))
        except PackageXError as error:
            await self._results.put(FailedExport(None, error.with_traceback(None)))

    async def _read(self, client: AsyncPackageX, export: Export) -> None:
        rows = RowBuffer(self._directory)
        parameters = self._parameters
        decoder = new_decoder(parameters.artifact, parameters.types, nested_as_text=True)
        result: Result
        try:
            await self._fill(rows, client, export, decoder)
        except Exception as error:
            rows.close()
            # Tools that report errors often show the local variables of a traceback, here the contents.
            result = FailedExport(export, error.with_traceback(None))
        else:
            result = ReadExport(export, rows, decoder.schema, tuple(decoder.duplicates))
        await self._results.put(result)

    async def _fill(
        self, rows: RowBuffer, client: AsyncPackageX, export: Export, decoder: ArrowDecoder
    ) -> None:
        artifact = self._parameters.artifact
        async with (
            client.exports.stream(export, artifact) as chunks,
            aclosing(decode_blocks(chunks, decoder)) as blocks,
        ):
            async for batches in blocks:
                for batch in batches:
                    await rows.append(batch)
        if decoder.error is not None:
            raise decoder.error.of_export(export.id, artifact)
