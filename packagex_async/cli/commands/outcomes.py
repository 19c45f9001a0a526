"""Download exports one by one, and print the outcome of each."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Literal

import attrs

from packagex_async import (
    ApiError,
    AsyncPackageX,
    ConnectionFailedError,
    DecodeError,
    DownloadGroupError,
    DownloadReport,
    ExportStateError,
    PackageXError,
)
from packagex_async.cli.display.tables import print_json, print_table
from packagex_async.cli.exit_codes import ExitCode, exit_code, exit_code_of_downloads
from packagex_async.cli.messages.failures import FailurePrinter
from packagex_async.cli.messages.hints import error_message
from packagex_async.report import OnProgress

FIELDS = (
    "export_id", "artifact", "outcome", "path", "size", "verified", "sha256", "attempts",
    "resumed", "elapsed", "rows", "source_sha256", "count_total", "error",
)  # fmt: skip
"""The fields of the JSON record of an artifact. Fields without a value are `None`."""

_ERRORS_OF_ONE_EXPORT = (ApiError, ConnectionFailedError, DecodeError, ExportStateError)


@attrs.frozen(kw_only=True)
class DownloadOptions:
    """Arguments of `AsyncExports.download` that are the same for every export."""

    directory: Path
    artifacts: Sequence[str] | None = None
    concurrency: int = 4
    overwrite: bool = False
    digest: Literal["sha256"] | None = None
    resume: bool = True
    max_size: int | None = None
    count_rows: bool = False
    format: Literal["parquet"] | None = None


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
            details = attrs.asdict(file) | {"elapsed": round(file.elapsed, 3)}
            yield self._record("kept" if details.pop("kept") else "downloaded", **details)
        for artifact in self.report.missing:
            yield self._record("missing", artifact=artifact)
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


def print_outcome(outcome: Outcome, *, json: bool) -> None:
    """Print the errors of an outcome to stderr and, if `json`, its records to stdout."""
    FailurePrinter().print(outcome.errors)
    for record in outcome.records() if json else ():
        print_json(record)


def print_outcomes_table(outcomes: Iterable[Outcome], digest: str | None = None) -> None:
    """Print a table of outcomes to stdout, with columns for `digest` and for counted rows, if any."""
    records = [record for outcome in outcomes for record in outcome.records()]
    counts = ["rows", "count_total"] if any(record["rows"] is not None for record in records) else []
    columns = ["export_id", "artifact", "outcome", "size", *counts, "verified", "attempts", "path"]
    columns += [digest] if digest else []
    print_table(columns, [[record[column] for column in columns] for record in records], wrap={"path"})


def exit_code_of_outcomes(outcomes: Sequence[Outcome], *, ignore_failed_exports: bool = False) -> ExitCode:
    """Return the common exit code of `outcomes`."""
    return exit_code_of_downloads(
        [exit_code(error) for outcome in outcomes for error in outcome.errors],
        any_succeeded=any(outcome.succeeded for outcome in outcomes),
        ignore_failed_exports=ignore_failed_exports,
    )
