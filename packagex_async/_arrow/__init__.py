"""Arrow record batches and Parquet files, built while an artifact arrives (extra `arrow`)."""
