"""The record batches of one export, in memory or in a temporary file."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Iterator
from typing import Any, BinaryIO

import pyarrow as pa

MAX_MEMORY = 4 * 1024 * 1024
"""The maximum number of bytes that are kept in memory."""


class RowBuffer:
    """Keeps record batches until the artifact is verified.

    Larger data is in a temporary file without a name, which the system removes when the process ends.

    Args:
        directory: The directory of the temporary file, or `None` for the default one of the system.

    Attributes:
        count: The number of rows.
    """

    def __init__(self, directory: str | None) -> None:
        self.count: int = 0
        self._directory = directory
        self._batches: list[pa.RecordBatch] = []
        self._size = 0
        self._file: BinaryIO | None = None
        # A file has a stream for each schema.
        self._schema: pa.Schema | None = None
        self._writer: Any = None

    async def append(self, batch: pa.RecordBatch) -> None:
        """Add a record batch.

        Raises:
            OSError: The temporary file cannot be written.
        """
        self._batches.append(batch)
        self._size += batch.nbytes
        self.count += batch.num_rows
        if self._size > MAX_MEMORY:
            batches, self._batches, self._size = self._batches, [], 0
            await asyncio.to_thread(self._write, batches)

    def batches(self) -> Iterator[pa.RecordBatch]:
        """Yield all record batches in order, once. Call it after the last `append`."""
        self._end_stream()
        if self._file is not None:
            yield from _read(self._file)
        while self._batches:
            yield self._batches.pop(0)

    def close(self) -> None:
        """Remove everything."""
        self._batches = []
        if self._file is not None:
            self._file.close()

    def _write(self, batches: list[pa.RecordBatch]) -> None:
        if self._file is None:
            self._file = tempfile.TemporaryFile(dir=self._directory)  # noqa: SIM115  # closed in `close`
        for batch in batches:
            if batch.schema != self._schema:
                self._end_stream()
                self._schema = batch.schema
                self._writer = pa.ipc.new_stream(self._file, batch.schema)
            self._writer.write_batch(batch)

    def _end_stream(self) -> None:
        if self._schema is not None:
            self._writer.close()


def _read(file: BinaryIO) -> Iterator[pa.RecordBatch]:
    """Yield the record batches of all streams in a file."""
    end = file.seek(0, 2)
    file.seek(0)
    while file.tell() < end:
        yield from pa.ipc.open_stream(file)
