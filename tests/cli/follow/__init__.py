"""Tests of the commands that `sync --follow` runs."""
