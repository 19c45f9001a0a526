"""The async writer for objects."""

from __future__ import annotations

import hashlib

import obstore
import pytest
from obstore.store import MemoryStore

from packagex_async._buckets.object_writer import ObjectWriter
from packagex_async.retry import SystemClock
from tests.unit.buckets.test_objects import new_objects

CONTENT = bytes(range(256)) * 20_000


async def test_order_is_restored() -> None:
    """Chunks from several connections become one object in order."""
    objects = new_objects(MemoryStore(), chunk_size=1_000_000)
    half = len(CONTENT) // 2
    async with ObjectWriter(objects, "a", SystemClock()) as writer:
        await writer.resume(None, ())
        assert writer.gaps() == []
        await writer.start(length=len(CONTENT))
        await writer.write(memoryview(CONTENT)[half:], half)
        await writer.write(memoryview(CONTENT)[:half], 0)
        assert writer.received == len(CONTENT)
        digest, _ = await writer.publish(lambda found: None, overwrite=False)
        assert writer.waited >= 0
    assert digest.digests["sha256"] == hashlib.sha256(CONTENT).digest()
    assert bytes(obstore.get(objects.store, "x/y-a").bytes()) == CONTENT
    assert writer.e_tag is not None


async def test_restart_and_exit_discard_the_upload() -> None:
    """Neither leaves an object."""
    objects = new_objects(MemoryStore(), chunk_size=1000)
    with pytest.raises(ValueError, match="stop"):
        async with ObjectWriter(objects, "a", SystemClock()) as writer:
            await writer.start()
            await writer.write(CONTENT, 0)
            await writer.start()
            assert writer.received == 0
            await writer.write(CONTENT, 0)
            raise ValueError("stop")
    async with ObjectWriter(objects, "a", SystemClock()):
        pass
    assert obstore.list(objects.store).collect() == []
