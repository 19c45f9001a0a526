"""Measure the memory of `download_all` with a large number of exports.

A server lists 100,000 exports of four artifacts each. An earlier run has downloaded all but the newest.
The figure is the peak resident memory above that of a process that has imported everything.

    python benchmarks/bulk_memory.py --check
"""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import json
import multiprocessing
import resource
import sys
import tempfile
import time
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from aiohttp import web

from packagex_async import Artifact, AsyncPackageX
from packagex_async._files.layouts import SUFFIXES
from packagex_async._sync.manifest import MANIFEST_NAME
from packagex_async._sync.manifest_entry import ManifestEntry

KEY = "px_benchmark"
MAX_MIB = 150
_MIB = 1024 * 1024
_BODY = b"1\n"
_SHA256 = hashlib.sha256(_BODY).hexdigest()
# Spawn new processes, so that they do not share memory with this one.
_CONTEXT = multiprocessing.get_context("spawn")


def listed_export(number: int, created_at: int) -> dict[str, Any]:
    """Return an export as it is listed: without URLs."""
    return {
        "id": f"exp_{number:022d}",
        "object": "export",
        "resource": "contact",
        "status": "completed",
        "name": f"contact export {number}",
        "count_total": 1,
        "created_at": created_at,
        "updated_at": created_at,
        "organization_id": "org_benchmark",
    }


class Server:
    """A server that generates its exports on request.

    Args:
        count: The number of exports.
        created_at: The creation time of all exports, in seconds since the epoch.
    """

    def __init__(self, count: int, created_at: int) -> None:
        self._count = count
        self._created_at = created_at
        self._url = ""

    async def run(self, connection: Connection) -> None:
        """Send the address, then serve until killed."""
        app = web.Application()
        app.add_routes(
            [
                web.get("/v1/exports", self._list),
                web.get("/v1/exports/{id}", self._retrieve),
                web.get("/file/{rest:.*}", self._file),
            ]
        )
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        self._url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        connection.send(self._url)
        await asyncio.Event().wait()

    async def _list(self, request: web.Request) -> web.Response:
        page, limit = int(request.query["page"]), int(request.query["limit"])
        numbers = range(self._count)[(page - 1) * limit : page * limit]
        pagination = {"page": page, "limit": limit, "has_more": page * limit < self._count}
        pagination["total_count"] = self._count
        data = [listed_export(number, self._created_at) for number in numbers]
        return web.json_response({"status": 200, "data": data, "pagination": pagination})

    async def _retrieve(self, request: web.Request) -> web.Response:
        export_id = request.match_info["id"]
        urls = {f"_{artifact}_url": f"{self._url}/file/{export_id}/{artifact}" for artifact in Artifact}
        return web.json_response(
            {"status": 200, "data": listed_export(int(export_id[4:]), self._created_at) | urls}
        )

    async def _file(self, _: web.Request) -> web.Response:
        return web.Response(body=_BODY)


def serve(count: int, created_at: int, connection: Connection) -> None:
    """Run the server process."""
    asyncio.run(Server(count, created_at).run(connection))


def fill(folder: Path, count: int, created_at: int) -> None:
    """Create `folder` with the first `count` exports."""
    moment = time.strftime("%Y-%m-%dT%H:%M:%S+00:00", time.gmtime(created_at))
    with (folder / MANIFEST_NAME).open("wb") as manifest:
        for number in range(count):
            export_id = f"exp_{number:022d}"
            for artifact in Artifact:
                name = export_id + SUFFIXES[artifact]
                (folder / name).write_bytes(_BODY)
                line = ManifestEntry(
                    export_id=export_id,
                    artifact=artifact.value,
                    path=name,
                    size=len(_BODY),
                    sha256=_SHA256,
                    verified="length",
                    when=moment,
                    updated_at=moment,
                )
                manifest.write(line.dump())


def download(url: str, folder: Path, connection: Connection) -> None:
    """Run the download process, and send its result at the end."""
    connection.send(asyncio.run(_download(url, folder)))


async def _download(url: str, folder: Path) -> dict[str, float]:
    exports = kept = fetched = 0
    async with AsyncPackageX(KEY, base_url=url) as px:
        await px.exports.pages(limit=1).__anext__()
        start, started_at = _peak(), time.monotonic()
        async for report in px.exports.download_all(folder):
            report.raise_for_failures()
            exports += 1
            kept += sum(file.kept for file in report.files)
            fetched += sum(not file.kept for file in report.files)
        seconds = time.monotonic() - started_at
    figures = {"exports": exports, "artifacts kept": kept, "artifacts fetched": fetched}
    memory = {"MiB at the start": start, "MiB at the most": _peak()}
    return {**figures, **memory, "MiB above the start": _peak() - start, "seconds": seconds}


def _peak() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / _MIB


def run(count: int, new: int) -> dict[str, float]:
    """Download the new ones of `count` exports, and return the figures."""
    created_at = int(time.time()) - 3600
    with tempfile.TemporaryDirectory() as place:
        fill(Path(place), count - new, created_at)
        ours, theirs = _CONTEXT.Pipe()
        server = _CONTEXT.Process(target=serve, args=(count, created_at, theirs), daemon=True)
        server.start()
        try:
            client = _CONTEXT.Process(target=download, args=(ours.recv(), Path(place), theirs))
            client.start()
            figures: dict[str, float] = ours.recv()
            client.join()
        finally:
            server.kill()
            server.join()
    return figures


def main() -> int:
    """Run the command line, print the figures, and return the exit status."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--exports", type=int, default=100_000, help="number of listed exports")
    parser.add_argument(
        "--new", type=int, default=2_000, help="number of exports that are not downloaded yet"
    )
    parser.add_argument("--json", type=Path, help="write the figures to this file")
    parser.add_argument("--check", action="store_true", help=f"exit with status 1 above {MAX_MIB} MiB")
    options = parser.parse_args()
    figures = run(options.exports, options.new)
    sys.stdout.write("\n".join(f"{name}: {figure:,.1f}" for name, figure in figures.items()) + "\n")
    if options.json is not None:
        options.json.write_text(json.dumps(figures, indent=2) + "\n")
    good = figures["MiB above the start"] <= MAX_MIB and figures["exports"] == options.exports
    return 1 if options.check and not good else 0


if __name__ == "__main__":
    sys.exit(main())
