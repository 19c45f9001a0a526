"""The connection limit and throttling, which all workers share."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import attrs
import pytest

from packagex_async.testing import Emulator, Fault, RecordedRequest, Status, Trickle
from tests.dask_cluster.support import add_exports, check_folder, collect, local_cluster, open_client, start

pytest.importorskip("distributed")
pytestmark = pytest.mark.dask


@attrs.define
class Gauge:
    """Counts the storage requests that are in progress."""

    current: int = 0
    highest: int = 0

    def attach(self, server: Emulator) -> None:
        """Count the requests of a server."""
        storage_fault = Trickle(block=300, delay=0.005)
        server.inject(_Counted(self, storage_fault), times=None)

        def on_response(request: RecordedRequest, _: float) -> None:
            if request.host == "storage":
                self.current -= 1

        server.on_response = on_response


@attrs.frozen(eq=False)
class _Counted(Fault):
    """A slow response that is counted."""

    gauge: Gauge
    slow: Trickle

    def matches(self, request: RecordedRequest) -> bool:
        return request.host == "storage"

    def rewrite_response(self, reply: Any, request: RecordedRequest) -> Any:
        self.gauge.current += 1
        self.gauge.highest = max(self.gauge.highest, self.gauge.current)
        return self.slow.rewrite_response(reply, request)


@pytest.mark.parametrize("concurrency", [1, 3, 6])
async def test_connection_limit(concurrency: int, client: Any, server: Emulator, tmp_path: Path) -> None:
    """It applies to all workers together, also with fewer connections than workers."""
    gauge = Gauge()
    gauge.attach(server)
    add_exports(server, 30, rows=20)
    await collect(client, tmp_path, server, batch_size=2, concurrency=concurrency)
    check_folder(tmp_path, server)
    assert gauge.highest <= concurrency
    assert gauge.highest == concurrency


async def test_workers_that_join_and_leave(server: Emulator, tmp_path: Path) -> None:
    """The limit applies whatever the number of workers is."""
    gauge = Gauge()
    gauge.attach(server)
    add_exports(server, 120, rows=20)
    with local_cluster(n_workers=1) as cluster:
        async with open_client(cluster) as client:
            async with start(client, tmp_path, server, batch_size=2, concurrency=4) as reports:
                await anext(reports)
                cluster.scale(3)
                await client.wait_for_workers(3)
                for _ in range(10):
                    await anext(reports)
                cluster.scale(1)
                async for report in reports:
                    assert report.ok
    check_folder(tmp_path, server)
    assert gauge.highest <= 4


@attrs.frozen(eq=False)
class _Refused(Fault):
    """A 429 for one request to a server, after some correct ones; all later ones are recorded."""

    host: str
    times: list[float]

    def matches(self, request: RecordedRequest) -> bool:
        return request.host == self.host and request.export_id is not None

    def rewrite_response(self, reply: Any, request: RecordedRequest) -> Any:
        self.times.append(time.monotonic())
        if len(self.times) == REFUSED:
            return Status(429, on="api", retry_after=str(PAUSE)).rewrite_response(reply, request)
        return reply


REFUSED = 20
"""The number of the refused request."""

PAUSE = 2
"""Seconds in its `Retry-After`."""

IN_FLIGHT = 12
"""Requests that may have been sent before all workers know of the refused one."""


@pytest.mark.parametrize("host", ["api", "storage"])
async def test_retry_after_of_one_worker(host: str, client: Any, server: Emulator, tmp_path: Path) -> None:
    """No worker sends another request to the same server until the time is over."""
    add_exports(server, 60)
    times: list[float] = []
    server.inject(_Refused(host, times), times=None)
    reports = await collect(client, tmp_path, server, batch_size=2, concurrency=4)
    assert all(report.ok for report in reports)
    check_folder(tmp_path, server)
    early = [moment for moment in times[REFUSED:] if moment < times[REFUSED - 1] + PAUSE]
    assert len(early) <= IN_FLIGHT
    assert len(times) >= 60
