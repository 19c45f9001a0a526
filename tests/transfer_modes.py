"""The four modes in which the client receives a body, and how a test selects one of them.

- `aiohttp`: through the parser of aiohttp.
- `buffer_reader`: past the parser of aiohttp, into memory.
- `pipe_reader`: past the parser of aiohttp, into pipes. The servers declare no hashes, because bytes that are
  hashed are read into memory.
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
from packagex_async.testing.data.blobs import Blob
from packagex_async.testing.server import reply, storage
from packagex_async.testing.server.request import RecordedRequest
from tests.faults.storage_server import RawStorageServer, StoredObject, yield_to_event_loop

TRANSFER_MODES = ("aiohttp", "buffer_reader", "pipe_reader", "segments")

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
        pipe_size=0 if mode == "buffer_reader" else 8_192,
        fill_timeout=0.001,
        direct_write_min_size=2_000,
    )
    if mode == "pipe_reader":
        _declare_no_hashes(monkeypatch)
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


def _declare_no_hashes(monkeypatch: pytest.MonkeyPatch) -> None:
    serve_blob, new_object = storage._serve_blob, StoredObject.of
    no_hashes = {"x-goog-hash": None, "Content-MD5": None}

    def serve(request: RecordedRequest, blob: Blob) -> reply.Reply:
        return serve_blob(request, blob).with_headers(no_hashes)

    def new(content: bytes, **options: int) -> StoredObject:
        return new_object(content, **options).with_headers(no_hashes)

    monkeypatch.setattr(storage, "_serve_blob", serve)
    monkeypatch.setattr(StoredObject, "of", new)


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
