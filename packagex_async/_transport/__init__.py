"""The network: sessions, connections, URL policy, requests and response bodies."""
