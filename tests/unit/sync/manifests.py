"""Helpers of the tests of manifests."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

from packagex_async._sync.manifest import Manifest
from packagex_async._sync.manifest_entry import ManifestEntry

ENTRY = ManifestEntry(
    export_id="exp_1",
    artifact="csv",
    path="exp_1.csv",
    size=7,
    sha256="0" * 64,
    verified="checksum",
    when="2024-05-01T12:00:00+00:00",
    updated_at="2024-05-01T11:00:00+00:00",
)


MISSING = ManifestEntry(export_id="exp_1", artifact="json", when=ENTRY.when, updated_at=None)


@contextlib.contextmanager
def open_manifest(folder: Path, *, durable: bool = False) -> Iterator[Manifest]:
    manifest = Manifest(folder, durable=durable)
    try:
        yield manifest
    finally:
        manifest.close()


def find(folder: Path, export_id: str = "exp_1") -> dict[str, ManifestEntry]:
    with open_manifest(folder) as manifest:
        return manifest.find(export_id, ("json", "csv"))
