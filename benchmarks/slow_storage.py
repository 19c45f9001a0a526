"""A storage server that is slow, sometimes fails, and counts the sent bytes."""

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
        sent: The number of bytes.
    """

    sent: int = 0


@attrs.frozen(kw_only=True)
class MeteredReply(Reply):
    """A body whose blocks are counted by `meter` when they are sent."""

    meter: Meter

    def chunks(self) -> Iterator[memoryview]:
        for chunk in super().chunks():
            self.meter.sent += len(chunk)
            yield chunk


@attrs.frozen(kw_only=True)
class BadDay(TargetedFault):
    """A fault for every response: all are slow, and one in five is refused, cut or reset.

    Attributes:
        generator: The random generator that selects responses and offsets.
        meter: The counter of sent bytes.
    """

    generator: random.Random
    meter: Meter

    def rewrite_response(self, reply: Reply, request: RecordedRequest) -> Reply:
        injected = self._fault(len(reply.body)).rewrite_response(reply, request)
        slow: dict[str, Any] = {"chunk_size": _BLOCK, "delay": _DELAY, "meter": self.meter}
        return MeteredReply(**{**attrs.asdict(injected, recurse=False), **slow})

    def _fault(self, size: int) -> Fault:
        if self.generator.random() > 0.2:
            return Fault()
        after = self.generator.randint(0, size)
        return self.generator.choice((Cut(after), Reset(after), Status(503, on="storage")))
