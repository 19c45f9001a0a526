"""Listings: pagination, prefetching and checks for completeness."""
