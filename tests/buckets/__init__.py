"""Downloads into buckets of moto (S3) and Azurite (Azure)."""
