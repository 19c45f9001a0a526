"""Totals of many downloads, and the first failures with advice."""

from __future__ import annotations

import time
from collections.abc import Sequence

import attrs

from packagex_async import (
    Artifact,
    ChecksumError,
    DestinationError,
    DownloadedFile,
    DownloadReport,
    ExportFailedError,
    ExportGoneError,
    ExportNotReadyError,
    ExportTimedOutError,
    NotFoundError,
    PackageXError,
    ProgressEvent,
    ProgressKind,
    PrunedFile,
    WaitTimeoutError,
)
from packagex_async.cli.exit_codes import ExitCode, exit_code, exit_code_of_downloads
from packagex_async.cli.messages.hints import limit_hint
from packagex_async.cli.messages.option_names import use_option_names

MAX_LISTED = 50
"""Maximum number of failures, and of row differences, in the summary. Further ones are only counted."""

_ADVICE: tuple[tuple[tuple[type[PackageXError], ...], str], ...] = (
    ((WaitTimeoutError,), "run again later, or with a longer --wait-timeout"),
    ((ExportNotReadyError,), "run again later, or with --wait"),
    ((ExportFailedError, ExportTimedOutError, ExportGoneError, NotFoundError), "create the export again"),
    ((DestinationError,), "solve the problem with the file, then run again"),
    ((ChecksumError,), "run again; if that does not help, create the export again"),
)
_DEFAULT_ADVICE = "run again to resume"


@attrs.frozen
class Failure:
    """A failure in the summary.

    Attributes:
        export_id: The id of the export.
        artifact: The artifact, or `None` if the export failed as a whole.
        error: The error message.
        advice: The next step for the user.
    """

    export_id: str
    artifact: str | None
    error: str
    advice: str


@attrs.frozen
class RowDifference:
    """A file whose number of rows is not the `count_total` of its export.

    Attributes:
        export_id: The id of the export.
        artifact: The artifact.
        rows: The number of rows of the file.
        count_total: The `count_total` of the export.
    """

    export_id: str
    artifact: str
    rows: int | None
    count_total: int | None


@attrs.frozen
class _FileCounts:
    """Numbers of complete files, and the bytes of the downloaded ones."""

    downloaded: int = 0
    kept: int = 0
    size: int = 0

    @classmethod
    def of(cls, size: int, *, kept: bool) -> _FileCounts:
        """Return the counts of one file."""
        return cls(kept=1) if kept else cls(downloaded=1, size=size)

    def __add__(self, other: _FileCounts) -> _FileCounts:
        return _FileCounts(self.downloaded + other.downloaded, self.kept + other.kept, self.size + other.size)


@attrs.frozen
class _FailingExport:
    """The counts of an export that will have another report.

    Attributes:
        complete: The artifacts that are complete.
        not_offered: The number of artifacts that it does not offer.
        failed: The number of failures.
    """

    complete: frozenset[Artifact] = frozenset()
    not_offered: int = 0
    failed: int = 0


_NOT_FAILING = _FailingExport()


