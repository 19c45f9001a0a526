"""The exports and objects that the emulator stores, each for 24 hours."""

from __future__ import annotations

import math
import random
import string
from collections.abc import Callable, Mapping
from typing import Any

import attrs

from packagex_async.models import ArtifactName
from packagex_async.testing.data.blobs import Blob
from packagex_async.testing.data.dialect import ARTIFACTS
from packagex_async.testing.data.file_format import FileFormat
from packagex_async.testing.data.lifetimes import Life
from packagex_async.testing.data.records import generate

LIFETIME = 24 * 60 * 60.0
"""Seconds after which an export is deleted."""

_ID_CHARACTERS = string.ascii_letters + string.digits
_BATCH_SIZE = 500


@attrs.frozen(kw_only=True)
class StoredExport:
    """An export that the emulator stores.

    Attributes:
        id: The id.
        resource: The exported resource.
        status: The status. Only a `"completed"` export has URLs.
        name: The name.
        created_at: The creation time, in seconds since the epoch.
        updated_at: The time of the last change, in seconds since the epoch.
        count_total: The number of rows.
        count_batches: The number of batches.
        error_rows: The number of rows that failed.
        sanitized_rows: The number of rows that were sanitized.
        artifacts: The artifacts that the export offers once it is completed.
        file_format: The format of the generated files.
        organization_id: The id of the organization.
    """

    id: str
    resource: str
    status: str
    name: str
    created_at: float
    updated_at: float
    count_total: int
    count_batches: int
    error_rows: int
    sanitized_rows: int
    artifacts: tuple[ArtifactName, ...]
    file_format: FileFormat = attrs.field(factory=FileFormat)
    organization_id: str = "org_emulated"


class Store:
    """Exports and their objects. Exports older than 24 hours are not returned any more.

    Args:
        seed: The seed of the generated data.
        now: The clock, in seconds since the epoch.
        pending: The course of exports that are added as queued or processing; `None` keeps their status.
    """

    def __init__(self, *, seed: int, now: Callable[[], float], pending: Life | None) -> None:
        self._now = now
        self._pending = pending
        self._seed = seed
        self.created: list[str] = []
        # Exports whose status changes over time, and when that began.
        self._lives: dict[str, tuple[Life, float]] = {}
        self._random = random.Random(seed)  # not used for secrets
        self._exports: dict[str, StoredExport] = {}
        self._blobs: dict[tuple[str, str], Blob] = {}
        self._last_generation = 0

    def exports(self) -> tuple[StoredExport, ...]:
        """Return all exports that are not deleted, ordered by creation time."""
        oldest = self._now() - LIFETIME
        stored = tuple(self._exports.values())
        current = [self._with_current_status(export) for export in stored if export.created_at > oldest]
        return tuple(sorted(current, key=lambda export: export.created_at))

    def get(self, export_id: str | None) -> StoredExport | None:
        """Return the export with this id, or `None` if there is none or it is deleted."""
        return next((export for export in self.exports() if export.id == export_id), None)

    def add(
        self, *, resource: str = "contact", status: str = "completed", name: str | None = None,
        rows: int = 2000, error_rows: int = 0, sanitized_rows: int = 0, created_at: float | None = None,
        content: Mapping[str, bytes] | None = None, export_id: str | None = None,
        file_format: FileFormat | None = None,
    ) -> StoredExport:  # fmt: skip
        """Add an export; see `Emulator.add_export`."""
        offers = {"json": True, "csv": True, "csv_error": error_rows, "csv_sanitized": sanitized_rows}
        created = self._now() if created_at is None else created_at
        export = StoredExport(
            id=export_id or "exp_" + "".join(self._random.choices(_ID_CHARACTERS, k=22)),
            resource=resource,
            status=status,
            name=name or f"{resource} export {len(self._exports) + 1}",
            created_at=created,
            updated_at=created,
            count_total=rows,
            count_batches=math.ceil(rows / _BATCH_SIZE),
            error_rows=error_rows,
            sanitized_rows=sanitized_rows,
            file_format=file_format or FileFormat(),
            artifacts=tuple(
                name for name in ARTIFACTS if (offers[name] if content is None else name in content)
            ),
        )
        self.delete(export.id)
        self._exports[export.id] = export
        self._lives.pop(export.id, None)
        if self._pending is not None:
            self._start_life(export.id, self._pending, status)
        for artifact, body in (content or {}).items():
            self._write(export.id, artifact, body, created)
        return export

    def create(self, resource: str, life: Life, *, max_rows: int | None) -> StoredExport:
        """Create a queued export with at most `max_rows` rows; its status changes as `life` says."""
        rows = life.rows if max_rows is None else min(life.rows, max_rows)
        export = self.add(
            resource=resource,
            status="queued",
            rows=rows,
            error_rows=life.error_rows,
            sanitized_rows=life.sanitized_rows,
        )
        self._start_life(export.id, life, "queued")
        self.created.append(export.id)
        return self._with_current_status(export)

    def update(self, export_id: str, **changes: Any) -> StoredExport:
        """Change fields of an export. A status that is set this way does not change any more.

        Raises:
            KeyError: No export has this id.
        """
        if "status" in changes:
            self._lives.pop(export_id, None)
        export = attrs.evolve(self._exports[export_id], **{"updated_at": self._now(), **changes})
        self._exports[export_id] = export
        return export

    def delete(self, export_id: str) -> None:
        """Delete an export and its objects, if it exists."""
        self._exports.pop(export_id, None)
        for artifact in ARTIFACTS:
            self._blobs.pop((export_id, artifact), None)

    def blob(self, export_id: str | None, artifact: str | None) -> Blob | None:
        """Return the object of an artifact, generated on first access, or `None` if there is none."""
        export = self.get(export_id)
        if export is None or artifact not in export.artifacts:
            return None
        if (export.id, artifact) not in self._blobs:
            self._write(export.id, artifact, self._generate(export, artifact), export.created_at)
        return self._blobs[export.id, artifact]

    def replace(self, export_id: str | None, artifact: str | None, content: bytes) -> None:
        """Replace the content of an artifact, if the artifact exists."""
        if export_id is not None and artifact is not None and self.blob(export_id, artifact) is not None:
            self._write(export_id, artifact, content, self._now())

    def _with_current_status(self, export: StoredExport) -> StoredExport:
        if export.id not in self._lives:
            return export
        life, started_at = self._lives[export.id]
        status, since = life.status_at(max(0.0, self._now() - started_at))
        if status == export.status:
            return export
        return attrs.evolve(export, status=status, updated_at=max(export.updated_at, started_at + since))

    def _start_life(self, export_id: str, life: Life, status: str) -> None:
        """Let the status of an export change over time, if `status` is not final."""
        if status == "processing":
            life = attrs.evolve(life, queued=0.0)
        if status in ("queued", "processing"):
            self._lives[export_id] = life, self._now()

    def _generate(self, export: StoredExport, artifact: str) -> bytes:
        rows = {"csv_error": export.error_rows, "csv_sanitized": export.sanitized_rows}
        return generate(
            artifact,
            export.resource,
            rows.get(artifact, export.count_total),
            seed=f"{self._seed}/{export.id}",
            file_format=export.file_format,
        )

    def _write(self, export_id: str, artifact: str, content: bytes, modified: float) -> None:
        self._last_generation += 1
        generation = int(modified * 1_000_000) + self._last_generation
        self._blobs[export_id, artifact] = Blob(content=content, generation=generation, modified=modified)
