"""Helpers for tests of the command line."""

from __future__ import annotations

import io
import json
import re
import sys
import threading
import time
from collections.abc import Callable
from typing import Any, NamedTuple

import attrs

from packagex_async.testing import Emulator, Fault, RecordedRequest, Stall, StoredExport
from packagex_async.testing.data.store import Store

TIMEOUT = 120
"""Seconds until a test fails, with a margin for slow machines."""

CANARY = "px_canary_3c0f2a7e"
"""The API key. No output may contain it."""

COMMAND = [sys.executable, "-W", "error", "-m", "packagex_async.cli"]

_PATIENT_SCRIPT = """\
import runpy
from packagex_async.cli import signals
signals._GRACE_PERIOD = 25.0
runpy.run_module("packagex_async.cli", run_name="__main__", alter_sys=True)
"""
PATIENT_COMMAND = [sys.executable, "-W", "error", "-c", _PATIENT_SCRIPT]
"""The command with a longer grace period after SIGTERM, for busy machines."""


class Result(NamedTuple):
    """The result of a command."""

    code: int
    out: str
    err: str

    @property
    def records(self) -> list[dict[str, Any]]:
        """The JSON objects on stdout, without the version of the schema."""
        records: list[dict[str, Any]] = [json.loads(line) for line in self.out.splitlines()]
        return [
            {name: value for name, value in record.items() if name != "schema_version"} for record in records
        ]

    @property
    def table(self) -> list[dict[str, str]]:
        """The rows of tab-separated text on stdout."""
        headings, *rows = [line.split("\t") for line in self.out.splitlines()]
        return [dict(zip(headings, row, strict=True)) for row in rows]

    @property
    def messages(self) -> list[str]:
        """The lines on stderr without hints."""
        return [line for line in self.err.splitlines() if not line.startswith("hint: ")]

    def check_secrets(self) -> Result:
        """Return the result, after checking that it contains no key, no URL and no traceback."""
        for text in (self.out, self.err):
            for secret in (CANARY, "://", "Signature", "Traceback"):
                assert secret not in text
        return self


class Terminal(io.StringIO):
    """A stream that is a terminal."""

    def isatty(self) -> bool:
        return True

    def is_cleared(self) -> bool:
        """Whether the last operation erased the line: the live display is gone."""
        return self.getvalue().rstrip().endswith("\x1b[2K")


Cli = Callable[..., Result]


@attrs.define
class Clock:
    """The system clock plus an offset in seconds."""

    offset: float = 0.0

    def __call__(self) -> float:
        return time.time() + self.offset


@attrs.define
class ManualClock:
    """A monotonic clock that a test advances."""

    now: float = 1000.0

    def __call__(self) -> float:
        return self.now


@attrs.frozen
class AdvanceClock(Fault):
    """Advances the clock after an export was created."""

    clock: Clock
    seconds: float

    def matches(self, request: RecordedRequest) -> bool:
        return request.method == "POST"

    def after_response(self, store: Store) -> None:
        self.clock.offset += self.seconds


@attrs.frozen
class SignallingStall(Stall):
    """A stall that sets an event when it begins."""

    started: threading.Event = attrs.field(factory=threading.Event, kw_only=True, eq=False)

    def after_response(self, store: Store) -> None:
        self.started.set()


def add_small_export(server: Emulator, **options: Any) -> StoredExport:
    """Add a completed export with a JSON file of 6 bytes and a CSV file of 8 bytes."""
    defaults: dict[str, Any] = {"content": {"json": b"[1, 2]", "csv": b"a,b\n1,2\n"}}
    return server.add_export(**(defaults | options))


def summary_counts(result: Result) -> dict[str, str]:
    """Return the table of totals of `sync`, without the columns that depend on the clock."""
    heading, row, *_ = result.out.splitlines()
    counts = dict(zip(heading.split("\t"), row.split("\t"), strict=True))
    assert re.fullmatch(r"\d+\.\d s", counts.pop("time"))
    assert re.fullmatch(r"[\d.]+ \w+/s", counts.pop("rate"))
    return counts
