"""Notices of the client: requests to the API that are repeated, and URLs that were renewed."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import attrs

from packagex_async.cli.display.tables import print_error

if TYPE_CHECKING:
    from packagex_async.cli.display.estimate import Clock

_LOGGER = "packagex_async"
_KINDS = ("request_retried", "poll_failed", "urls_renewed")

_EPISODE_GAP = 5.0
"""Seconds after the next attempt. A later retry of any request is a new episode."""

_LONG_DELAY = 10.0
"""Seconds of a delay that is printed even if the episode has a line with a shorter one."""


@attrs.frozen
class Notice:
    """A problem that the client handles.

    Attributes:
        kind: `request_retried`, `poll_failed` or `urls_renewed`.
        text: The reason, without the delay.
        delay: The seconds until the next attempt, or `None`.
    """

    kind: str
    text: str
    delay: float | None


def describe_delay(delay: float) -> str:
    """Return the end of the text of a notice, with the seconds until the next attempt."""
    return f"; next attempt in {max(delay, 0.1):.{0 if delay >= 10 else 1}f} s"


OnNotice = Callable[[Notice], None]


class _NoticeHandler(logging.Handler):
    """Calls `on_notice` for log records of the client that are notices."""

    def __init__(self, on_notice: OnNotice) -> None:
        super().__init__(logging.WARNING)
        self._on_notice = on_notice

    def emit(self, record: logging.LogRecord) -> None:
        """Turn a record into a notice, if it is one."""
        if (kind := getattr(record, "event", None)) in _KINDS:
            fields = vars(record)
            self._on_notice(Notice(kind, str(fields["reason"]), fields["delay"]))


@contextmanager
def listen(on_notice: OnNotice) -> Generator[None, None, None]:
    """Call `on_notice` for each notice within the block, instead of an outer `listen`."""
    logger = logging.getLogger(_LOGGER)
    outer = [handler for handler in logger.handlers if isinstance(handler, _NoticeHandler)]
    handler = _NoticeHandler(on_notice)
    for each in outer:
        logger.removeHandler(each)
    logger.addHandler(handler)
    try:
        yield
    finally:
        logger.removeHandler(handler)
        for each in outer:
            logger.addHandler(each)


class NoticePrinter:
    """Prints one line to stderr for each episode of repeated requests.

    A delay of an episode that is much longer than the printed one has a line of its own.

    Args:
        clock: The source of time.
    """

    def __init__(self, clock: Clock = time.monotonic) -> None:
        self._clock = clock
        self._ends_at = float("-inf")
        self._printed_delay = 0.0

    def __call__(self, notice: Notice) -> None:
        """Print a repeated request, unless it belongs to the episode of the last line."""
        if notice.delay is None:
            return
        now = self._clock()
        is_new = now > self._ends_at or notice.delay >= max(_LONG_DELAY, 2 * self._printed_delay)
        self._ends_at = max(self._ends_at, now + notice.delay + _EPISODE_GAP)
        if is_new:
            self._printed_delay = notice.delay
            print_error(f"{notice.text}{describe_delay(notice.delay)}")


def ignore(notice: Notice) -> None:
    """Do nothing."""
