"""How much memory a bulk download takes, however many exports there are.

A server lists 100,000 exports of four artifacts each; the folder has all but the newest of them from a run
before. Told is how far the resident memory rises above that of a process that has imported everything.

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

from aiohttp import web

from packagex_async import Artifact, AsyncPackageX
from packagex_async._files.layouts import SUFFIXES
from packagex_async._sync.manifest import NAME
from packagex_async._sync.manifest_entry import ManifestEntry

KEY = "px_benchmark"
MAX_MIB = 150
_MIB = 1024 * 1024
_BODY = b"1\n"
_SHA256 = hashlib.sha256(_BODY).hexdigest()
# Processes of their own, that begin with nothing of this one.
_CONTEXT = multiprocessing.get_context("spawn")


def _export(number: int, started_at: int) -> dict[str, object]:
    return {
        "id": f"exp_{number:022d}",
        "object": "export",
        "resource": "contact",
        "status": "completed",
        "name": f"contact export {number}",
        "count_total": 1,
        "created_at": started_at,
        "updated_at": started_at,
        "organization_id": "org_benchmark",
    }


class Server:
    """A far side that makes its exports up as they are asked for.

    Args:
        count: How many.
        began: When all of them were made, in seconds since the epoch.
    """

    def __init__(self, count: int, started_at: int) -> None:
        self._count = count
        self._began = started_at
        self._url = ""

    async def run(self, pipe: Connection) -> None:
        """Serve until killed; the address is told first."""
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
        pipe.send(self._url)
        await asyncio.Event().wait()

    async def _list(self, request: web.Request) -> web.Response:
        page, limit = int(request.query["page"]), int(request.query["limit"])
        numbers = range(self._count)[(page - 1) * limit : page * limit]
        pagination = {"page": page, "limit": limit, "has_more": page * limit < self._count}
        pagination["total_count"] = self._count
        data = [_export(number, self._began) for number in numbers]
        return web.json_response({"status": 200, "data": data, "pagination": pagination})

    async def _retrieve(self, request: web.Request) -> web.Response:
        export_id = request.match_info["id"]
        urls = {f"_{artifact}_url": f"{self._url}/file/{export_id}/{artifact}" for artifact in Artifact}
        return web.json_response({"status": 200, "data": _export(int(export_id[4:]), self._began) | urls})

    async def _file(self, _: web.Request) -> web.Response:
        return web.Response(body=_BODY)


def serve(count: int, started_at: int, pipe: Connection) -> None:
    """The server's process."""
    asyncio.run(Server(count, started_at).run(pipe))


def fill(folder: Path, count: int, started_at: int) -> None:
    """Make `folder` one that has the first `count` exports."""
    moment = time.strftime("%Y-%m-%dT%H:%M:%S+00:00", time.gmtime(started_at))
    with (folder / NAME).open("wb") as manifest:
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


def download(url: str, folder: Path, pipe: Connection) -> None:
    """The download's process: what came of it is told at its end."""
    pipe.send(asyncio.run(_download(url, folder)))


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
    """Download what is new of `count` exports; return the figures."""
    started_at = int(time.time()) - 3600
    with tempfile.TemporaryDirectory() as folder:
        fill(Path(folder), count - new, started_at)
        parent_pipe, child_pipe = _CONTEXT.Pipe()
        server = _CONTEXT.Process(target=serve, args=(count, started_at, child_pipe), daemon=True)
        server.start()
        try:
            client = _CONTEXT.Process(target=download, args=(parent_pipe.recv(), Path(folder), child_pipe))
            client.start()
            figures: dict[str, float] = parent_pipe.recv()
            client.join()
        finally:
            server.kill()
            server.join()
    return figures


def main() -> int:
    """Run it as the command line says; print the figures, and return the exit status."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--exports", type=int, default=100_000, help="how many are listed")
    parser.add_argument("--new", type=int, default=2_000, help="how many of them are not in the folder yet")
    parser.add_argument("--json", type=Path, help="a file for the figures")
    parser.add_argument("--check", action="store_true", help=f"fail when it takes more than {MAX_MIB} MiB")
    options = parser.parse_args()
    figures = run(options.exports, options.new)
    sys.stdout.write("\n".join(f"{name}: {figure:,.1f}" for name, figure in figures.items()) + "\n")
    if options.json is not None:
        options.json.write_text(json.dumps(figures, indent=2) + "\n")
    good = figures["MiB above the start"] <= MAX_MIB and figures["exports"] == options.exports
    return 1 if options.check and not good else 0


if __name__ == "__main__":
    sys.exit(main())
