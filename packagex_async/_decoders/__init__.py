"""Decoders of CSV and JSON files, block by block, without I/O."""
