"""Fuzz targets: parsers that accept arbitrary bytes."""
