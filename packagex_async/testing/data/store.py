"""What the far side holds: the exports, for 24 hours each, and the objects behind their links."""

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
from packagex_async.testing.data.lifetimes import Life
from packagex_async.testing.data.records import generate

LIFETIME = 24 * 60 * 60.0
_ALPHABET = string.ascii_letters + string.digits
_BATCH = 500


@attrs.frozen(kw_only=True)
class StoredExport:
    """An export the emulator holds.

    Attributes:
        id: Its id.
        resource: What it is an export of.
        status: Where it stands; only a `"completed"` one is given URLs.
        name: Its name.
        created_at: When it was asked for, in seconds since the epoch.
        updated_at: When it last changed, in seconds since the epoch.
        count_total: How many rows it has.
        count_batches: How many batches they make.
        error_rows: How many rows failed.
        sanitized_rows: How many rows were held back.
        artifacts: The artifacts it has bytes for.
        organization_id: Whose it is.
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
    organization_id: str = "org_emulated"


class Store:
    """The exports and their objects; what is older than 24 hours by `now` is not there any more.

    Args:
        seed: What the data are made from.
        now: The clock.
        pending: The life of the exports that are added as queued or processing; `None` keeps them so.
    """

    def __init__(self, *, seed: int, now: Callable[[], float], pending: Life | None) -> None:
        self._now = now
        self._pending = pending
        self._seed = seed
        self.created: list[str] = []
        # Each export that changes by itself, with the moment at which that began.
        self._lives: dict[str, tuple[Life, float]] = {}
        self._random = random.Random(seed)  # believable data, no secret
        self._exports: dict[str, StoredExport] = {}
        self._blobs: dict[tuple[str, str], Blob] = {}
        self._generation = 0

    def alive(self) -> tuple[StoredExport, ...]:
        """The exports not yet deleted, in creation order."""
        oldest = self._now() - LIFETIME
        held = tuple(self._exports.values())
        alive = [self._aged(export) for export in held if export.created_at > oldest]
        return tuple(sorted(alive, key=lambda export: export.created_at))

    def find(self, export_id: str | None) -> StoredExport | None:
        """The export of that id, while it lives."""
        return next((export for export in self.alive() if export.id == export_id), None)

    def add(
        self, *, resource: str = "contact", status: str = "completed", name: str | None = None,
        rows: int = 2000, error_rows: int = 0, sanitized_rows: int = 0, created_at: float | None = None,
        content: Mapping[str, bytes] | None = None, export_id: str | None = None,
    ) -> StoredExport:  # fmt: skip
        """Hold one more export; see `Emulator.add_export`."""
        offers = {"json": True, "csv": True, "csv_error": error_rows, "csv_sanitized": sanitized_rows}
        created = self._now() if created_at is None else created_at
        export = StoredExport(
            id=export_id or "exp_" + "".join(self._random.choices(_ALPHABET, k=22)),
            resource=resource,
            status=status,
            name=name or f"{resource} export {len(self._exports) + 1}",
            created_at=created,
            updated_at=created,
            count_total=rows,
            count_batches=math.ceil(rows / _BATCH),
            error_rows=error_rows,
            sanitized_rows=sanitized_rows,
            artifacts=tuple(
                name for name in ARTIFACTS if (offers[name] if content is None else name in content)
            ),
        )
        self._exports[export.id] = export
        self._lives.pop(export.id, None)
        if self._pending is not None:
            self._begin(export.id, self._pending, status)
        for artifact, body in (content or {}).items():
            self._write(export.id, artifact, body, created)
        return export

    def create(self, resource: str, life: Life, *, most: int | None) -> StoredExport:
        """Begin the life of an export of at most so many rows."""
        rows = life.rows if most is None else min(life.rows, most)
        export = self.add(
            resource=resource,
            status="queued",
            rows=rows,
            error_rows=life.error_rows,
            sanitized_rows=life.sanitized_rows,
        )
        self._begin(export.id, life, "queued")
        self.created.append(export.id)
        return self._aged(export)

    def update(self, export_id: str, **changes: Any) -> StoredExport:
        """Change fields of an export; `KeyError` when there is none. A status that is set stays as it is."""
        if "status" in changes:
            self._lives.pop(export_id, None)
        export = attrs.evolve(self._exports[export_id], **{"updated_at": self._now(), **changes})
        self._exports[export_id] = export
        return export

    def delete(self, export_id: str) -> None:
        """Delete an export and its objects; deleting it twice does no harm."""
        self._exports.pop(export_id, None)
        for artifact in ARTIFACTS:
            self._blobs.pop((export_id, artifact), None)

    def blob(self, export_id: str | None, artifact: str | None) -> Blob | None:
        """The object behind an artifact, made when first asked for; `None` when there is none."""
        export = self.find(export_id)
        if export is None or artifact not in export.artifacts:
            return None
        if (export.id, artifact) not in self._blobs:
            self._write(export.id, artifact, self._generated(export, artifact), export.created_at)
        return self._blobs[export.id, artifact]

    def replace(self, export_id: str | None, artifact: str | None, content: bytes) -> None:
        """Put other bytes behind an artifact; where there is none, nothing is put."""
        if export_id is not None and artifact is not None and self.blob(export_id, artifact) is not None:
            self._write(export_id, artifact, content, self._now())

    def _aged(self, export: StoredExport) -> StoredExport:
        if export.id not in self._lives:
            return export
        life, began = self._lives[export.id]
        status, since = life.stage(max(0.0, self._now() - began))
        if status == export.status:
            return export
        return attrs.evolve(export, status=status, updated_at=max(export.updated_at, began + since))

    def _begin(self, export_id: str, life: Life, status: str) -> None:
        """Have the life of an export go on from `status`, if that is one that ends."""
        if status == "processing":
            life = attrs.evolve(life, queued=0.0)
        if status in ("queued", "processing"):
            self._lives[export_id] = life, self._now()

    def _generated(self, export: StoredExport, artifact: str) -> bytes:
        rows = {"csv_error": export.error_rows, "csv_sanitized": export.sanitized_rows}
        return generate(
            artifact,
            export.resource,
            rows.get(artifact, export.count_total),
            seed=f"{self._seed}/{export.id}",
        )

    def _write(self, export_id: str, artifact: str, content: bytes, modified: float) -> None:
        self._generation += 1
        generation = int(modified * 1_000_000) + self._generation
        self._blobs[export_id, artifact] = Blob(content=content, generation=generation, modified=modified)
