"""The description of a job, and how the Python contenders report their start and end."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from ssl import SSLContext


class File(NamedTuple):
    """An artifact: its export, its kind, its name on disk and its URL."""

    export_id: str
    artifact: str
    name: str
    url: str


class Job(NamedTuple):
    """The files to download, the number of workers, the address of our API server, and the CA file."""

    base_url: str
    workers: int
    files: list[File]
    authority: str | None = None

    def write(self, path: Path) -> None:
        """Write the job to `path`."""
        path.write_text(json.dumps(self), encoding="utf-8")

    @classmethod
    def read(cls, path: Path) -> Job:
        """Read a job that `write` has written."""
        base_url, workers, files, authority = json.loads(path.read_text(encoding="utf-8"))
        return cls(base_url, workers, [File(*file) for file in files], authority)

    def trust(self) -> SSLContext | bool:
        """Return the TLS setting for aiohttp."""
        if self.authority is None:
            return True
        # Import only if needed, so that other runs do not pay for it.
        import ssl

        return ssl.create_default_context(cafile=self.authority)


def given() -> tuple[Job, Path, list[str]]:
    """Return the job, the target folder and the options of this process."""
    _, job, folder, *options = sys.argv
    return Job.read(Path(job)), Path(folder), options


@contextmanager
def timed() -> Iterator[None]:
    """Print the seconds that the block took, and the seconds of processor time that this process used."""
    started_at, cpu = time.monotonic(), time.process_time()
    yield
    sys.stdout.write(json.dumps([time.monotonic() - started_at, time.process_time() - cpu]) + "\n")
