"""What a part leaves to a later run may have gaps, and a run that dies at any moment leaves the truth."""

from __future__ import annotations

import asyncio
import fcntl
import hashlib
import json
import os
import random
import shutil
import threading
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from packagex_async._files.disk_errors import DiskError
from packagex_async._files.executor import FileExecutor
from packagex_async._files.operations import FileDigest, put_in_place, write_all
from packagex_async._partials import partial_file, partial_index, partial_writer
from packagex_async._partials.partial_index import PartialIndex
from packagex_async._partials.partial_metadata import PartialMetadata
from packagex_async._partials.partial_writer import PartialFileWriter
from packagex_async._utils.byte_ranges import ByteRange
from tests.support import names

LENGTH = 100_000
WHOLE = random.Random("kept").randbytes(LENGTH)
MEMO: PartialMetadata = {"length": LENGTH, "algorithm": None, "hashes": []}


@pytest.fixture
async def disk() -> AsyncIterator[FileExecutor]:
    disk = FileExecutor(threads=2)
    yield disk
    disk.close()


@pytest.fixture(autouse=True)
def _write_each_block(monkeypatch: pytest.MonkeyPatch) -> None:
    """None is so small that it waits for others."""
    monkeypatch.setattr(partial_writer, "_WORTH_A_WRITE", 1)


async def begun(part: PartialFileWriter, *spans: ByteRange, memo: PartialMetadata = MEMO) -> None:
    """Start a file that a later run may go on with, and write `spans` of it."""
    await part.start(algorithms=["md5"], length=LENGTH, memo=memo)
    for start, end in spans:
        await part.write(WHOLE[start:end], start)


async def left(disk: FileExecutor, folder: Path, *spans: ByteRange) -> None:
    """A run that ends by itself, with `spans` written."""
    async with PartialFileWriter(disk, folder / "a.csv") as part:
        await begun(part, *spans)


async def gone_on(disk: FileExecutor, folder: Path) -> list[ByteRange]:
    """The next run: it brings what it finds missing, and the file is the whole; what was missing."""
    target = folder / "a.csv"
    async with PartialFileWriter(disk, target) as part:
        memo = await part.take_up(PartialIndex(), ["md5"])
        if memo is None:
            await begun(part)
        gaps = part.gaps()
        for start, end in reversed(gaps):
            await part.write(WHOLE[start:end], start)
        measured, _ = await part.publish(_check, overwrite=False)
    assert measured.digests == {"md5": hashlib.md5(WHOLE).digest()}
    assert target.read_bytes() == WHOLE
    assert names(folder) == ["a.csv"]
    target.unlink()
    return gaps


def _check(measured: FileDigest) -> None:
    assert measured.size == LENGTH


def memo_of(folder: Path) -> dict[str, Any]:
    (path,) = folder.glob(".*.part.json")
    found: dict[str, Any] = json.loads(path.read_text())
    return found


def change_memo(folder: Path, **changes: object) -> None:
    (path,) = folder.glob(".*.part.json")
    path.write_text(json.dumps(memo_of(folder) | changes))


@pytest.mark.parametrize(
    ("spans", "missing"),
    [
        ([(0, 100)], [(100, LENGTH)]),
        ([(50, 100)], [(0, 50), (100, LENGTH)]),
        ([(0, 10), (50, 60), (10, 20)], [(20, 50), (60, LENGTH)]),
        ([(99_000, LENGTH), (0, 99_000)], []),
        ([(0, 60), (90_000, LENGTH)], [(60, 90_000)]),
    ],
)
async def test_the_next_run_lacks_only_what_is_missing(
    disk: FileExecutor, tmp_path: Path, spans: list[ByteRange], missing: list[ByteRange]
) -> None:
    """With or without gaps; the digest is that of the whole, though half of it was read from disk."""
    await left(disk, tmp_path, *spans)
    assert await gone_on(disk, tmp_path) == missing


async def test_a_run_after_a_run_after_a_run(disk: FileExecutor, tmp_path: Path) -> None:
    """Each fills a part of what the one before has left, from either end."""
    await left(disk, tmp_path, (40_000, 50_000))
    for start, end in ((90_000, LENGTH), (0, 10_000), (20_000, 30_000)):
        async with PartialFileWriter(disk, tmp_path / "a.csv") as part:
            assert await part.take_up(PartialIndex(), []) is not None
            await part.write(WHOLE[start:end], start)
    assert await gone_on(disk, tmp_path) == [(10_000, 20_000), (30_000, 40_000), (50_000, 90_000)]


