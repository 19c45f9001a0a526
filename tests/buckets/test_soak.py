"""Many cancellations in one process, which then exits normally."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.buckets

CANCELLATIONS = 500

SCRIPT = """
import asyncio, random, sys
from pathlib import Path
from obstore.store import LocalStore
from packagex_async import Bucket
from packagex_async.testing import Emulator

SIZE = 200_000

async def main():
    random.seed(1)
    folder, count = Path(sys.argv[1]), int(sys.argv[2])
    bucket = Bucket(LocalStore(folder), chunk_size=20_000, max_concurrency=2)
    async with Emulator(populate=False) as server, server.client() as px:
        export = server.add_export(content={"csv": random.randbytes(SIZE)})
        cancelled = 0
        while cancelled < count:
            limit, reached = random.randrange(SIZE), asyncio.Event()
            task = asyncio.create_task(px.exports.download(
                export.id, bucket, artifacts="csv", overwrite=True,
                on_progress=lambda event: reached.set() if event.received >= limit else None,
            ))
            await reached.wait()
            task.cancel()
            try:
                await task
            except asyncio.CancelledError:
                pass
            cancelled += 1
    names = {path.name for path in folder.rglob("*") if path.is_file()}
    assert names <= {f"{export.id}.csv", f"{export.id}.json"}, names

asyncio.run(main())
"""


def test_cancellations(tmp_path: Path) -> None:
    """No part of an upload is left after 500 cancellations, and the status is 0."""
    script = tmp_path / "soak.py"
    script.write_text(SCRIPT, encoding="utf-8")
    command = [sys.executable, str(script), str(tmp_path / "bucket"), str(CANCELLATIONS)]
    (tmp_path / "bucket").mkdir()
    run = subprocess.run(command, check=False, timeout=120, capture_output=True, text=True)
    assert (run.returncode, run.stderr) == (0, "")
