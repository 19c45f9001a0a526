"""The state of a bucket: which artifacts exist, and which have to be downloaded."""

from __future__ import annotations

import contextlib
from collections.abc import Collection, Generator, Mapping, Sequence
from functools import partial

import attrs

from packagex_async._bucket_sync.abandoned_uploads import remove_abandoned_uploads
from packagex_async._bucket_sync.manifest_objects import (
    ExportManifest,
    manifest_name,
    read_manifest,
    update_manifest,
)
from packagex_async._buckets.bucket_error import BucketError, bucket_destination_error
from packagex_async._buckets.objects import BucketObjects, ObjectInfo
from packagex_async._buckets.target import ObjectTarget
from packagex_async._concurrency.read_progress import OnBlock, run_stoppable
from packagex_async._download.options import DownloadOptions
from packagex_async._files.exclusions import Exclusions
from packagex_async._files.layouts import Layout
from packagex_async._partials.existing_files import ABSENT, ExistingFile
from packagex_async._sync.entry_rules import EntryRules, ReusePolicy
from packagex_async._sync.local_state import LocalArtifacts
from packagex_async._sync.manifest_entry import ManifestEntry
from packagex_async.models import Artifact, Export
from packagex_async.report import DownloadReport, StoredFile
from packagex_async.retry import Clock

Objects = dict[str, ObjectInfo]
"""The objects below the prefix, by name."""

_MAX_LISTED = 100_000
"""The maximum number of objects that are listed at once, which needs about 30 MiB of memory."""


@attrs.define(kw_only=True, eq=False, repr=False)
class BucketArtifacts(LocalArtifacts):
    """The state of the artifacts of one export in a bucket.

    Attributes:
        manifest: The manifest object of the export.
    """

    manifest: ExportManifest


