"""A file appears whole or not at all."""

from __future__ import annotations

import asyncio
import hashlib
import os
import random
import threading
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from packagex_async._files.disk_errors import DiskError
from packagex_async._files.executor import _SHORT_THREADS, FileExecutor
from packagex_async._files.operations import CHUNK_SIZE, FileDigest, write_all
from packagex_async._partials import partial_writer
from packagex_async._partials.partial_writer import PartialFileWriter
from tests.support import names


@pytest.fixture
async def disk() -> AsyncIterator[FileExecutor]:
    disk = FileExecutor(threads=2)
    yield disk
    disk.close()
    disk.close()


async def bring(part: PartialFileWriter, *blocks: bytes) -> None:
    """Write `blocks` one behind the other."""
    for block in blocks:
        await part.write(block, part.received)


def size(measured: FileDigest) -> int:
    """A check that is content with everything."""
    return measured.size


async def test_what_was_written_is_published_whole(disk: FileExecutor, tmp_path: Path) -> None:
    """Small blocks and large ones, in a folder that was not there."""
    target = tmp_path / "new" / "deep" / "a.csv"
    blocks = [b"x" * 10, b"y" * (CHUNK_SIZE + 1), b"", b"z" * (CHUNK_SIZE - 5)]
    async with PartialFileWriter(disk, target) as part:
        await part.start(algorithms=["md5", "sha256"])
        await bring(part, *blocks)
        assert not target.exists()
        measured, found = await part.publish(size, overwrite=False)
    whole = b"".join(blocks)
    assert target.read_bytes() == whole
    assert names(target.parent) == ["a.csv"]
    assert measured.size == found == len(whole)
    assert measured.digests == {"md5": hashlib.md5(whole).digest(), "sha256": hashlib.sha256(whole).digest()}


async def test_trap_22_a_part_that_is_not_published_disappears(disk: FileExecutor, tmp_path: Path) -> None:
    """The target is as it was."""
    target = tmp_path / "a.csv"
    target.write_text("old")
    with pytest.raises(RuntimeError, match="far side"):
        async with PartialFileWriter(disk, target) as part:
            await bring(part, b"n" * CHUNK_SIZE, b"n" * CHUNK_SIZE)
            assert len(names(tmp_path)) == 2
            raise RuntimeError("far side")
    assert names(tmp_path) == ["a.csv"]
    assert target.read_text() == "old"


async def test_trap_04_two_parts_of_one_target_do_not_meet(disk: FileExecutor, tmp_path: Path) -> None:
    """Each has a partial of its own; the one that is published last stands."""
    target = tmp_path / "a.csv"
    async with PartialFileWriter(disk, target) as one, PartialFileWriter(disk, target) as other:
        await bring(one, b"11")
        await bring(other, b"22")
        await one.publish(size, overwrite=True)
        await other.publish(size, overwrite=True)
    assert target.read_bytes() == b"22"
    assert names(tmp_path) == ["a.csv"]


@pytest.mark.parametrize("length", [3, CHUNK_SIZE])
async def test_a_file_that_appeared_meanwhile_is_not_destroyed(
    disk: FileExecutor, tmp_path: Path, length: int
) -> None:
    """Unless it is the very same, or to be overwritten."""
    target, new, another = tmp_path / "a.csv", os.urandom(length), os.urandom(length)
    async with PartialFileWriter(disk, target) as part:
        await bring(part, new)
        target.write_bytes(another)
        with pytest.raises(DiskError, match=f"another file of {length} bytes has appeared there"):
            await part.publish(size, overwrite=False)
    assert target.read_bytes() == another
    for overwrite in (True, False):
        async with PartialFileWriter(disk, target) as part:
            await bring(part, new)
            await part.publish(size, overwrite=overwrite)
        assert target.read_bytes() == new


async def test_what_a_check_condemns_is_not_published(disk: FileExecutor, tmp_path: Path) -> None:
    """What it raises is raised, nothing is left, and a new start has nothing of the old bytes."""

    def condemn(_: FileDigest) -> None:
        raise ValueError("wrong bytes")

    async with PartialFileWriter(disk, tmp_path / "a.csv") as part:
        await bring(part, b"wrong")
        with pytest.raises(ValueError, match="wrong bytes"):
            await part.publish(condemn, overwrite=False)
        await part.start()
        assert names(tmp_path) == []
        await bring(part, b"right")
        await part.publish(size, overwrite=False)
    assert (tmp_path / "a.csv").read_bytes() == b"right"


