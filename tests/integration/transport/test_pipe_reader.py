"""Blocks in pipes: where they are not possible, and what becomes of the descriptors."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import gc
import os
import resource
import socket
from pathlib import Path
from typing import Any

import pytest
import trustme

from packagex_async import DownloadGroupError, RetryPolicy
from packagex_async._bodies import pipe_reader
from packagex_async._bodies.body_reader import ResponseBody
from packagex_async._bodies.pipe import PipedChunk
from packagex_async._bodies.pipe_reader import open_pipe_reader
from packagex_async._concurrency.tuning import TransferTuning
from packagex_async._transport import storage_response
from packagex_async.testing import Cut, Emulator, NoHash, Reset
from tests.integration.transport.body_transfer import (
    BODY,
    BUFFER_SIZE,
    TIMEOUT,
    Kind,
    content,
    forever,
    sending,
    transfer,
)
from tests.integration.transport.server import Security
from tests.transfer_modes import use_transfer_mode

LARGE = bytes(TransferTuning().direct_read_min_size + 1024 * 1024)
"""A body that is read without the parser of aiohttp, even if a part of it arrives with the head."""

PIPES = Kind(Security.none(), is_piped=True)

pytestmark = pytest.mark.selector_loop


def open_descriptors() -> int:
    """Return the number of open files, sockets and pipes of the process."""
    return len(os.listdir("/proc/self/fd"))


async def open_on(kind: Kind, size: int = BUFFER_SIZE) -> object:
    """Return the reader for a connection, or `None` if pipes are not possible."""
    async with transfer(sending(BODY), kind) as connection:
        return open_pipe_reader(ResponseBody(connection.transport, b"", 1, TIMEOUT, TIMEOUT), size)


async def test_encrypted_connection_needs_memory(authority: trustme.CA) -> None:
    """Its bytes have to be decrypted."""
    assert await open_on(Kind(Security.issued_by(authority, "127.0.0.1"))) is None


async def test_other_systems_need_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only Linux has `splice`."""
    monkeypatch.setattr(pipe_reader, "IS_SUPPORTED", False)
    assert await open_on(Kind(Security.none())) is None


async def test_limit_for_pipes_leaves_no_descriptor_open() -> None:
    """The pages of all pipes of a user are limited."""
    async with transfer(sending(BODY), Kind(Security.none())) as connection:
        body = ResponseBody(connection.transport, b"", 1, TIMEOUT, TIMEOUT)
        before = open_descriptors()
        # No pipe may be that large.
        assert open_pipe_reader(body, 2**31 - 1) is None
        assert open_descriptors() == before


async def test_limit_for_open_files_leaves_no_descriptor_open(monkeypatch: pytest.MonkeyPatch) -> None:
    """The limit may be reached by the last descriptor."""

    def fail(_: int) -> int:
        raise OSError(errno.EMFILE, "too many open files")

    async with transfer(sending(BODY), Kind(Security.none())) as connection:
        body = ResponseBody(connection.transport, b"", 1, TIMEOUT, TIMEOUT)
        before = open_descriptors()
        with monkeypatch.context() as patch:
            patch.setattr(os, "dup", fail)
            assert open_pipe_reader(body, BUFFER_SIZE) is None
        assert open_descriptors() == before


@pytest.mark.parametrize(("limit", "is_open"), [(resource.RLIM_INFINITY, True), (65_536, True), (40, False)])
async def test_pipes_leave_descriptors_for_files_and_connections(
    monkeypatch: pytest.MonkeyPatch, limit: int, is_open: bool
) -> None:
    """They use only the lower half of the descriptors."""
    monkeypatch.setattr(resource, "getrlimit", lambda _: (limit, limit))
    async with transfer(sending(BODY), Kind(Security.none())) as connection:
        body = ResponseBody(connection.transport, b"", 1, TIMEOUT, TIMEOUT)
        before = open_descriptors()
        assert (open_pipe_reader(body, BUFFER_SIZE) is not None) is is_open
        assert (open_descriptors() > before) is is_open


def open_pipes() -> int:
    """Return the number of open ends of pipes."""
    paths = []
    for number in os.listdir("/proc/self/fd"):
        with contextlib.suppress(FileNotFoundError):
            paths.append(os.readlink(f"/proc/self/fd/{number}"))
    return sum(path.startswith("pipe:") for path in paths)


@pytest.mark.parametrize("fault", [Cut(50_000), Reset(50_000)])
async def test_error_keeps_no_pipe_open(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fault: Cut | Reset
) -> None:
    """The traceback refers to the frames of the download. The garbage collector is not needed."""
    use_transfer_mode("pipe_reader", monkeypatch)
    async with Emulator(populate=False) as server, server.client(retry=RetryPolicy(attempts=1)) as px:
        export = server.add_export(content={"csv": LARGE[:100_000]})
        server.inject(fault)
        before = open_pipes()
        gc.disable()
        try:
            with pytest.raises(DownloadGroupError) as caught:
                await px.exports.download(export.id, tmp_path, resume=True)
            assert open_pipes() == before
        finally:
            gc.enable()
    assert caught.value.report.failures


async def test_pipe_is_not_filled_while_it_is_emptied() -> None:
    """The call that fills it would wait for a slow disk, and block the event loop."""
    rest_sent = asyncio.Event()

    async def send_slowly(writer: asyncio.StreamWriter) -> None:
        writer.write(BODY[:10])
        await rest_sent.wait()
        await sending(BODY[10:])(writer)

    async with transfer(send_slowly, PIPES, fill_timeout=0.001) as connection:
        blocks = [await connection.reader.read()]
        rest_sent.set()
        blocks.append(await connection.reader.read())
        first, second = (block.take_pipe() for block in blocks if isinstance(block, PipedChunk))
        assert first is not second


