"""Parquet files, written while CSV artifacts arrive (extra `arrow`)."""