class BucketState:
    """The objects below a prefix of a bucket, and their manifest objects.

    `open` lists all objects, unless there are very many. Otherwise, each `inspect` looks for the objects of
    its export.

    Args:
        objects: The bucket.
        layout: Determines the name of each object.
        policy: Determines which objects are kept.
        options: The options of the downloads.
        clock: The source of time.
        exclusions: The objects that are not downloaded.
        read_only: Change nothing in the bucket.
    """

    def __init__(
        self,
        objects: BucketObjects,
        layout: Layout,
        policy: ReusePolicy,
        options: DownloadOptions,
        clock: Clock,
        *,
        exclusions: Exclusions | None = None,
        read_only: bool = False,
    ) -> None:
        self._objects = objects
        self._layout = layout
        self._policy = policy
        self._options = options
        self._clock = clock
        self._exclusions = exclusions
        self._read_only = read_only
        self._rules = EntryRules(policy, options, clock)
        self._listed: Objects | None = None

    async def open(self) -> None:
        """List the objects, and remove abandoned uploads.

        Raises:
            DestinationError: The bucket cannot be listed.
        """
        with self._public_errors("", "read"):
            self._listed = await self._objects.run(self._list_objects)

    def with_options(self, options: DownloadOptions) -> BucketState:
        """Return the same state for downloads with other options."""
        return BucketState(
            self._objects,
            self._layout,
            self._policy,
            options,
            self._clock,
            exclusions=self._exclusions,
            read_only=self._read_only,
        )

    def target(self, export: Export, artifact: Artifact) -> ObjectTarget:
        """Return the object of an artifact."""
        path = self._options.path_of(self._layout(export, artifact), artifact)
        return ObjectTarget(self._objects, path)

    async def inspect(
        self, export: Export, artifacts: Collection[Artifact], *, refresh: bool = False
    ) -> LocalArtifacts:
        """Return the state of the artifacts.

        Args:
            export: The export.
            artifacts: The artifacts.
            refresh: Request the state of each object, because the listing is outdated.

        Raises:
            DestinationError: The bucket cannot be read.
        """
        with self._public_errors(export.id, "read"):
            listed = None if refresh else self._listed
            return await run_stoppable(
                lambda on_block: self._objects.run(self._inspect, export, artifacts, listed, on_block)
            )

    async def unchanged(
        self, exports: Sequence[Export], artifacts: Collection[Artifact]
    ) -> Mapping[str, DownloadReport[StoredFile]]:
        """Return nothing: each export has a manifest object, which `inspect` reads."""
        return {}

    async def record(self, export: Export, local: LocalArtifacts, report: DownloadReport[StoredFile]) -> None:
        """Add the downloaded objects and the missing artifacts of `report` to the manifest object.

        Raises:
            DestinationError: The manifest object cannot be written.
        """
        entries = [
            attrs.evolve(entry, e_tag=_e_tag(local, entry))
            for entry in self._rules.new_entries(export, local.paths, report)
        ]
        if entries:
            local.entries |= {Artifact(entry.artifact): entry for entry in entries}
            await self._update(export, local, entries)

    async def record_rows(
        self, export: Export, local: LocalArtifacts, report: DownloadReport[StoredFile]
    ) -> None:
        """Add the numbers of rows in `report` that the manifest object does not have yet.

        Raises:
            DestinationError: The manifest object cannot be written.
        """
        if entries := local.counted_entries(report):
            await self._update(export, local, entries)

    def close(self) -> None:
        """Do nothing: nothing is open."""

    async def _update(
        self, export: Export, local: LocalArtifacts, entries: Collection[ManifestEntry]
    ) -> None:
        assert isinstance(local, BucketArtifacts)  # noqa: S101  # `inspect` returns nothing else
        with self._public_errors(export.id, "written"):
            local.manifest = await self._objects.run(
                update_manifest, self._objects, export.id, entries, local.manifest
            )

    def _list_objects(self) -> Objects | None:
        objects = self._objects.list_up_to(_MAX_LISTED)
        self._remove_abandoned_uploads()
        return objects

    def _remove_abandoned_uploads(self) -> None:
        if not self._read_only:
            remove_abandoned_uploads(self._objects, self._clock.time())

    def _inspect(
        self, export: Export, artifacts: Collection[Artifact], listed: Objects | None, on_block: OnBlock
    ) -> LocalArtifacts:
        paths = {
            artifact: self._options.path_of(self._layout(export, artifact), artifact)
            for artifact in artifacts
        }
        objects = listed
        if objects is None:
            objects = self._objects.find_all(list(paths.values()))
            self._remove_abandoned_uploads()
        local = BucketArtifacts(manifest=self._read_manifest(export, listed))
        entries = local.manifest.find(artifacts, self._rules.formats(artifacts))
        for artifact, path in paths.items():
            if self._exclusions is not None and self._exclusions.match(path):
                local.excluded.add(artifact)
                continue
            found = objects.get(path)
            local.paths[artifact] = path
            local.targets[artifact] = ObjectTarget(
                self._objects, path, None if found is None else found.e_tag
            )
            local.existing[artifact] = ABSENT if found is None else ExistingFile(size=found.size)
            if entry := entries.get(artifact):
                is_intact = partial(self._is_intact, artifact, local, on_block)
                local.apply(entry, artifact, export, self._rules, is_intact)
        return local

    def _read_manifest(self, export: Export, listed: Objects | None) -> ExportManifest:
        name = manifest_name(export.id)
        if listed is not None and name not in listed:
            return ExportManifest({})
        return read_manifest(self._objects, name, export.id)

    def _is_intact(
        self, artifact: Artifact, local: LocalArtifacts, on_block: OnBlock, entry: ManifestEntry
    ) -> bool:
        e_tag = _e_tag(local, entry)
        if local.existing[artifact].size != entry.size or (entry.e_tag and e_tag and entry.e_tag != e_tag):
            return False
        if not self._rules.has_current_types(local.targets[artifact], entry):
            return False
        if not self._rules.policy.verify:
            return True
        digest = self._objects.digest(local.paths[artifact], ("sha256",), on_block)
        return digest is not None and entry.matches(digest)

    @contextlib.contextmanager
    def _public_errors(self, export_id: str, purpose: str) -> Generator[None, None, None]:
        try:
            yield
        except BucketError as error:
            failure = error
        else:
            return
        raise bucket_destination_error(
            failure,
            export_id="" if failure.affects_all else export_id,
            artifact=Artifact.JSON,
            purpose=purpose,
        ) from failure


def _e_tag(local: LocalArtifacts, entry: ManifestEntry) -> str | None:
    target = local.targets[Artifact(entry.artifact)]
    return target.e_tag if isinstance(target, ObjectTarget) and entry.path is not None else None
