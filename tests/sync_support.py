"""Helpers of the tests of `download_all`."""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
from pathlib import Path
from typing import Any

from packagex_async import (
    Artifact,
    AsyncPackageX,
    DownloadReport,
)
from packagex_async._sync.manifest import MANIFEST_NAME
from packagex_async.testing import (
    Emulator,
)
from tests.support import names

SUFFIXES = {"json": ".json", "csv": ".csv", "csv_error": ".error.csv", "csv_sanitized": ".sanitized.csv"}


def add(server: Emulator, count: int = 3, **options: Any) -> list[str]:
    """Add exports with all four artifacts; return their ids."""
    added = []
    for number in range(count):
        content = {artifact.value: os.urandom(2000 + number) for artifact in Artifact}
        defaults: dict[str, Any] = {
            "content": content,
            "created_at": server.now() - 3600 + len(server.exports),
        }
        added.append(server.add_export(**(defaults | options)).id)
    return added


async def sync(px: AsyncPackageX, folder: Path, **options: Any) -> dict[str, DownloadReport]:
    reports: dict[str, DownloadReport] = {}
    async for report in px.exports.download_all(folder, **options):
        assert report.export_id not in reports
        reports[report.export_id] = report
    return reports


def manifest(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / MANIFEST_NAME).read_text().splitlines()]


def requested(server: Emulator, since: int = 0) -> list[str]:
    """Return all requests: `list`, the id of an export, or an id with the name of an artifact."""
    return [
        "/".join(filter(None, [request.export_id, request.artifact])) or "list"
        for request in server.requests[since:]
    ]


async def settle() -> None:
    for _ in range(20):
        await asyncio.sleep(0)


def assert_exact(server: Emulator, folder: Path) -> None:
    """Check that the directory has the artifacts of all exports, a matching manifest, and nothing else."""
    expected = {}
    for export in server.exports:
        for artifact in export.artifacts:
            expected[f"{export.id}{SUFFIXES[artifact]}"] = server.content(export.id, artifact)
    assert names(folder) == sorted([*expected, MANIFEST_NAME])
    entries = {line["path"]: line for line in manifest(folder) if line["path"] is not None}
    assert entries.keys() == expected.keys()
    for name, content in expected.items():
        assert (folder / name).read_bytes() == content
        assert entries[name]["size"] == len(content)
        assert entries[name]["sha256"] == hashlib.sha256(content).hexdigest()
