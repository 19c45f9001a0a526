"""Listings: pagination, prefetching, and async generators of exports and pages."""
