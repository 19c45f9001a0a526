"""Partial files: created, locked, resumed and published."""
