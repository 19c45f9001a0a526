"""Rows: the contents of artifacts, decoded while they stream."""
