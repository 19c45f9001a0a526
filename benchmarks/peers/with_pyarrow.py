"""Converts a CSV file to Parquet with pyarrow, in a stream. All columns are text."""

from __future__ import annotations

import csv
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq

source = Path(sys.argv[1])
with source.open(newline="", encoding="utf-8") as file:
    names = next(csv.reader(file))
reader = pa_csv.open_csv(
    source,
    parse_options=pa_csv.ParseOptions(newlines_in_values=True),
    convert_options=pa_csv.ConvertOptions(column_types=dict.fromkeys(names, pa.string())),
)
with pq.ParquetWriter(source.with_suffix(".parquet"), reader.schema, compression="zstd") as writer:
    for batch in reader:
        writer.write_batch(batch)
