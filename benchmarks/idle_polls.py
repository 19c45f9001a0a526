"""The requests of a poll of a listing of 5,000 exports that does not change."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Sequence
from contextlib import aclosing
from itertools import pairwise

from table import Row

from packagex_async import Poll
from packagex_async.testing import Emulator

EXPORTS = 5000
POLLS = 120
PENDING = 40
"""Exports in progress in the second measurement."""


def idle_polls() -> list[Row]:
    """Return a row for a listing of final exports, and one for a listing with exports in progress."""
    rows = []
    for pending, goal in ((0, 1), (PENDING, None)):
        counts = asyncio.run(_requests_per_poll(pending))
        name = f"idle listing of {EXPORTS:,} exports" + (f", {pending} in progress" if pending else "")
        rows.append(Row(name, "requests per poll", counts, limit=3, goal=goal))
    return rows


async def _requests_per_poll(pending: int) -> Sequence[float]:
    """Return the number of requests of each poll after the first one, which reads the whole listing."""
    with tempfile.TemporaryDirectory() as folder:
        async with Emulator(populate=False, pending=None) as server, server.client() as px:
            start = server.now() - 12 * 3600
            for number in range(EXPORTS):
                status = "processing" if number < pending else "completed"
                server.add_export(status=status, created_at=start + number, content={"csv": b""})
            sent: list[int] = []
            has_ended = asyncio.Event()

            def on_poll(_: Poll) -> None:
                sent.append(len(server.requests))
                if len(sent) > POLLS:
                    has_ended.set()

            # No export has timed out, so nothing is downloaded.
            reports = px.exports.download_all(
                folder, follow=True, interval=0.001, statuses="timed_out", on_poll=on_poll
            )
            async with aclosing(reports):
                following = asyncio.ensure_future(anext(reports))
                ending = asyncio.create_task(has_ended.wait())
                await asyncio.wait([following, ending], return_when=asyncio.FIRST_COMPLETED)
                following.cancel()
                await asyncio.wait([following])
    return [float(after - before) for before, after in pairwise(sent)]
