"""Watches, over real sockets."""
