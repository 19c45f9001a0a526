"""Tests of `download`."""
