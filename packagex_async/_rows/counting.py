"""Counts the rows of a file with the rules of `rows()`."""

from __future__ import annotations

from collections.abc import Callable
from typing import BinaryIO

from packagex_async._decoders.csv_decoder import CsvDecoder
from packagex_async._decoders.json_decoder import JsonDecoder
from packagex_async._rows.block_decoder import BLOCK_SIZE, RowDecoder
from packagex_async.models import Artifact

_BLOCKS_PER_STEP = 8
"""The number of blocks in a step. A step takes about 20 milliseconds."""


class FileCounter:
    """Counts the data rows of a CSV file, or the records of a JSON file, step by step.

    All calls are blocking. Memory does not grow with the size of the file.

    Args:
        open_file: Opens the file.
        artifact: The artifact that the file contains.
        export_id: The id of its export, for the error.
    """

    def __init__(self, open_file: Callable[[], BinaryIO], artifact: Artifact, *, export_id: str) -> None:
        self._open_file = open_file
        self._artifact = artifact
        self._export_id = export_id
        self._decoder: RowDecoder = JsonDecoder() if artifact is Artifact.JSON else CsvDecoder()
        self._file: BinaryIO | None = None

    @property
    def count(self) -> int:
        """The number of rows so far."""
        return self._decoder.count

    def step(self) -> bool:
        """Count the rows of the next blocks; return whether the end of the file was reached.

        Raises:
            MalformedRowError: A row is malformed.
            OSError: The file cannot be read, or is not a regular file.
            BucketError: The object cannot be read.
        """
        if self._file is None:
            self._file = self._open_file()
        for _ in range(_BLOCKS_PER_STEP):
            block = self._file.read(BLOCK_SIZE)
            self._decoder.feed(block, final=not block)
            if self._decoder.error is not None:
                raise self._decoder.error.of_export(self._export_id, self._artifact)
            if not block:
                return True
        return False

    def close(self) -> None:
        """Close the file."""
        if self._file is not None:
            self._file.close()
