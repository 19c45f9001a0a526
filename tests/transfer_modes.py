"""The three modes in which the client receives a body, and how a test selects one of them.

- `aiohttp`: through the parser of aiohttp.
- `body_reader`: past the parser of aiohttp, with `BodyReader`.
- `segments`: as ranges, over several connections.
"""

from __future__ import annotations

import asyncio
import math
import sys
from collections.abc import Iterator
from typing import Any

import pytest

from packagex_async._concurrency import tuning
from packagex_async.testing.server import reply
from tests.faults.storage_server import RawStorageServer, yield_to_event_loop

TRANSFER_MODES = ("aiohttp", "body_reader", "segments")

CHUNK_SIZE = 8 * 1024
"""Bytes that the servers send at a time, so that the body does not arrive together with the head."""


def use_transfer_mode(mode: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Receive every body in `mode`, regardless of its size and of the speed of the network."""
    if mode == "aiohttp":
        tune(monkeypatch, parallel_min_size=sys.maxsize, direct_read_min_size=sys.maxsize)
        return
    _send_in_chunks(monkeypatch)
    tune(
        monkeypatch,
        parallel_min_size=sys.maxsize,
        direct_read_min_size=1,
        buffer_size=5_000,
        segment_buffer_size=5_000,
        fill_timeout=0.001,
        direct_write_min_size=2_000,
    )
    if mode == "segments":
        use_segments(monkeypatch)


def use_segments(monkeypatch: pytest.MonkeyPatch) -> None:
    """Open all connections of a download at once, and keep them open."""
    tune(
        monkeypatch,
        parallel_min_size=1,
        probe_time=1e-9,
        min_remaining_time=0,
        max_rate=math.inf,
        settling_time=math.inf,
        min_segment_size=4_000,
        min_segment_progress=1,
    )


def tune(monkeypatch: pytest.MonkeyPatch, **changes: Any) -> None:
    """Change the tuning of the clients that are created from now on."""
    monkeypatch.setattr(tuning, "default_tuning", tuning.default_tuning._replace(**changes))


def _send_in_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    reply_chunks, sleep = reply.Reply.chunks, reply._sleep

    def chunks(answer: reply.Reply) -> Iterator[memoryview]:
        for block in reply_chunks(answer):
            yield from (
                block[start : start + CHUNK_SIZE] for start in range(0, max(len(block), 1), CHUNK_SIZE)
            )

    async def pause_and_yield(seconds: float, closing: asyncio.Event) -> None:
        await yield_to_event_loop()
        await sleep(seconds, closing)

    monkeypatch.setattr(reply.Reply, "chunks", chunks)
    monkeypatch.setattr(reply, "_sleep", pause_and_yield)
    monkeypatch.setattr(RawStorageServer, "chunk_size", CHUNK_SIZE)
