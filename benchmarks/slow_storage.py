"""Storage on a bad day: slow enough to be interrupted, now and then broken, and metered."""

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
    """How many bytes of bodies have left.

    Attributes:
        sent: The bytes.
    """

    sent: int = 0


@attrs.frozen(kw_only=True)
class MeteredReply(Reply):
    """An answer that `meter` counts, block by block, as it leaves."""

    meter: Meter

    def chunks(self) -> Iterator[memoryview]:
        for chunk in super().chunks():
            self.meter.sent += len(chunk)
            yield chunk


@attrs.frozen(kw_only=True)
class BadDay(TargetedFault):
    """Every answer is slow; one in five is refused, cut or reset.

    Attributes:
        dice: Who is struck, and where.
        meter: Counts what leaves.
    """

    dice: random.Random
    meter: Meter

    def rewrite_response(self, reply: Reply, request: RecordedRequest) -> Reply:
        struck = self._fault(len(reply.body)).rewrite_response(reply, request)
        slow: dict[str, Any] = {"chunk_size": _BLOCK, "delay": _DELAY, "meter": self.meter}
        return MeteredReply(**{**attrs.asdict(struck, recurse=False), **slow})

    def _fault(self, size: int) -> Fault:
        if self.dice.random() > 0.2:
            return Fault()
        after = self.dice.randint(0, size)
        return self.dice.choice((Cut(after), Reset(after), Status(503, on="storage")))
