"""The HTTP servers of the emulator: the API and its storage."""
