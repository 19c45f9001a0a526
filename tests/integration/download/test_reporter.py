"""Progress events, and the record of the complete file, for artifacts in their own format and as Parquet."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Literal

import pytest

from packagex_async import AsyncPackageX, ProgressEvent, ProgressKind
from packagex_async.testing import Cut, Emulator
from tests.sync_support import add

CONTENT = b"a,b\n" + b"1,2\n" * 20_000


@pytest.fixture(autouse=True)
def export(server: Emulator) -> None:
    """Add an export with one artifact."""
    add(server, 1, export_id="exp_1", content={"csv": CONTENT})


@pytest.mark.parametrize("file_format", [None, "parquet"])
async def test_download_is_reported(
    server: Emulator, px: AsyncPackageX, tmp_path: Path, file_format: Literal["parquet"] | None
) -> None:
    """Each event has the number of bytes and of the attempt. A kept file is not received again."""
    if file_format:
        pytest.importorskip("pyarrow")
    server.inject(Cut(after=40_000))
    events: list[ProgressEvent] = []

    async def download(*, kept: bool) -> None:
        report = await px.exports.download(
            "exp_1",
            tmp_path,
            artifacts="csv",
            digest="sha256",
            on_progress=events.append,
            format=file_format,
        )
        (file,) = report.files
        assert file.sha256 == hashlib.sha256(file.path.read_bytes()).hexdigest()
        assert file.size == file.path.stat().st_size
        assert (file.attempts, file.resumed, file.kept) == ((1, False, True) if kept else (2, True, False))
        assert (file.rows, file.source_sha256) == (
            (20_000, hashlib.sha256(CONTENT).hexdigest()) if file_format else (None, None)
        )

    await download(kept=False)
    assert {(event.export_id, event.artifact) for event in events} == {("exp_1", "csv")}
    assert {event.total for event in events} == {len(CONTENT)}
    kinds = [event.kind for event in events]
    assert kinds[0] is ProgressKind.STARTED
    retry = kinds.index(ProgressKind.RETRYING)
    assert [event.attempt for event in events] == [1] * (retry + 1) + [2] * (len(events) - retry - 1)
    assert events[retry].error is not None
    assert events[retry].delay is not None
    assert 0 < events[retry].received < len(CONTENT)
    assert (kinds[-1], events[-1].received) == (ProgressKind.FINISHED, len(CONTENT))

    events.clear()
    await download(kept=True)
    assert [event.kind for event in events] == [ProgressKind.STARTED, ProgressKind.KEPT]
    (file,) = tmp_path.iterdir()
    assert events[-1].received == file.stat().st_size
