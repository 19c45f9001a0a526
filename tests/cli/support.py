"""A command that was run: how it ended, and what it wrote."""

from __future__ import annotations

import io
import json
import sys
import threading
import time
from collections.abc import Callable
from typing import Any, NamedTuple

import attrs

from packagex_async.testing import Emulator, Fault, RecordedRequest, Stall, StoredExport
from packagex_async.testing.data.store import Store

CANARY = "px_canary_3c0f2a7e"
COMMAND = [sys.executable, "-W", "error", "-m", "packagex_async.cli"]

_PATIENT = """\
import runpy
from packagex_async.cli import signals
signals._GRACE = 25.0
runpy.run_module("packagex_async.cli", run_name="__main__", alter_sys=True)
"""
PATIENT = [sys.executable, "-W", "error", "-c", _PATIENT]
"""The command, with enough time to end in order after a SIGTERM on a busy machine."""


class Ended(NamedTuple):
    """How a command ended."""

    code: int
    out: str
    err: str

    @property
    def records(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.out.splitlines()]

    def without_secrets(self) -> Ended:
        """The same, and no key, no URL and no traceback is in it."""
        for text in (self.out, self.err):
            for secret in (CANARY, "://", "Signature", "Traceback"):
                assert secret not in text
        return self


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True


Cli = Callable[..., Ended]


@attrs.define
class Clock:
    """The machine's clock, which can be put forward."""

    ahead: float = 0.0

    def __call__(self) -> float:
        return time.time() + self.ahead


@attrs.frozen
class Passing(Fault):
    """Time passes once an export was created."""

    clock: Clock
    seconds: float

    def matches(self, request: RecordedRequest) -> bool:
        return request.method == "POST"

    def after_response(self, store: Store) -> None:
        self.clock.ahead += self.seconds


@attrs.frozen
class Noticed(Stall):
    """A stall that tells when it has begun."""

    begun: threading.Event = attrs.field(factory=threading.Event, kw_only=True, eq=False)

    def after_response(self, store: Store) -> None:
        self.begun.set()


def small(server: Emulator, **options: Any) -> StoredExport:
    """A completed export with two small artifacts."""
    known: dict[str, Any] = {"content": {"json": b"[1, 2]", "csv": b"a,b\n1,2\n"}}
    return server.add_export(**(known | options))
