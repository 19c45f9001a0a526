"""Measure the figures from which the page on capacity planning extrapolates.

    python benchmarks/scale.py --results benchmarks/results

Each figure is measured in a separate process, once. Requests are counted by the servers: the emulator, and
moto for the bucket. Figures in seconds are from one machine, and are only good for an estimate.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import multiprocessing
import os
import re
import resource
import socket
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import aclosing, contextmanager
from functools import partial
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

from bulk_memory import KEY, serve

from packagex_async import Artifact, AsyncPackageX, Bucket
from packagex_async._files.layouts import SUFFIXES
from packagex_async._sync.manifest import MANIFEST_NAME, Manifest
from packagex_async._sync.manifest_entry import ManifestEntry
from packagex_async.testing import Emulator, serve_in_thread

ENTRIES = (50_000, 1_000_000, 4_000_000)
"""The numbers of entries of the manifests; each artifact of an export has an entry."""

LISTED = 100_000
COUNTED = 50
"""The numbers of exports that are listed, and whose requests are counted."""

CHANGING = 200
"""The number of pages of a listing that changes."""

MIB = 1024 * 1024
SMALL, LARGE = 20 * 1024, 25 * MIB
"""The bytes of an artifact. A large one is written to a bucket in parts."""

_BUCKET = "bench"
_START_SECONDS = 60.0
_CONTEXT = multiprocessing.get_context("spawn")
_REQUEST = re.compile(r'"([A-Z]+) (/bench[^ ]*) HTTP')

Figures = dict[str, float]


def manifest(entries: int) -> Figures:
    """Measure the opening of a manifest, and the look-up of one export in it."""
    with tempfile.TemporaryDirectory() as folder:
        _write_manifest(Path(folder, MANIFEST_NAME), entries)
        size = Path(folder, MANIFEST_NAME).stat().st_size
        return {"MiB of the file": size / MIB} | _in_process(_open_manifest, folder)


def _write_manifest(path: Path, entries: int) -> None:
    entry = ManifestEntry(
        export_id=f"exp_{0:022d}",
        artifact="csv",
        path=f"exp_{0:022d}.csv",
        size=SMALL,
        sha256="0" * 64,
        verified="checksum",
        when="2024-05-01T02:00:07+00:00",
        updated_at="2024-05-01T01:12:40+00:00",
    )
    lines = {name: entry.dump().replace(b'"csv"', b'"%s"' % name.encode()) for name in SUFFIXES}
    with path.open("wb") as file:
        for number in range(entries // len(lines)):
            export_id = b"exp_%022d" % number
            file.writelines(line.replace(b"exp_%022d" % 0, export_id) for line in lines.values())


def _open_manifest(folder: str) -> Figures:
    opened = Manifest(Path(folder))
    with _measured() as figures:
        found = opened.find(f"exp_{1:022d}", list(SUFFIXES))
    if len(found) != len(SUFFIXES):
        raise RuntimeError(f"{len(found)} entries were found")
    opened.close()
    return figures


def listing(exports: int, method: str) -> Figures:
    """Measure a listing of many exports, 100 per page, with `list` or `watch`."""
    ours, theirs = _CONTEXT.Pipe()
    server = _CONTEXT.Process(target=serve, args=(exports, int(time.time()), theirs), daemon=True)
    server.start()
    try:
        return _in_process(_list_all, ours.recv(), exports, method)
    finally:
        server.kill()
        server.join()


def _list_all(url: str, exports: int, method: str) -> Figures:
    async def run() -> Figures:
        async with AsyncPackageX(KEY, base_url=url) as px:
            await anext(px.exports.pages(limit=1))
            with _measured() as figures:
                async with aclosing(getattr(px.exports, method)()) as listed:
                    for _ in range(exports):
                        await anext(listed)
        return figures

    return asyncio.run(run())


def changing_listing(pages: int) -> Figures:
    """Count the requests of a listing while an export is created and another is deleted after each page."""
    limit = 10
    with serve_in_thread(Emulator(populate=False, api_key=KEY)) as server:
        now = time.time()
        for number in range(pages * limit):
            server.add_export(content={}, created_at=now - 3600 + number)

        def change(_: int) -> None:
            server.delete_export(server.exports[0].id)
            server.add_export(content={})

        server.after_list = change

        async def run() -> None:
            async with server.client() as px:
                async for _ in px.exports.list(limit=limit):
                    pass

        asyncio.run(run())
        return {"requests per page": len(server.requests) / pages}


def objects(count: int) -> Figures:
    """Measure the listing of the objects of a bucket, which a run of `download_all` begins with."""
    with (
        tempfile.TemporaryDirectory() as folder,
        serve_in_thread(Emulator(populate=False, api_key=KEY)) as server,
    ):
        for number in range(count):
            Path(folder, f"exp_{number:022d}.csv").touch()
        return _in_process(_open_bucket, server.base_url, folder)


def _open_bucket(url: str, folder: str) -> Figures:
    from obstore.store import LocalStore

    async def run() -> Figures:
        async with AsyncPackageX(KEY, base_url=url) as px:
            await anext(px.exports.pages(limit=1))
            with _measured() as figures:
                async for _ in px.exports.download_all(Bucket(LocalStore(folder))):
                    pass
        return figures

    return asyncio.run(run())


def requests(size: int, *, bucket: bool, method: str = "download_all") -> Figures:
    """Count the requests of two runs, per export with four artifacts of `size` bytes.

    Args:
        size: The bytes of an artifact.
        bucket: Whether the destination is a bucket, and not a directory.
        method: `download_all`, or `download` for each export.
    """
    content = {artifact.value: os.urandom(size) for artifact in Artifact}
    exports = COUNTED if size == SMALL else COUNTED // 10
    figures: Figures = {}
    with (
        tempfile.TemporaryDirectory() as folder,
        _s3_server(Path(folder, "log")) as environment,
        serve_in_thread(Emulator(populate=False, api_key=KEY)) as server,
    ):
        for _ in range(exports):
            server.add_export(content=content)
        for run in ("first", "second"):
            logged = Path(folder, "log").stat().st_size
            server.requests.clear()
            destination = "" if bucket else str(Path(folder, "exports"))
            measured = _in_process(_download, method, server.base_url, destination, environment)
            counts = Counter(f"requests to the {request.host}" for request in server.requests)
            with Path(folder, "log").open(encoding="utf-8") as log:
                log.seek(logged)
                counts += Counter(_kind(*found) for found in _REQUEST.findall(log.read()))
            figures |= {f"{run} run: {name}": count / exports for name, count in sorted(counts.items())}
            if run == "first" and size == LARGE:
                figures["CPU seconds per GiB"] = measured["CPU seconds"] / (exports * 4 * size / 1024**3)
    return figures


def _kind(method: str, target: str) -> str:
    if method == "GET":
        return "list requests to the bucket" if "?" in target else "reads from the bucket"
    return "deletions in the bucket" if method == "DELETE" else "writes to the bucket"


def _download(method: str, url: str, folder: str, environment: dict[str, str]) -> Figures:
    os.environ |= environment

    async def run() -> Figures:
        destination: Any = folder or Bucket(f"s3://{_BUCKET}/exports")
        async with AsyncPackageX(KEY, base_url=url) as px:
            with _measured() as figures:
                if method == "download_all":
                    async for report in px.exports.download_all(destination):
                        report.raise_for_failures()
                else:
                    async for export in px.exports.list():
                        await px.exports.download(export.id, destination)
        return figures

    return asyncio.run(run())


@contextmanager
def _measured() -> Iterator[Figures]:
    """Yield the figures of the block, which are complete at its end."""
    figures: Figures = {}
    before, started_at = resource.getrusage(resource.RUSAGE_SELF), time.perf_counter()
    yield figures
    after = resource.getrusage(resource.RUSAGE_SELF)
    figures |= {
        "seconds": time.perf_counter() - started_at,
        "CPU seconds": after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime,
        "MiB of memory": (after.ru_maxrss - before.ru_maxrss) / 1024,
    }


def _in_process(function: Callable[..., Figures], *arguments: Any) -> Figures:
    with _CONTEXT.Pool(1) as pool:
        return pool.apply(function, arguments)


@contextmanager
def _s3_server(log: Path) -> Iterator[dict[str, str]]:
    """Run moto with a bucket, and its requests in `log`; yield the environment of its clients."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    command = ["timeout", "600", sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    with log.open("wb") as file, subprocess.Popen(command, stdout=file, stderr=file) as server:
        try:
            _create_bucket(port)
            yield {
                "AWS_ACCESS_KEY_ID": "bench",
                "AWS_SECRET_ACCESS_KEY": "bench",
                "AWS_DEFAULT_REGION": "us-east-1",
                "AWS_ALLOW_HTTP": "true",
                "AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}",
            }
        finally:
            server.terminate()


