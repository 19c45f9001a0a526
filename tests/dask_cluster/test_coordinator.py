"""The part of a job in the scheduler."""

from __future__ import annotations

import asyncio
from typing import Any

import attrs
import pytest

from packagex_async import ConfigurationError
from packagex_async._version import __version__

pytest.importorskip("distributed")
pytestmark = pytest.mark.dask

from packagex_async.integrations._dask.coordinator import Coordinator  # noqa: E402

NAME = "packagex-download-test"


@attrs.define(eq=False)
class FakeScheduler:
    """Records the messages to workers."""

    plugins: dict[str, Any] = attrs.field(factory=dict)
    worker_plugins: dict[str, Any] = attrs.field(factory=dict)
    handlers: dict[str, Any] = attrs.field(factory=dict)
    messages: list[tuple[Any, list[str] | None]] = attrs.field(factory=list)

    def remove_plugin(self, name: str) -> None:
        del self.plugins[name]

    async def broadcast(self, *, msg: Any, workers: list[str] | None = None, on_error: str) -> None:
        assert on_error == "ignore"
        self.messages.append((msg, workers))


async def started(concurrency: int = 5) -> tuple[Any, FakeScheduler]:
    """Return a coordinator, and the scheduler on which it was started."""
    coordinator: Any = Coordinator(NAME, __version__, "client-1", concurrency)
    scheduler = FakeScheduler()
    await coordinator.start(scheduler)
    scheduler.plugins[NAME] = coordinator
    return coordinator, scheduler


async def settle() -> None:
    """Let all tasks run."""
    for _ in range(5):
        await asyncio.sleep(0)


async def test_division() -> None:
    """A worker that joins or leaves changes the shares of all others."""
    coordinator, scheduler = await started()
    assert await coordinator.ready("a") == [1, 100, 5]
    assert await coordinator.ready("b") == [2, 50, 2]
    await settle()
    assert scheduler.messages == [({"op": f"{NAME}-resize", "limits": [2, 50, 3]}, ["a"])]
    assert await coordinator.ready("b") == [3, 50, 2]
    await settle()
    scheduler.messages.clear()
    coordinator.remove_worker(scheduler, "a", stimulus_id="x")
    coordinator.remove_worker(scheduler, "unknown")
    await settle()
    assert scheduler.messages == [({"op": f"{NAME}-resize", "limits": [4, 100, 5]}, ["b"])]
    coordinator.remove_worker(scheduler, "b")


async def test_repeated_batches() -> None:
    """A batch that has begun before is repeated."""
    coordinator, _ = await started()
    assert [await coordinator.begin(number) for number in (0, 1, 0)] == [False, False, True]


async def test_throttling() -> None:
    """All workers hear of the first refusal of a generation, and of each `Retry-After`."""
    coordinator, scheduler = await started()
    await coordinator.ready("a")
    for generation, retry_after, is_halved in ((0, None, True), (0, None, True), (0, 9, True), (1, 2, False)):
        await coordinator.throttled("api", generation, retry_after, is_halved)
    await settle()
    follow = [(msg["generation"], msg["retry_after"]) for msg, _ in scheduler.messages]
    assert follow == [(1, None), (1, 9), (1, 2)]


async def test_end() -> None:
    """It removes everything, and may be repeated."""
    coordinator, scheduler = await started()
    scheduler.worker_plugins[NAME] = b""
    await coordinator.end()
    await coordinator.end()
    assert (scheduler.plugins, scheduler.worker_plugins, scheduler.handlers) == ({}, {}, {})
    assert scheduler.messages == [({"op": "plugin-remove", "name": NAME}, None)]


async def test_client_that_disappears() -> None:
    """The job ends with its client, and not with another one."""
    coordinator, scheduler = await started()
    coordinator.remove_client(scheduler, "client-2")
    await settle()
    assert NAME in scheduler.plugins
    coordinator.remove_client(scheduler, "client-1")
    await settle()
    assert scheduler.plugins == {}


async def test_other_version() -> None:
    """The job does not start."""
    coordinator: Any = Coordinator(NAME, "0", "client-1", 5)
    with pytest.raises(ConfigurationError, match="the scheduler has packagex-async"):
        await coordinator.start(FakeScheduler())