@pytest.mark.parametrize(
    "large", [partial_writer._MIN_DIRECT_WRITE - 1, partial_writer._MIN_DIRECT_WRITE, 3 * CHUNK_SIZE]
)
async def test_a_buffer_may_be_used_again_once_the_next_was_taken(
    disk: FileExecutor, tmp_path: Path, large: int
) -> None:
    """Whether it went to the disk at once or was gathered."""
    buffers = bytearray(large), bytearray(large)
    blocks = [os.urandom(large) for _ in range(5)]
    async with PartialFileWriter(disk, tmp_path / "a.csv") as part:
        for place, block in enumerate(blocks):
            buffer, before = buffers[place % 2], buffers[place % 2 - 1]
            buffer[:] = block
            await part.write(memoryview(buffer), place * large)
            before[:] = bytes(large)
        await part.publish(size, overwrite=False)
    assert (tmp_path / "a.csv").read_bytes() == b"".join(blocks)


@pytest.mark.parametrize("length", [100, 300_000])
async def test_blocks_come_in_any_order(disk: FileExecutor, tmp_path: Path, length: int) -> None:
    """From several connections at once: the file and its digests are those of the whole."""
    whole = os.urandom(16 * length)
    places = random.Random(length).sample(range(16), 16)
    async with PartialFileWriter(disk, tmp_path / "a.csv") as part:
        await part.start(algorithms=["md5"], length=len(whole))
        async with asyncio.TaskGroup() as group:
            for start in (place * length for place in places):
                group.create_task(part.write(whole[start : start + length], start))
        measured, _ = await part.publish(size, overwrite=False)
    assert (tmp_path / "a.csv").read_bytes() == whole
    assert measured.digests == {"md5": hashlib.md5(whole).digest()}


async def test_only_what_is_written_counts(disk: FileExecutor, tmp_path: Path) -> None:
    """A file with a hole is as long as its bytes are many, for whoever checks it."""
    async with PartialFileWriter(disk, tmp_path / "a.csv") as part:
        await part.write(b"beginning", 0)
        await part.write(b"end", 100)
        measured, _ = await part.publish(size, overwrite=False)
    assert measured.size == len(b"beginningend")


def test_a_short_write_is_completed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the operating system did not take is given to it again."""
    path = tmp_path / "a.csv"
    payload = os.urandom(100)
    real = os.write
    with path.open("wb") as file, monkeypatch.context() as narrow:
        narrow.setattr(os, "write", lambda handle, data: real(handle, data[:7]))
        write_all(file.fileno(), payload)
    assert path.read_bytes() == payload


async def test_a_file_is_measured_without_being_changed(disk: FileExecutor, tmp_path: Path) -> None:
    """Its length, and digests when asked; nothing there is nothing."""
    path = tmp_path / "a.csv"
    assert await disk.digest_file(path, ["md5"]) is None
    path.write_bytes(b"abc")
    measured = await disk.digest_file(path, [])
    assert measured is not None
    assert (measured.size, measured.digests) == (3, {})
    measured = await disk.digest_file(path, ["md5"])
    assert measured is not None
    assert measured.digests["md5"] == hashlib.md5(b"abc").digest()


async def test_what_is_no_regular_file_is_refused(disk: FileExecutor, tmp_path: Path) -> None:
    """A folder or a link at the target is neither kept nor followed."""
    (tmp_path / "folder").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "elsewhere")
    os.mkfifo(tmp_path / "pipe")
    kinds = {"folder": "a directory", "link": "a symbolic link", "pipe": "not a regular file"}
    for name, kind in kinds.items():
        for algorithms in ([], ["md5"]):
            with pytest.raises(DiskError, match=f"{name} is {kind}"):
                await disk.digest_file(tmp_path / name, algorithms)


async def test_what_the_disk_refuses_says_so(disk: FileExecutor, tmp_path: Path) -> None:
    """The operating system's own error is the cause, with its number."""
    (tmp_path / "file").touch()
    with pytest.raises(DiskError) as caught:
        async with PartialFileWriter(disk, tmp_path / "file" / "a.csv") as part:
            await part.publish(size, overwrite=False)
    assert isinstance(caught.value.__cause__, OSError)
    assert caught.value.cause is caught.value.__cause__
    assert names(tmp_path) == ["file"]


async def test_a_part_of_nothing_is_an_empty_file(disk: FileExecutor, tmp_path: Path) -> None:
    """An object without a byte has a file, too."""
    async with PartialFileWriter(disk, tmp_path / "a.csv") as part:
        assert names(tmp_path) == []
        await part.publish(size, overwrite=False)
    assert (tmp_path / "a.csv").read_bytes() == b""


class Gate:
    """Disk work that waits until it is let through."""

    def __init__(self) -> None:
        self.entered = threading.Event()
        self.open = threading.Event()

    def __call__(self) -> None:
        self.entered.set()
        assert self.open.wait(30)


async def entered(gate: Gate) -> None:
    await asyncio.to_thread(gate.entered.wait, 30)


