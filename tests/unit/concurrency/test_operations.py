"""The running operations of a client; tests/integration/transport/test_closing.py closes real clients."""

from __future__ import annotations

import asyncio
import pickle
from collections.abc import AsyncGenerator
from contextlib import aclosing

import pytest

from packagex_async import ClientClosedError, ConfigurationError
from packagex_async._concurrency.operations import Operations


async def run_forever(operations: Operations) -> None:
    """Run one operation that does not end by itself."""
    with operations.running("wait()"):
        await asyncio.Event().wait()


async def test_close_interrupts_running_operations() -> None:
    """Each one ends with an error that names it."""
    operations = Operations()
    tasks = [asyncio.create_task(run_forever(operations)) for _ in range(3)]
    await asyncio.sleep(0)
    await operations.close()
    for task in tasks:
        assert task.done()
        with pytest.raises(ClientClosedError, match=r"the client was closed while wait\(\) was running"):
            await task


async def test_no_operation_starts_after_close() -> None:
    """The error says how to use a client."""
    operations = Operations()
    operations.check_open()
    await operations.close()
    with pytest.raises(ClientClosedError, match="use it inside its `async with` block"):
        await run_forever(operations)


async def test_cancellation_by_the_caller_is_preserved() -> None:
    """A task that is cancelled and interrupted is cancelled."""
    operations = Operations()
    task = asyncio.create_task(run_forever(operations))
    await asyncio.sleep(0)
    closing = asyncio.create_task(operations.close())
    await asyncio.sleep(0)
    task.cancel()
    await closing
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_interruption_is_distinguished_from_cancellation() -> None:
    """`is_interrupted` is true only if the client closes, and nothing else cancels the task."""
    operations = Operations()
    seen: list[bool] = []

    async def observe() -> None:
        with operations.running("wait()"):
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                seen.append(operations.is_interrupted())
                raise

    assert not operations.is_interrupted()
    task = asyncio.create_task(observe())
    await asyncio.sleep(0)
    task.cancel()
    await asyncio.wait([task])
    task = asyncio.create_task(observe())
    await asyncio.sleep(0)
    await operations.close()
    with pytest.raises(ClientClosedError):
        await task
    assert seen == [False, True]


async def test_nested_operation_belongs_to_the_outer_one() -> None:
    """The error names the outer operation."""
    operations = Operations()

    async def outer() -> None:
        with operations.running("export_and_download()"):
            await run_forever(operations)

    task = asyncio.create_task(outer())
    await asyncio.sleep(0)
    await operations.close()
    with pytest.raises(ClientClosedError, match=r"while export_and_download\(\) was running"):
        await task


async def test_operation_that_closes_the_client_ends_afterwards() -> None:
    """`close` does not wait for it; `end_current` ends it."""
    operations = Operations()
    with pytest.raises(ClientClosedError):
        with operations.running("retrieve()"):
            await operations.close()
            await operations.end_current()
            pytest.fail("the operation continues")


async def test_no_operation_runs_between_two_steps() -> None:
    """The next step of a closed client raises the error."""
    operations = Operations()

    async def numbers() -> AsyncGenerator[int, None]:
        yield 1
        yield 2

    async with aclosing(operations.steps("list()", numbers())) as steps:
        assert await anext(steps) == 1
        await operations.close()
        with pytest.raises(ClientClosedError):
            await anext(steps)
    assert [number async for number in Operations().steps("list()", numbers())] == [1, 2]


def test_second_event_loop_is_refused() -> None:
    """The client belongs to the loop of its first operation."""
    operations = Operations()

    async def check() -> None:
        operations.check_open()

    assert not operations.is_abandoned()
    asyncio.run(check())
    assert operations.is_abandoned()
    with pytest.raises(ConfigurationError, match="the client belongs to another event loop or thread"):
        asyncio.run(check())


def test_operations_cannot_be_pickled() -> None:
    """Nor can a client."""
    with pytest.raises(TypeError, match="a client cannot be pickled"):
        pickle.dumps(Operations())
