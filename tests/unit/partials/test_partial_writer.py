"""Files appear complete or not at all, and a partial file is always consistent."""

from __future__ import annotations

import asyncio
import errno
import fcntl
import gzip
import hashlib
import json
import os
import random
import shutil
import threading
from collections.abc import AsyncIterator, Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from packagex_async._concurrency.tuning import TransferTuning
from packagex_async._files.disk_errors import DiskError
from packagex_async._files.executor import FileExecutor
from packagex_async._files.operations import CHUNK_SIZE, FileDigest, replace_file, write_all
from packagex_async._partials import partial_file
from packagex_async._partials.locked_partial import create_partial
from packagex_async._partials.partial_index import PartialIndex
from packagex_async._partials.partial_metadata import PartialMetadata
from packagex_async._partials.partial_writer import PartialFileWriter
from packagex_async._utils.byte_ranges import ByteRange
from packagex_async._utils.decompression import Decompressor
from tests.support import names
from tests.unit.files.helpers import Gate

LENGTH = 100_000
CONTENT = random.Random("kept").randbytes(LENGTH)
METADATA: PartialMetadata = {"length": LENGTH, "algorithm": None, "hashes": []}
MIN_DIRECT_WRITE = TransferTuning().direct_write_min_size

new_writer = partial(PartialFileWriter, direct_write_min_size=1)
"""Create a writer that writes each chunk at once, whatever its size."""


@pytest.fixture
async def executor() -> AsyncIterator[FileExecutor]:
    executor = FileExecutor(threads=2)
    yield executor
    executor.close()


async def write_ranges(writer: PartialFileWriter, *ranges: ByteRange) -> None:
    """Start a resumable file, and write `ranges` of it."""
    await writer.start(algorithms=["md5"], length=LENGTH, metadata=METADATA)
    for start, end in ranges:
        await writer.write(CONTENT[start:end], start)


async def interrupted_run(executor: FileExecutor, directory: Path, *ranges: ByteRange) -> None:
    """A run that writes `ranges` and ends without publishing the file."""
    async with new_writer(executor, directory / "a.csv") as writer:
        await write_ranges(writer, *ranges)


async def next_run(executor: FileExecutor, directory: Path) -> list[ByteRange]:
    """A run that writes all missing ranges, and publishes the file; returns the ranges."""
    target = directory / "a.csv"
    async with new_writer(executor, target) as writer:
        metadata = await writer.resume(PartialIndex(), ["md5"])
        if metadata is None:
            await write_ranges(writer)
        gaps = writer.gaps()
        for start, end in reversed(gaps):
            await writer.write(CONTENT[start:end], start)
        digest, _ = await writer.publish(_check, overwrite=False)
    assert digest.digests == {"md5": hashlib.md5(CONTENT).digest()}
    assert target.read_bytes() == CONTENT
    assert names(directory) == ["a.csv"]
    target.unlink()
    return gaps


def _check(digest: FileDigest) -> None:
    assert digest.size == LENGTH


def read_metadata(directory: Path) -> dict[str, Any]:
    (path,) = directory.glob(".*.part.json")
    found: dict[str, Any] = json.loads(path.read_text())
    return found


def change_metadata(directory: Path, **changes: object) -> None:
    (path,) = directory.glob(".*.part.json")
    path.write_text(json.dumps(read_metadata(directory) | changes))


@pytest.mark.parametrize(
    ("ranges", "missing"),
    [
        ([(0, 100)], [(100, LENGTH)]),
        ([(50, 100)], [(0, 50), (100, LENGTH)]),
        ([(0, 10), (50, 60), (10, 20)], [(20, 50), (60, LENGTH)]),
        ([(99_000, LENGTH), (0, 99_000)], []),
        ([(0, 60), (90_000, LENGTH)], [(60, 90_000)]),
    ],
)
async def test_the_next_run_writes_only_what_is_missing(
    executor: FileExecutor, tmp_path: Path, ranges: list[ByteRange], missing: list[ByteRange]
) -> None:
    """With and without gaps. The digest is that of the complete file."""
    await interrupted_run(executor, tmp_path, *ranges)
    assert await next_run(executor, tmp_path) == missing


