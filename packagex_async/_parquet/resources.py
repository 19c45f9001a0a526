"""The memory and the threads for all Parquet files that are written at the same time."""

from __future__ import annotations

from packagex_async._files.thread_pool import ThreadPool
from packagex_async._parquet.parquet_file import ParquetFile

ROW_GROUP_SIZE = 36 * 1024 * 1024
"""Maximum bytes of a row group in memory.

While a row group is encoded, the next one is parsed. With 52 MiB in the same memory, the parser has to wait,
and a conversion takes 1.4 times as long.
"""

MAX_MEMORY = 68 * 1024 * 1024
"""Maximum bytes of all row groups: the row group that is encoded, and most of the next one."""

LAST_GROUP_SIZE = 8 * 1024 * 1024
"""Bytes of the last row groups of a large file.

Together with `ROW_GROUP_SIZE`, they complete a file on a 64 MiB/s line 7 % earlier.
"""

_MAX_PARSERS = 4


class Resources:
    """Limits the memory for row groups. If several files share it, their row groups are smaller.

    The threads end when there are no more files.
    """

    def __init__(self) -> None:
        self._files: set[ParquetFile] = set()
        self._parsers: ThreadPool | None = None
        self._encoder: ThreadPool | None = None

    @property
    def parsers(self) -> ThreadPool:
        """The threads that parse artifacts."""
        if self._parsers is None:
            self._parsers = ThreadPool(_MAX_PARSERS, thread_name_prefix="packagex-parse")
        return self._parsers

    @property
    def encoder(self) -> ThreadPool:
        """The thread that encodes row groups.

        It is separate, because memory that a thread has freed is best used again by the same thread.
        """
        if self._encoder is None:
            self._encoder = ThreadPool(1, thread_name_prefix="packagex-encode")
        return self._encoder

    def add(self, file: ParquetFile) -> None:
        """Count the memory of a file."""
        self._files.add(file)

    def remove(self, file: ParquetFile) -> None:
        """Do not count the memory of a file any more. All its calls have ended."""
        self._files.discard(file)
        if not self._files:
            # An error that refers to this object must not keep the threads alive.
            self.parsers.shutdown(wait=False)
            self.encoder.shutdown(wait=False)
            self._parsers = self._encoder = None

    @property
    def is_exhausted(self) -> bool:
        """Whether rows should be written before more rows are parsed."""
        return self._size >= MAX_MEMORY

    def is_group_complete(self, file: ParquetFile, remaining: int | None = None) -> bool:
        """Return whether the row group of `file` should be written.

        It should if it is full, if its memory is used up, or if only a small row group should remain for the
        time after the end of the artifact.

        Args:
            file: The file.
            remaining: The number of bytes of the artifact that have not arrived, if known.
        """
        if file.buffered >= ROW_GROUP_SIZE:
            return True
        if file.encoding:
            return False
        is_near_end = file.has_groups and remaining is not None and remaining <= file.buffered
        if is_near_end and file.buffered >= LAST_GROUP_SIZE:
            return True
        return self.is_exhausted and file.buffered * len(self._files) >= self._size

    @property
    def _size(self) -> int:
        return sum(file.buffered + file.encoding for file in self._files)
