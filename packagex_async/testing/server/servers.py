"""The two loopback servers: start and stop them together."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from functools import partial

from aiohttp import web

from packagex_async.testing.server.reply import Reply, send_reply
from packagex_async.testing.server.request import Host

_SHUTDOWN_SECONDS = 0.2
_MIN_DELAY = 1e-6

RequestHandler = Callable[[web.BaseRequest, bytes], Reply]
"""Takes a request and its body, and returns the response."""


class Servers:
    """An HTTP server on 127.0.0.1 for each host in `handlers`.

    Args:
        handlers: The handlers of requests.
        api_port: The port of the API; 0 means that the operating system chooses.
    """

    def __init__(self, handlers: Mapping[Host, RequestHandler], *, api_port: int = 0) -> None:
        self._handlers = handlers
        self._api_port = api_port
        self._closing = asyncio.Event()
        self._runners: list[web.ServerRunner] = []
        self._origins: dict[Host, str] = {}

    def __repr__(self) -> str:
        return ", ".join(self._origins.values()) or "not started"

    def origin(self, host: Host) -> str:
        """Return scheme, address and port of `host`. They remain available after closing.

        Raises:
            RuntimeError: The servers have not been started.
        """
        if host not in self._origins:
            raise RuntimeError("the emulator is not started: use it with `async with`, or call start()")
        return self._origins[host]

    async def start(self) -> None:
        """Listen on the ports.

        Raises:
            OSError: The port of the API is in use, or may not be used; no server is running then.
        """
        try:
            await self._listen()
        except BaseException:
            await self.aclose()
            raise

    async def _listen(self) -> None:
        for host, handler in self._handlers.items():
            # Cancel the handler when its client disconnects. No access log: it would contain signatures.
            server = web.Server(partial(self._serve, handler), handler_cancellation=True, access_log=None)
            runner = web.ServerRunner(server, shutdown_timeout=_SHUTDOWN_SECONDS)
            self._runners.append(runner)
            await runner.setup()
            await web.TCPSite(runner, "127.0.0.1", self._api_port if host == "api" else 0).start()
            self._origins[host] = f"http://127.0.0.1:{runner.addresses[0][1]}"

    async def aclose(self) -> None:
        """Stop the servers and close all connections, including stalled ones."""
        self._closing.set()
        # asyncio accepts a connection in one iteration of the loop and creates its protocol in the next. If
        # the server closes in between, the connection stays open. Timers run last in an iteration, so all
        # accepted connections have a protocol after this sleep.
        await asyncio.sleep(_MIN_DELAY)
        for site in [site for runner in self._runners for site in runner.sites]:
            await site.stop()
        while self._runners:
            await self._runners.pop().cleanup()

    async def _serve(self, handler: RequestHandler, request: web.BaseRequest) -> web.StreamResponse:
        body = await request.read()
        # The handler changes the data before the response is sent, so the next request sees all changes.
        reply = handler(request, body)
        try:
            return await send_reply(request, reply, self._closing)
        finally:
            reply.on_end()
