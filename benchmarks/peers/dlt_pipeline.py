"""The pipeline of the programs that use dlt."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

os.environ["RUNTIME__DLTHUB_TELEMETRY"] = "false"
import dlt

TABLE = "contact"


@contextmanager
def new_pipeline(folder: Path, expected: int) -> Iterator[Any]:
    """Provide a pipeline into a DuckDB file in a folder, and check the number of loaded rows at the end."""
    pipeline = dlt.pipeline(
        "benchmark",
        destination=dlt.destinations.duckdb(str(folder / "database.duckdb")),
        dataset_name="packagex",
        pipelines_dir=str(folder / "pipelines"),
    )
    yield pipeline
    with pipeline.sql_client() as client:
        ((count,),) = client.execute_sql("SELECT count(*) FROM contact")
    if count != expected:
        raise SystemExit(f"{count} rows instead of {expected}")
