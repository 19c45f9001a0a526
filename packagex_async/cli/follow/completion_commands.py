"""The command of `--on-complete`, which runs once for each export that is downloaded."""

from __future__ import annotations

import asyncio
import os
import shlex
import shutil
import signal
from collections.abc import Callable, Sequence
from contextlib import suppress
from itertools import count
from types import TracebackType
from typing import Self

from packagex_async import ConfigurationError, DownloadReport
from packagex_async.cli.display.tables import print_error

_EXIT_SECONDS = 0.3
"""Seconds that a command has to end after SIGTERM, before it is killed."""

_STDERR = 2
"""The output of the command, because stdout may contain JSON."""

_signal_group: Callable[[int, int], None] = getattr(os, "killpg", os.kill)
"""Sends a signal to a process and its children. Windows has no process groups."""


class CompletionCommands:
    """Runs a command for one export after another, while the downloads continue.

    Exports with new files come first, so that after a restart they do not wait for all others. A command that
    fails runs again after the next poll. Leaving the `async with` block ends the command.

    Args:
        arguments: The command and its arguments. Empty: runs nothing.
    """

    def __init__(self, arguments: Sequence[str]) -> None:
        self._arguments = arguments
        self._queue: asyncio.PriorityQueue[tuple[bool, int, DownloadReport]] = asyncio.PriorityQueue()
        self._numbers = count()
        self._failed: list[DownloadReport] = []
        self._worker: asyncio.Task[None] | None = None

    @classmethod
    def parse(cls, text: str | None, *, follow: bool) -> Self:
        """Return the commands for the value of `--on-complete`. No shell interprets it.

        Raises:
            ConfigurationError: The text is not a command, or `follow` is false.
        """
        if text is None:
            return cls(())
        if not follow:
            raise ConfigurationError("--on-complete needs --follow")
        try:
            arguments = shlex.split(text)
        except ValueError as error:
            raise ConfigurationError(f"--on-complete is not a command: {error}") from None
        if not arguments or shutil.which(arguments[0]) is None:
            raise ConfigurationError(f"--on-complete must start with the name of a program, not {text!r}")
        return cls(arguments)

    async def __aenter__(self) -> Self:
        if self._arguments:
            self._worker = asyncio.create_task(self._run_all())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._worker is not None:
            self._worker.cancel()
            await asyncio.gather(self._worker, return_exceptions=True)

    def add(self, report: DownloadReport) -> None:
        """Run the command for the export of `report`, if nothing failed."""
        if self._worker is not None and report.ok:
            self._put(report)

    def on_poll(self) -> None:
        """Run the commands again that have failed."""
        failed, self._failed = self._failed, []
        for report in failed:
            self._put(report)

    def _put(self, report: DownloadReport) -> None:
        is_kept = all(file.kept for file in report.files)
        self._queue.put_nowait((is_kept, next(self._numbers), report))

    async def _run_all(self) -> None:
        while True:
            _, _, report = await self._queue.get()
            if problem := await self._run(report):
                self._failed.append(report)
                print_error(
                    f"export {report.export_id}: the command of --on-complete {problem}; "
                    "it runs again after the next poll"
                )

    async def _run(self, report: DownloadReport) -> str | None:
        """Run the command once; return the problem, if there is one."""
        try:
            process = await asyncio.create_subprocess_exec(
                *self._arguments,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=_STDERR,
                process_group=0,
                env={**os.environ, **environment(report)},
            )
        except OSError as error:
            return f"did not start: {error.strerror}"
        try:
            code = await process.wait()
        except asyncio.CancelledError:
            await _end(process)
            raise
        return f"ended with exit code {code}" if code else None


def environment(report: DownloadReport) -> dict[str, str]:
    """Return the environment variables that describe an export and its files.

    Args:
        report: The report of the export.
    """
    # A file in a bucket has a URL without a signature, and no path.
    paths = {
        file.artifact: str(getattr(file, "path", None) or getattr(file, "url", "")) for file in report.files
    }
    resource = report.export.resource if report.export else None
    return {
        "PACKAGEX_EXPORT_ID": report.export_id,
        "PACKAGEX_RESOURCE": resource or "",
        "PACKAGEX_PATHS": "\n".join(paths.values()),
        **{f"PACKAGEX_{artifact.upper()}_PATH": path for artifact, path in paths.items()},
        "PACKAGEX_DOWNLOADED": str(sum(not file.kept for file in report.files)),
    }


async def _end(process: asyncio.subprocess.Process) -> None:
    """End a command and its child processes; kill them if the command does not end."""
    with suppress(ProcessLookupError):
        _signal_group(process.pid, signal.SIGTERM)
    try:
        async with asyncio.timeout(_EXIT_SECONDS):
            await process.wait()
    except TimeoutError:
        _signal_group(process.pid, signal.SIGKILL)
        await process.wait()
