"""The modules of downloads on Dask clusters."""
