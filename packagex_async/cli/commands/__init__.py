"""The commands, one module each, and their common options."""
