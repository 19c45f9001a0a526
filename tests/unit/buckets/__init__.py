"""Unit tests of `_buckets`."""
