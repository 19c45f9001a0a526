"""The exports of `download_all(follow=True)`: final ones, and again those whose download has failed."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any

from packagex_async import _logs
from packagex_async._watch.failed_exports import FailedExports
from packagex_async._watch.poll import OnPoll, Poll
from packagex_async._watch.watcher import Watcher
from packagex_async.errors import ConfigurationError
from packagex_async.models import Export
from packagex_async.report import DownloadReport


class FollowedExports:
    """Exports to download: final ones, and later again those whose download has failed.

    Args:
        watcher: Finds final exports.
        failed: The exports whose download has failed.
        on_poll: Called after each poll; `None` calls nothing.
    """

    def __init__(self, watcher: Watcher, failed: FailedExports, on_poll: OnPoll | None) -> None:
        self._watcher = watcher
        self._failed = failed
        self._on_poll = on_poll

    async def exports(self) -> AsyncGenerator[Export, None]:
        """Yield exports without end.

        Raises:
            PackageXError: See `Watcher.exports`.
        """
        while True:
            repeated = self._failed.start_due(self._watcher.is_listed)
            for export in repeated:
                yield export
            found = 0
            async with aclosing(self._watcher.poll()) as batches:
                async for batch in batches:
                    for export in batch:
                        found += 1
                        yield export
            self._report_poll(found, len(repeated))
            await self._watcher.wait()

    def is_repeated(self, export_id: str) -> bool:
        """Return whether an earlier download of the export has failed."""
        return export_id in self._failed

    def on_report(self, report: DownloadReport) -> None:
        """Schedule another download of the export of `report` if the last one has failed."""
        self._failed.on_report(report)

    def _report_poll(self, found: int, retried: int) -> None:
        poll = Poll(
            found=found,
            retried=retried,
            pending=self._watcher.pending,
            failing=len(self._failed),
            error=self._watcher.error,
        )
        _logs.polled(found, retried, poll.pending, poll.failing)
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
