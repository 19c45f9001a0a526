"""The served files: random bytes in the shape of exports."""

from __future__ import annotations

import base64
import csv
import hashlib
import json
import os
import random
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TextIO

from google_crc32c import Checksum
from job import File

KIB, MIB, GIB = 1024, 1024**2, 1024**3
"""Bytes."""

ARTIFACTS = {"json": ".json", "csv": ".csv", "csv_error": ".error.csv", "csv_sanitized": ".sanitized.csv"}
"""The artifacts, and the suffixes of their file names. API: Retrieve Exports."""

_HASHES: Mapping[str, Callable[[], Any]] = {"crc32c": Checksum, "md5": hashlib.md5}

_COLUMNS = ["id", "name", "street", "city", "zip", "weight", "status", "tracking", "created_at", "note"]

PAGE = 100
"""Exports per page of the listing."""


class Objects:
    """The files that nginx serves.

    Args:
        root: The root folder of nginx.
    """

    def __init__(self, root: Path) -> None:
        self._root = root
        self.folder = root / "objects"
        """The folder of the artifacts."""
        self.folder.mkdir()
        (root / "pages").mkdir()
        (root / "v1/exports").mkdir(parents=True)

    def put(self, name: str, size: int, *, sparse: bool = False) -> str:
        """Create the file `name` with `size` random bytes, or a hole if `sparse`, unless it exists."""
        path = self.folder / name
        if not path.exists():
            with path.open("wb") as file:
                for start in range(0, 0 if sparse else size, MIB):
                    file.write(os.urandom(min(MIB, size - start)))
                file.truncate(size)
        return name

    def export(self, origin: str, export_id: str, sizes: list[int]) -> list[File]:
        """Serve an export with an artifact of each of these sizes."""
        names = list(zip(ARTIFACTS, sizes, strict=False))
        return [self.file(origin, export_id, artifact, size) for artifact, size in names]

    def file(self, origin: str, export_id: str, artifact: str, size: int, *, sparse: bool = False) -> File:
        """Serve one artifact of an export."""
        name = f"{export_id}{ARTIFACTS[artifact]}"
        url = f"{origin}/objects/{self.put(name, size, sparse=sparse)}"
        return File(export_id, artifact, name, url)

    def csv_file(self, origin: str, export_id: str, size: int) -> File:
        """Serve a CSV artifact of at least `size` bytes, with addresses of several lines."""
        name = f"{export_id}.csv"
        path = self.folder / name
        if not path.exists():
            with path.open("w", encoding="utf-8", newline="") as file:
                write_csv(file, size)
        return File(export_id, "csv", name, f"{origin}/objects/{name}")

    def with_hash(self, file: File, algorithm: str) -> File:
        """Return the file with a URL for which the server declares its hash."""
        digest = _HASHES[algorithm]()
        with (self.folder / file.name).open("rb") as content:
            while block := content.read(MIB):
                digest.update(block)
        declared = base64.b64encode(digest.digest()).decode()
        return file._replace(url=f"{file.url}?hash={algorithm}={declared}")

    def listing(self, files: list[File]) -> None:
        """Write the exports of these files, and the pages of their listing. API: Retrieve Exports."""
        by_id: dict[str, dict[str, Any]] = {}
        for file in files:
            export = by_id.setdefault(file.export_id, _export(file.export_id))
            export[f"_{file.artifact}_url"] = file.url
        exports = list(by_id.values())
        for export in exports:
            answer = {"status": 200, "data": export}
            path = self._root / "v1/exports" / f"{export['id']}.json"
            path.write_text(json.dumps(answer), encoding="utf-8")
        self.pages(exports)

    def pages(self, exports: list[dict[str, Any]]) -> None:
        """Write the pages of a listing. API: List Exports."""
        for number, start in enumerate(range(0, len(exports), PAGE), 1):
            has_more = start + PAGE < len(exports)
            pagination = {"page": number, "limit": PAGE, "has_more": has_more, "total_count": len(exports)}
            page = {"status": 200, "data": exports[start : start + PAGE], "pagination": pagination}
            (self._root / "pages" / f"{number}.json").write_text(json.dumps(page), encoding="utf-8")


def write_csv(file: TextIO, size: int) -> None:
    """Write at least `size` characters of CSV: text, numbers and addresses, all random."""
    generator = random.Random(1)
    writer = csv.writer(file)
    writer.writerow(_COLUMNS)
    number = 0
    while file.tell() < size:
        writer.writerows(_row(generator, number + offset) for offset in range(1000 if size > KIB else 1))
        number += 1000


def _row(generator: random.Random, number: int) -> list[object]:
    below = generator.randrange
    return [
        f"shp_{number}",
        f"Recipient {below(10**6)}",
        f"{below(10**4)} Main Street\nApartment {below(100)}",
        generator.choice(["Boston, MA", "New York", "Los Angeles"]),
        f"{below(10**5):05}",
        below(1000),
        generator.choice(["delivered", "pending", "lost"]),
        f"1Z{below(10**14):014}",
        f"2026-01-{below(28) + 1:02}T00:00:00Z",
        generator.choice(["", 'Says "hello"', "fragile"]),
    ]


def _export(export_id: str) -> dict[str, Any]:
    return {
        "id": export_id,
        "object": "export",
        "resource": "contact",
        "status": "completed",
        "created_at": int(time.time()),
    }
