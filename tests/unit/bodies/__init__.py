"""Tests of `bodies`."""
