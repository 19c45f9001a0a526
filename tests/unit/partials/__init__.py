"""Tests of `partials`."""
