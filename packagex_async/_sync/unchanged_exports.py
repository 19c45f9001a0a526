"""The exports of which nothing has to be downloaded, found many at a time."""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping, Sequence
from functools import partial
from pathlib import Path

import attrs

from packagex_async._api.statuses import is_downloadable
from packagex_async._files.exclusions import Exclusions
from packagex_async._files.layouts import Layout
from packagex_async._files.operations import file_size
from packagex_async._files.paths import require_directories
from packagex_async._sync.entry_rules import EntryRules
from packagex_async._sync.manifest import Manifest
from packagex_async._sync.manifest_entry import ManifestEntry
from packagex_async.models import Artifact, Export
from packagex_async.report import ByArtifact, DownloadedFile, DownloadReport


@attrs.frozen(kw_only=True, eq=False, repr=False)
class UnchangedExports:
    """Finds the exports in a directory whose artifacts are all kept or not offered.

    It keeps what `LocalState.inspect` keeps, without converted files and `verify`. One call in a thread
    examines many exports, and creates nothing but their reports. This takes a fifth of the time of one call
    for each export.

    Attributes:
        directory: The directory.
        layout: Determines the path of each artifact.
        rules: The rules for entries.
        manifest: The manifest of the directory.
        exclusions: The files that are not downloaded.
    """

    directory: Path
    layout: Layout
    rules: EntryRules
    manifest: Manifest
    exclusions: Exclusions | None

    def reports(
        self, exports: Sequence[Export], artifacts: Collection[Artifact]
    ) -> dict[str, DownloadReport[DownloadedFile]]:
        """Return the reports of the unchanged ones of `exports` by id. A blocking call.

        Raises:
            OSError: The manifest cannot be read.
        """
        ordered = [artifact for artifact in Artifact if artifact in artifacts]
        found = self.manifest.find_all([export.id for export in exports], ordered)
        reports = {}
        for export, entries in zip(exports, found, strict=True):
            # Most new exports have no entries.
            if entries and is_downloadable(export):
                report = self._report(export, ordered, entries)
                if report is not None:
                    reports[export.id] = report
        return reports

    def _report(
        self, export: Export, artifacts: Sequence[Artifact], entries: Mapping[str, ManifestEntry]
    ) -> DownloadReport[DownloadedFile] | None:
        """Return the report if all artifacts are kept or not offered."""
        update = self.rules.reusable_update(export)
        files: list[DownloadedFile] = []
        missing: list[Artifact] = []
        for artifact in artifacts:
            path = self.layout(export, artifact)
            if self.exclusions is not None and self.exclusions.match(path):
                continue
            entry = entries.get(artifact)
            if entry is None or update is None or entry.updated_at != update:
                return None
            if entry.path is None:
                missing.append(artifact)
                continue
            # A path from the manifest is only compared, never opened.
            if entry.path != path or not self._has_size(path, entry.size):
                return None
            new_file = partial(DownloadedFile, path=self.directory / path)
            files.append(self.rules.kept_file(artifact, entry, new_file))
        return DownloadReport(
            export_id=export.id, export=export, files=ByArtifact(files), missing=tuple(missing)
        )

    def _has_size(self, path: str, size: int | None) -> bool:
        """Return whether a regular file has this size. Paths as text take half the time of `Path` objects."""
        try:
            if "/" in path:
                require_directories((self.directory / path).parent, self.directory)
            return file_size(f"{self.directory}{os.sep}{path}") == size
        except OSError:
            return False