def _create_bucket(port: int) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while True:
        connection = HTTPConnection("127.0.0.1", port)
        try:
            connection.request("PUT", f"/{_BUCKET}")
            connection.getresponse().read()
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)
        else:
            return
        finally:
            connection.close()


MEASUREMENTS: dict[str, Callable[[], Figures]] = {
    **{f"manifest with {entries:,} entries": partial(manifest, entries) for entries in ENTRIES},
    f"`list` with {LISTED:,} exports": partial(listing, LISTED, "list"),
    f"first poll of `watch` with {LISTED:,} exports": partial(listing, LISTED, "watch"),
    f"`list` with {CHANGING} pages that change": partial(changing_listing, CHANGING),
    f"bucket with {LISTED:,} objects": partial(objects, LISTED),
    "export of 4 x 20 KiB into a directory": partial(requests, SMALL, bucket=False),
    "export of 4 x 20 KiB into a bucket": partial(requests, SMALL, bucket=True),
    "export of 4 x 20 KiB into a bucket, with `download`": partial(
        requests, SMALL, bucket=True, method="download"
    ),
    "export of 4 x 25 MiB into a directory": partial(requests, LARGE, bucket=False),
    "export of 4 x 25 MiB into a bucket": partial(requests, LARGE, bucket=True),
}


def rounded(figures: Figures) -> Figures:
    """Return the figures with three digits."""
    return {name: float(f"{value:.3g}") for name, value in figures.items()}


def table(measured: dict[str, Figures]) -> str:
    """Return the figures as a Markdown table."""
    lines = ["| measured | figure | |", "|---|---|---:|"]
    for name, figures in measured.items():
        lines += [f"| {name} | {figure} | {value:,g} |" for figure, value in figures.items()]
    return "\n".join(lines) + "\n"


def main() -> None:
    """Run the command line, and print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--only", nargs="+", default=list(MEASUREMENTS), help="parts of the names of measurements to run"
    )
    parser.add_argument("--results", type=Path, help="update `scale.json` and `scale.md` in this folder")
    options = parser.parse_args()
    selected = [name for name in MEASUREMENTS if any(part in name for part in options.only)]
    measured = {name: rounded(MEASUREMENTS[name]()) for name in selected}
    sys.stdout.write(table(measured))
    if options.results is not None:
        path = options.results / "scale.json"
        known = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
        figures = {name: (known | measured)[name] for name in MEASUREMENTS if name in known | measured}
        path.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")
        path.with_suffix(".md").write_text(table(figures), encoding="utf-8")


if __name__ == "__main__":
    main()
