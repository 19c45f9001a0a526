"""A Parquet file that is written row group by row group, and gets its name when it is complete."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pyarrow as pa
import pyarrow.parquet as pq

from packagex_async._arrow.csv_decoder import CsvArrowDecoder
from packagex_async._files.operations import FileDigest
from packagex_async._parquet.content import Content
from packagex_async._partials.targets import Output
from packagex_async._utils.hashing import new_hasher
from packagex_async.models import Artifact

Batches = list[pa.RecordBatch]


class ParquetFile:
    """A Parquet file that is written while the artifact arrives. All methods are blocking.

    `feed` and `finish` run in one thread, and the other methods in a second thread.

    Args:
        output: The file or object that the Parquet file is written to.
        decoder: Converts the artifact to record batches.
        export_id: The id of the export, for errors.
        artifact: The artifact.

    Attributes:
        buffered: The number of bytes of the record batches that `take_batches` has not returned yet.
        encoding: The number of bytes of the record batches that `take_batches` has returned, and that are not
            written yet.
        source_size: The number of bytes of the artifact so far.
    """

    def __init__(self, output: Output, decoder: CsvArrowDecoder, export_id: str, artifact: Artifact) -> None:
        self.buffered = self.encoding = 0
        self.source_size = 0
        self._output = output
        self._decoder = decoder
        self._export_id = export_id
        self._artifact = artifact
        self._source_hasher = new_hasher("sha256")
        self._batches: Batches = []
        self._taken: Batches = []
        self._sink: _Sink | None = None
        self._writer: pq.ParquetWriter | None = None

    @property
    def has_groups(self) -> bool:
        """Whether a row group was written."""
        return self._writer is not None

    @property
    def rows(self) -> int:
        """The number of rows so far."""
        return self._decoder.count

    @property
    def schema(self) -> pa.Schema:
        """The names and types of the columns; empty until the header has arrived."""
        return self._decoder.schema

    @property
    def source_sha256(self) -> str:
        """The SHA-256 of the artifact in hexadecimal."""
        return self._source_hasher.digest().hex()

    def feed(self, chunk: bytes) -> None:
        """Add bytes of the artifact.

        Raises:
            MalformedRowError: A row is malformed.
        """
        if self._taken and not self.encoding:
            # Memory is reused only if the thread that has allocated it also frees it.
            self._taken = []
            pa.default_memory_pool().release_unused()
        self._source_hasher.update(chunk)
        self.source_size += len(chunk)
        self._decode(chunk)

    def finish(self) -> None:
        """Convert the last bytes.

        Raises:
            MalformedRowError: A row is malformed.
        """
        self._decode(b"", final=True)

    def take_batches(self) -> Batches:
        """Return the record batches for the next row group. No other method may run meanwhile."""
        self._taken, self._batches = self._batches, []
        self.buffered, self.encoding = 0, self.buffered
        return self._taken

    def create(self) -> None:
        """Create the partial file.

        Raises:
            OSError: It cannot be created.
        """
        self._output.create()
        self._sink = _Sink(self._output)

    def write_group(self, batches: Sequence[pa.RecordBatch]) -> None:
        """Write a row group, unless there are no rows.

        Raises:
            OSError: The file cannot be written.
        """
        writer = self._open()
        if batches:
            table = pa.Table.from_batches(batches, self.schema)
            writer.write_table(table, row_group_size=table.num_rows)
        self.encoding = 0

    def publish(self, metadata: Mapping[str, str], *, overwrite: bool, durable: bool) -> FileDigest:
        """Write the metadata, and move the file to its target; return its length and SHA-256.

        Raises:
            FileExistsError: The target has different content, and `overwrite` is not set.
            OSError: The file cannot be written or moved.
        """
        writer = self._open()
        sink = self._sink
        assert sink is not None  # noqa: S101  # `create` was called
        # Only the footer follows.
        content = Content(sink.size, sink.hasher.digest().hex())
        writer.add_key_value_metadata({**metadata, **content.to_metadata()})
        writer.close()
        self._output.publish(overwrite=overwrite, durable=durable)
        return FileDigest(sink.size, {"sha256": sink.hasher.digest()})

    def discard(self) -> None:
        """Remove the file, unless it was published. Idempotent."""
        self._batches, self._taken = [], []
        if self._sink is not None:
            # The writer writes its footer when it is deleted.
            self._sink.is_discarded = True
        self._writer = None
        self._output.discard()

    def _decode(self, block: bytes, *, final: bool = False) -> None:
        batches = self._decoder.feed(block, final=final)
        if self._decoder.error is not None:
            raise self._decoder.error.of_export(self._export_id, self._artifact)
        self._batches += batches
        self.buffered += sum(batch.nbytes for batch in batches)

    def _open(self) -> pq.ParquetWriter:
        if self._writer is None:
            self._writer = pq.ParquetWriter(self._sink, self.schema, compression="zstd")
        return self._writer


class _Sink:
    """The file object of a Parquet writer. It computes the SHA-256 of the file."""

    closed = False

    def __init__(self, output: Output) -> None:
        self.size = 0
        self.hasher = new_hasher("sha256")
        self.is_discarded = False
        self._output = output

    def write(self, data: bytes) -> int:
        if not self.is_discarded:
            self._output.write(bytes(data))
            self.hasher.update(data)
            self.size += len(data)
        return len(data)

    def flush(self) -> None:
        """Do nothing: nothing is buffered."""

    def close(self) -> None:
        """Do nothing: the output is closed when it is published or discarded."""
