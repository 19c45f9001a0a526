"""A local Parquet file into DuckDB with dlt; the option `filesystem` or `resource` is the reader."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dlt
import pyarrow as pa
import pyarrow.parquet as pq
from dlt.sources.filesystem import filesystem, read_parquet
from dlt_pipeline import TABLE, new_pipeline
from job import given, timed

_BATCH = 65_536
"""Rows per batch, the default of pyarrow."""


def read(path: Path, reader: str) -> Any:
    """Return a resource with the record batches of a file."""
    if reader == "filesystem":
        files = filesystem(path.parent.as_uri(), file_glob=path.name)
        return (files | read_parquet(use_pyarrow=True, chunksize=_BATCH)).with_name(TABLE)

    def batches() -> Iterator[pa.RecordBatch]:
        yield from pq.ParquetFile(path).iter_batches(_BATCH)

    return dlt.resource(batches, name=TABLE)


if __name__ == "__main__":
    _, folder, (expected, path, reader) = given()
    resource = read(Path(path), reader)
    with new_pipeline(folder, int(expected)) as pipeline, timed():
        pipeline.run(resource)
