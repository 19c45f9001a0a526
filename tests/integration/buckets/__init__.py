"""Downloads into buckets in memory and in local folders."""
