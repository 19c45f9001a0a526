"""The calls between a thread and the operating system are few."""

from __future__ import annotations

import os
import traceback
from pathlib import Path
from typing import Any

import pytest

from packagex_async._files.executor import FileExecutor
from packagex_async._files.operations import CHUNK_SIZE
from packagex_async._partials.partial_writer import PartialFileWriter


@pytest.mark.parametrize(("call", "frames"), [("write", 3), ("replace", 2)])
async def test_the_call_paths_in_a_thread_are_short(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str, frames: int
) -> None:
    """From the start of the thread to `os.write` and to `os.replace`."""
    real, paths = getattr(os, call), list[list[str]]()

    def traced(*args: Any) -> Any:
        stack = traceback.extract_stack()
        paths.append([frame.name for frame in stack if "packagex_async/" in frame.filename])
        return real(*args)

    executor = FileExecutor()
    monkeypatch.setattr(os, call, traced)
    async with PartialFileWriter(executor, tmp_path / "a.csv", direct_write_min_size=1) as writer:
        for number in range(3):
            await writer.write(bytes(CHUNK_SIZE), number * CHUNK_SIZE)
        await writer.publish(lambda digest: digest.size, overwrite=False)
    executor.close()
    assert paths
    assert max(map(len, paths)) <= frames
