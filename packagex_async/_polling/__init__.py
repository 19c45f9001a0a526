"""Polling of exports until they are final."""
