"""Runs web applications as servers do: aiohttp on the loopback interface, ASGI without a socket."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, MutableMapping
from contextlib import asynccontextmanager
from typing import Any

import attrs
from aiohttp import ClientSession, web

Message = MutableMapping[str, Any]
App = Callable[
    [Message, Callable[[], Awaitable[Message]], Callable[[Message], Awaitable[None]]], Awaitable[None]
]

# Up to version 2.3, an application receives `http.disconnect`; from 2.4 on, `send` fails instead.
_ASGI = {"version": "3.0", "spec_version": "2.3"}


@asynccontextmanager
async def serve(app: web.Application, **options: Any) -> AsyncIterator[ClientSession]:
    """Serve an aiohttp application like `web.run_app` with these `options`; yield a client session."""
    runner = web.AppRunner(app, **options)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        async with ClientSession(site.name) as session:
            yield session
    finally:
        await runner.cleanup()


@attrs.define
class AsgiResponse:
    """The response of an ASGI application.

    Attributes:
        status: The HTTP status.
        headers: The headers, with names in lower case.
        body: The received bytes.
        complete: Whether the application has completed the body.
    """

    status: int = 0
    headers: dict[str, str] = attrs.field(factory=dict)
    body: bytes = b""
    complete: bool = False


@asynccontextmanager
async def run_lifespan(app: App) -> AsyncIterator[None]:
    """Run an ASGI application, from its startup to its shutdown."""
    requests: asyncio.Queue[Message] = asyncio.Queue()
    replies: asyncio.Queue[Message] = asyncio.Queue()
    async with asyncio.TaskGroup() as group:
        group.create_task(_run(app, {"type": "lifespan", "asgi": _ASGI}, requests.get, replies.put))
        for stage in ("startup", "shutdown"):
            requests.put_nowait({"type": f"lifespan.{stage}"})
            reply = await replies.get()
            assert reply["type"] == f"lifespan.{stage}.complete", reply
            if stage == "startup":
                yield


async def send_request(
    app: App, target: str, *, method: str = "GET", disconnect: bool = False
) -> AsgiResponse:
    """Return the response of an ASGI application to one request.

    Args:
        app: The running application.
        target: The path and query.
        method: The HTTP method.
        disconnect: Whether the client disconnects after the first bytes of the body.
    """
    response, disconnected, requested = AsgiResponse(), asyncio.Event(), asyncio.Event()
    path, _, query = target.partition("?")
    scope: Message = {
        "type": "http", "asgi": _ASGI, "http_version": "1.1", "method": method, "scheme": "http",
        "path": path, "raw_path": path.encode(), "query_string": query.encode(), "root_path": "",
        "headers": [], "client": ("127.0.0.1", 1), "server": ("127.0.0.1", 2),
    }  # fmt: skip

    async def receive() -> Message:
        if requested.is_set():
            await disconnected.wait()
            return {"type": "http.disconnect"}
        requested.set()
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Message) -> None:
        if message["type"] == "http.response.start":
            response.status = message["status"]
            response.headers = {name.decode(): value.decode() for name, value in message["headers"]}
            return
        response.body += message.get("body", b"")
        response.complete = not message.get("more_body", False)
        if disconnect and response.body:
            disconnected.set()
            # The connection accepts no more bytes, because the client does not read.
            await asyncio.Event().wait()

    await app(scope, receive, send)
    return response


async def _run(app: App, *asgi: Any) -> None:
    await app(*asgi)
