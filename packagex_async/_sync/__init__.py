"""Many exports in one directory: download, manifest and verification."""
