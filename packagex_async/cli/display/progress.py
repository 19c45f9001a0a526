"""Progress of commands for one export or one directory, on stderr."""

from __future__ import annotations

import time
from collections.abc import Sequence

from packagex_async import ProgressEvent
from packagex_async.cli.display.estimate import Clock, SpeedMeter
from packagex_async.cli.display.live.rows import DisplayRow
from packagex_async.cli.display.live.terminal import LiveDisplay
from packagex_async.cli.display.live.transfers import TransferRows, byte_row, format_seconds, speed_details
from packagex_async.cli.display.tables import print_error, printable

_MAX_LABEL_LENGTH = 200


class ArtifactBars(LiveDisplay):
    """A progress bar for each artifact of one export. Call it with each progress event."""

    def __init__(self, *, quiet: bool, clock: Clock = time.monotonic) -> None:
        super().__init__(quiet=quiet)
        self._transfers = TransferRows(exports=1, clock=clock)

    def __call__(self, event: ProgressEvent) -> None:
        """Update the bar of the artifact."""
        with self._lock:
            self._transfers.on_progress(event)

    def rows(self) -> Sequence[DisplayRow]:
        return self._transfers.rows()


class ByteBar(LiveDisplay):
    """One progress bar in bytes, with speed and remaining time. Call it with the progress."""

    def __init__(self, label: str, *, quiet: bool, clock: Clock = time.monotonic) -> None:
        super().__init__(quiet=quiet)
        self._label = label
        self._meter = SpeedMeter(clock)
        self._done = self._total = 0

    def __call__(self, done: int, total: int) -> None:
        """Show that `done` of `total` bytes are processed."""
        with self._lock:
            self._meter.add(max(done - self._done, 0))
            self._done, self._total = done, total

    def rows(self) -> Sequence[DisplayRow]:
        remaining = self._meter.remaining(max(self._total - self._done, 0))
        details = speed_details(self._meter.speed, remaining)
        return [byte_row(self._label, self._done, self._total, details=details)]


class WaitIndicator(LiveDisplay):
    """A text with the elapsed time. Without a live display, each update is a line on stderr instead."""

    def __init__(self, label: str, *, quiet: bool, clock: Clock = time.monotonic) -> None:
        super().__init__(quiet=quiet)
        self._quiet = quiet
        self._text = label
        self._clock = clock
        self._started_at = clock()

    def update(self, text: str) -> None:
        """Show `text`."""
        with self._lock:
            self._text = text
        if not (self.is_live or self._quiet):
            print_error(text)

    def rows(self) -> Sequence[DisplayRow]:
        text = printable(self._text, max_length=_MAX_LABEL_LENGTH)
        return [DisplayRow(label=f"{text}, {format_seconds(self._clock() - self._started_at)}")]
