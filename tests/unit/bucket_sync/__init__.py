"""Unit tests of `_bucket_sync`."""
