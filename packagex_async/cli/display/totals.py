"""Totals of many downloads, and the first failures with advice."""

from __future__ import annotations

import time

import attrs

from packagex_async import (
    ChecksumError,
    DestinationError,
    DownloadReport,
    ExportFailedError,
    ExportGoneError,
    ExportNotReadyError,
    ExportTimedOutError,
    NotFoundError,
    PackageXError,
    WaitTimeoutError,
)
from packagex_async.cli.exit_codes import ExitCode, exit_code, exit_code_of_downloads

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


@attrs.define
class Totals:
    """Totals of many downloads. The memory use is bounded.

    Attributes:
        exports: Exports that are finished, successfully or not.
        files: Downloaded files.
        size: Bytes of the downloaded files.
        kept: Files that existed already.
        missing: Artifacts that the exports do not offer.
        failed: Artifacts that failed, and exports that failed as a whole.
        failures: The first failures.
        rows: Rows of all files, or `None` if no rows were counted.
        differing: Files whose number of rows is not the `count_total` of their export.
        differences: The first files with a different number of rows.
    """

    exports: int = 0
    files: int = 0
    size: int = 0
    kept: int = 0
    missing: int = 0
    failed: int = 0
    failures: list[Failure] = attrs.field(factory=list)
    rows: int | None = None
    differing: int = 0
    differences: list[RowDifference] = attrs.field(factory=list)
    _exit_codes: set[ExitCode] = attrs.field(factory=set, init=False)
    _any_succeeded: bool = attrs.field(default=False, init=False)
    _started_at: float = attrs.field(factory=time.monotonic, init=False)

    def add(self, report: DownloadReport) -> None:
        """Add the report of an export."""
        downloaded = [file for file in report.files if not file.kept]
        self.exports += 1
        self.files += len(downloaded)
        self.size += sum(file.size for file in downloaded)
        self.kept += len(report.files) - len(downloaded)
        self.missing += len(report.missing)
        self._any_succeeded |= bool(report.files) or report.ok
        for error in errors_of(report):
            self.failed += 1
            self._exit_codes.add(exit_code(error))
            if len(self.failures) < MAX_LISTED:
                self.failures.append(_to_failure(report.export_id, error))

        self._add_rows(report)

    def _add_rows(self, report: DownloadReport) -> None:
        counts = [file.rows for file in report.files if file.rows is not None]
        if counts:
            self.rows = (self.rows or 0) + sum(counts)
        total = report.export.count_total if report.export else None
        for file in report.row_differences:
            self.differing += 1
            if len(self.differences) < MAX_LISTED:
                self.differences.append(RowDifference(report.export_id, file.artifact, file.rows, total))

    @property
    def exit_code(self) -> ExitCode:
        """The common exit code of all downloads."""
        return exit_code_of_downloads(self._exit_codes, any_succeeded=self._any_succeeded)

    @property
    def elapsed(self) -> float:
        """Seconds since this object was created."""
        return time.monotonic() - self._started_at


def errors_of(report: DownloadReport) -> tuple[PackageXError, ...]:
    """Return all errors of a report, including the error of the export as a whole."""
    return (*report.failures, *([report.error] if report.error else []))


def _to_failure(export_id: str, error: PackageXError) -> Failure:
    advice = next((text for kinds, text in _ADVICE if isinstance(error, kinds)), _DEFAULT_ADVICE)
    artifact = getattr(error, "artifact", None)
    return Failure(export_id, artifact and str(artifact), str(error.args[0] if artifact else error), advice)
