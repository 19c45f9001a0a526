"""What every contender is told to fetch, and how those in Python tell when they began and ended."""

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
    """One artifact: whose it is, where it lies, and what it is called on disk."""

    export_id: str
    artifact: str
    name: str
    url: str


class Job(NamedTuple):
    """All that is to be fetched, how many files at once, where our side finds the API, who certifies it."""

    base_url: str
    workers: int
    files: list[File]
    authority: str | None = None

    def write(self, path: Path) -> None:
        """Leave it at `path` for `read`."""
        path.write_text(json.dumps(self), encoding="utf-8")

    @classmethod
    def read(cls, path: Path) -> Job:
        """The job that `write` left."""
        base_url, workers, files, authority = json.loads(path.read_text(encoding="utf-8"))
        return cls(base_url, workers, [File(*file) for file in files], authority)

    def trust(self) -> SSLContext | bool:
        """How TLS is checked, as aiohttp takes it."""
        if self.authority is None:
            return True
        # Who does without it shall not pay for its import.
        import ssl

        return ssl.create_default_context(cafile=self.authority)


def parse_arguments() -> tuple[Job, Path, list[str]]:
    """What this process was started for: its job, the folder for the files, and its options."""
    _, job, folder, *options = sys.argv
    return Job.read(Path(job)), Path(folder), options


@contextmanager
def timed() -> Iterator[None]:
    """Tell on standard output when the block began and ended, in seconds of the machine's steady clock."""
    started_at = time.monotonic()
    yield
    sys.stdout.write(json.dumps([started_at, time.monotonic()]) + "\n")
