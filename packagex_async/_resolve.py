"""Host names to addresses on threads of its own, so that a default executor that is busy delays nobody."""

from __future__ import annotations

import asyncio
import socket
from concurrent import futures
from typing import Any


class Resolver:
    """The system's resolver, in the shape that aiohttp asks for."""

    def __init__(self) -> None:
        self._pool = futures.ThreadPoolExecutor(2, thread_name_prefix="packagex-resolve")

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[dict[str, Any]]:
        """The addresses of `host`.

        Raises:
            OSError: It has none, or they cannot be found out.
        """
        found = await asyncio.get_running_loop().run_in_executor(
            self._pool, socket.getaddrinfo, host, port, family, socket.SOCK_STREAM, 0, socket.AI_ADDRCONFIG
        )
        return [
            {
                "hostname": host,
                "host": str(address[0]),
                "port": int(address[1]),
                "family": kind,
                "proto": protocol,
                "flags": socket.AI_NUMERICHOST | socket.AI_NUMERICSERV,
            }
            for kind, _, protocol, _, address in found
        ]

    async def close(self) -> None:
        """Let the threads go, without waiting for what they still look up."""
        self._pool.shutdown(wait=False, cancel_futures=True)
