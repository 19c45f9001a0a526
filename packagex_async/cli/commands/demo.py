"""The whole job before your eyes: list, download while faults strike, and compare every byte."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path

import attrs

from packagex_async import AsyncPackageX, DownloadedFile, ProgressEvent, ProgressKind
from packagex_async.cli.commands.download import Wish, fetch
from packagex_async.cli.display.progress import Bars
from packagex_async.cli.display.tables import complain, show, show_json, show_table
from packagex_async.cli.exit_codes import ExitCode
from packagex_async.testing import Cut, Emulator, Reset, Status, StoredExport, WrongHash

_HEADINGS = ("export", "artifact", "size", "attempts", "verified by", "bytes", "asked again because")


@attrs.frozen
class Compared:
    """An artifact that the emulator offers, and what became of it.

    Attributes:
        export_id: Which export.
        artifact: Which of its artifacts.
        content: The bytes the emulator holds.
        reasons: Why the artifact was asked for again, each time.
        file: The file it came to, or `None` when it failed.
    """

    export_id: str
    artifact: str
    content: bytes
    reasons: list[str]
    file: DownloadedFile | None

    @property
    def equal(self) -> bool:
        """Whether the file holds exactly the emulator's bytes."""
        return self.file is not None and self.file.path.read_bytes() == self.content

    def record(self) -> dict[str, object]:
        """What the demo tells of it."""
        return {
            "export_id": self.export_id,
            "artifact": self.artifact,
            "size": len(self.content),
            "attempts": self.file.attempts if self.file else None,
            "verified": self.file.verified if self.file else None,
            "equal": self.equal,
            "retried": self.reasons,
            "path": self.file.path if self.file else None,
        }


class Play:
    """One run against an emulator in which faults strike."""

    def __init__(self, server: Emulator) -> None:
        self.listed: int = 0
        self._server = server
        self._files: dict[tuple[str, str], DownloadedFile] = {}
        self._reasons: defaultdict[tuple[str, str], list[str]] = defaultdict(list)

    async def run(self, directory: Path, *, quiet: bool) -> None:
        """List every export, and download those that are completed."""
        # Files of an earlier run would be kept, and the faults in their bodies would not be met.
        wish = Wish(directory=directory, overwrite=True)
        async with self._server.client() as px:
            exports = [export async for export in px.exports.list()]
            self.listed = len(exports)
            for export in exports:
                if export.status == "completed":
                    await self._download(px, export.id, wish, quiet=quiet)

    def compared(self) -> list[Compared]:
        """Every artifact that should be on disk now, missed by the listing or not."""
        return [
            Compared(
                export.id,
                artifact,
                self._server.content(export.id, artifact),
                self._reasons[export.id, artifact],
                self._files.get((export.id, artifact)),
            )
            for export in _completed(self._server)
            for artifact in export.artifacts
        ]

    def refusals(self) -> list[str]:
        """The API's answers after which it was asked again."""
        return [
            f"{request.method} {request.path} was answered {request.status}"
            for request in self._server.requests
            if request.host == "api" and request.status != 200
        ]

    async def _download(self, px: AsyncPackageX, export_id: str, wish: Wish, *, quiet: bool) -> None:
        with Bars(quiet=quiet) as bars:

            def watch(event: ProgressEvent) -> None:
                bars(event)
                if event.kind is ProgressKind.RETRYING and event.error is not None:
                    self._reasons[event.export_id, event.artifact].append(str(event.error.args[0]))

            outcome = await fetch(px, export_id, wish, watch)
        self._files.update({(export_id, file.artifact): file for file in outcome.report.files})
        for error in outcome.errors:
            complain(str(error))


async def demo(*, directory: Path = Path("packagex-demo"), json: bool = False, quiet: bool = False) -> int:
    """Download all completed exports of the emulator while faults strike, and compare every byte.

    Needs no key. Files that an earlier run left in the folder are replaced.

    Args:
        directory: The folder the files go to.
        json: Write a line of JSON for each artifact, then one that sums up.
        quiet: Show no progress bars; they are shown only on a terminal.
    """
    # An export that is completed meanwhile would be missing.
    async with Emulator(pending=None) as server:
        _script_faults(server)
        play = Play(server)
        await play.run(directory, quiet=quiet)
        return _tell(play, directory, json=json)


def _completed(server: Emulator) -> list[StoredExport]:
    return [export for export in server.exports if export.status == "completed"]


def _script_faults(server: Emulator) -> None:
    first, second, third, fourth, *_ = (export.id for export in _completed(server))
    server.inject(Status(503, retry_after="1", on="api"))
    server.inject(Cut(after=200_000, export_id=first, artifact="csv"))
    server.inject(Reset(after=100_000, export_id=second, artifact="json"))
    server.inject(Status(500, on="storage", export_id=third, artifact="csv"))
    server.inject(WrongHash(export_id=fourth, artifact="json"))


def _tell(play: Play, directory: Path, *, json: bool) -> ExitCode:
    compared = play.compared()
    summary = {
        "listed": play.listed,
        "api_retried": play.refusals(),
        "artifacts": len(compared),
        "equal": sum(one.equal for one in compared),
        "directory": directory.absolute(),
    }
    if json:
        for record in (*(one.record() for one in compared), summary):
            show_json(record)
    else:
        show_table(_HEADINGS, map(_row, compared), foldable=_HEADINGS[-1:])
        show("")
        show(f"{play.listed} exports listed; {' and '.join(play.refusals())}, and asked again.")
        show(f"{summary['equal']} of {len(compared)} files equal the emulator's, byte for byte.")
        show(f"They are in {summary['directory']}")
    return ExitCode.OK if summary["equal"] == len(compared) else ExitCode.ERROR


def _row(one: Compared) -> list[object]:
    told = one.record() | {"equal": "equal" if one.equal else "NOT EQUAL", "retried": "; ".join(one.reasons)}
    return list(told.values())[: len(_HEADINGS)]
