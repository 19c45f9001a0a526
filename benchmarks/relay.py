"""A relay on loopback that simulates a distant server: it delays data and limits each connection.

It accepts connections on an inherited socket, and runs until its standard input ends.

nginx's own `limit_rate` is not used: it counts per request and allows a burst in the first second of each, so
that clients with small ranges would be faster than the line.
"""

from __future__ import annotations

import asyncio
import math
import random
import socket
import sys
import time
from collections.abc import Callable

_BLOCK = 16 * 1024
_AHEAD = 64
"""The number of blocks on their way in one direction; more than the line holds."""

_SEGMENT = 1460
"""Bytes of a TCP segment in an Ethernet frame."""

_INITIAL_WINDOW = 10
"""Segments; RFC 6928."""

_MIN_WINDOW = 2

Pace = Callable[[int], float]
"""Returns the seconds between the start of a block of this size and the start of the next one."""


def constant_rate(rate: float) -> Pace:
    """Return the pace of a line with `rate` bytes per second."""
    return lambda size: size / rate


class CongestionWindow:
    """The pace of one TCP connection whose segments are lost at random, as in RFC 5681 (Reno).

    The window is the number of segments per round trip. Each delivered segment adds the reciprocal of the
    window to it, or one during slow start. Slow start ends at the mean window for this loss,
    sqrt(3 / (2 loss)): Linux keeps the threshold of earlier connections to the same host. A lost segment
    halves the window, but further losses within the same round trip do not. Nothing else happens: the
    connection continues while the segment is sent again (fast retransmit).

    Args:
        round_trip: The seconds from a segment to its acknowledgement.
        loss: The probability that a segment is lost.
    """

    def __init__(self, round_trip: float, loss: float) -> None:
        self._round_trip = round_trip
        self._loss = loss
        self._window = float(_INITIAL_WINDOW)
        self._threshold = math.sqrt(3 / (2 * loss))
        self._until_next_halving = 0.0

    def __call__(self, size: int) -> float:
        """Send `size` bytes; return the seconds that this takes."""
        seconds = 0.0
        for _ in range(math.ceil(size / _SEGMENT)):
            seconds += self._round_trip / self._window
            self._until_next_halving -= 1
            if random.random() >= self._loss:
                self._window += 1 if self._window < self._threshold else 1 / self._window
            elif self._until_next_halving <= 0:
                self._until_next_halving = self._window
                self._window = max(self._window / 2, _MIN_WINDOW)
                self._threshold = self._window
        return seconds


class Line:
    """One direction of a connection.

    Args:
        delay: Seconds from one end to the other.
        pace: How fast it takes data.
        opens: The time of the first byte.
    """

    def __init__(self, delay: float, pace: Pace, opens: float = 0) -> None:
        self._delay = delay
        self._pace = pace
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
            self._free = max(self._free, time.monotonic()) + self._pace(len(block))
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


async def serve(listening: socket.socket, port: int, delay: float, new_pace: Callable[[], Pace]) -> None:
    """Relay from `listening` to `port` until standard input ends; each connection has a pace of its own."""

    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        # The TCP handshake on loopback took no time; a distant server would complete it a round trip later.
        opens = time.monotonic() + 2 * delay
        answers, upstream = await asyncio.open_connection("127.0.0.1", port)
        # When one end closes, the relay closes the other.
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(Line(delay, constant_rate(math.inf), opens).carry(reader, upstream))
                group.create_task(Line(delay, new_pace()).carry(answers, writer))
        except* ConnectionError:
            pass
        finally:
            upstream.close()
            writer.close()

    async with await asyncio.start_server(accept, sock=listening):
        await asyncio.to_thread(sys.stdin.read)


def main() -> None:
    """Run the command line: a descriptor, a port, a delay, a rate, and a probability of loss."""
    descriptor, port = map(int, sys.argv[1:3])
    delay, rate, loss = map(float, sys.argv[3:])

    def new_pace() -> Pace:
        return CongestionWindow(2 * delay, loss) if loss else constant_rate(rate)

    asyncio.run(serve(socket.socket(fileno=descriptor), port, delay, new_pace))


if __name__ == "__main__":
    main()
