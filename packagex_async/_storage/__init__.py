"""Responses of storage hosts, checked without I/O."""
