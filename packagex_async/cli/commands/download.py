"""One export after another to disk: a failure is the outcome of its export, not the end of the others."""

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
from packagex_async.cli.display.tables import complain, show_json, show_table
from packagex_async.cli.exit_codes import ExitCode, exit_code, exit_code_of_downloads
from packagex_async.report import OnProgress

FIELDS = (
    "export_id", "artifact", "outcome", "path", "size", "verified", "sha256", "attempts",
    "resumed", "elapsed", "error",
)  # fmt: skip
"""What a record of one artifact tells; `None` where there is nothing to tell."""

_OF_ONE_EXPORT = (ApiError, ConnectionFailedError, DecodeError, ExportStateError)


@attrs.frozen(kw_only=True)
class Wish:
    """What is wanted of every export; see `AsyncExports.download`."""

    directory: Path
    artifacts: Sequence[str] | None = None
    concurrency: int = 4
    overwrite: bool = False
    digest: Literal["sha256"] | None = None
    resume: bool = True


@attrs.frozen
class Outcome:
    """What became of one export: its report, and every error."""

    report: DownloadReport
    errors: tuple[PackageXError, ...] = ()

    @property
    def succeeded(self) -> bool:
        """Whether anything is on disk, or there was nothing to bring."""
        return bool(self.report.files) or not self.errors

    def records(self) -> Iterator[dict[str, object]]:
        """A record for each artifact, and one without an artifact for an export that failed before any."""
        for file in self.report.files:
            details = attrs.asdict(file) | {"elapsed": round(file.elapsed, 3)}
            yield self._record("kept" if details.pop("kept") else "downloaded", **details)
        for artifact in self.report.missing:
            yield self._record("missing", artifact=artifact)
        for error in self.errors:
            yield self._record("failed", artifact=getattr(error, "artifact", None), error=str(error))

    def _record(self, outcome: str, **details: object) -> dict[str, object]:
        return {**dict.fromkeys(FIELDS), "export_id": self.report.export_id, "outcome": outcome, **details}


async def fetch(px: AsyncPackageX, export_id: str, wish: Wish, on_progress: OnProgress) -> Outcome:
    """Bring one export to disk.

    Raises:
        ConfigurationError: The wish cannot be fulfilled for any export.
    """
    wanted = attrs.asdict(wish, recurse=False)
    try:
        return Outcome(await px.exports.download(export_id, **wanted, on_progress=on_progress))
    except DownloadGroupError as group:
        return Outcome(group.report, tuple(group.report.failures))
    except _OF_ONE_EXPORT as error:
        return Outcome(DownloadReport(export_id=export_id), (error,))


def tell(outcome: Outcome, *, json: bool) -> None:
    """Write an outcome's errors to stderr, and its records to stdout if they are wanted as JSON."""
    for error in outcome.errors:
        complain(str(error))
    for record in outcome.records() if json else ():
        show_json(record)


def tabulate(outcomes: Iterable[Outcome], digest: str | None = None) -> None:
    """Write a table of outcomes to stdout, with the `digest` of that name."""
    columns = ["export_id", "artifact", "outcome", "size", "verified", "attempts", "path"]
    columns += [digest] if digest else []
    records = [record for outcome in outcomes for record in outcome.records()]
    show_table(columns, [[record[column] for column in columns] for record in records], foldable={"path"})


def exit_code_of(outcomes: Sequence[Outcome]) -> ExitCode:
    """The code for all of them together."""
    codes = [exit_code(error) for outcome in outcomes for error in outcome.errors]
    return exit_code_of_downloads(codes, any_succeeded=any(outcome.succeeded for outcome in outcomes))
