"""Many exports in one bucket: manifest objects, verification, and removal of abandoned uploads."""
