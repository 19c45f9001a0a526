"""Tests of the output."""
