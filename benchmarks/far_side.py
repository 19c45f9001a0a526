"""The emulator in a process of its own, on a bad day: one request in twenty meets a fault."""

from __future__ import annotations

import asyncio
import hashlib
import multiprocessing
import random
import time
from collections import Counter
from multiprocessing.connection import Connection

import attrs

from packagex_async.testing import (
    Cut,
    Emulator,
    Encoded,
    Expired,
    Fault,
    Garbage,
    IgnoreRange,
    LyingLength,
    NoHash,
    NoTag,
    Redirect,
    Refuse,
    Reset,
    Stall,
    Status,
    Transcoded,
    Trickle,
    Undeclared,
    WrongHash,
    WrongRange,
)
from packagex_async.testing.data.store import LIFETIME, Store
from packagex_async.testing.server.reply import Reply
from packagex_async.testing.server.request import RecordedRequest

_CONTEXT = multiprocessing.get_context("spawn")
_ARTIFACTS = ("json", "csv", "csv_error", "csv_sanitized")
_SIZE = 8 * 1024
_SHARE = 0.05

_API: tuple[Fault, ...] = (
    Status(429, retry_after="1", on="api"),
    Status(500, on="api"),
    Status(503, on="api"),
    Garbage(),
    Cut(20, on="api"),
    Reset(20, on="api"),
    Refuse(on="api"),
)
_STORAGE: tuple[Fault, ...] = (
    Status(403, on="storage"),
    Status(429, retry_after="1", on="storage"),
    Status(500, on="storage"),
    Status(503, on="storage"),
    Cut(1000),
    Reset(1000),
    Stall(1000),
    Trickle(1024, 0.01),
    Refuse(),
    Redirect(),
    LyingLength(100),
    LyingLength(-100),
    Expired(),
    IgnoreRange(),
    WrongRange(10),
    NoHash(),
    NoTag(),
    Undeclared(),
    Encoded(),
    Transcoded(),
    WrongHash(),
)


@attrs.frozen
class Weather(Fault):
    """Every kind of fault, one request in twenty.

    Attributes:
        dice: Who is struck, and with what.
        struck: How often each kind has struck.
    """

    dice: random.Random
    struck: Counter[str] = attrs.field(factory=Counter)
    _met: list[Fault] = attrs.field(factory=list)

    def rewrite_request(self, request: RecordedRequest, store: Store) -> RecordedRequest:
        met = Fault()
        fault = self.dice.choice(_API if request.host == "api" else _STORAGE)
        if self.dice.random() < _SHARE and fault.matches(request):
            met = fault
            self.struck[type(fault).__name__] += 1
        self._met.append(met)
        return met.rewrite_request(request, store)

    def rewrite_response(self, reply: Reply, request: RecordedRequest) -> Reply:
        return self._met.pop().rewrite_response(reply, request)


@attrs.frozen
class Truth:
    """What the far side holds.

    Attributes:
        alive: The SHA-256 of each artifact of each export that still lives.
        dead: Likewise, of the exports that have expired.
        requests: How many requests there were to each host.
        struck: How often each kind of fault has struck.
        appearing: How many exports are still to appear.
    """

    alive: dict[str, dict[str, str]]
    dead: dict[str, dict[str, str]]
    requests: Counter[str]
    struck: Counter[str]
    appearing: int


class FarSide:
    """The running far side.

    Args:
        exports: How many exports there are at the beginning.
        seed: What its dice are made from.

    Attributes:
        base_url: Where it is.
        api_key: The key it accepts.
    """

    def __init__(self, exports: int, seed: int) -> None:
        self._pipe, theirs = _CONTEXT.Pipe()
        self._process = _CONTEXT.Process(target=_serve, args=(exports, seed, theirs), daemon=True)
        self._process.start()
        self.base_url, self.api_key = self._pipe.recv()

    def truth(self) -> Truth:
        """What it holds now."""
        self._pipe.send(None)
        truth: Truth = self._pipe.recv()
        return truth

    def close(self) -> None:
        """End it."""
        self._process.kill()
        self._process.join()


def _serve(exports: int, seed: int, pipe: Connection) -> None:
    asyncio.run(_Day(exports, seed).run(pipe))


class _Day:
    """The server's side of it."""

    def __init__(self, exports: int, seed: int) -> None:
        self._dice = random.Random(seed)
        self._hashes: dict[str, dict[str, str]] = {}
        self._server = Emulator(populate=False)
        self._weather = Weather(random.Random(seed))
        self._server.inject(self._weather, times=None)
        self._more = exports // 20
        now = time.time()
        for number in range(exports):
            # One in twenty expires within the next minutes.
            span = (5, 240) if number < exports // 20 else (3600, LIFETIME)
            self._add(now + self._dice.uniform(*span) - LIFETIME)

    async def run(self, pipe: Connection) -> None:
        async with self._server as server:
            pipe.send((server.base_url, server.api_key))
            while True:
                await asyncio.sleep(0.05)
                if self._more:
                    self._more -= 1
                    self._add(time.time())
                if pipe.poll():
                    pipe.recv()
                    pipe.send(self._truth())

    def _add(self, created_at: float) -> None:
        content = {name: self._dice.randbytes(self._dice.randint(0, _SIZE)) for name in _ARTIFACTS}
        export = self._server.add_export(content=content, created_at=created_at)
        self._hashes[export.id] = {name: hashlib.sha256(body).hexdigest() for name, body in content.items()}

    def _truth(self) -> Truth:
        alive = {export.id for export in self._server.exports}
        return Truth(
            alive={name: hashes for name, hashes in self._hashes.items() if name in alive},
            dead={name: hashes for name, hashes in self._hashes.items() if name not in alive},
            requests=Counter(request.host for request in self._server.requests),
            struck=self._weather.struck,
            appearing=self._more,
        )
