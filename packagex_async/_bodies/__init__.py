"""Readers of large response bodies: into memory, or into pipes."""
