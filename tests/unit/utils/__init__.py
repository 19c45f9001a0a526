"""Tests of `utils`."""
