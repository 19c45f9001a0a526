"""Messages on stderr: errors with hints, and the log of the SDK."""
