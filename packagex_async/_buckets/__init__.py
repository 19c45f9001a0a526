"""Object storage: keys, stores, uploads, and the objects of artifacts."""
