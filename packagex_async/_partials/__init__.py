"""Partial files: created, locked, resumed, and moved to their targets when complete."""
