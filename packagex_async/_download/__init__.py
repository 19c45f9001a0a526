"""The download of one export: artifacts, segments, retries and streams."""
