"""A relay on loopback that simulates a distant server: it delays data and limits each connection.

It accepts connections on an inherited socket, and runs until its standard input ends.

nginx's own `limit_rate` is not used: it counts per request and allows a burst in the first second of each, so
that clients with small ranges would be faster than the line.
"""

from __future__ import annotations

import asyncio
import math
import socket
import sys
import time

_BLOCK = 16 * 1024
_AHEAD = 64
"""The number of blocks on their way in one direction; more than the line holds."""


class Line:
    """One direction of a connection.

    Args:
        delay: Seconds from one end to the other.
        rate: Bytes per second.
        opens: The time of the first byte.
    """

    def __init__(self, delay: float, rate: float, opens: float = 0) -> None:
        self._delay = delay
        self._rate = rate
        self._free = opens
        self._under_way: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue(_AHEAD)

    async def carry(self, source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
        """Copy all data, and then close the target."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._take(source))
            group.create_task(self._give(target))

    async def _take(self, source: asyncio.StreamReader) -> None:
        block = b"not the end"
        while block:
            block = await source.read(_BLOCK)
            self._free = max(self._free, time.monotonic()) + len(block) / self._rate
            await self._under_way.put((self._free + self._delay, block))

    async def _give(self, target: asyncio.StreamWriter) -> None:
        while True:
            due, block = await self._under_way.get()
            await asyncio.sleep(due - time.monotonic())
            if not block:
                break
            target.write(block)
            await target.drain()
        target.close()


async def serve(listening: socket.socket, port: int, delay: float, rate: float) -> None:
    """Relay from `listening` to `port` until standard input ends."""

    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        # The TCP handshake on loopback took no time; a distant server would complete it a round trip later.
        opens = time.monotonic() + 2 * delay
        answers, upstream = await asyncio.open_connection("127.0.0.1", port)
        # When one end closes, the relay closes the other.
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(Line(delay, math.inf, opens).carry(reader, upstream))
                group.create_task(Line(delay, rate).carry(answers, writer))
        except* ConnectionError:
            pass
        finally:
            upstream.close()
            writer.close()

    async with await asyncio.start_server(accept, sock=listening):
        await asyncio.to_thread(sys.stdin.read)


if __name__ == "__main__":
    _, descriptor, port, delay, rate = sys.argv
    asyncio.run(serve(socket.socket(fileno=int(descriptor)), int(port), float(delay), float(rate)))
