"""The dlt source of this package, into DuckDB."""

from __future__ import annotations

from dlt_pipeline import new_pipeline
from job import given, timed

from packagex_async.integrations.dlt import exports_source

if __name__ == "__main__":
    job, folder, (expected,) = given()
    source = exports_source(api_key="key", base_url=job.base_url)
    with new_pipeline(folder, int(expected)) as pipeline, timed():
        pipeline.run(source)
