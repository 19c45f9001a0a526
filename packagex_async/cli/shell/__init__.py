"""Integration with the shell: completion, and the manual page."""
