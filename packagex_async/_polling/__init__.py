"""Polling: exports that are not completed yet."""
