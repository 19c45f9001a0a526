"""Removes files of deleted exports that are older than a given age.

A file is removed before the manifest records it. If the process ends in between, the manifest lists a file
that does not exist, and the next run records that.
"""

from __future__ import annotations

import math
import os
from collections.abc import AsyncGenerator, Callable, Iterator, Sequence
from contextlib import aclosing
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path
from typing import Literal, ParamSpec, TypeVar

import attrs

from packagex_async._context import ClientContext
from packagex_async._files.disk_errors import DiskError
from packagex_async._files.exclusions import Exclusions
from packagex_async._files.operations import sync_directory
from packagex_async._files.paths import UnsafePathError, require_directories
from packagex_async._sync.file_checker import FileChecker, FileState
from packagex_async._sync.manifest import Manifest
from packagex_async._sync.manifest_entry import ManifestEntry
from packagex_async._sync.manifest_snapshot import ManifestSnapshot
from packagex_async._utils.redaction import redact, sanitize
from packagex_async._utils.reprs import concise_repr
from packagex_async.errors import ConfigurationError, DirectoryError
from packagex_async.models import Export

P = ParamSpec("P")
T = TypeVar("T")

_BATCH_FILES = 64
"""Maximum number of files of one call in a thread."""

_MAX_PATH_LENGTH = 5000
_MAX_AGE = 100 * 366 * 24 * 3600


PruneOutcome = Literal["removed", "planned", "changed", "failed"]


@attrs.frozen(kw_only=True, repr=False)
class PrunedFile:
    """A file that is older than `prune_after`, and whose export does not exist any more.

    Attributes:
        export_id: The id of the export.
        artifact: The name of the artifact.
        path: The path of the file.
        size: The length in bytes that the manifest lists.
        outcome: `removed`; `planned` if a dry run would remove it; `changed` if it was kept because it is not
            the file that was downloaded; `failed` if the operating system refused.
        error: The error if the operating system refused.
    """

    export_id: str = attrs.field(converter=redact)
    artifact: str
    path: Path
    size: int
    outcome: PruneOutcome
    error: DirectoryError | None = None

    __repr__ = concise_repr


OnPrune = Callable[[PrunedFile], object]


def parse_age(prune_after: float | timedelta) -> float:
    """Return the parameter `prune_after` in seconds.

    Raises:
        ConfigurationError: It is not a positive number of seconds.
    """
    seconds = prune_after.total_seconds() if isinstance(prune_after, timedelta) else prune_after
    is_number = isinstance(seconds, (int, float)) and not isinstance(seconds, bool)
    if not is_number or not 0 < seconds <= _MAX_AGE:
        raise ConfigurationError(
            "prune_after must be more than 0 seconds and at most 100 years, such as timedelta(days=30), "
            f"not {prune_after!r}"
        )
    return float(seconds)


@attrs.frozen(eq=False, repr=False)
class PruneOptions:
    """The options for removing files.

    Attributes:
        max_age: The age in seconds above which files are removed.
        list_exports: Lists all exports that exist, without any filter.
        on_prune: Called for each file.
    """

    max_age: float
    list_exports: Callable[[], AsyncGenerator[Export, None]]
    on_prune: OnPrune | None


