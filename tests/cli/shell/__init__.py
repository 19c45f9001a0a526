"""Tests of the integration with the shell."""
