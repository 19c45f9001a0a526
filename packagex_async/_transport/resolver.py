"""Host names to addresses on threads of its own, so that a default executor that is busy delays nobody."""

from __future__ import annotations

import asyncio
import errno
import socket
from collections.abc import Callable
from concurrent import futures
from typing import Any


class LoopbackError(OSError):
    """A name resolves to an address of this machine, which must not be connected to."""


class NoThreadError(OSError):
    """No thread could be started to look up a name."""


class Resolver:
    """The system's resolver, in the shape that aiohttp asks for.

    Args:
        is_loopback: Whether an address is one of this machine, which must not be connected to; `None` where
            it may be.
    """

    def __init__(self, is_loopback: Callable[[str], bool] | None = None) -> None:
        self._pool = futures.ThreadPoolExecutor(2, thread_name_prefix="packagex-resolve")
        self._is_loopback = is_loopback

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[dict[str, Any]]:
        """Return the addresses of `host`.

        Raises:
            LoopbackError: All of them are addresses of this machine, and these are not allowed.
            NoThreadError: No thread could be started.
            OSError: It has none, or they cannot be found out.
        """
        found = [
            {
                "hostname": host,
                "host": str(address[0]),
                "port": int(address[1]),
                "family": kind,
                "proto": protocol,
                "flags": socket.AI_NUMERICHOST | socket.AI_NUMERICSERV,
            }
            for kind, _, protocol, _, address in await self._look_up(host, port, family)
        ]
        is_loopback = self._is_loopback
        allowed = [entry for entry in found if is_loopback is None or not is_loopback(str(entry["host"]))]
        if found and not allowed:
            raise LoopbackError(errno.EADDRNOTAVAIL, "the name resolves to an address of this machine")
        return allowed

    async def close(self) -> None:
        """Let the threads go, without waiting for what they still look up."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    async def _look_up(self, host: str, port: int, family: socket.AddressFamily) -> list[Any]:
        try:
            # As bytes, so that no codec has to be imported when there are no file descriptors left.
            lookup = asyncio.get_running_loop().run_in_executor(
                self._pool,
                socket.getaddrinfo,
                host.encode(),
                port,
                family,
                socket.SOCK_STREAM,
                0,
                socket.AI_ADDRCONFIG,
            )
        except RuntimeError as error:
            raise NoThreadError(errno.EAGAIN, "no thread could be started") from error
        return await lookup
