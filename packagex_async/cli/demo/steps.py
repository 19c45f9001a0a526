"""The steps of the demo."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from contextlib import aclosing
from pathlib import Path

import attrs

from packagex_async import (
    AsyncPackageX,
    DownloadedFile,
    DownloadGroupError,
    DownloadReport,
    ProgressEvent,
    ProgressKind,
    RetryPolicy,
)
from packagex_async.cli.demo.comparison import ComparedArtifact
from packagex_async.cli.demo.printer import StepPrinter
from packagex_async.cli.display.exports import COLUMNS, to_record
from packagex_async.cli.display.progress import ArtifactBars
from packagex_async.cli.display.reporters import choose_reporter
from packagex_async.cli.display.tables import print_table
from packagex_async.cli.display.totals import Totals, count, errors_of
from packagex_async.cli.messages.failures import FailurePrinter
from packagex_async.cli.output.sizes import format_size
from packagex_async.models import ArtifactName
from packagex_async.testing import Cut, Emulator, Expired, Fault, Status, StoredExport, WrongHash

_SECONDS_OF_PARALLEL_DOWNLOADS = 5.0
_SECONDS_OF_FILE = 1.7
_RETRY_AFTER = "1"
_FAST_RETRIES = RetryPolicy(wait_initial=0.01)


@attrs.frozen
class _FaultStep:
    """A step that downloads one file with a fault.

    Attributes:
        explanation: The text of the step.
        artifact: The artifact.
        make_fault: Returns the fault for a file of this size.
    """

    explanation: str
    artifact: ArtifactName
    make_fault: Callable[[str, ArtifactName, int], Fault]


def _cut(export_id: str, artifact: ArtifactName, size: int) -> Fault:
    return Cut(after=size // 2, export_id=export_id, artifact=artifact)


def _expire(export_id: str, artifact: ArtifactName, size: int) -> Fault:
    return Expired(export_id=export_id, artifact=artifact)


def _falsify_hash(export_id: str, artifact: ArtifactName, size: int) -> Fault:
    return WrongHash(export_id=export_id, artifact=artifact)


_FAULT_STEPS = (
    _FaultStep("A connection ends early. The download resumes.", "json", _cut),
    _FaultStep("A link has expired. The client requests a new one.", "csv", _expire),
    _FaultStep("A hash is wrong. The file is downloaded again.", "csv", _falsify_hash),
)

STEPS: int = 3 + len(_FAULT_STEPS)
"""The number of steps."""


class Demo:
    """One run of the demo.

    Args:
        server: The emulator.
        directory: The directory of the files.
        printer: Prints the steps.
        is_slow: Limit the bandwidth, so that the progress can be seen.
    """

    def __init__(self, server: Emulator, directory: Path, printer: StepPrinter, *, is_slow: bool) -> None:
        self.listed: int = 0
        self._server = server
        self._directory = directory
        self._printer = printer
        self._is_slow = is_slow
        self._failures = FailurePrinter()
        self._files: dict[tuple[str, str], DownloadedFile] = {}
        self._retry_reasons: defaultdict[tuple[str, str], list[str]] = defaultdict(list)

    async def run(self) -> None:
        """Run all steps.

        Raises:
            PackageXError: The directory cannot be used.
        """
        self._remove_files_of_earlier_run()
        await self._list()
        await self._download_all()
        for step, export in zip(_FAULT_STEPS, self._completed, strict=False):
            await self._download_with_fault(step, export)
        await self._count_rows()

    def compare(self) -> list[ComparedArtifact]:
        """Compare all artifacts of the emulator with the files, including artifacts that were not listed."""
        return [
            ComparedArtifact(
                export.id,
                artifact,
                self._server.content(export.id, artifact),
                self._retry_reasons[export.id, artifact],
                self._files.get((export.id, artifact)),
            )
            for export in self._completed
            for artifact in export.artifacts
        ]

    def api_errors(self) -> list[str]:
        """Describe the error responses of the API."""
        return [
            f"{request.method} {request.path} was answered {request.status}"
            for request in self._server.requests
            if request.host == "api" and request.status != 200
        ]

    @property
    def _completed(self) -> list[StoredExport]:
        return [export for export in self._server.exports if export.status == "completed"]

    def _client(self, size: int, seconds: float) -> AsyncPackageX:
        """Return a client that receives `size` bytes in about this time, if the demo is slow."""
        if not self._is_slow:
            return self._server.client(retry=_FAST_RETRIES)
        return self._server.client(bandwidth_limit=size / seconds)

    def _remove_files_of_earlier_run(self) -> None:
        """Remove the files that the demo writes. Otherwise they would be kept, and nothing downloaded."""
        for export in self._completed:
            for path in self._directory.glob(f"{export.id}.*"):
                if path.is_file():
                    path.unlink()

    async def _list(self) -> None:
        self._printer.start("List the exports. The first request is repeated.")
        self._server.inject(Status(503, retry_after=_RETRY_AFTER if self._is_slow else None, on="api"))
        async with self._client(1, 1) as px:
            exports = [export async for export in px.exports.list()]
        self.listed = len(exports)
        if self._is_slow:
            records = map(to_record, exports)
            print_table(COLUMNS, ([record[column.name] for column in COLUMNS] for record in records))
        self._printer.result(f"{count(self.listed, 'export')}; {', '.join(self.api_errors())}")

    async def _download_all(self) -> None:
        self._printer.start("Download all artifacts, several at the same time.")
        totals = Totals()
        size = sum(
            len(self._server.content(export.id, artifact))
            for export in self._completed
            for artifact in export.artifacts
        )
        async with self._client(size, _SECONDS_OF_PARALLEL_DOWNLOADS) as px:
            with choose_reporter(totals, json=False, quiet=not self._is_slow) as reporter:
                reporter.set_total(len(self._completed))

                def on_progress(event: ProgressEvent) -> None:
                    totals.on_progress(event)
                    reporter.on_progress(event)

                reports = px.exports.download_all(
                    self._directory, statuses=["completed"], overwrite=True, on_progress=on_progress
                )
                async with aclosing(reports):
                    async for report in reports:
                        totals.add(report)
                        reporter.on_report(report)
                        self._add(report)
        self._printer.result(
            f"{count(totals.files, 'file')}, {format_size(totals.size)} in {totals.elapsed:.1f} s"
        )

    async def _download_with_fault(self, step: _FaultStep, export: StoredExport) -> None:
        self._printer.start(step.explanation)
        artifact, reasons = step.artifact, self._retry_reasons[export.id, step.artifact]
        size = len(self._server.content(export.id, artifact))
        self._server.inject(step.make_fault(export.id, artifact, size))
        async with self._client(size, _SECONDS_OF_FILE) as px:
            with ArtifactBars(quiet=not self._is_slow) as bars:

                def on_progress(event: ProgressEvent) -> None:
                    bars(event)
                    if event.kind is ProgressKind.RETRYING and event.error is not None:
                        reasons.append(str(event.error.args[0]))

                try:
                    report = await px.exports.download(
                        export.id,
                        self._directory,
                        artifacts=[artifact],
                        overwrite=True,
                        on_progress=on_progress,
                    )
                except DownloadGroupError as group:
                    report = group.report
        self._add(report)
        for reason in reasons:
            self._printer.result(f"problem: {reason}")
        for file in report.files:
            resumed = "resumed, " if file.resumed else ""
            self._printer.result(
                f"result:  {count(file.attempts, 'attempt')}, {resumed}verified by {file.verified}"
            )

    async def _count_rows(self) -> None:
        """Count the rows of the files that are complete. Failures were already printed."""
        self._printer.start("Run again: files are kept, and rows are counted.")
        totals = Totals()
        async with self._client(1, 1) as px:
            reports = px.exports.download_all(self._directory, statuses=["completed"], count_rows=True)
            async with aclosing(reports):
                async for report in reports:
                    totals.add(report)
        rows = count(totals.rows or 0, "row")
        self._printer.result(f"{count(totals.kept, 'file')} kept, {rows}")

    def _add(self, report: DownloadReport) -> None:
        """Keep the files of a report, and print its errors."""
        self._files |= {(report.export_id, file.artifact): file for file in report.files}
        self._failures.print(errors_of(report))
