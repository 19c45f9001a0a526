"""The two loopback ports: they start together, answer through a function each, and stop at once."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from functools import partial

from aiohttp import web

from packagex_async.testing.server.reply import Reply, deliver
from packagex_async.testing.server.request import Host

_SHUTDOWN_SECONDS = 0.2
_MOMENT = 1e-6

Answer = Callable[[web.BaseRequest, bytes], Reply]


class Servers:
    """An HTTP server on 127.0.0.1 for every host in `answers`."""

    def __init__(self, answers: Mapping[Host, Answer]) -> None:
        self._answers = answers
        self._closing = asyncio.Event()
        self._runners: list[web.ServerRunner] = []
        self._origins: dict[Host, str] = {}

    def __repr__(self) -> str:
        return ", ".join(self._origins.values()) or "no address yet"

    def origin(self, host: Host) -> str:
        """Scheme, address and port of `host`, still told after closing; `RuntimeError` before the start."""
        if host not in self._origins:
            raise RuntimeError("the emulator has no address yet: enter it with `async with`")
        return self._origins[host]

    async def start(self) -> None:
        """Listen on ports that the system picks."""
        for host, answer in self._answers.items():
            # Cancellation frees a handler whose client has gone; no access log, for it would show signatures.
            server = web.Server(partial(self._serve, answer), handler_cancellation=True, access_log=None)
            runner = web.ServerRunner(server, shutdown_timeout=_SHUTDOWN_SECONDS)
            self._runners.append(runner)
            await runner.setup()
            await web.TCPSite(runner, "127.0.0.1", 0).start()
            self._origins[host] = f"http://127.0.0.1:{runner.addresses[0][1]}"

    async def aclose(self) -> None:
        """Stop; what waits with a connection in its hand lets go of it."""
        self._closing.set()
        # What asyncio accepts in one turn becomes a connection in the next; a server closed in between
        # forgets it. Timers are last in a turn: whoever waited for one comes after all that was accepted.
        await asyncio.sleep(_MOMENT)
        for site in [site for runner in self._runners for site in runner.sites]:
            await site.stop()
        while self._runners:
            await self._runners.pop().cleanup()

    async def _serve(self, answer: Answer, request: web.BaseRequest) -> web.StreamResponse:
        body = await request.read()
        # The answer is settled whole before it leaves, so that the next request meets all its consequences.
        return await deliver(request, answer(request, body), self._closing)
