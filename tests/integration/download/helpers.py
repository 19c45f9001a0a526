"""Exports with random content, and the errors of their downloads."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from packagex_async import Artifact, AsyncPackageX, DownloadGroupError
from packagex_async.testing import Emulator


def add(server: Emulator, size: int = 300_000) -> str:
    """Add an export with four artifacts of about `size` bytes; return its id."""
    content = {artifact.value: os.urandom(size + index) for index, artifact in enumerate(Artifact)}
    return server.add_export(content=content).id


async def download_error(
    px: AsyncPackageX, export_id: str, folder: Path, **options: object
) -> DownloadGroupError:
    """Download an export, and return the error."""
    with pytest.raises(DownloadGroupError) as caught:
        await px.exports.download(export_id, folder, **options)  # type: ignore[call-overload]
    return caught.value
