"""Download of the artifacts of exports that are new or have changed."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, nullcontext
from typing import Protocol

import attrs

from packagex_async._api.statuses import check_downloadable
from packagex_async._buckets.target_errors import is_fatal
from packagex_async._context import ClientContext
from packagex_async._download.export import DownloadPlan, ExportDownload
from packagex_async._download.options import DownloadOptions
from packagex_async._files.exclusions import Exclusions
from packagex_async._files.layouts import Layout
from packagex_async._partials.targets import Target
from packagex_async._polling.export_source import ExportSource
from packagex_async._sync.entry_rules import ReusePolicy
from packagex_async._sync.local_state import LocalArtifacts, kept_event
from packagex_async.errors import (
    AuthenticationError,
    DestinationError,
    PackageXError,
    PermissionDeniedError,
)
from packagex_async.models import Artifact, Export
from packagex_async.report import DownloadReport, StoredFile

_STARTED_PER_SLOT = 2
"""Artifacts in progress per concurrent transfer: while some are inspected or moved, others transfer."""

KEY_ERRORS = (AuthenticationError, PermissionDeniedError)
"""The API refuses the key: all other requests would fail as well."""

# A failure of one artifact is part of its report. A `DestinationError` that is raised concerns the directory.
_FATAL_ERRORS = (*KEY_ERRORS, DestinationError)

CountRows = Callable[[DownloadReport[StoredFile]], Awaitable[DownloadReport[StoredFile]]]
"""Returns a copy of a report with the numbers of rows of its files."""

Slots = Callable[[int], AbstractAsyncContextManager[object]]
"""Returns a context manager that limits the artifacts in progress; its argument is their number."""


class State(Protocol):
    """The state of a directory or bucket; see `LocalState` and `BucketState`."""

    async def open(self) -> None:
        """Prepare for several exports."""
        ...

    def target(self, export: Export, artifact: Artifact) -> Target:
        """Return the file or object of an artifact."""
        ...

    def with_options(self, options: DownloadOptions) -> State:
        """Return the same state for downloads with other options."""
        ...

    async def inspect(
        self, export: Export, artifacts: Collection[Artifact], *, refresh: bool = False
    ) -> LocalArtifacts:
        """Return the state of the artifacts of an export; `refresh` ignores what was read before."""
        ...

    async def unchanged(
        self, exports: Sequence[Export], artifacts: Collection[Artifact]
    ) -> Mapping[str, DownloadReport[StoredFile]]:
        """Return the reports of exports without anything to download, by id; some may be left out."""
        ...

    async def record(self, export: Export, local: LocalArtifacts, report: DownloadReport[StoredFile]) -> None:
        """Add the downloaded files and the missing artifacts of `report` to the manifest."""
        ...

    async def record_rows(
        self, export: Export, local: LocalArtifacts, report: DownloadReport[StoredFile]
    ) -> None:
        """Add the numbers of rows in `report` to the manifest."""
        ...

    def close(self) -> None:
        """Close the manifest."""
        ...


NewState = Callable[[Layout, ReusePolicy, Exclusions | None], State]
"""Returns the state of a bucket."""


class Downloads(Protocol):
    """Downloads exports, each of them once; see `ChangedDownloads`."""

    @property
    def max_active(self) -> int:
        """The number of artifacts in progress from which on no other download is started."""
        ...

    async def open(self) -> None:
        """Prepare for several exports."""
        ...

    async def unchanged(self, exports: Sequence[Export]) -> Mapping[str, DownloadReport[StoredFile]]:
        """Return the reports of exports without anything to download, by id; some may be left out."""
        ...

    async def download(self, export: Export, *, refresh: bool = False) -> DownloadReport[StoredFile]:
        """Download an export; the report has its failures.

        Args:
            export: The export.
            refresh: Ignore what was read of the destination before, because it was changed meanwhile.

        Raises:
            PackageXError: All other downloads would fail as well.
        """
        ...

    async def aclose(self) -> None:
        """Release all resources."""
        ...


def _unlimited(_count: int) -> AbstractAsyncContextManager[object]:
    return nullcontext()


class ChangedDownloads:
    """Downloads the artifacts of exports that are new or have changed, into one directory or bucket.

    Args:
        state: The state of the directory or bucket.
        source: Retrieves an export again, with its URLs.
        plan: The artifacts to download of each export.
        context: The state of the client.
        count_rows: Counts the rows of files; `None` does not count them.
        slots: Limits the artifacts that are in transfer or not recorded yet.
    """

    def __init__(
        self,
        state: State,
        source: ExportSource,
        plan: DownloadPlan,
        context: ClientContext,
        *,
        count_rows: CountRows | None,
        slots: Slots = _unlimited,
    ) -> None:
        self.state = state
        self.source = source
        self.plan = plan
        self.context = context
        self._count_rows = count_rows
        self._slots = slots

    def with_options(self, options: DownloadOptions, slots: Slots) -> ChangedDownloads:
        """Return downloads with the same state, other options for each file, and another limit."""
        return ChangedDownloads(
            self.state.with_options(options),
            self.source,
            attrs.evolve(self.plan, options=options),
            self.context,
            count_rows=self._count_rows,
            slots=slots,
        )

    @property
    def max_active(self) -> int:
        """The number of artifacts in progress from which on no other download is started."""
        return _STARTED_PER_SLOT * self.plan.concurrency

    async def open(self) -> None:
        """Prepare for several exports.

        Raises:
            DestinationError: The bucket cannot be listed.
        """
        await self.state.open()

    async def aclose(self) -> None:
        """Close the manifest. Idempotent."""
        self.state.close()

    async def unchanged(self, exports: Sequence[Export]) -> Mapping[str, DownloadReport[StoredFile]]:
        """Return the reports of exports of which nothing has to be downloaded, by id.

        The result may lack some of them. `download` returns their reports.

        Raises:
            DestinationError: The manifest cannot be used.
        """
        if self._count_rows is not None:
            return {}
        reports = await self.state.unchanged(exports, self.plan.artifacts)
        if self.plan.on_progress is not None:
            for report in reports.values():
                for file in report.files:
                    self.plan.on_progress(kept_event(report.export_id, file))
        return reports

    async def download(self, export: Export, *, refresh: bool = False) -> DownloadReport[StoredFile]:
        """Download the artifacts of an export that are new or have changed.

        Args:
            export: The export.
            refresh: Ignore what was read of the destination before, because it was changed meanwhile.

        Returns:
            The report, with the files that were kept.

        Raises:
            AuthenticationError: The API does not know the key.
            PermissionDeniedError: The key has no permission.
            DestinationError: The destination is full or read-only, or its manifest cannot be used.
        """
        local = LocalArtifacts()
        try:
            local = await self.state.inspect(check_downloadable(export), self.plan.artifacts, refresh=refresh)
            report = await self._download_changed(export, local)
        except _FATAL_ERRORS:
            raise
        except PackageXError as error:
            report = DownloadReport(export_id=export.id, export=export, error=error)
        if self.plan.on_progress is not None:
            for event in local.kept_events(export.id):
                self.plan.on_progress(event)
        return await self._with_rows(export, local, local.merge_into(report))

    async def _with_rows(
        self, export: Export, local: LocalArtifacts, report: DownloadReport[StoredFile]
    ) -> DownloadReport[StoredFile]:
        """Return a copy of `report` with the numbers of rows if they are requested, and record them."""
        if self._count_rows is None:
            return report
        report = await self._count_rows(report)
        await self.state.record_rows(export, local, report)
        return report

    async def _download_changed(self, export: Export, local: LocalArtifacts) -> DownloadReport[StoredFile]:
        download = await _new_download(export, local, self.source, self.plan, self.context)
        if download is None:
            return await self._recorded(export, local, DownloadReport(export_id=export.id, export=export))
        async with self._slots(download.size):
            return await self._recorded(export, local, await download.run())

    async def _recorded(
        self, export: Export, local: LocalArtifacts, report: DownloadReport[StoredFile]
    ) -> DownloadReport[StoredFile]:
        _raise_if_fatal(report)
        if not self.plan.dry_run:
            await self.state.record(export, local, report)
        return report


async def download_changed(
    export: Export, local: LocalArtifacts, source: ExportSource, plan: DownloadPlan, context: ClientContext
) -> DownloadReport[StoredFile]:
    """Download the artifacts that are not kept; return a report without those that are kept.

    Args:
        export: The export.
        local: The state of its artifacts.
        source: Retrieves the export again, with its URLs.
        plan: The artifacts to download.
        context: The state of the client.

    Raises:
        PackageXError: The export cannot be downloaded.
    """
    download = await _new_download(export, local, source, plan, context)
    return DownloadReport(export_id=export.id, export=export) if download is None else await download.run()


async def _new_download(
    export: Export, local: LocalArtifacts, source: ExportSource, plan: DownloadPlan, context: ClientContext
) -> ExportDownload | None:
    """Return the download of the artifacts that are not kept, or `None` if all are kept."""
    artifacts = local.to_download(plan.artifacts)
    if not artifacts:
        return None
    export = await source.with_urls(export, artifacts)
    changed = attrs.evolve(
        plan,
        artifacts=artifacts,
        targets=local.targets,
        replaced=local.replaced,
        existing=local.existing,
        reasons=local.reasons(),
    )
    return ExportDownload(export, source.urls(export), changed, context)


def _raise_if_fatal(report: DownloadReport[StoredFile]) -> None:
    """Raise a failure that affects all exports: the disk is full or read-only, or the API refuses the key."""
    for failure in report.failures:
        if is_fatal(failure):
            raise failure
        if isinstance(failure.__cause__, KEY_ERRORS):
            raise failure.__cause__
