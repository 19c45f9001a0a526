"""Tests of messages on stderr."""
