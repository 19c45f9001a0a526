"""The ways a body may come, on either loop: through aiohttp, past it, and over several connections."""

from __future__ import annotations

import asyncio
import importlib.util
import math
from collections.abc import Callable, Iterator

import pytest

from packagex_async._download import artifact, segment_workers, segments, throughput
from packagex_async._partials import partial_writer
from packagex_async._transport import body_reader, storage_response
from packagex_async.testing.server import reply
from tests.faults.host import Host, turns

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
    monkeypatch.setattr(storage_response, "_DIRECT_READ_SIZE", 1)
    monkeypatch.setattr(storage_response, "BUFFER_SIZE", 5_000)
    monkeypatch.setattr(storage_response, "SEGMENT_BUFFER_SIZE", 5_000)
    monkeypatch.setattr(body_reader, "FILL_TIMEOUT", 0.001)
    monkeypatch.setattr(partial_writer, "_WORTH_A_WRITE", 2_000)
    if way == "segments":
        divide(monkeypatch)


def divide(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have more connections begin at once, and stay."""
    monkeypatch.setattr(artifact, "LARGE", 1)
    monkeypatch.setattr(throughput, "PROBE", 1e-9)
    monkeypatch.setattr(throughput, "WORTH", 0)
    monkeypatch.setattr(throughput, "FAST", math.inf)
    monkeypatch.setattr(throughput, "SETTLING", math.inf)
    monkeypatch.setattr(segments, "MIN_SEGMENT_SIZE", 4_000)
    monkeypatch.setattr(segment_workers, "_PROGRESS", 1)


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
