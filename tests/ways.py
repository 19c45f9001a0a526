"""The ways a body may come, on either loop: through aiohttp, past it, and over several connections."""

from __future__ import annotations

import asyncio
import importlib.util
import math
from collections.abc import Callable, Iterator

import pytest

from packagex_async import _crew, _gain, _http, _intake, _part, _spans, _transfer
from packagex_async.testing import reply

from .faults.host import Host, turns

LoopFactory = Callable[[], asyncio.AbstractEventLoop]

WAYS = ("plain", "intake", "segments")

PIECE = 8 * 1024
"""Bytes that leave the far side at a time: what is sent at once comes whole with its head."""


def loop_factories() -> dict[str, LoopFactory]:
    """asyncio's own loop, and uvloop's where it is there."""
    factories: dict[str, LoopFactory] = {"asyncio": asyncio.new_event_loop}
    if importlib.util.find_spec("uvloop"):
        factories["uvloop"] = importlib.import_module("uvloop").new_event_loop
    return factories


def force(way: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have every body come this way, however small it is and however fast the network."""
    if way == "plain":
        return
    _send_in_pieces(monkeypatch)
    monkeypatch.setattr(_http, "_WORTH_A_CONNECTION", 1)
    monkeypatch.setattr(_http, "BUFFER_SIZE", 5_000)
    monkeypatch.setattr(_http, "PART_BUFFER_SIZE", 5_000)
    monkeypatch.setattr(_intake, "LINGER", 0.001)
    monkeypatch.setattr(_part, "_WORTH_A_WRITE", 2_000)
    if way == "segments":
        divide(monkeypatch)


def divide(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have more connections begin at once, and stay."""
    monkeypatch.setattr(_transfer, "LARGE", 1)
    monkeypatch.setattr(_gain, "PROBE", 1e-9)
    monkeypatch.setattr(_gain, "WORTH", 0)
    monkeypatch.setattr(_gain, "FAST", math.inf)
    monkeypatch.setattr(_gain, "SETTLING", math.inf)
    monkeypatch.setattr(_spans, "LEAST_SPAN", 4_000)
    monkeypatch.setattr(_crew, "_PROGRESS", 1)


def _send_in_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    blocks, pause = reply.Reply.blocks, reply._pause

    def pieces(answer: reply.Reply) -> Iterator[memoryview]:
        for block in blocks(answer):
            yield from (block[start : start + PIECE] for start in range(0, max(len(block), 1), PIECE))

    async def pause_for_turns(seconds: float, closing: asyncio.Event) -> None:
        await turns()
        await pause(seconds, closing)

    monkeypatch.setattr(reply.Reply, "blocks", pieces)
    monkeypatch.setattr(reply, "_pause", pause_for_turns)
    monkeypatch.setattr(Host, "piece", PIECE)
