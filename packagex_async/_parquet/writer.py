"""An async writer for Parquet files, which parses and encodes in different threads."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

from packagex_async._files.operations import FileDigest
from packagex_async._files.ordered_writer import OrderedWriter
from packagex_async._parquet.parquet_file import ParquetFile
from packagex_async._parquet.resources import Resources
from packagex_async._partials.targets import Target


class ParquetWriter:
    """An async context manager that writes a Parquet file. On exit, a file that was not published is removed.

    Args:
        target: The file or object that the Parquet file is written to.
        file: The file.
        resources: The memory and the threads.
    """

    def __init__(self, target: Target, file: ParquetFile, resources: Resources) -> None:
        self._target = target
        self._file = file
        self._resources = resources
        self._parser = OrderedWriter(Path(target.name), resources.parsers)
        self._encoder = OrderedWriter(Path(target.name), resources.encoder)

    async def __aenter__(self) -> Self:
        # Do not yield to the event loop: bytes that came with a response head might be lost.
        await self._encoder.submit(self._file.create)
        self._resources.add(self._file)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        try:
            await self._parser.drain()
            await self._encoder.drain()
        finally:
            self._resources.remove(self._file)
            await self._target.run(self._file.discard)

    async def write(self, chunk: bytes, remaining: int | None = None) -> None:
        """Add bytes of the artifact.

        Args:
            chunk: The bytes.
            remaining: The number of bytes after them, if known.

        Raises:
            MalformedRowError: A row is malformed.
            DiskError: The file cannot be written.
        """
        await self._parser.submit(self._file.feed, chunk)
        self._encoder.raise_error()
        if self._resources.is_group_complete(self._file, remaining):
            await self._write_group()
        elif self._resources.is_exhausted:
            await self._wait_for(self._encoder)

    async def publish(
        self, make_metadata: Callable[[], Mapping[str, str]], *, overwrite: bool, durable: bool
    ) -> FileDigest:
        """Write the rest, and move the file to its target; return its length and SHA-256.

        Args:
            make_metadata: Returns the metadata. Called after the last row was converted.
            overwrite: Replace an existing file.
            durable: Flush the file and its directory to the disk.

        Raises:
            MalformedRowError: A row is malformed.
            DiskError: The file cannot be written, or another file exists that must be kept.
        """
        await self._parser.submit(self._file.finish)
        await self._write_group()
        await self._wait_for(self._encoder)
        return await self._target.run(
            self._file.publish, make_metadata(), overwrite=overwrite, durable=durable
        )

    async def _write_group(self) -> None:
        await self._wait_for(self._parser)
        await self._wait_for(self._encoder)
        await self._encoder.submit(self._file.write_group, self._file.take_batches())

    async def _wait_for(self, thread: OrderedWriter) -> None:
        await thread.drain()
        thread.raise_error()
