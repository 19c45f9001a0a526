"""Completes jobs of pending load packages whose rows are in the destination, so that dlt does not load them again."""
