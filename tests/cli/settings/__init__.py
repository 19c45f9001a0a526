"""Tests of the settings of the connection."""
