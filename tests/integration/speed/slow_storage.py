"""A storage server that seems slow to the client, so that it opens further connections."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, cast

import aiohttp
import attrs
from aiohttp.connector import Connection

from packagex_async import AsyncPackageX
from tests.faults.responses import (
    correct_response,
)
from tests.faults.scenario import TIMEOUT_SECONDS, RawDownloadScenario
from tests.faults.storage_server import (
    Responder,
)
from tests.support import NO_BACKOFF, FakeClock, open_exports

SIZE = 400_000


CONTENT = random.Random("segments").randbytes(SIZE)


class TickingClock(FakeClock):
    """A clock that advances on each call, so that the throughput seems low."""

    def monotonic(self) -> float:
        self.now += 0.05
        return self.now


class Connector(aiohttp.TCPConnector):
    """A connector that counts its connections.

    Attributes:
        busy: The number of connections in use.
        max_busy: The highest value of `busy` so far.
    """

    max_busy = 0

    @property
    def busy(self) -> int:
        return len(self._acquired)

    async def connect(self, *args: Any, **kwargs: Any) -> Connection:
        connection = await super().connect(*args, **kwargs)
        self.max_busy = max(self.max_busy, self.busy)
        return connection


@attrs.define(kw_only=True)
class SlowDownloadScenario(RawDownloadScenario):
    """A download from a raw storage server that seems slow, by the clock of the client.

    Attributes:
        connector: The connector of the client.
        stall_timeout: The stall timeout of the client, in seconds.
    """

    connector: Connector = attrs.field(init=False)
    stall_timeout: float = TIMEOUT_SECONDS

    @asynccontextmanager
    async def client(self) -> AsyncIterator[AsyncPackageX]:
        self.connector = Connector()
        async with asyncio.timeout(TIMEOUT_SECONDS), self.connector:
            async with open_exports(
                TickingClock(),
                self.server,
                policy=NO_BACKOFF,
                timeout=self.stall_timeout,
                connector=self.connector,
            ) as exports:
                yield cast(AsyncPackageX, attrs.make_class("Client", ["exports"])(exports))

    def respond_to_others(self, *responders: Responder) -> None:
        """Respond to the first request correctly, and to the requests of the other connections as given."""
        self.respond_with(correct_response, *responders)

    @property
    def requested_segments(self) -> list[tuple[int, int]]:
        """The first byte and the end of each requested range."""
        size = len(self.storage.stored.content)
        return [
            (request.range_start or 0, size if request.range_end is None else request.range_end + 1)
            for request in self.storage.requests
        ]
