"""Helpers for tests: a fake clock, the exports resource with that clock, and retry policies."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import attrs
import pytest

from packagex_async import AsyncExports, RetryPolicy
from packagex_async._bodies.pipe import Pipe, PipedChunk
from packagex_async._concurrency import tuning
from packagex_async._concurrency.limiter import AdaptiveLimiter
from packagex_async._concurrency.operations import Operations
from packagex_async._context import ClientContext
from packagex_async._files.executor import FileExecutor
from packagex_async._transport.api_client import ApiClient
from packagex_async._transport.sessions import Sessions, TransportSettings
from packagex_async._transport.storage_client import StorageClient
from packagex_async._utils.redaction import Secret
from packagex_async.testing import Emulator


def examples(count: int) -> int:
    """Return the number of examples of a property: `PROPERTY_EXAMPLES` percent of `count`, at least 5."""
    return max(count * int(os.environ.get("PROPERTY_EXAMPLES", "100")) // 100, 5)


NO_BACKOFF = RetryPolicy(wait_initial=0)
"""The default retry policy without waits."""


def bind(listener: socket.socket, path: Path) -> None:
    """Bind a socket at `path`, which may be longer than the address of a socket can be."""
    with contextlib.chdir(path.parent):
        listener.bind(path.name)


def names(folder: Path) -> list[str]:
    """Return the sorted names of the files in `folder`, hidden files included."""
    return sorted(path.name for path in folder.iterdir())


def piped(content: bytes) -> PipedChunk:
    """Return a chunk in a pipe; at most 64 KiB."""
    pipe = Pipe(64 * 1024)
    os.write(pipe._input, content)
    return PipedChunk(pipe, len(content))


def open_files(folder: Path) -> list[str]:
    """Return the paths below `folder` that this process has open."""
    paths = []
    for number in os.listdir("/proc/self/fd"):
        try:
            paths.append(os.readlink(f"/proc/self/fd/{number}"))
        except FileNotFoundError:
            continue  # the descriptor of `listdir` itself
    return [path for path in paths if path.startswith(f"{folder}/")]


def pid_namespace_command() -> tuple[str, ...]:
    """Return a command prefix that creates a pid namespace; skip the test without permission."""
    for rights in ((), ("--user", "--map-root-user")):
        command = ("unshare", *rights, "--pid", "--fork", "--kill-child")
        if subprocess.run([*command, "true"], capture_output=True).returncode == 0:
            return command
    pytest.skip("creating a pid namespace is not permitted")


@attrs.define
class FakeClock:
    """A clock whose sleeps return at once, with a constant jitter.

    Attributes:
        now: The time in seconds, for both the wall clock and the monotonic clock.
        dice: The jitter as a fraction of its maximum.
        slept: The durations of all sleeps, in seconds.
    """

    now: float = 1_714_564_800.0
    jitter_fraction: float = 0.5
    sleeps: list[float] = attrs.field(factory=list)

    def time(self) -> float:
        return self.now

    def monotonic(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        self.sleeps.append(seconds)
        self.now += seconds
        await asyncio.sleep(0)

    def jitter(self, most: float) -> float:
        return most * self.jitter_fraction


@asynccontextmanager
async def open_exports(
    clock: FakeClock,
    server: Emulator,
    *,
    policy: RetryPolicy | None = None,
    timeout: float = 60.0,
    connector: aiohttp.BaseConnector | None = None,
    bandwidth_limit: float | None = None,
) -> AsyncIterator[AsyncExports]:
    """Open the exports resource as the client does, with `clock` as its clock."""
    settings = TransportSettings(
        base_url=server.base_url,
        key=Secret(server.api_key),
        policy=policy or RetryPolicy(),
        timeout=timeout,
        stall_timeout=timeout,
        connector=connector,
        tuning=tuning.default_tuning,
        bandwidth_limit=bandwidth_limit,
    )
    operations = Operations()
    sessions, disk = Sessions(settings), FileExecutor()
    storage = StorageClient(sessions, settings, clock)
    try:
        yield AsyncExports(
            ClientContext(
                sessions=sessions,
                api=ApiClient(sessions, settings, clock, operations),
                storage=storage,
                disk=disk,
                operations=operations,
                policy=settings.policy,
                clock=clock,
                stall_timeout=timeout,
                tuning=settings.tuning,
                limiter=AdaptiveLimiter(100, clock),
            )
        )
    finally:
        storage.close()
        await sessions.aclose()
        disk.close()