async def test_descriptors_are_closed_with_the_connection() -> None:
    """Those of the pipes are closed when the last block is freed: a thread may still write it."""
    before = open_descriptors()
    async with transfer(sending(BODY), PIPES) as connection:
        block = await connection.reader.read()
        assert isinstance(block, PipedChunk)
        del connection
    held = open_descriptors() - before
    del block
    assert open_descriptors() <= before
    assert held == 2


@pytest.mark.parametrize("number", [errno.EINVAL, errno.ENOSYS, errno.EPERM])
@pytest.mark.parametrize("moved_blocks", [0, 2])
async def test_system_that_refuses_splice_reads_into_memory(
    monkeypatch: pytest.MonkeyPatch, number: int, moved_blocks: int
) -> None:
    """For example, in a sandbox. No byte is lost, whenever it refuses."""
    splice = os.splice

    def refuse(source: int, target: int, size: int, **options: int) -> int:
        nonlocal moved_blocks
        moved_blocks -= 1
        if moved_blocks < 0:
            raise OSError(number, os.strerror(number))
        return splice(source, target, size, **options)

    monkeypatch.setattr(os, "splice", refuse)
    async with transfer(sending(BODY + b"surplus"), PIPES) as connection:
        body = b""
        while block := await connection.reader.read():
            body += content(block)
    assert body == BODY


@pytest.mark.parametrize("refused_call", [0, 1])
async def test_refused_bytes_stay_in_the_socket(monkeypatch: pytest.MonkeyPatch, refused_call: int) -> None:
    """An empty pipe is filled later. A pipe with bytes is full, and its bytes are a block at once."""
    splice, calls = os.splice, 0
    moved_event = asyncio.Event()

    def refuse_once(source: int, target: int, size: int, **options: int) -> int:
        nonlocal calls
        calls += 1
        if calls - 1 == refused_call:
            raise BlockingIOError
        moved_event.set()
        return splice(source, target, size, **options)

    async def send_in_two_parts(writer: asyncio.StreamWriter) -> None:
        writer.write(BODY[:10])
        await moved_event.wait()
        await sending(BODY[10:])(writer)

    monkeypatch.setattr(os, "splice", refuse_once)
    async with transfer(send_in_two_parts, PIPES, fill_timeout=TIMEOUT) as connection:
        first = content(await connection.reader.read())
        assert (len(first) == 10) is (refused_call == 1)
        rest = b""
        while block := await connection.reader.read():
            rest += content(block)
    assert first + rest == BODY


async def test_bytes_that_the_transport_has_read_follow_those_in_the_pipe() -> None:
    """aiohttp may resume reading at any time."""
    sent_event = asyncio.Event()

    async def send_start(writer: asyncio.StreamWriter) -> None:
        writer.write(BODY[:10])
        await sent_event.wait()
        await sending(BODY[15:])(writer)

    async with transfer(send_start, PIPES, fill_timeout=TIMEOUT) as connection:
        reader = connection.reader
        task = asyncio.create_task(reader.read())
        while not reader._filled:
            await asyncio.sleep(0)
        reader.get_buffer(-1)[:5] = BODY[10:15]
        reader.buffer_updated(5)
        received = content(await task)
        assert received == BODY[:10]
        sent_event.set()
        while block := await reader.read():
            received += content(block)
    assert received == BODY


async def test_body_of_small_packets_is_complete() -> None:
    """Whether or not each of them needs a page of a pipe."""
    requested = asyncio.Event()
    packets = 2 * BUFFER_SIZE // os.sysconf("SC_PAGESIZE")
    body = BODY[: 10 * packets]

    async def send_packets(writer: asyncio.StreamWriter) -> None:
        sock: socket.socket = writer.get_extra_info("socket")
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for start in range(0, len(body), 10):
            writer.write(body[start : start + 10])
            await writer.drain()
        requested.set()
        await forever()

    async with transfer(send_packets, PIPES, length=len(body), fill_timeout=TIMEOUT) as connection:
        await requested.wait()
        received = b""
        while block := await connection.reader.read():
            received += content(block)
    assert received == body


@pytest.mark.parametrize("options", [{}, {"digest": "sha256"}])
@pytest.mark.parametrize("fault", [NoHash(), None])
async def test_only_bytes_that_are_not_hashed_are_in_pipes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fault: NoHash | None, options: dict[str, Any]
) -> None:
    """A hash needs the bytes in memory, whether the server declares it or the caller wants it."""
    opened: list[object] = []

    def open_reader(body: ResponseBody, size: int) -> object:
        opened.append(reader := open_pipe_reader(body, size))
        return reader

    monkeypatch.setattr(storage_response, "open_pipe_reader", open_reader)
    async with Emulator(populate=False) as server:
        export = server.add_export(content={"csv": LARGE})
        if fault is not None:
            server.inject(fault, times=None)
        async with server.client() as px:
            (file,) = (await px.exports.download(export.id, tmp_path, **options)).files
    assert len(opened) == (fault is not None and not options)
    assert None not in opened
    assert file.path.read_bytes() == LARGE


def test_uvloop_needs_memory() -> None:
    """It does not call the callback for a descriptor whose connection was reset."""
    with asyncio.Runner(loop_factory=pytest.importorskip("uvloop").new_event_loop) as runner:
        assert runner.run(open_on(Kind(Security.none()))) is None
