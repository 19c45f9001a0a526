"""Fuzzing of the pure parsers: targets that any bytes may be fed to."""
