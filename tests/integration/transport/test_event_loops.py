"""A client belongs to one event loop in one process."""

from __future__ import annotations

import asyncio
import gc
import os
import subprocess
import sys
import warnings
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from packagex_async import AsyncPackageX, ClientClosedError, ConfigurationError
from packagex_async.testing import Emulator
from tests.faults.scenario import TIMEOUT_SECONDS
from tests.integration.transport.test_closing import OPERATIONS, Operation


async def _error_of(work: Awaitable[object]) -> str:
    """Return the message of a refused operation."""
    with pytest.raises(ConfigurationError) as caught:
        await work
    assert not isinstance(caught.value, ClientClosedError)
    return str(caught.value)


def _in_a_loop(work: Callable[[], Awaitable[object]]) -> str:
    """Return the message of an operation that is refused on a new event loop."""
    return asyncio.run(_error_of(work()))


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.__name__[1:])
async def test_operation_on_another_thread_is_refused(
    operation: Operation, server: Emulator, tmp_path: Path
) -> None:
    """Operations on the event loop of the client are not affected."""
    stored = server.add_export(rows=1)
    async with server.client() as px:
        await px.exports.retrieve(stored.id)
        said = await asyncio.to_thread(_in_a_loop, lambda: operation(px, stored.id, tmp_path))
        assert "another event loop" in said
        await px.exports.retrieve(stored.id)
    assert not list(tmp_path.iterdir())


async def test_close_on_another_thread_is_refused(server: Emulator) -> None:
    """Operations on the event loop of the client are not affected."""
    stored = server.add_export(rows=1)
    async with server.client() as px:
        await px.exports.retrieve(stored.id)
        assert "another event loop" in await asyncio.to_thread(_in_a_loop, px.aclose)
        await px.exports.retrieve(stored.id)


async def test_stream_cannot_be_read_on_another_thread(server: Emulator) -> None:
    """The read raises an error."""
    stored = server.add_export(rows=100)
    async with server.client() as px:
        async with px.exports.stream(stored.id, "csv") as body:
            said = await asyncio.to_thread(_in_a_loop, lambda: anext(body))
    assert "another event loop" in said


def test_second_event_loop_is_refused(packagex_emulator: Emulator) -> None:
    """The first one is closed, but the client is not."""
    stored = packagex_emulator.add_export(rows=1)
    px = packagex_emulator.client()

    async def retrieve(px: AsyncPackageX) -> None:
        await px.exports.retrieve(stored.id)

    async def retrieve_again(px: AsyncPackageX) -> None:
        assert "another event loop" in await _error_of(px.exports.retrieve(stored.id))
        await px.aclose()
        with pytest.raises(ClientClosedError):
            await px.exports.retrieve(stored.id)

    # The sockets were closed together with their event loop.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        asyncio.run(retrieve(px))
        asyncio.run(retrieve_again(px))
        del px
        gc.collect()


async def test_operation_in_another_process_is_refused(
    server: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The connections of the parent process are not affected."""
    stored = server.add_export(rows=1)
    px = server.client()
    await px.exports.retrieve(stored.id)
    process = os.getpid()
    with monkeypatch.context() as patch:
        patch.setattr(os, "getpid", lambda: process + 1)
        assert "after a fork" in await _error_of(px.exports.retrieve(stored.id))
    await px.exports.retrieve(stored.id)
    await px.aclose()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
def test_parent_can_use_its_client_after_a_fork() -> None:
    """The child process is refused and closes its copy."""
    subprocess.run([sys.executable, "-W", "error", "-c", _FORKS], check=True, timeout=TIMEOUT_SECONDS)


_FORKS = """
import asyncio, os
from packagex_async import ConfigurationError
from packagex_async.testing import Emulator

async def child(px):
    try:
        await px.exports.retrieve("exp_1")
    except ConfigurationError as error:
        assert "after a fork" in str(error)
        await px.aclose()
        os._exit(0)

async def main():
    async with Emulator(populate=False) as server, server.client() as px:
        stored = server.add_export(rows=1)
        await px.exports.retrieve(stored.id)
        number = os.fork()
        if not number:
            asyncio.run(child(px))
            os._exit(1)
        _, status = os.waitpid(number, 0)
        assert os.waitstatus_to_exitcode(status) == 0
        await px.exports.retrieve(stored.id)
        assert len(server.requests) == 2

asyncio.run(main())
"""