class Pruner:
    """Removes old files of one directory whose exports do not exist any more.

    Args:
        directory: The directory.
        manifest: The manifest of the directory.
        options: The options.
        context: The state of the client.
        exclusions: The files that are never removed.
        durable: Flush directories before the manifest records that a file is removed.
        dry_run: Report the files, and remove nothing.
    """

    def __init__(
        self,
        directory: Path,
        manifest: Manifest,
        options: PruneOptions,
        context: ClientContext,
        *,
        exclusions: Exclusions | None,
        durable: bool,
        dry_run: bool,
    ) -> None:
        self._directory = directory
        self._manifest = manifest
        self._options = options
        self._disk = context.disk
        self._clock = context.clock
        self._exclusions = exclusions
        self._durable = durable
        self._dry_run = dry_run
        self._checker = FileChecker(directory, lambda _: None)
        self._cutoff = -math.inf

    async def run(self) -> None:
        """Remove the files, and report each of them.

        Raises:
            DirectoryError: The manifest cannot be read or written.
            PackageXError: The listing of all exports failed; nothing was removed.
        """
        self._cutoff = self._clock.time() - self._options.max_age
        if not await self._run(self._has_old_entries):
            return
        # The listing of the downloads may have filters, and may be older than the latest exports.
        async with aclosing(self._options.list_exports()) as exports:
            existing_ids = {export.id async for export in exports}
        with await self._run(ManifestSnapshot, self._directory) as snapshot:
            entries = self._removable(snapshot, existing_ids)
            while batch := await self._run(lambda: list(islice(entries, _BATCH_FILES))):
                for file in await self._run(self._prune, batch):
                    if self._options.on_prune is not None:
                        self._options.on_prune(file)

    def _has_old_entries(self) -> bool:
        try:
            snapshot = ManifestSnapshot(self._directory)
        except FileNotFoundError:
            return False
        with snapshot:
            return any(self._is_old(entry) for entry in snapshot.entries())

    def _removable(self, snapshot: ManifestSnapshot, existing_ids: set[str]) -> Iterator[ManifestEntry]:
        """Yield the old entries of deleted exports whose path no other entry has."""

        def is_needed(entry: ManifestEntry) -> bool:
            return entry.export_id in existing_ids or not self._is_old(entry)

        needed_paths = {hash(entry.path) for entry in snapshot.entries() if is_needed(entry)}
        for entry in snapshot.entries():
            if not is_needed(entry) and hash(entry.path) not in needed_paths:
                yield entry

    def _is_old(self, entry: ManifestEntry) -> bool:
        if self._exclusions is not None and self._exclusions.match(entry.path or ""):
            return False
        try:
            when = datetime.fromisoformat(entry.when)
            # The age of a file without a time zone is not known exactly.
            return when.utcoffset() is not None and when.timestamp() < self._cutoff
        except (ValueError, OverflowError):
            return False

    def _prune(self, entries: Sequence[ManifestEntry]) -> list[PrunedFile]:
        """Remove the files of `entries`, record that in the manifest, and return the files to report."""
        outcomes = [(entry, *self._remove(entry)) for entry in entries]
        removed = [entry for entry, outcome, _ in outcomes if outcome in ("removed", None)]
        if removed and not self._dry_run:
            self._manifest.append(map(self._record, removed))
        return [
            PrunedFile(
                export_id=entry.export_id,
                artifact=entry.artifact,
                path=self._directory / (entry.path or ""),
                size=entry.size or 0,
                outcome=outcome,
                error=error,
            )
            for entry, outcome, error in outcomes
            if outcome is not None
        ]

    def _remove(self, entry: ManifestEntry) -> tuple[PruneOutcome | None, DirectoryError | None]:
        """Remove a file if it is unchanged; the outcome is `None` if it does not exist."""
        target = self._directory / (entry.path or "")
        try:
            state = self._checker.check(entry).state
            if state is FileState.MISSING:
                return None, None
            require_directories(target.parent, self._directory)
            if state is not FileState.EXACT:
                return ("failed" if state is FileState.UNREADABLE else "changed"), None
            if self._dry_run:
                return "planned", None
            target.unlink()
            if self._durable:
                sync_directory(target.parent)
            self._remove_empty_directories(target.parent)
        except (UnsafePathError, ValueError):
            return "changed", None
        except OSError as error:
            return "failed", _error(target, error, "removed")
        return "removed", None

    def _remove_empty_directories(self, directory: Path) -> None:
        while directory != self._directory:
            try:
                os.rmdir(directory)
            except OSError:
                return
            directory = directory.parent

    def _record(self, entry: ManifestEntry) -> ManifestEntry:
        # Without `updated_at`, the entry does not show that the export does not offer the artifact.
        return ManifestEntry(
            export_id=entry.export_id,
            artifact=entry.artifact,
            when=datetime.fromtimestamp(self._clock.time(), UTC).isoformat(timespec="seconds"),
            updated_at=None,
            format=entry.format,
        )

    async def _run(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        try:
            return await self._disk.run(self._manifest.path, function, *args, **kwargs)
        except DiskError as error:
            failure = error
        raise _error(self._manifest.path, failure.cause, "read or written") from failure.cause


def _error(path: Path, error: OSError, purpose: str) -> DirectoryError:
    name, reason = (sanitize(part, limit=_MAX_PATH_LENGTH) for part in (path, error.strerror or error))
    return DirectoryError(
        f"{name} cannot be {purpose}: {reason}; check the permissions and the disk",
        filename=str(path),
        errno=error.errno,
    )
