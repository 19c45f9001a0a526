"""Limits and bookkeeping for concurrent work of one client."""
