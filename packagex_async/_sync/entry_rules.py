"""The rules for manifest entries: which files may be kept, and what is recorded."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import UTC, datetime
from typing import TypeVar, cast

import attrs

from packagex_async._download.options import DownloadOptions
from packagex_async._partials.targets import Target
from packagex_async._sync.manifest_entry import ManifestEntry
from packagex_async.models import Artifact, Export
from packagex_async.report import DownloadReport, StoredFile, Verified
from packagex_async.retry import Clock

F = TypeVar("F", bound=StoredFile)


@attrs.frozen(kw_only=True, eq=False, repr=False)
class ReusePolicy:
    """When a file or object of an earlier run is kept.

    Attributes:
        resume: Keep files at all.
        verify: Compare the SHA-256 of each file with the manifest, not only its length.
        count_rows: Take the numbers of rows from the manifest.
    """

    resume: bool
    verify: bool
    count_rows: bool = False


class EntryRules:
    """The rules for the entries of one operation.

    Args:
        policy: Determines which files are kept.
        options: The options of the downloads.
        clock: The source of the time in entries.
    """

    def __init__(self, policy: ReusePolicy, options: DownloadOptions, clock: Clock) -> None:
        self.policy = policy
        self._options = options
        self._clock = clock

    def reusable_update(self, export: Export) -> str | None:
        """Return the `updated_at` of entries whose files may be kept, or `None` if none may be kept."""
        return _iso(export.updated_at) if self.policy.resume else None

    def is_current(self, entry: ManifestEntry, export: Export) -> bool:
        """Return whether the export has not changed since the entry was written, and files may be kept."""
        update = self.reusable_update(export)
        return update is not None and entry.updated_at == update

    def has_current_types(self, target: Target, entry: ManifestEntry) -> bool:
        """Return whether the target has the columns that are requested. A blocking call."""
        file_format = self._options.format_of(Artifact(entry.artifact))
        return file_format is None or file_format.is_current(target, entry.types)

    def kept_file(self, artifact: Artifact, entry: ManifestEntry, new_file: Callable[..., F]) -> F:
        """Return the record of a file that is kept, created by `new_file`."""
        return new_file(
            artifact=artifact,
            size=entry.size or 0,
            verified=cast(Verified, entry.verified),
            sha256=entry.sha256,
            attempts=0,
            kept=True,
            rows=entry.rows if self.policy.count_rows or entry.format else None,
            source_sha256=entry.source_sha256,
        )

    def formats(self, artifacts: Iterable[Artifact]) -> dict[str, str]:
        """Return the format of each artifact that is converted."""
        return {artifact: name for artifact in artifacts if (name := self.format_name(artifact))}

    def format_name(self, artifact: Artifact) -> str | None:
        """Return the format to which `artifact` is converted, or `None`."""
        file_format = self._options.format_of(artifact)
        return None if file_format is None else file_format.name

    def new_entries(
        self, export: Export, paths: Mapping[Artifact, str], report: DownloadReport[StoredFile]
    ) -> Iterator[ManifestEntry]:
        """Yield an entry for each downloaded file and each missing artifact of `report`."""
        when = datetime.fromtimestamp(self._clock.time(), UTC).isoformat(timespec="seconds")
        updated_at = _iso(export.updated_at)
        for file in report.files:
            yield ManifestEntry(
                export_id=export.id,
                artifact=file.artifact.value,
                path=paths[file.artifact],
                size=file.size,
                sha256=file.sha256,
                verified=file.verified,
                when=when,
                updated_at=updated_at,
                rows=file.rows,
                format=self.format_name(file.artifact),
                source_sha256=file.source_sha256,
                types=self._type_names(file.artifact),
            )
        # Without `updated_at` an entry cannot show that the export is unchanged.
        for artifact in report.missing if updated_at else ():
            yield ManifestEntry(
                export_id=export.id,
                artifact=artifact.value,
                when=when,
                updated_at=updated_at,
                format=self.format_name(artifact),
            )

    def _type_names(self, artifact: Artifact) -> dict[str, str] | None:
        file_format = self._options.format_of(artifact)
        return None if file_format is None else file_format.type_names


def _iso(date: datetime | None) -> str | None:
    return date.isoformat() if date is not None else None
