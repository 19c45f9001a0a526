"""Interrupted downloads, and the ranges that the next one requests."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from packagex_async import (
    DownloadGroupError,
    RetryPolicy,
)
from packagex_async.testing import (
    Cut,
    Emulator,
)
from tests.support import names

ONE_ATTEMPT = RetryPolicy(attempts=1)


SIZE = 100_000


LARGE = 2 * 1024 * 1024
"""A size above which a body is written in several steps."""


def add_export(server: Emulator, **content: bytes) -> str:
    """Add an export; by default, with a CSV of `SIZE` random bytes."""
    return server.add_export(content=content or {"csv": os.urandom(SIZE)}).id


def requested_ranges(server: Emulator) -> list[str | None]:
    """Return the `Range` header of each request for an artifact."""
    return [request.headers.get("Range") for request in server.requests if request.host == "storage"]


async def interrupt_download(server: Emulator, folder: Path, export_id: str, after: int = 60_000) -> None:
    """Run a download that leaves the first `after` bytes of the CSV for the next run."""
    server.inject(Cut(after))
    async with server.client(retry=ONE_ATTEMPT) as px:
        with pytest.raises(DownloadGroupError):
            await px.exports.download(export_id, folder, artifacts="csv", resume=True)
    assert len(names(folder)) == 2, "the partial file and its metadata"
