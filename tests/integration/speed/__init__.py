"""The fast path: large bodies past the parser, and over several connections; on either loop."""
