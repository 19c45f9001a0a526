"""Tests of `_decoders/`."""
