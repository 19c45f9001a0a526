"""Converts a CSV file to Parquet with polars, in a stream that saves memory. All columns are text."""

from __future__ import annotations

import sys
from pathlib import Path

import polars as pl

source = Path(sys.argv[1])
frame = pl.scan_csv(source, infer_schema=False, low_memory=True)
frame.sink_parquet(source.with_suffix(".parquet"), compression="zstd")