async def test_gaps_are_told_before_there_are_any(
    disk: FileExecutor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The memo stands before the first byte that is out of order, and is held current from then on."""
    told: list[object] = []

    def look(file: int, block: Any) -> None:
        told.append(memo_of(tmp_path).get("gaps"))
        write_all(file, block)

    monkeypatch.setattr(partial_file, "write_all", look)
    await left(disk, tmp_path, (0, 10), (10, 20), (50, 60), (20, 30), (70, 80))
    assert told == [None, None, [[20, LENGTH]], [[20, 50], [60, LENGTH]], [[30, 50], [60, LENGTH]]]
    assert memo_of(tmp_path)["gaps"] == [[30, 50], [60, 70], [80, LENGTH]]


@pytest.mark.parametrize("order", range(4))
async def test_killed_between_any_two_steps(
    disk: FileExecutor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, order: int
) -> None:
    """Whatever state of the folder a dead process leaves, the next run makes the whole of it."""
    states: list[Path] = []
    running = tmp_path / "running"

    def snap(function: Callable[..., Any]) -> Callable[..., Any]:
        def stepped(*args: Any, **kwargs: Any) -> Any:
            for act in (lambda: None, lambda: function(*args, **kwargs)):
                result = act()
                states.append(shutil.copytree(running, tmp_path / f"state{len(states)}", symlinks=True))
            return result

        return stepped

    starts = random.Random(order).sample(range(0, LENGTH, 20_000), 5)
    with monkeypatch.context() as watched:
        watched.setattr(partial_file, "write_all", snap(write_all))
        watched.setattr(partial_index, "put_in_place", snap(put_in_place))
        watched.setattr(Path, "replace", snap(Path.replace))
        watched.setattr(partial_index, "create", snap(partial_index.create))
        async with PartialFileWriter(disk, running / "a.csv") as part:
            await begun(part, *[(start, start + 20_000) for start in starts])
            await part.publish(_check, overwrite=False)
    assert len(states) > 12
    for folder in states:
        (folder / "a.csv").unlink(missing_ok=True)
        await gone_on(disk, folder)


@pytest.mark.parametrize(
    "gaps",
    [
        None, 5, "ab", {}, {"0": 1}, [5], [[1]], [[1, 2, 3]], [["a", "b"]], [["10", "20"]], [[None, 7]],
        [[0.5, 9.5]], [[float("inf"), 5]], [[float("nan"), 5]], [[-5, 5]], [[9, 3]], [[50, 60], [10, 20]],
        [[0, LENGTH + 1]], [[LENGTH + 5, LENGTH + 9]], [[10**30, 10**31]], [[10, 30], [20, 40]], [[[], []]],
    ],
)  # fmt: skip
async def test_trap_03_gaps_of_no_sense_are_never_trusted(
    disk: FileExecutor, tmp_path: Path, gaps: object
) -> None:
    """All is fetched anew, and nothing of the old partial is left."""
    await left(disk, tmp_path, (0, 60_000))
    change_memo(tmp_path, gaps=gaps)
    assert await gone_on(disk, tmp_path) == [(0, LENGTH)]


@pytest.mark.parametrize("length", [None, "100000", 99.5, float("inf"), -1, 50_000, [LENGTH]])
async def test_trap_03_a_length_of_no_sense_is_never_trusted(
    disk: FileExecutor, tmp_path: Path, length: object
) -> None:
    """Nor one that is less than what is there."""
    await left(disk, tmp_path, (0, 60_000))
    change_memo(tmp_path, length=length)
    assert await gone_on(disk, tmp_path) == [(0, LENGTH)]


async def test_trap_03_a_file_shorter_than_its_memo_tells_is_never_trusted(
    disk: FileExecutor, tmp_path: Path
) -> None:
    """What is not there was not written."""
    await left(disk, tmp_path, (50_000, 60_000))
    (part,) = tmp_path.glob(".*.part")
    os.truncate(part, 59_999)
    assert await gone_on(disk, tmp_path) == [(0, LENGTH)]


async def test_trap_03_a_file_longer_than_the_whole_is_never_trusted(
    disk: FileExecutor, tmp_path: Path
) -> None:
    """It would be published with bytes behind its end."""
    await left(disk, tmp_path, (50_000, 60_000))
    (part,) = tmp_path.glob(".*.part")
    os.truncate(part, LENGTH + 1)
    assert await gone_on(disk, tmp_path) == [(0, LENGTH)]


async def test_what_a_disk_refuses_is_a_gap_to_the_next_run(
    disk: FileExecutor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of a write that failed nothing is believed, however much came of it; and none is done after it."""
    await left(disk, tmp_path, (0, 10), (50, 60))

    def refuse(file: int, block: Any) -> None:
        write_all(file, bytes(len(block)))
        raise OSError("full")

    async with PartialFileWriter(disk, tmp_path / "a.csv") as part:
        assert await part.take_up(PartialIndex(), []) is not None
        with monkeypatch.context() as full:
            full.setattr(partial_file, "write_all", refuse)
            with pytest.raises(DiskError):
                for start in (60, 90):
                    await part.write(WHOLE[start : start + 30], start)
    assert await gone_on(disk, tmp_path) == [(10, 50), (60, LENGTH)]


async def test_where_there_is_no_room_nothing_is_left(
    disk: FileExecutor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither a file without a byte, nor its metadata."""
    monkeypatch.setattr(shutil, "disk_usage", lambda _: shutil._ntuple_diskusage(10, 9, 1))
    with pytest.raises(DiskError, match="no room for 100000 bytes"):
        await left(disk, tmp_path, (0, 10))
    assert names(tmp_path) == []


async def test_cancelled_while_it_is_taken_up_nothing_is_lost(
    disk: FileExecutor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was claimed by then is left to the next run, and closed."""
    await left(disk, tmp_path, (0, 10), (50, 60))
    entered, gate, locked = threading.Event(), threading.Event(), fcntl.flock

    def wait(file: int, operation: int) -> None:
        locked(file, operation)
        entered.set()
        assert gate.wait(30)

    async def use() -> None:
        async with PartialFileWriter(disk, tmp_path / "a.csv") as part:
            await part.take_up(PartialIndex(), ["md5"])

    with monkeypatch.context() as slow:
        slow.setattr(fcntl, "flock", wait)
        task = asyncio.create_task(use())
        await asyncio.to_thread(entered.wait, 30)
        task.cancel()
        gate.set()
        with pytest.raises(asyncio.CancelledError):
            await task
    assert await gone_on(disk, tmp_path) == [(10, 50), (60, LENGTH)]
