"""Rows on a terminal that are updated in place."""
