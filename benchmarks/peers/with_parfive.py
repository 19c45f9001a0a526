"""parfive, our closest relative, with its own defaults but for the number of files at once."""

from __future__ import annotations

import sys

from job import parse_arguments, timed
from parfive import Downloader

if __name__ == "__main__":
    job, folder, _ = parse_arguments()
    with timed():
        downloader = Downloader(max_conn=job.workers, progress=False)
        for file in job.files:
            downloader.enqueue_file(file.url, path=folder, filename=file.name)
        failed = downloader.download().errors
    if failed:
        sys.exit(str(failed))