@pytest.mark.parametrize("publishing", [False, True])
async def test_trap_19_cancelled_while_opening_nothing_is_left(tmp_path: Path, publishing: bool) -> None:
    """The thread is outlived, the handle closed, the partial removed, however often it is cancelled.

    What was on its way to its place is there, whole.
    """
    disk = FileExecutor(threads=1)
    gate = Gate()
    run, threads = (disk.run_short, _SHORT_THREADS) if publishing else (disk.run, 1)
    busy = [asyncio.create_task(run(tmp_path, gate)) for _ in range(threads)]
    await entered(gate)

    async def use() -> None:
        async with PartialFileWriter(disk, tmp_path / "a.csv") as part:
            if publishing:
                await part.publish(size, overwrite=False)
            for position in (0, CHUNK_SIZE):
                await part.write(bytes(CHUNK_SIZE), position)
            pytest.fail("it was cancelled before")

    task = asyncio.create_task(use())
    for _ in range(3):
        await asyncio.sleep(0)
        task.cancel()
    assert not task.done()
    gate.open.set()
    with pytest.raises(asyncio.CancelledError):
        await task
    await asyncio.gather(*busy)
    assert names(tmp_path) == (["a.csv"] if publishing else [])
    disk.close()


async def test_who_is_cancelled_when_the_work_has_just_ended_is_cancelled(
    disk: FileExecutor, tmp_path: Path
) -> None:
    """That the loop is told of an end nobody waits for any more disturbs nobody else."""
    failures: list[object] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: failures.append(context))
    gates = [Gate() for _ in range(_SHORT_THREADS + 1)]
    *busy, task, last = [asyncio.create_task(disk.run_short(tmp_path, gate)) for gate in gates]
    for gate in gates[:_SHORT_THREADS]:
        await entered(gate)
    gates[_SHORT_THREADS - 1].open.set()
    # The thread has gone on to the last one; the loop, held up here, has not heard of it.
    assert gates[_SHORT_THREADS].entered.wait(30)
    task.cancel()
    for gate in gates:
        gate.open.set()
    with pytest.raises(asyncio.CancelledError):
        await task
    await asyncio.gather(*busy, last)
    assert failures == []


async def test_an_error_of_cancelled_disk_work_is_not_left_unheard(
    disk: FileExecutor, tmp_path: Path
) -> None:
    """Cancellation wins, and no warning about an exception that was never retrieved follows."""
    gate = Gate()

    def fail() -> None:
        gate()
        raise OSError("full")

    task = asyncio.create_task(disk.run(tmp_path, fail))
    await entered(gate)
    task.cancel()
    await asyncio.sleep(0)
    gate.open.set()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_calls_in_a_row_are_done_in_turn(disk: FileExecutor, tmp_path: Path) -> None:
    """Each after the one before it, on one thread at a time, and whoever gives one waits for those before."""
    ordered_writer = disk.ordered_writer(tmp_path)
    gate = Gate()
    done: list[int] = []
    await ordered_writer.submit(gate)
    rest = [asyncio.create_task(ordered_writer.submit(done.append, number)) for number in range(3)]
    await entered(gate)
    assert (done, [task.done() for task in rest]) == ([], [False] * 3)
    gate.open.set()
    await asyncio.gather(*rest)
    await ordered_writer.drain()
    assert done == [0, 1, 2]


async def test_who_gave_a_call_may_be_cancelled(disk: FileExecutor, tmp_path: Path) -> None:
    """The call is made all the same, and waited for."""
    ordered_writer = disk.ordered_writer(tmp_path)
    gate = Gate()
    done: list[int] = []
    await ordered_writer.submit(gate)
    task = asyncio.create_task(ordered_writer.submit(done.append, 1))
    await entered(gate)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    gate.open.set()
    await ordered_writer.drain()
    assert done == [1]


async def test_after_a_call_that_fails_no_other_is_made(disk: FileExecutor, tmp_path: Path) -> None:
    """Everybody hears of the failure: an error of the disk as such, any other as it is."""

    def fail(error: Exception) -> None:
        raise error

    for error, raised in ((OSError("full"), DiskError), (ValueError("no"), ValueError)):
        ordered_writer = disk.ordered_writer(tmp_path)
        done: list[int] = []
        await ordered_writer.submit(fail, error)
        for _ in range(2):
            with pytest.raises(raised, match=str(error)):
                await ordered_writer.submit(done.append, 1)
        await ordered_writer.drain()
        assert done == []


async def test_a_row_on_threads_that_are_gone_says_so(tmp_path: Path) -> None:
    """Nobody waits for what will never be done."""
    disk = FileExecutor()
    ordered_writer = disk.ordered_writer(tmp_path)
    disk.close()
    with pytest.raises(DiskError, match="no thread can be started"):
        await ordered_writer.submit(print)
    await ordered_writer.drain()
