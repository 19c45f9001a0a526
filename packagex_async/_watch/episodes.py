"""Log messages of a watch, each once per episode of failures."""

from __future__ import annotations

from packagex_async import _logs
from packagex_async._listing.paginator import AnyPage
from packagex_async.errors import PackageXError


class FailureEpisode:
    """Consecutive polls that failed. Only the first failure is logged, and the end of the episode.

    Args:
        interval: The seconds between two polls.
    """

    def __init__(self, interval: float) -> None:
        self._interval = interval
        self._is_active = False

    def on_retry(self, failure: PackageXError, delay: float) -> None:
        """Log a request that will be repeated after `delay` seconds, unless the episode is logged."""
        if not self._is_active:
            self._is_active = True
            _logs.request_retried(failure, delay)

    def on_failure(self, failure: PackageXError) -> None:
        """Log a poll that has failed, unless the episode is logged."""
        if not self._is_active:
            self._is_active = True
            _logs.poll_failed(failure, self._interval)

    def on_success(self) -> None:
        """Record a poll without failures, which ends the episode."""
        if self._is_active:
            self._is_active = False
            _logs.polls_recovered()


class MalformedEpisode:
    """Items of the listing that are not exports. They are logged again only after a scan without any."""

    def __init__(self) -> None:
        self._is_logged = False
        self._in_scan = False

    def on_page(self, number: int, page: AnyPage) -> None:
        """Log the malformed items of a page, unless the episode is logged."""
        if not page.malformed:
            return
        self._in_scan = True
        if not self._is_logged:
            self._is_logged = True
            _logs.malformed_items(number, page.malformed, page.first_malformed)

    def on_scan_end(self) -> None:
        """Record the end of a scan of the whole listing."""
        self._is_logged = self._in_scan
        self._in_scan = False
