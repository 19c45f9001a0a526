"""The exports of `download_all(follow=True)`: final ones, and again those whose download has failed."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any

import attrs

from packagex_async import _logs
from packagex_async._watch.poll import OnPoll, Poll
from packagex_async._watch.watcher import Watcher
from packagex_async.errors import (
    ConfigurationError,
    ExportFailedError,
    ExportGoneError,
    ExportTimedOutError,
)
from packagex_async.models import Export
from packagex_async.report import DownloadReport

_PERMANENT_ERRORS = (ExportFailedError, ExportTimedOutError, ExportGoneError)


class FollowedExports:
    """Exports to download: final ones, and at each later poll those whose download has failed.

    Args:
        watcher: Finds final exports.
        on_poll: Called after each poll; `None` calls nothing.
    """

    def __init__(self, watcher: Watcher, on_poll: OnPoll | None) -> None:
        self._watcher = watcher
        self._on_poll = on_poll
        self._failed: dict[str, Export] = {}

    async def exports(self) -> AsyncGenerator[Export, None]:
        """Yield exports without end.

        Raises:
            PackageXError: See `Watcher.exports`.
        """
        while True:
            failed, self._failed = self._failed, {}
            for export in failed.values():
                yield export
            found = 0
            async with aclosing(self._watcher.poll()) as batches:
                async for batch in batches:
                    for export in batch:
                        found += 1
                        yield export
            self._report_poll(found, len(failed))
            await self._watcher.wait()

    def on_report(self, report: DownloadReport) -> None:
        """Add the export of a report to the next poll if its download failed, and the export may still exist.

        The URLs of the export are removed, so that it is retrieved again. This shows whether it exists.
        """
        errors = [*report.failures, *([report.error] if report.error else [])]
        if (
            report.export is None
            or not errors
            or any(isinstance(error, _PERMANENT_ERRORS) for error in errors)
        ):
            return
        self._failed[report.export_id] = attrs.evolve(
            report.export, json_url=None, csv_url=None, csv_error_url=None, csv_sanitized_url=None
        )

    def _report_poll(self, found: int, retried: int) -> None:
        poll = Poll(found=found, retried=retried, pending=self._watcher.pending, error=self._watcher.error)
        _logs.polled(found, retried, poll.pending)
        if self._on_poll is not None:
            self._on_poll(poll)


async def followed_reports(
    reports: AsyncGenerator[DownloadReport[Any], None], followed: FollowedExports
) -> AsyncGenerator[DownloadReport[Any], None]:
    """Yield `reports`, and pass each to `followed` first."""
    async with aclosing(reports):
        async for report in reports:
            followed.on_report(report)
            yield report


def check_follow_options(**options: object) -> None:
    """Check that no option is set that has no effect together with `follow`.

    Raises:
        ConfigurationError: An option is neither `None` nor `False`.
    """
    for name, value in options.items():
        if value is not None and value is not False:
            raise ConfigurationError(f"{name} cannot be used with follow=True")
