"""Rows of artifacts, over real sockets."""
