"""The open streams of a client, and how many of their consumers are idle."""

from __future__ import annotations

from collections.abc import AsyncGenerator

from packagex_async._concurrency.open_streams import OpenStreams


async def numbers() -> AsyncGenerator[int, None]:
    """Yield three items."""
    for number in range(3):
        yield number


async def test_items_are_passed_through() -> None:
    """In order, and without an additional item."""
    async with OpenStreams().track(numbers()) as items:
        assert [item async for item in items] == [0, 1, 2]


async def test_idle_consumers_are_counted() -> None:
    """A stream is idle from its opening, and between two reads; a closed stream is not counted."""
    streams = OpenStreams()
    assert streams.count_idle(0) == 0
    async with streams.track(numbers()) as first:
        assert streams.count_idle(0) == 1
        assert await anext(first) == 0
        assert (streams.count_idle(0), streams.count_idle(3600)) == (1, 0)
        async with streams.track(numbers()):
            assert streams.count_idle(0) == 2
        assert streams.count_idle(0) == 1
    assert streams.count_idle(0) == 0


async def test_reading_consumer_is_not_idle() -> None:
    """It waits for the next item."""
    streams = OpenStreams()
    counts: list[int] = []

    async def observed() -> AsyncGenerator[int, None]:
        counts.append(streams.count_idle(0))
        yield 1

    async with streams.track(observed()) as items:
        await anext(items)
    assert counts == [0]
