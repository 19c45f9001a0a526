"""No operation blocks the event loop: file operations and name resolution run in threads."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from blockbuster import BlockingError, blockbuster_ctx

from packagex_async import Artifact, AsyncPackageX
from packagex_async.testing import Cut, Emulator, Encoded, Expired
from tests.support import NO_BACKOFF


async def test_blocking_call_is_detected(tmp_path: Path) -> None:
    """A blocking call raises, so that the next test can fail."""
    with blockbuster_ctx():
        with pytest.raises(BlockingError):
            (tmp_path / "a").write_text("x")


async def test_downloads_do_not_block_the_event_loop(packagex_emulator: Emulator, tmp_path: Path) -> None:
    """Downloads that resume, renew, decode, keep, overwrite and flush, from a host name."""
    server = packagex_emulator
    stored = server.add_export(content={artifact.value: os.urandom(2_000_000) for artifact in Artifact})
    faults = [Cut(1_500_000, artifact="csv"), Expired(artifact="json"), Encoded(artifact="csv_error")]
    base_url = server.base_url.replace("127.0.0.1", "localhost")
    runs: tuple[dict[str, Any], ...] = (
        {"resume": True},
        {},
        {"overwrite": True, "durability": "fsync", "digest": "sha256"},
    )
    with blockbuster_ctx():
        for options in runs:
            for fault in faults if options else ():
                server.inject(fault)
            async with AsyncPackageX(server.api_key, base_url=base_url, retry=NO_BACKOFF) as px:
                async for export in px.exports.list(limit=3):
                    if export.id == stored.id:
                        await px.exports.download(export, tmp_path, **options)
                async with px.exports.stream(stored.id, "csv") as body:
                    [block async for block in body]


async def test_rows_do_not_block_the_event_loop(packagex_emulator: Emulator) -> None:
    """Decoding does not use files or locks in the event loop, also for a record of several blocks."""
    server = packagex_emulator
    large = b'id,name\n1,"' + b"x\n" * 500_000 + b'"\n'
    exports = [server.add_export(rows=5_000), server.add_export(content={"csv": large, "json": b"[{}]"})]
    with blockbuster_ctx():
        async with server.client(retry=NO_BACKOFF) as px:
            for export in exports:
                assert [row async for row in px.exports.rows(export.id)]
                assert [batch async for batch in px.exports.row_batches(export.id, "json")]
