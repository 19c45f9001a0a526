"""Watching: exports as they become final."""
