"""Tests of `polling`."""
