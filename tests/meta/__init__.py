"""The project itself: architecture, packaging, public names and texts."""
