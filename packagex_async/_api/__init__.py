"""Requests to the Exports API and its responses, without I/O."""
