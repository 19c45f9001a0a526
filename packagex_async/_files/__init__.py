"""Blocking file operations, and the threads that run them."""