@attrs.define
class Totals:
    """Totals of many downloads. The memory use is bounded.

    A file counts when it is complete, and an export when all its artifacts are finished. So after an
    interruption, complete files of unfinished exports are counted, too.

    Attributes:
        exports: Exports that are finished, successfully or not.
        not_offered: Artifacts that the exports do not offer.
        failed: Artifacts that failed, and exports that failed as a whole.
        failed_exports: Exports that failed or timed out on the platform. They are not part of `failed`.
        failures: The first failures, including those on the platform.
        rows: Rows of all files, or `None` if no rows were counted.
        differing: Files whose number of rows is not the `count_total` of their export.
        differences: The first files with a different number of rows.
        removed: Old files that were removed.
        removed_size: Bytes of the files that were removed.
        ignore_failed_exports: Whether exports that failed on the platform do not change the exit code.
        repeats: Whether an export with a failure has another report later. It then counts once.
    """

    exports: int = 0
    not_offered: int = 0
    failed: int = 0
    failed_exports: int = 0
    failures: list[Failure] = attrs.field(factory=list)
    rows: int | None = None
    differing: int = 0
    differences: list[RowDifference] = attrs.field(factory=list)
    removed: int = 0
    removed_size: int = 0
    ignore_failed_exports: bool = False
    repeats: bool = False
    _files: _FileCounts = attrs.field(factory=_FileCounts, init=False)
    # Complete files of exports that are not finished.
    _unreported: dict[str, _FileCounts] = attrs.field(factory=dict, init=False)
    _failing: dict[str, _FailingExport] = attrs.field(factory=dict, init=False)
    _exit_codes: set[ExitCode] = attrs.field(factory=set, init=False)
    _any_succeeded: bool = attrs.field(default=False, init=False)
    _started_at: float = attrs.field(factory=time.monotonic, init=False)

    @property
    def files(self) -> int:
        """Downloaded files."""
        return self._all_files.downloaded

    @property
    def size(self) -> int:
        """Bytes of the downloaded files."""
        return self._all_files.size

    @property
    def kept(self) -> int:
        """Files that existed already."""
        return self._all_files.kept

    @property
    def _all_files(self) -> _FileCounts:
        return sum(self._unreported.values(), self._files)

    def on_progress(self, event: ProgressEvent) -> None:
        """Count a file that is complete, before the export has a report."""
        failing = self._failing.get(event.export_id, _NOT_FAILING)
        is_complete = event.kind in (ProgressKind.FINISHED, ProgressKind.KEPT)
        if is_complete and event.artifact not in failing.complete:
            counts = _FileCounts.of(event.received, kept=event.kind is ProgressKind.KEPT)
            self._unreported[event.export_id] = counts + self._unreported.get(event.export_id, _FileCounts())

    def on_prune(self, file: PrunedFile) -> None:
        """Count an old file, if it was removed."""
        if file.outcome == "removed":
            self.removed += 1
            self.removed_size += file.size

    def add(self, report: DownloadReport) -> None:
        """Add the report of an export."""
        self._unreported.pop(report.export_id, None)
        earlier = self._failing.pop(report.export_id, None)
        if earlier is None:
            earlier = _NOT_FAILING
            self.exports += 1
        else:
            self.failed -= earlier.failed
            self.failures = [each for each in self.failures if each.export_id != report.export_id]
        files = [file for file in report.files if file.artifact not in earlier.complete]
        self._files = sum((_FileCounts.of(file.size, kept=file.kept) for file in files), self._files)
        self.not_offered += len(report.missing) - earlier.not_offered
        self._add_errors(report)
        self._add_rows(report, files)
        if self.repeats:
            self._record_failing(report, earlier)

    def _record_failing(self, report: DownloadReport, earlier: _FailingExport) -> None:
        errors = errors_of(report)
        if errors and not any(map(is_permanent, errors)):
            complete = earlier.complete.union(file.artifact for file in report.files)
            self._failing[report.export_id] = _FailingExport(complete, len(report.missing), len(errors))

    def _add_errors(self, report: DownloadReport) -> None:
        self._any_succeeded |= bool(report.files) or report.ok
        for error in errors_of(report):
            if is_failed_export(error):
                self.failed_exports += 1
            else:
                self.failed += 1
            self._exit_codes.add(exit_code(error))
            if len(self.failures) < MAX_LISTED:
                self.failures.append(_to_failure(report.export_id, error))

    def _add_rows(self, report: DownloadReport, files: Sequence[DownloadedFile]) -> None:
        counts = [file.rows for file in files if file.rows is not None]
        if counts:
            self.rows = (self.rows or 0) + sum(counts)
        total = report.export.count_total if report.export else None
        for file in report.row_differences:
            if file not in files:
                continue
            self.differing += 1
            if len(self.differences) < MAX_LISTED:
                self.differences.append(RowDifference(report.export_id, file.artifact, file.rows, total))

    @property
    def exit_code(self) -> ExitCode:
        """The common exit code of all downloads."""
        return exit_code_of_downloads(
            self._exit_codes,
            any_succeeded=self._any_succeeded,
            ignore_failed_exports=self.ignore_failed_exports,
        )

    @property
    def elapsed(self) -> float:
        """Seconds since this object was created."""
        return time.monotonic() - self._started_at


def count(number: int, noun: str) -> str:
    """Return a number and a noun, such as `1 export` or `2 exports`."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def is_failed_export(error: PackageXError) -> bool:
    """Return whether the export failed or timed out on the platform, so there is nothing to download."""
    return isinstance(error, (ExportFailedError, ExportTimedOutError))


def is_permanent(error: PackageXError) -> bool:
    """Return whether the export cannot be downloaded later."""
    return isinstance(error, (ExportFailedError, ExportTimedOutError, ExportGoneError))


def errors_of(report: DownloadReport) -> tuple[PackageXError, ...]:
    """Return all errors of a report, including the error of the export as a whole."""
    return (*report.failures, *([report.error] if report.error else []))


def _to_failure(export_id: str, error: PackageXError) -> Failure:
    advice = limit_hint(error) or next(
        (text for kinds, text in _ADVICE if isinstance(error, kinds)), _DEFAULT_ADVICE
    )
    artifact = getattr(error, "artifact", None)
    # The table has a column for the export.
    message = use_option_names(str(error.args[0] if artifact else error)).removeprefix(f"export {export_id} ")
    return Failure(export_id, artifact and str(artifact), message, advice)
