"""Several connections for one artifact whose destination is a bucket, which needs the bytes in order."""

from __future__ import annotations

from typing import Any

import obstore
import pytest
from obstore.store import MemoryStore

from packagex_async import Bucket, DownloadGroupError
from packagex_async._buckets.object_writer import ObjectWriter
from packagex_async._utils.byte_ranges import Chunk
from tests.faults.responses import altered_response, text_response, truncated_response
from tests.faults.storage_server import ConnectionEnd, Responder
from tests.integration.speed.slow_storage import CONTENT, SIZE, SlowDownloadScenario

WINDOW = 100_000


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore()


@pytest.fixture
def buffered(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Limit the distance of the connections; provide the number of bytes that wait for earlier ones."""
    sizes: list[int] = []
    write = ObjectWriter.write

    async def write_and_count(writer: ObjectWriter, chunk: Chunk, position: int) -> None:
        await write(writer, chunk, position)
        sizes.append(sum(map(len, writer._ahead.values())))  # pyright: ignore[reportPrivateUsage]

    monkeypatch.setattr(ObjectWriter, "write", write_and_count)
    monkeypatch.setattr(ObjectWriter, "window", WINDOW)
    return sizes


async def download(slow: SlowDownloadScenario, store: MemoryStore, **options: Any) -> Any:
    """Download the CSV; return the record of the object."""
    bucket = Bucket(store, chunk_size=30_000, max_concurrency=2)
    async with slow.client() as px:
        report: Any = await px.exports.download(slow.export_id, bucket, artifacts="csv", **options)
    return report.files["csv"]


@pytest.mark.parametrize("segments", [2, 3, 8])
async def test_several_connections(
    slow: SlowDownloadScenario, store: MemoryStore, buffered: list[int], segments: int
) -> None:
    """All connections are used, the object is right, and no more than the window is buffered."""
    file = await download(slow, store, segments=segments)
    assert bytes(obstore.get(store, file.key).bytes()) == CONTENT
    assert (file.size, file.verified, file.attempts) == (SIZE, "checksum", 1)
    assert 1 < slow.connector.max_busy <= segments
    assert 0 < max(buffered) <= WINDOW


@pytest.mark.parametrize(
    "fault",
    [
        truncated_response(5_000),
        truncated_response(5_000, ConnectionEnd.RST),
        text_response("503 Service Unavailable"),
        text_response("403 Forbidden"),
    ],
)
async def test_failed_connection(
    slow: SlowDownloadScenario, store: MemoryStore, buffered: list[int], fault: Responder
) -> None:
    """A connection that fails loses no byte, and the upload stays open."""
    slow.respond_to_others(fault)
    file = await download(slow, store)
    assert bytes(obstore.get(store, file.key).bytes()) == CONTENT
    assert max(buffered) <= WINDOW


async def test_wrong_content(slow: SlowDownloadScenario, store: MemoryStore, buffered: list[int]) -> None:
    """Wrong bytes are found at the end, and no object appears."""
    slow.always_respond_with(altered_response(body=bytes(SIZE)))
    with pytest.raises(DownloadGroupError):
        await download(slow, store)
    assert obstore.list(store).collect() == []
