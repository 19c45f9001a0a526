"""Tests of `_rows/`."""
