"""The download of many exports into one directory, with a manifest."""
