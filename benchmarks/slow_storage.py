"""Slow storage with random faults, which counts the sent bytes."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any

import attrs

from packagex_async.testing import Cut, Fault, Reset, Status, TargetedFault
from packagex_async.testing.server.reply import Reply
from packagex_async.testing.server.request import RecordedRequest

_BLOCK = 64 * 1024
_DELAY = 0.002


@attrs.define
class Meter:
    """A counter of sent body bytes.

    Attributes:
        sent: The bytes.
    """

    sent: int = 0


@attrs.frozen(kw_only=True)
class MeteredReply(Reply):
    """A reply whose blocks are counted by `meter` when they are sent."""

    meter: Meter

    def blocks(self) -> Iterator[memoryview]:
        for block in super().blocks():
            self.meter.sent += len(block)
            yield block


@attrs.frozen(kw_only=True)
class SlowFaultyStorage(TargetedFault):
    """Send every response slowly, and refuse, truncate or reset one of five.

    Attributes:
        generator: Selects the faults.
        meter: Counts the sent bytes.
    """

    generator: random.Random
    meter: Meter

    def answer(self, reply: Reply, request: RecordedRequest) -> Reply:
        faulty_reply = self._fault(len(reply.body)).answer(reply, request)
        slow: dict[str, Any] = {"block": _BLOCK, "delay": _DELAY, "meter": self.meter}
        return MeteredReply(**{**attrs.asdict(faulty_reply, recurse=False), **slow})

    def _fault(self, size: int) -> Fault:
        if self.generator.random() > 0.2:
            return Fault()
        after = self.generator.randint(0, size)
        return self.generator.choice((Cut(after), Reset(after), Status(503, on="storage")))
