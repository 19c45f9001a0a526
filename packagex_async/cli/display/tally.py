"""What many downloads came to: counts, and the first of the failures with what to do about them."""

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

MOST_LISTED = 50
"""Failures that are kept to be listed; of more, only their number is known."""

_ADVICE: tuple[tuple[tuple[type[PackageXError], ...], str], ...] = (
    ((WaitTimeoutError,), "run it again later, or with a longer --wait-timeout"),
    ((ExportNotReadyError,), "run it again later, or with --wait"),
    ((ExportFailedError, ExportTimedOutError, ExportGoneError, NotFoundError), "create the export again"),
    ((DestinationError,), "see to what is said of the file, then run it again"),
    ((ChecksumError,), "run it again; if that does not help, create the export again"),
)
_GO_ON = "run it again: it goes on where it ended"


@attrs.frozen
class Failure:
    """Something that failed, as text.

    Attributes:
        export_id: Which export.
        artifact: Which of its artifacts; `None` for the export as a whole.
        error: What went wrong.
        advice: What to do about it.
    """

    export_id: str
    artifact: str | None
    error: str
    advice: str


@attrs.define
class Tally:
    """The counts, which take no more room the more there is to count.

    Attributes:
        exports: Exports that are done with, well or not.
        files: Files that were brought.
        size: Their bytes.
        kept: Files that were there already.
        missing: Artifacts that are not offered.
        failed: Artifacts that failed, and exports that failed as a whole.
        listed: The first of the failures.
    """

    exports: int = 0
    files: int = 0
    size: int = 0
    kept: int = 0
    missing: int = 0
    failed: int = 0
    listed: list[Failure] = attrs.field(factory=list)
    _codes: set[ExitCode] = attrs.field(factory=set, init=False)
    _any_succeeded: bool = attrs.field(default=False, init=False)
    _began: float = attrs.field(factory=time.monotonic, init=False)

    def add(self, report: DownloadReport) -> None:
        """Count what became of an export."""
        fresh = [file for file in report.files if not file.kept]
        self.exports += 1
        self.files += len(fresh)
        self.size += sum(file.size for file in fresh)
        self.kept += len(report.files) - len(fresh)
        self.missing += len(report.missing)
        self._any_succeeded |= bool(report.files) or report.ok
        for error in errors_of(report):
            self.failed += 1
            self._codes.add(exit_code(error))
            if len(self.listed) < MOST_LISTED:
                self.listed.append(_failure(report.export_id, error))

    @property
    def exit_code(self) -> ExitCode:
        """The code for all of them together."""
        return exit_code_of_downloads(self._codes, any_succeeded=self._any_succeeded)

    @property
    def elapsed(self) -> float:
        """Seconds since the counting began."""
        return time.monotonic() - self._began


def errors_of(report: DownloadReport) -> tuple[PackageXError, ...]:
    """Everything that failed, the export as a whole included."""
    return (*report.failures, *([report.error] if report.error else []))


def _failure(export_id: str, error: PackageXError) -> Failure:
    advice = next((text for kinds, text in _ADVICE if isinstance(error, kinds)), _GO_ON)
    artifact = getattr(error, "artifact", None)
    return Failure(export_id, artifact and str(artifact), str(error.args[0] if artifact else error), advice)
