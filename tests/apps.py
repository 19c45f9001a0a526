"""Web applications run as servers run them: aiohttp's on the loopback, ASGI's without a socket."""

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

# Up to 2.3 an application is told that its visitor has left; from 2.4 on, what it sends fails.
_ASGI = {"version": "3.0", "spec_version": "2.3"}


@asynccontextmanager
async def visited(app: web.Application, **options: Any) -> AsyncIterator[ClientSession]:
    """A visitor of an aiohttp application, which is served as `web.run_app` serves it, with its `options`."""
    runner = web.AppRunner(app, **options)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        async with ClientSession(site.name) as visitor:
            yield visitor
    finally:
        await runner.cleanup()


@attrs.define
class Answer:
    """What an ASGI application answered.

    Attributes:
        status: The HTTP status.
        body: The bytes that came.
        whole: Whether the application has ended the body.
    """

    status: int = 0
    body: bytes = b""
    whole: bool = False


@asynccontextmanager
async def started(app: App) -> AsyncIterator[None]:
    """An ASGI application, between its start-up and its shutdown."""
    orders: asyncio.Queue[Message] = asyncio.Queue()
    replies: asyncio.Queue[Message] = asyncio.Queue()
    async with asyncio.TaskGroup() as group:
        group.create_task(_run(app, {"type": "lifespan", "asgi": _ASGI}, orders.get, replies.put))
        for stage in ("startup", "shutdown"):
            orders.put_nowait({"type": f"lifespan.{stage}"})
            reply = await replies.get()
            assert reply["type"] == f"lifespan.{stage}.complete", reply
            if stage == "startup":
                yield


async def ask(app: App, target: str, *, method: str = "GET", leaves: bool = False) -> Answer:
    """An ASGI application's answer to one request.

    Args:
        app: The application, started.
        target: Path and query.
        method: The HTTP method.
        leaves: Whether the visitor is gone after the first bytes of the body.
    """
    answer, gone, asked = Answer(), asyncio.Event(), asyncio.Event()
    path, _, query = target.partition("?")
    scope: Message = {
        "type": "http", "asgi": _ASGI, "http_version": "1.1", "method": method, "scheme": "http",
        "path": path, "raw_path": path.encode(), "query_string": query.encode(), "root_path": "",
        "headers": [], "client": ("127.0.0.1", 1), "server": ("127.0.0.1", 2),
    }  # fmt: skip

    async def receive() -> Message:
        if asked.is_set():
            await gone.wait()
            return {"type": "http.disconnect"}
        asked.set()
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Message) -> None:
        if message["type"] == "http.response.start":
            answer.status = message["status"]
            return
        answer.body += message.get("body", b"")
        answer.whole = not message.get("more_body", False)
        if leaves and answer.body:
            gone.set()
            # Nothing more fits into a connection that nobody reads from.
            await asyncio.Event().wait()

    await app(scope, receive, send)
    return answer


async def _run(app: App, *asgi: Any) -> None:
    await app(*asgi)
