"""The network: sessions, connections, URLs and response bodies."""
