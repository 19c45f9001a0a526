"""The formats of results: tables, tab-separated text, JSON and files."""
