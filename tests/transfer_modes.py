"""The three modes in which the client receives a body, and how a test selects one of them.

- `aiohttp`: through the parser of aiohttp.
- `body_reader`: past the parser of aiohttp, with `BodyReader`.
- `segments`: as ranges, over several connections.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Iterator

import pytest

from packagex_async._download import artifact, segment_workers, segments, throughput
from packagex_async._partials import partial_writer
from packagex_async._transport import body_reader, storage_response
from packagex_async.testing.server import reply
from tests.faults.storage_server import RawStorageServer, yield_to_event_loop

TRANSFER_MODES = ("aiohttp", "body_reader", "segments")

CHUNK_SIZE = 8 * 1024
"""Bytes that the servers send at a time, so that the body does not arrive together with the head."""


def use_transfer_mode(mode: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Receive every body in `mode`, regardless of its size and of the speed of the network."""
    if mode == "aiohttp":
        return
    _send_in_chunks(monkeypatch)
    monkeypatch.setattr(storage_response, "_DIRECT_READ_SIZE", 1)
    monkeypatch.setattr(storage_response, "BUFFER_SIZE", 5_000)
    monkeypatch.setattr(storage_response, "SEGMENT_BUFFER_SIZE", 5_000)
    monkeypatch.setattr(body_reader, "FILL_TIMEOUT", 0.001)
    monkeypatch.setattr(partial_writer, "_MIN_DIRECT_WRITE", 2_000)
    if mode == "segments":
        use_segments(monkeypatch)


def use_segments(monkeypatch: pytest.MonkeyPatch) -> None:
    """Open all connections of a download at once, and keep them open."""
    monkeypatch.setattr(artifact, "LARGE", 1)
    monkeypatch.setattr(throughput, "PROBE", 1e-9)
    monkeypatch.setattr(throughput, "WORTH", 0)
    monkeypatch.setattr(throughput, "FAST", math.inf)
    monkeypatch.setattr(throughput, "SETTLING", math.inf)
    monkeypatch.setattr(segments, "MIN_SEGMENT_SIZE", 4_000)
    monkeypatch.setattr(segment_workers, "_PROGRESS", 1)


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
