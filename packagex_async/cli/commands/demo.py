"""The command `demo`."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path

import attrs

from packagex_async import AsyncPackageX, DownloadedFile, ProgressEvent, ProgressKind
from packagex_async.cli.commands.outcomes import DownloadOptions, download_export
from packagex_async.cli.display.progress import ArtifactBars
from packagex_async.cli.display.tables import print_json, print_line, print_table
from packagex_async.cli.exit_codes import ExitCode
from packagex_async.cli.messages.failures import print_failure
from packagex_async.cli.parameters import Flag, Quiet
from packagex_async.testing import Cut, Emulator, Reset, Status, StoredExport, WrongHash

_HEADINGS = ("export", "artifact", "size", "attempts", "verified by", "bytes", "reason for retry")


async def demo(*, directory: Path = Path("packagex-demo"), json: Flag = False, quiet: Quiet = False) -> int:
    """Download all sample exports from a local emulator that injects faults, and compare every byte.

    Needs no API key. Replaces files of an earlier run.

    Args:
        directory: Write the files to this directory.
        json: Print one JSON object per line, for each artifact and for the summary.
        quiet: Do not show progress bars. They are shown on terminals only.
    """
    # `pending=None`: no export becomes completed after it has been listed.
    async with Emulator(pending=None) as server:
        _inject_faults(server)
        run = _DemoRun(server)
        await run.download_all(directory, quiet=quiet)
        return _print_result(run, directory, json=json)


@attrs.frozen
class _ComparedArtifact:
    """An artifact of the emulator, and the downloaded file.

    Attributes:
        export_id: The id of the export.
        artifact: The name of the artifact.
        content: The bytes that the emulator serves.
        retry_reasons: The error before each retry.
        file: The downloaded file, or `None` if the download failed.
    """

    export_id: str
    artifact: str
    content: bytes
    retry_reasons: list[str]
    file: DownloadedFile | None

    @property
    def is_equal(self) -> bool:
        """Whether the file contains exactly the bytes that the emulator serves."""
        return self.file is not None and self.file.path.read_bytes() == self.content

    def to_record(self) -> dict[str, object]:
        """Return the JSON record of the artifact."""
        return {
            "export_id": self.export_id,
            "artifact": self.artifact,
            "size": len(self.content),
            "attempts": self.file.attempts if self.file else None,
            "verified": self.file.verified if self.file else None,
            "equal": self.is_equal,
            "retried": self.retry_reasons,
            "path": self.file.path if self.file else None,
        }

    def to_row(self) -> list[object]:
        """Return the row of the artifact in the table."""
        values = self.to_record()
        values |= {
            "equal": "equal" if self.is_equal else "NOT EQUAL",
            "retried": "; ".join(self.retry_reasons),
        }
        return list(values.values())[: len(_HEADINGS)]


class _DemoRun:
    """One run of the demo."""

    def __init__(self, server: Emulator) -> None:
        self.listed: int = 0
        self._server = server
        self._files: dict[tuple[str, str], DownloadedFile] = {}
        self._retry_reasons: defaultdict[tuple[str, str], list[str]] = defaultdict(list)

    async def download_all(self, directory: Path, *, quiet: bool) -> None:
        """List all exports and download the completed ones."""
        # Without `overwrite`, files of an earlier run would be kept and their faults would not occur.
        options = DownloadOptions(directory=directory, overwrite=True)
        async with self._server.client() as px:
            exports = [export async for export in px.exports.list()]
            self.listed = len(exports)
            for export in exports:
                if export.status == "completed":
                    await self._download(px, export.id, options, quiet=quiet)

    def compare(self) -> list[_ComparedArtifact]:
        """Compare all artifacts of the emulator with the files, including artifacts that were not listed."""
        return [
            _ComparedArtifact(
                export.id,
                artifact,
                self._server.content(export.id, artifact),
                self._retry_reasons[export.id, artifact],
                self._files.get((export.id, artifact)),
            )
            for export in _completed_exports(self._server)
            for artifact in export.artifacts
        ]

    def api_errors(self) -> list[str]:
        """Describe the error responses of the API."""
        return [
            f"{request.method} {request.path} was answered {request.status}"
            for request in self._server.requests
            if request.host == "api" and request.status != 200
        ]

    async def _download(
        self, px: AsyncPackageX, export_id: str, options: DownloadOptions, *, quiet: bool
    ) -> None:
        with ArtifactBars(quiet=quiet) as bars:

            def on_progress(event: ProgressEvent) -> None:
                bars(event)
                if event.kind is ProgressKind.RETRYING and event.error is not None:
                    self._retry_reasons[event.export_id, event.artifact].append(str(event.error.args[0]))

            outcome = await download_export(px, export_id, options, on_progress)
        self._files.update({(export_id, file.artifact): file for file in outcome.report.files})
        for error in outcome.errors:
            print_failure(error)


def _completed_exports(server: Emulator) -> list[StoredExport]:
    return [export for export in server.exports if export.status == "completed"]


def _inject_faults(server: Emulator) -> None:
    first, second, third, fourth, *_ = (export.id for export in _completed_exports(server))
    server.inject(Status(503, retry_after="1", on="api"))
    server.inject(Cut(after=200_000, export_id=first, artifact="csv"))
    server.inject(Reset(after=100_000, export_id=second, artifact="json"))
    server.inject(Status(500, on="storage", export_id=third, artifact="csv"))
    server.inject(WrongHash(export_id=fourth, artifact="json"))


def _print_result(run: _DemoRun, directory: Path, *, json: bool) -> ExitCode:
    compared = run.compare()
    summary = {
        "listed": run.listed,
        "api_retried": run.api_errors(),
        "artifacts": len(compared),
        "equal": sum(artifact.is_equal for artifact in compared),
        "directory": directory.absolute(),
    }
    if json:
        for artifact in compared:
            print_json({"event": "compared"} | artifact.to_record())
        print_json({"event": "summary"} | summary)
    else:
        print_table(_HEADINGS, (artifact.to_row() for artifact in compared))
        print_line("")
        print_line(f"{run.listed} exports listed. {' and '.join(run.api_errors())}, and retried.")
        print_line(
            f"{summary['equal']} of {len(compared)} files are identical to the emulator's, byte for byte."
        )
        print_line(f"They are in {summary['directory']}")
    return ExitCode.OK if summary["equal"] == len(compared) else ExitCode.ERROR
