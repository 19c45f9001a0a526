"""Limits for concurrent requests, and the running operations of a client."""
