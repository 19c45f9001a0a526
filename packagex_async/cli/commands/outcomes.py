"""Download exports one by one, and print the outcome of each."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Literal

import attrs

from packagex_async import (
    ApiError,
    AsyncPackageX,
    Bucket,
    ConnectionFailedError,
    DecodeError,
    DownloadGroupError,
    DownloadReport,
    ExportStateError,
    PackageXError,
)
from packagex_async.cli.exit_codes import ExitCode, exit_code, exit_code_of_downloads
from packagex_async.cli.messages.failures import FailurePrinter
from packagex_async.cli.messages.hints import error_message
from packagex_async.cli.output.layout import Column
from packagex_async.cli.output.record_printer import RecordPrinter
from packagex_async.cli.output.sizes import format_size
from packagex_async.cli.settings.destination import file_record
from packagex_async.report import OnProgress

FIELDS = (
    "export_id", "artifact", "outcome", "size", "rows", "count_total", "verified", "attempts", "path",
    "sha256", "source_sha256", "resumed", "elapsed", "error", "key",
)  # fmt: skip
"""The fields of the record of an artifact. Fields without a value are `None`."""

_OUTCOME_STYLES = {"downloaded": "green", "failed": "red"}
_COUNTED_ROWS = {"rows": 4, "count_total": 5}
"""The priorities of the columns that are shown if rows are counted."""

_ERRORS_OF_ONE_EXPORT = (ApiError, ConnectionFailedError, DecodeError, ExportStateError)


@attrs.frozen(kw_only=True)
class DownloadOptions:
    """Arguments of `AsyncExports.download` that are the same for every export."""

    directory: Path | Bucket
    artifacts: Sequence[str] | None = None
    concurrency: int = 4
    overwrite: bool = False
    digest: Literal["sha256"] | None = None
    resume: bool = True
    max_size: int | None = None
    count_rows: bool = False
    format: Literal["parquet"] | None = None
    dry_run: bool = False


@attrs.frozen
class Outcome:
    """The report of one export, and all its errors."""

    report: DownloadReport
    errors: tuple[PackageXError, ...] = ()

    @property
    def succeeded(self) -> bool:
        """Whether at least one file is complete, or nothing failed."""
        return bool(self.report.files) or not self.errors

    def records(self) -> Iterator[dict[str, object]]:
        """Yield a record for each artifact. If the export failed as a whole, its record has no artifact."""
        for file in self.report.files:
            details = file_record(file) | {"elapsed": round(file.elapsed, 3)}
            yield self._record("kept" if details.pop("kept") else "downloaded", **details)
        for artifact in self.report.missing:
            yield self._record("not_offered", artifact=artifact)
        for error in self.errors:
            yield self._record(
                "failed", artifact=getattr(error, "artifact", None), error=error_message(error)
            )

    def _record(self, outcome: str, **details: object) -> dict[str, object]:
        export = self.report.export
        common = {
            "export_id": self.report.export_id,
            "outcome": outcome,
            "count_total": export.count_total if export else None,
        }
        return {**dict.fromkeys(FIELDS), **common, **details}


async def download_export(
    px: AsyncPackageX, export_id: str, options: DownloadOptions, on_progress: OnProgress
) -> Outcome:
    """Download one export. Errors of this export are part of the outcome.

    Raises:
        ConfigurationError: An option is invalid.
    """
    arguments = attrs.asdict(options, recurse=False)
    try:
        return Outcome(await px.exports.download(export_id, **arguments, on_progress=on_progress))
    except DownloadGroupError as group:
        return Outcome(group.report, tuple(group.report.failures))
    except _ERRORS_OF_ONE_EXPORT as error:
        return Outcome(DownloadReport(export_id=export_id), (error,))


def outcome_columns(
    *, exact_sizes: bool = False, digest: str | None = None, has_rows: bool = False
) -> list[Column]:
    """Return the columns of a table of artifacts.

    Args:
        exact_sizes: Show sizes in bytes.
        digest: Show this digest.
        has_rows: Show the numbers of rows.
    """
    options: dict[str, dict[str, Any]] = {
        "export_id": {"priority": 0, "required": True, "cut_last": True, "min_width": 12},
        "artifact": {"priority": 1, "required": True, "min_width": 13},
        "outcome": {"format": _format_outcome, "priority": 2, "required": True, "min_width": 11}
        | {"styles": _OUTCOME_STYLES},
        "size": {"format": str if exact_sizes else format_size, "priority": 3, "right": True},
        "verified": {"priority": 8},
        "attempts": {"priority": 9, "right": True},
        "path": {"priority": 7, "width": 40, "min_width": 12, "keep_end": True},
    }
    if has_rows:
        options |= {name: {"priority": rank, "right": True} for name, rank in _COUNTED_ROWS.items()}
    if digest:
        options[digest] = {"priority": 6, "min_width": 12}
    return [Column(name, **options.get(name, {})) for name in FIELDS]


def _format_outcome(outcome: str) -> str:
    return outcome.replace("_", " ")


class OutcomePrinter:
    """Prints outcomes: errors to stderr at once, and one record per artifact to stdout.

    Args:
        json: Print one JSON object per artifact.
        columns: The columns of the table.
    """

    def __init__(self, columns: Sequence[Column], *, json: bool) -> None:
        self._printer = RecordPrinter("artifact", columns, json=json)
        self._failures = FailurePrinter()

    def add(self, outcome: Outcome) -> None:
        """Print the errors and the records of an outcome."""
        self.add_errors(outcome)
        for record in outcome.records():
            self._printer.add(record)

    def add_errors(self, outcome: Outcome) -> None:
        """Print only the errors of an outcome."""
        self._failures.print(outcome.errors)

    def finish(self) -> None:
        """Print the table, if stdout is a terminal."""
        self._printer.finish()


def exit_code_of_outcomes(outcomes: Sequence[Outcome], *, ignore_failed_exports: bool = False) -> ExitCode:
    """Return the common exit code of `outcomes`."""
    return exit_code_of_downloads(
        [exit_code(error) for outcome in outcomes for error in outcome.errors],
        any_succeeded=any(outcome.succeeded for outcome in outcomes),
        ignore_failed_exports=ignore_failed_exports,
    )
