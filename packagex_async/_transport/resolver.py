"""Name resolution on dedicated threads, independent of a busy default executor of the event loop."""

from __future__ import annotations

import asyncio
import errno
import socket
from collections.abc import Callable
from concurrent import futures
from typing import Any


class LoopbackError(OSError):
    """A name resolves to an address of this machine, which is not allowed."""


class NoThreadError(OSError):
    """No thread could be started to resolve a name."""


class Resolver:
    """The system's resolver, with the interface of `aiohttp.abc.AbstractResolver`.

    Args:
        is_loopback: Returns whether an address is one of this machine. These addresses are refused. `None`
            allows all addresses.
    """

    def __init__(self, is_loopback: Callable[[str], bool] | None = None) -> None:
        self._pool = futures.ThreadPoolExecutor(2, thread_name_prefix="packagex-resolve")
        self._is_loopback = is_loopback

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[dict[str, Any]]:
        """Return the addresses of `host`.

        Raises:
            LoopbackError: All addresses are those of this machine, which are refused.
            NoThreadError: No thread could be started.
            OSError: The name could not be resolved.
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
        """Stop the threads, without waiting for running lookups."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    async def _look_up(self, host: str, port: int, family: socket.AddressFamily) -> list[Any]:
        try:
            # Bytes need no codec, whose import fails if no file descriptors are left.
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
