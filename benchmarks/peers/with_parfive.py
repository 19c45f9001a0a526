"""parfive with its default settings, except for the number of concurrent files."""

from __future__ import annotations

import sys

from job import given, timed
from parfive import Downloader

if __name__ == "__main__":
    job, folder, _ = given()
    with timed():
        downloader = Downloader(max_conn=job.workers, progress=False)
        for file in job.files:
            downloader.enqueue_file(file.url, path=folder, filename=file.name)
        failed = downloader.download().errors
    if failed:
        sys.exit(str(failed))
