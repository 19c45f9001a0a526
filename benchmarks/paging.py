"""Compare a listing of 100 pages of 100 exports with and without prefetching, at 40 ms per page.

The server is a minimal one in a separate process, and its pages are made before the clock starts. Only the
client is measured: requests, decoding, and the loop over all exports.

    python benchmarks/paging.py --rounds 5 --json paging.json
"""

from __future__ import annotations

import argparse
import asyncio
import json
import multiprocessing
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection
from pathlib import Path
from statistics import median
from typing import Any

from packagex_async import AsyncPackageX

PAGES = 100
LIMIT = 100
DELAY = 0.040
"""Seconds between a request and its response."""

PLAIN = 0
WINDOWS = (16, 8)
"""The values of `prefetch` that are compared with 0; the first is the default."""

_CREATED = 1_714_564_800
_DATE = "Wed, 01 May 2024 18:00:00 GMT"


def _export(number: int) -> dict[str, Any]:
    export_id = f"exp_{number:022d}"
    urls = {
        name: f"https://storage.example/{export_id}{name}?sig={number:064x}"
        for name in ("_json_url", "_csv_url", "_csv_error_url", "_csv_sanitized_url")
    }
    return {
        "id": export_id,
        "object": "export",
        "resource": "contact",
        "status": "completed",
        "name": f"contact export {number}",
        "count_batches": 4,
        "count_total": 2000,
        "created_at": _CREATED + number,
        "updated_at": _CREATED + number + 60,
        "organization_id": "org_emulated",
        **urls,
    }


def _answer(page: int) -> bytes:
    body = json.dumps(
        {
            "status": 200,
            "message": "Exports retrieved successfully.",
            "data": [_export(number) for number in range((page - 1) * LIMIT, page * LIMIT)],
            "errors": [],
            "error_code": None,
            "pagination": {
                "limit": LIMIT,
                "page": page,
                "has_more": page < PAGES,
                "total_count": PAGES * LIMIT,
            },
            "events": [],
            "endpoint": "/v1/exports",
        }
    ).encode()
    head = {"Content-Type": "application/json", "Date": _DATE, "Content-Length": len(body)}
    lines = ["HTTP/1.1 200 OK", *(f"{name}: {text}" for name, text in head.items()), "\r\n"]
    return "\r\n".join(lines).encode() + body


class _Slow(asyncio.Protocol):
    """A connection: reads the page number from the request line, and responds after `DELAY` seconds."""

    def __init__(self, answers: list[bytes]) -> None:
        self._answers = answers
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport if isinstance(transport, asyncio.Transport) else None

    def data_received(self, data: bytes) -> None:
        page = int(data.partition(b"page=")[2].partition(b"&")[0])
        asyncio.get_running_loop().call_later(DELAY, self._send, self._answers[page - 1])

    def _send(self, answer: bytes) -> None:
        if self._transport is not None and not self._transport.is_closing():
            self._transport.write(answer)


def _serve(ports: Connection) -> None:
    async def run() -> None:
        answers = [_answer(page) for page in range(1, PAGES + 1)]
        server = await asyncio.get_running_loop().create_server(lambda: _Slow(answers), "127.0.0.1", 0)
        ports.send(server.sockets[0].getsockname()[1])
        # The pipe closes when the parent ends, however it ends.
        await asyncio.get_running_loop().run_in_executor(None, ports.poll, None)
        server.close()

    asyncio.run(run())


@contextmanager
def _far_side() -> Iterator[str]:
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=_serve, args=(theirs,), daemon=True)
    process.start()
    theirs.close()
    try:
        yield f"http://127.0.0.1:{ours.recv()}"
    finally:
        ours.close()
        process.join()


async def _seconds(base_url: str, prefetch: int) -> float:
    async with AsyncPackageX("px_benchmark", base_url=base_url) as px:
        started_at = time.perf_counter()
        ids = {export.id async for export in px.exports.list(limit=LIMIT, prefetch=prefetch)}
        took = time.perf_counter() - started_at
    if len(ids) != PAGES * LIMIT:
        raise RuntimeError(f"{len(ids)} exports were listed, not {PAGES * LIMIT}")
    return took


def times(rounds: int) -> list[dict[int, float]]:
    """Return the seconds of the listing for each value of `prefetch`, round by round, after a warm-up."""
    with _far_side() as base_url:
        asyncio.run(_seconds(base_url, WINDOWS[0]))
        return [
            {prefetch: asyncio.run(_seconds(base_url, prefetch)) for prefetch in (PLAIN, *WINDOWS)}
            for _ in range(rounds)
        ]


def measure(rounds: int) -> dict[str, Any]:
    """Time the listing with each value of `prefetch` in turn, after a warm-up.

    Returns:
        For each value of `prefetch`, as a string: the `seconds` of each round, their `median`, `min` and
        `max`, and the `ratio` of its median to that without prefetching.
    """
    played = times(rounds)
    by_window = {prefetch: [seconds[prefetch] for seconds in played] for prefetch in (PLAIN, *WINDOWS)}
    plain = median(by_window[PLAIN])
    return {
        str(prefetch): {
            "seconds": seconds,
            "median": median(seconds),
            "min": min(seconds),
            "max": max(seconds),
            "ratio": median(seconds) / plain,
        }
        for prefetch, seconds in by_window.items()
    }


def table(figures: dict[str, Any]) -> str:
    """Return the figures as a Markdown table."""
    rows = [
        f"| {prefetch} | {row['median']:.3f} | {row['min']:.3f}-{row['max']:.3f} | {row['ratio']:.3f} |"
        for prefetch, row in figures.items()
    ]
    head = ["| prefetch | median, s | min-max, s | to page after page |", "|---:|---:|---:|---:|"]
    return "\n".join([*head, *rows])


def main() -> int:
    """Run the command line, and print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=5, help="number of rounds")
    parser.add_argument("--json", type=Path, help="write the figures to this file")
    options = parser.parse_args()
    figures = measure(options.rounds)
    sys.stdout.write(table(figures) + "\n")
    if options.json is not None:
        options.json.write_text(json.dumps(figures, indent=2) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