async def test_a_file_is_resumed_by_several_runs(executor: FileExecutor, tmp_path: Path) -> None:
    """Each run fills some gaps, in any order."""
    await interrupted_run(executor, tmp_path, (40_000, 50_000))
    for start, end in ((90_000, LENGTH), (0, 10_000), (20_000, 30_000)):
        async with new_writer(executor, tmp_path / "a.csv") as writer:
            assert await writer.resume(PartialIndex(), []) is not None
            await writer.write(CONTENT[start:end], start)
    assert await next_run(executor, tmp_path) == [(10_000, 20_000), (30_000, 40_000), (50_000, 90_000)]


async def test_gaps_are_recorded_before_they_are_created(
    executor: FileExecutor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Metadata with gaps is written before the first chunk out of order, and updated at each later write."""
    recorded: list[object] = []

    def write(file: int, chunk: Any) -> None:
        recorded.append(read_metadata(tmp_path).get("gaps"))
        write_all(file, chunk)

    monkeypatch.setattr(partial_file, "write_all", write)
    await interrupted_run(executor, tmp_path, (0, 10), (10, 20), (50, 60), (20, 30), (70, 80))
    assert recorded == [None, None, [[20, LENGTH]], [[20, 50], [60, LENGTH]], [[30, 50], [60, LENGTH]]]
    assert read_metadata(tmp_path)["gaps"] == [[30, 50], [60, 70], [80, LENGTH]]


@pytest.mark.parametrize("order", range(4))
async def test_a_run_may_be_killed_between_any_two_steps(
    executor: FileExecutor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, order: int
) -> None:
    """From every state of the directory, the next run creates the complete file."""
    states: list[Path] = []
    running = tmp_path / "running"

    def snapshot(function: Callable[..., Any]) -> Callable[..., Any]:
        def step(*args: Any, **kwargs: Any) -> Any:
            for act in (lambda: None, lambda: function(*args, **kwargs)):
                result = act()
                states.append(shutil.copytree(running, tmp_path / f"state{len(states)}", symlinks=True))
            return result

        return step

    starts = random.Random(order).sample(range(0, LENGTH, 20_000), 5)
    with monkeypatch.context() as patch:
        patch.setattr(partial_file, "write_all", snapshot(write_all))
        patch.setattr(partial_file, "replace_file", snapshot(replace_file))
        patch.setattr(partial_file, "create_partial", snapshot(create_partial))
        patch.setattr(Path, "replace", snapshot(Path.replace))
        async with new_writer(executor, running / "a.csv") as writer:
            await write_ranges(writer, *[(start, start + 20_000) for start in starts])
            await writer.publish(_check, overwrite=False)
    assert len(states) > 12
    for directory in states:
        (directory / "a.csv").unlink(missing_ok=True)
        await next_run(executor, directory)


@pytest.mark.parametrize(
    "gaps",
    [
        None, 5, "ab", {}, {"0": 1}, [5], [[1]], [[1, 2, 3]], [["a", "b"]], [["10", "20"]], [[None, 7]],
        [[0.5, 9.5]], [[float("inf"), 5]], [[float("nan"), 5]], [[-5, 5]], [[9, 3]], [[50, 60], [10, 20]],
        [[0, LENGTH + 1]], [[LENGTH + 5, LENGTH + 9]], [[10**30, 10**31]], [[10, 30], [20, 40]], [[[], []]],
    ],
)  # fmt: skip
async def test_trap_03_invalid_gaps_are_not_trusted(
    executor: FileExecutor, tmp_path: Path, gaps: object
) -> None:
    """The partial file is removed, and everything is downloaded again."""
    await interrupted_run(executor, tmp_path, (0, 60_000))
    change_metadata(tmp_path, gaps=gaps)
    assert await next_run(executor, tmp_path) == [(0, LENGTH)]


@pytest.mark.parametrize("length", [None, "100000", 99.5, float("inf"), -1, 50_000, [LENGTH]])
async def test_trap_03_an_invalid_length_is_not_trusted(
    executor: FileExecutor, tmp_path: Path, length: object
) -> None:
    """A length below the size of the partial file is invalid, too."""
    await interrupted_run(executor, tmp_path, (0, 60_000))
    change_metadata(tmp_path, length=length)
    assert await next_run(executor, tmp_path) == [(0, LENGTH)]


@pytest.mark.parametrize("size", [59_999, LENGTH + 1])
async def test_trap_03_a_file_that_contradicts_its_metadata_is_not_trusted(
    executor: FileExecutor, tmp_path: Path, size: int
) -> None:
    """It is shorter than the written ranges, or longer than the complete file."""
    await interrupted_run(executor, tmp_path, (50_000, 60_000))
    (path,) = tmp_path.glob(".*.part")
    os.truncate(path, size)
    assert await next_run(executor, tmp_path) == [(0, LENGTH)]


async def test_a_range_whose_write_failed_is_a_gap(
    executor: FileExecutor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Even if some of its bytes were written. No other chunk is written after the failure."""
    await interrupted_run(executor, tmp_path, (0, 10), (50, 60))

    def fail(file: int, chunk: Any) -> None:
        write_all(file, bytes(len(chunk)))
        raise OSError("full")

    async with new_writer(executor, tmp_path / "a.csv") as writer:
        assert await writer.resume(PartialIndex(), []) is not None
        with monkeypatch.context() as patch:
            patch.setattr(partial_file, "write_all", fail)
            with pytest.raises(DiskError):
                for start in (60, 90):
                    await writer.write(CONTENT[start : start + 30], start)
    assert await next_run(executor, tmp_path) == [(10, 50), (60, LENGTH)]


async def test_without_space_for_the_file_nothing_is_created(
    executor: FileExecutor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither an empty file nor its metadata."""
    monkeypatch.setattr(shutil, "disk_usage", lambda _: shutil._ntuple_diskusage(10, 9, 1))
    with pytest.raises(DiskError, match="no space for 100000 bytes"):
        await interrupted_run(executor, tmp_path, (0, 10))
    assert names(tmp_path) == []


async def test_a_cancellation_while_a_file_is_resumed_keeps_the_file(
    executor: FileExecutor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is closed, and the next run resumes it."""
    await interrupted_run(executor, tmp_path, (0, 10), (50, 60))
    entered, gate, flock = threading.Event(), threading.Event(), fcntl.flock

    def wait(file: int, operation: int) -> None:
        flock(file, operation)
        entered.set()
        assert gate.wait(120)

    async def run() -> None:
        async with new_writer(executor, tmp_path / "a.csv") as writer:
            await writer.resume(PartialIndex(), ["md5"])

    with monkeypatch.context() as patch:
        patch.setattr(fcntl, "flock", wait)
        task = asyncio.create_task(run())
        await asyncio.to_thread(entered.wait, 30)
        task.cancel()
        gate.set()
        with pytest.raises(asyncio.CancelledError):
            await task
    assert await next_run(executor, tmp_path) == [(10, 50), (60, LENGTH)]


async def write_in_order(writer: PartialFileWriter, *chunks: bytes) -> None:
    """Write `chunks` one after another."""
    for chunk in chunks:
        await writer.write(chunk, writer.received)


def size(digest: FileDigest) -> int:
    """A check that accepts all content."""
    return digest.size


async def test_the_file_is_complete(executor: FileExecutor, tmp_path: Path) -> None:
    """From small and large chunks, in a new directory."""
    target = tmp_path / "new" / "deep" / "a.csv"
    chunks = [b"x" * 10, b"y" * (CHUNK_SIZE + 1), b"", b"z" * (CHUNK_SIZE - 5)]
    async with new_writer(executor, target) as writer:
        await writer.start(algorithms=["md5", "sha256"])
        await write_in_order(writer, *chunks)
        assert not target.exists()
        digest, found = await writer.publish(size, overwrite=False)
    content = b"".join(chunks)
    assert target.read_bytes() == content
    assert names(target.parent) == ["a.csv"]
    assert digest.size == found == len(content)
    assert digest.digests == {
        "md5": hashlib.md5(content).digest(),
        "sha256": hashlib.sha256(content).digest(),
    }


async def test_trap_22_a_file_that_is_not_published_is_removed(
    executor: FileExecutor, tmp_path: Path
) -> None:
    """The target is not changed."""
    target = tmp_path / "a.csv"
    target.write_text("old")
    with pytest.raises(RuntimeError, match="server"):
        async with new_writer(executor, target) as writer:
            await write_in_order(writer, b"n" * CHUNK_SIZE, b"n" * CHUNK_SIZE)
            assert len(names(tmp_path)) == 2
            raise RuntimeError("server")
    assert names(tmp_path) == ["a.csv"]
    assert target.read_text() == "old"


async def test_a_new_file_does_not_have_the_error_of_the_previous_one(
    executor: FileExecutor, tmp_path: Path
) -> None:
    """The first body is not valid compressed data, and the transfer is repeated before that is noticed."""
    target = tmp_path / "a.csv"
    async with new_writer(executor, target) as writer:
        await writer.start(decompressor=Decompressor("gzip"))
        await writer.write(bytes(CHUNK_SIZE), 0)
        await writer.start()
        await write_in_order(writer, b"1\n" * CHUNK_SIZE)
        await writer.publish(size, overwrite=False)
    assert target.read_bytes() == b"1\n" * CHUNK_SIZE


async def test_trap_04_two_writers_of_one_target_do_not_share_a_file(
    executor: FileExecutor, tmp_path: Path
) -> None:
    """The file that is published last stays."""
    target = tmp_path / "a.csv"
    async with new_writer(executor, target) as one, new_writer(executor, target) as other:
        await write_in_order(one, b"11")
        await write_in_order(other, b"22")
        await one.publish(size, overwrite=True)
        await other.publish(size, overwrite=True)
    assert target.read_bytes() == b"22"
    assert names(tmp_path) == ["a.csv"]


@pytest.mark.parametrize("length", [3, CHUNK_SIZE])
async def test_a_file_that_appeared_in_the_meantime_is_kept(
    executor: FileExecutor, tmp_path: Path, length: int
) -> None:
    """Unless it has the same content, or `overwrite` is set."""
    target, new, another = tmp_path / "a.csv", os.urandom(length), os.urandom(length)
    async with new_writer(executor, target) as writer:
        await write_in_order(writer, new)
        target.write_bytes(another)
        with pytest.raises(DiskError, match=f"another file of {length} bytes exists there"):
            await writer.publish(size, overwrite=False)
    assert target.read_bytes() == another
    for overwrite in (True, False):
        async with new_writer(executor, target) as writer:
            await write_in_order(writer, new)
            await writer.publish(size, overwrite=overwrite)
        assert target.read_bytes() == new


async def test_content_that_is_rejected_is_not_published(executor: FileExecutor, tmp_path: Path) -> None:
    """The error of the check is raised, and a new start begins with an empty file."""

    def reject(_: FileDigest) -> None:
        raise ValueError("wrong bytes")

    async with new_writer(executor, tmp_path / "a.csv") as writer:
        await write_in_order(writer, b"wrong")
        with pytest.raises(ValueError, match="wrong bytes"):
            await writer.publish(reject, overwrite=False)
        await writer.start()
        assert names(tmp_path) == []
        await write_in_order(writer, b"right")
        await writer.publish(size, overwrite=False)
    assert (tmp_path / "a.csv").read_bytes() == b"right"


@pytest.mark.parametrize("length", [100, 300_000])
async def test_chunks_arrive_in_any_order(executor: FileExecutor, tmp_path: Path, length: int) -> None:
    """From several connections at the same time."""
    content = os.urandom(16 * length)
    numbers = random.Random(length).sample(range(16), 16)
    async with new_writer(executor, tmp_path / "a.csv") as writer:
        await writer.start(algorithms=["md5"], length=len(content))
        async with asyncio.TaskGroup() as group:
            for start in (number * length for number in numbers):
                group.create_task(writer.write(content[start : start + length], start))
        digest, _ = await writer.publish(size, overwrite=False)
    assert (tmp_path / "a.csv").read_bytes() == content
    assert digest.digests == {"md5": hashlib.md5(content).digest()}


async def test_the_size_does_not_include_gaps(executor: FileExecutor, tmp_path: Path) -> None:
    """So that a check by length rejects a file with gaps."""
    async with new_writer(executor, tmp_path / "a.csv") as writer:
        await writer.write(b"beginning", 0)
        await writer.write(b"end", 100)
        digest, _ = await writer.publish(size, overwrite=False)
    assert digest.size == len(b"beginningend")


async def test_without_chunks_the_file_is_empty(executor: FileExecutor, tmp_path: Path) -> None:
    """It is created by `publish`."""
    async with new_writer(executor, tmp_path / "a.csv") as writer:
        assert names(tmp_path) == []
        await writer.publish(size, overwrite=False)
    assert (tmp_path / "a.csv").read_bytes() == b""


async def test_a_small_compressed_file_is_decompressed(executor: FileExecutor, tmp_path: Path) -> None:
    """All of it is written by `publish`."""
    async with PartialFileWriter(
        executor, tmp_path / "a.csv", direct_write_min_size=MIN_DIRECT_WRITE
    ) as writer:
        await writer.start(decompressor=Decompressor("gzip"))
        await writer.write(gzip.compress(b"content"), 0)
        assert names(tmp_path) == []
        digest, _ = await writer.publish(size, overwrite=False)
    assert digest.size == 7
    assert (tmp_path / "a.csv").read_bytes() == b"content"


@pytest.mark.parametrize("is_cancelled", [False, True])
async def test_an_error_on_exit_does_not_hide_a_cancellation(
    executor: FileExecutor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, is_cancelled: bool
) -> None:
    """Without another error, it is raised."""

    def fail(*_: object) -> int:
        raise OSError(errno.ENOSPC, "full")

    expected = asyncio.CancelledError if is_cancelled else DiskError
    with pytest.raises(expected):
        async with new_writer(executor, tmp_path / "a.csv") as writer:
            await write_ranges(writer, (0, 10))
            monkeypatch.setattr(os, "write", fail)
            if is_cancelled:
                raise asyncio.CancelledError


async def test_an_error_of_the_file_system_is_raised(executor: FileExecutor, tmp_path: Path) -> None:
    """A file is in place of the directory."""
    (tmp_path / "file").touch()
    with pytest.raises(DiskError) as caught:
        async with new_writer(executor, tmp_path / "file" / "a.csv") as writer:
            await writer.publish(size, overwrite=False)
    assert isinstance(caught.value.cause, OSError)
    assert names(tmp_path) == ["file"]


@pytest.mark.parametrize("is_publishing", [False, True])
async def test_trap_19_after_a_cancellation_no_partial_file_is_left(
    tmp_path: Path, is_publishing: bool
) -> None:
    """However often the task is cancelled while the threads are busy. A file being published is complete."""
    executor = FileExecutor(threads=1)
    gate = Gate()
    run = executor.run_short if is_publishing else executor.run
    busy = asyncio.create_task(run(tmp_path, gate))
    await gate.wait_until_entered()

    async def use() -> None:
        async with new_writer(executor, tmp_path / "a.csv") as writer:
            if is_publishing:
                await writer.publish(size, overwrite=False)
            for position in (0, CHUNK_SIZE):
                await writer.write(bytes(CHUNK_SIZE), position)
            pytest.fail("the task was not cancelled")

    task = asyncio.create_task(use())
    for _ in range(3):
        await asyncio.sleep(0)
        task.cancel()
    assert not task.done()
    gate.open.set()
    with pytest.raises(asyncio.CancelledError):
        await task
    await busy
    assert names(tmp_path) == (["a.csv"] if is_publishing else [])
    executor.close()
