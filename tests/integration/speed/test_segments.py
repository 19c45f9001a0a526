"""Several connections bring one artifact where that is faster, and nothing that befalls one costs a byte."""

from __future__ import annotations

import asyncio
import errno
import hashlib
import json
import math
import random
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, cast

import aiohttp
import attrs
import pytest
from aiohttp.connector import Connection

from packagex_async import AsyncPackageX, ConfigurationError, DestinationError, DownloadedFile, ProgressEvent
from packagex_async._download import artifact, segment_workers, segments, throughput
from packagex_async._files.operations import write_all
from packagex_async._partials import partial_file
from packagex_async.testing import Emulator
from tests.faults.invariant import read_files
from tests.faults.responses import (
    NO_VALIDATORS,
    altered_response,
    correct_response,
    full_response,
    partial_response,
    text_response,
)
from tests.faults.scenario import TIMEOUT_SECONDS, RawDownloadScenario, RawStorageEmulator
from tests.faults.storage_server import (
    ConnectionEnd,
    RawStorageServer,
    Request,
    Responder,
    ServerAction,
    StoredObject,
)
from tests.faults.test_expiry import S3
from tests.support import AT_ONCE, FakeClock, exports_on, names
from tests.transfer_modes import use_transfer_mode

SIZE = 400_000
CONTENT = random.Random("segments").randbytes(SIZE)
OTHER = random.Random("others").randbytes(SIZE)


class TickingClock(FakeClock):
    """A clock that goes on with every look at it: the network seems as slow as blocks are many."""

    def monotonic(self) -> float:
        self.now += 0.05
        return self.now


class Connector(aiohttp.TCPConnector):
    """A connector that counts.

    Attributes:
        busy: How many connections are in use.
        most: The most there have been at a time.
    """

    max_busy = 0

    @property
    def busy(self) -> int:
        return len(self._acquired)

    async def connect(self, *args: Any, **kwargs: Any) -> Connection:
        connection = await super().connect(*args, **kwargs)
        self.max_busy = max(self.max_busy, self.busy)
        return connection


@attrs.define(kw_only=True)
class SlowDownloadScenario(RawDownloadScenario):
    """A raw host that is slow, by the client's clock.

    Attributes:
        connector: What connects the client.
        patience: Seconds it may keep silent.
    """

    connector: Connector = attrs.field(init=False)
    patience: float = TIMEOUT_SECONDS

    @asynccontextmanager
    async def client(self) -> AsyncIterator[AsyncPackageX]:
        self.connector = Connector()
        async with asyncio.timeout(TIMEOUT_SECONDS), self.connector:
            async with exports_on(
                TickingClock(), self.server, policy=AT_ONCE, timeout=self.patience, connector=self.connector
            ) as exports:
                yield cast(AsyncPackageX, attrs.make_class("Client", ["exports"])(exports))

    def respond_to_others(self, *respond_with: Responder) -> None:
        """Answer the first request honestly, and the next ones, of the other connections, like this."""
        self.respond_with(correct_response, *respond_with)

    @property
    def asked(self) -> list[tuple[int, int]]:
        """The first byte and the one after the last of each range that was asked for."""
        size = len(self.storage.stored.content)
        return [
            (request.range_start or 0, size if request.range_end is None else request.range_end + 1)
            for request in self.storage.requests
        ]


@pytest.fixture(autouse=True)
def _small(monkeypatch: pytest.MonkeyPatch) -> None:
    use_transfer_mode("body_reader", monkeypatch)
    monkeypatch.setattr(artifact, "LARGE", SIZE)
    monkeypatch.setattr(segments, "MIN_SEGMENT_SIZE", 10_000)
    monkeypatch.setattr(segment_workers, "_PROGRESS", 1_000)
    monkeypatch.setattr(throughput, "SETTLING", math.inf)


@pytest.fixture
async def slow(tmp_path: Path) -> AsyncIterator[SlowDownloadScenario]:
    """An export whose CSV lies on a slow host."""
    async with (
        RawStorageServer(StoredObject.of(CONTENT), correct_response) as host,
        RawStorageEmulator(host) as server,
    ):
        export = server.add_export(content={"csv": CONTENT})
        yield SlowDownloadScenario(
            server=server, folder=tmp_path, export_id=export.id, versions={"csv": [CONTENT]}, storage=host
        )


@pytest.mark.parametrize("segments", [2, 3, 8])
async def test_several_connections_bring_one_artifact(slow: SlowDownloadScenario, segments: int) -> None:
    """As many as are allowed, each a part of its own; in one try, verified, and nothing of it resumed."""
    file = await slow.download(segments=segments)
    assert (file.attempts, file.resumed, file.verified) == (1, False, "checksum")
    assert slow.connector.max_busy == segments
    assert slow.storage.requested_ranges[0] is None
    assert all(request.headers["If-Range"] for request in slow.storage.requests[1:])
    assert len({start for start, _ in slow.asked}) == len(slow.asked)


async def test_segments_1_is_one_request(slow: SlowDownloadScenario) -> None:
    """It turns the rest off."""
    await slow.download(segments=1)
    assert slow.storage.requested_ranges == [None]


@pytest.mark.parametrize("bad", [0, -1, 9, 10**9])
async def test_segments_that_cannot_be_are_refused(slow: SlowDownloadScenario, bad: int) -> None:
    """At the call, and nothing is asked for."""
    async with slow.client() as px:
        with pytest.raises(ConfigurationError, match="segments must be"):
            await px.exports.download(slow.export_id, slow.folder, segments=bad)
    assert slow.storage.requests == []


async def test_what_is_not_large_comes_over_one(
    slow: SlowDownloadScenario, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Others would cost more than they bring."""
    monkeypatch.setattr(artifact, "LARGE", SIZE + 1)
    await slow.download()
    assert slow.storage.requested_ranges == [None]


@pytest.mark.parametrize(
    "headers",
    [
        {"Accept-Ranges": "none"},
        {"Accept-Ranges": "None "},
        NO_VALIDATORS,
        {"ETag": 'W/"1"', "x-goog-generation": None},
    ],
)
async def test_a_host_that_denies_ranges_or_names_nothing_is_not_asked_for_any(
    slow: SlowDownloadScenario, headers: dict[str, str | None]
) -> None:
    """One request brings it all."""
    slow.set_headers(headers)
    await slow.download()
    assert slow.storage.requested_ranges == [None]


LIES: dict[str, Responder] = {
    "ignores the range": full_response(),
    "starts elsewhere": partial_response(0),
    "another total": altered_response(headers={"Content-Range": "bytes 200000-399999/400001"}),
    "another tag": altered_response(headers={"ETag": '"another"'}),
    "says nothing of a range": altered_response(headers={"Content-Range": None}),
    "refuses": text_response("403 Forbidden"),
    "asks for patience": text_response("429 Too Many Requests", headers={"Retry-After": "1"}),
    "is out of order": text_response("503 Service Unavailable"),
    "has nothing there": text_response("416 Range Not Satisfiable"),
    "hangs up": lambda _, __: ConnectionEnd.FIN,
    "resets": lambda _, __: ConnectionEnd.RST,
    "has lost it": text_response("404 Not Found"),
    "has expired": S3,
}


@pytest.mark.parametrize("lie", LIES)
async def test_a_second_connection_that_is_no_good_is_the_last(slow: SlowDownloadScenario, lie: str) -> None:
    """The first one goes on as if it had never been: nothing is asked for again."""
    slow.respond_to_others(LIES[lie])
    file = await slow.download()
    assert (file.attempts, file.resumed) == (1, False)
    assert (len(slow.asked), slow.storage.requested_ranges[0], slow.retrieve_count) == (2, None, 1)


@pytest.mark.parametrize("place", [1, 2, 3])
@pytest.mark.parametrize("lie", LIES)
async def test_a_later_connection_that_is_no_good_costs_no_byte(
    slow: SlowDownloadScenario, lie: str, place: int
) -> None:
    """Whoever is left brings its part, and the file is the whole."""
    slow.respond_to_others(*[correct_response] * place, LIES[lie])
    await slow.download()


async def test_all_but_two_connections_are_no_good(slow: SlowDownloadScenario) -> None:
    """What the others leave goes back to those two, who bring it with the answers they have."""
    slow.respond_to_others(correct_response, *[LIES["is out of order"]] * 6)
    assert (await slow.download(segments=8)).attempts <= 2


async def test_wrong_bytes_under_right_heads(slow: SlowDownloadScenario) -> None:
    """The hash of the whole finds them: one restart, from zero and alone."""
    slow.respond_to_others(correct_response, _lying_bytes)
    file = await slow.download()
    assert (file.attempts, file.resumed, file.verified) == (2, False, "checksum")
    assert slow.storage.requested_ranges.count(None) == 2
    assert slow.storage.requested_ranges[-1] is None


def _lying_bytes(request: Request, stored: StoredObject) -> ServerAction:
    answer = correct_response(request, stored)
    return attrs.evolve(answer, body=bytes(len(answer.body)))


async def test_each_of_them_is_cut(slow: SlowDownloadScenario) -> None:
    """Each goes on from its own last byte; the first one, should it be cut as well, at a second try."""
    truncated_response: set[int] = set()

    def once(request: Request, stored: StoredObject) -> ServerAction:
        fresh = len(truncated_response) < 6
        truncated_response.add(request.range_start or 0)
        return (
            altered_response(truncate_at=12_000)(request, stored)
            if fresh
            else correct_response(request, stored)
        )

    slow.respond_to_others()
    slow.always_respond_with(once)
    file = await slow.download(segments=4)
    assert (file.attempts <= 2, file.verified) == (True, "checksum")
    assert len(truncated_response) > 6


async def test_the_first_one_is_cut(slow: SlowDownloadScenario) -> None:
    """The others go on meanwhile."""
    slow.respond_with(altered_response(truncate_at=60_000))
    file = await slow.download(segments=4)
    assert (file.attempts, file.resumed) == (2, True)
    assert slow.storage.requested_ranges.count(None) == 1


async def test_one_stands_still(slow: SlowDownloadScenario) -> None:
    """Its part is brought by another, or by itself at a second try."""
    slow.patience = 0.2
    slow.respond_to_others(
        correct_response,
        altered_response(truncate_at=5_000, ending=ConnectionEnd.STALL),
        altered_response(truncate_at=0, ending=ConnectionEnd.STALL),
    )
    await slow.download(segments=4)


async def test_the_link_expires_amid(slow: SlowDownloadScenario) -> None:
    """For all connections at once: it is renewed once, and nothing that came is asked for again."""
    slow.always_respond_with(
        lambda request, stored: (S3 if request.url_number == 1 and request.range_start else correct_response)(
            request, stored
        )
    )
    slow.respond_with(altered_response(truncate_at=60_000))
    file = await slow.download(segments=4)
    assert (slow.retrieve_count, file.resumed) == (2, True)
    assert [
        request.url_number for request in slow.storage.requests if request.headers.get("Range") is None
    ] == [1]


@pytest.mark.parametrize("after", [1, 2, 3, 4])
async def test_the_object_is_replaced_amid(slow: SlowDownloadScenario, after: int) -> None:
    """The old one is no more than an old one, the new one is whole; no byte of one is in the other."""
    slow.respond_with(correct_response, *[correct_response] * after, altered_response(truncate_at=0))
    requests = 0

    def replacing(request: Request, stored: StoredObject) -> ServerAction:
        nonlocal requests
        requests += 1
        if requests == 1:
            slow.replace_object(OTHER, version=2)
        return correct_response(request, slow.storage.stored)

    slow.always_respond_with(replacing)
    file = await slow.download(segments=4)
    assert file.path.read_bytes() in (CONTENT, OTHER)


@pytest.mark.parametrize("writes", [1, 5, 20])
async def test_the_disk_is_full_amid(
    slow: SlowDownloadScenario, monkeypatch: pytest.MonkeyPatch, writes: int
) -> None:
    """All connections end, the error says why, and nothing is left."""
    left = [writes]

    def fill(file: int, block: Any) -> None:
        left[0] -= 1
        if left[0] < 0:
            raise OSError(errno.ENOSPC, "full")
        write_all(file, block)

    monkeypatch.setattr(partial_file, "write_all", fill)
    error = await slow.download_error(DestinationError, segments=4)
    assert error.errno == errno.ENOSPC
    assert names(slow.folder) == []


async def test_an_error_of_the_callers_own_amid(slow: SlowDownloadScenario) -> None:
    """It is raised, whichever connection meets it."""

    def fail(event: ProgressEvent) -> None:
        if event.received > SIZE // 2:
            raise LookupError("mine")

    async with slow.client() as px:
        with pytest.raises(ExceptionGroup) as caught:
            await px.exports.download(slow.export_id, slow.folder, segments=4, on_progress=fail)
    assert caught.group_contains(LookupError)
    slow.check({})


@pytest.mark.parametrize("share", [0.3, 0.6, 0.9])
async def test_cancelled_amid(slow: SlowDownloadScenario, share: float) -> None:
    """Nothing is left."""
    await _cancelled(slow, share)
    assert read_files(slow.folder) == {}


@pytest.mark.parametrize("share", [0.3, 0.6, 0.9])
async def test_cancelled_amid_and_gone_on_with(slow: SlowDownloadScenario, share: float) -> None:
    """The next run asks for the gaps, and for nothing else."""
    received = await _cancelled(slow, share, resume=True)
    (memo,) = slow.folder.glob(".*.part.json")
    gaps = [(start, end) for start, end in json.loads(memo.read_text())["gaps"]]
    assert sum(end - start for start, end in gaps) <= SIZE - received
    slow.storage.requests.clear()
    file = await _gone_on(slow, segments=1)
    assert slow.asked == gaps
    assert (file.attempts, file.resumed, slow.connector.max_busy) == (1, True, 1)


async def _cancelled(slow: SlowDownloadScenario, share: float, **options: Any) -> int:
    """A download that is cancelled when `share` of it is there; how many bytes it had told of."""
    reached, told = asyncio.Event(), 0

    def watch(event: ProgressEvent) -> None:
        nonlocal told
        told = event.received
        if event.received > share * SIZE:
            reached.set()

    async with slow.client() as px:
        work = px.exports.download(slow.export_id, slow.folder, segments=4, on_progress=watch, **options)
        task = asyncio.create_task(work)
        await reached.wait()
        several = slow.connector.max_busy
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    assert several > 1
    assert not slow.path().exists()
    return told


async def test_a_partial_with_gaps_is_gone_on_with_by_several(slow: SlowDownloadScenario) -> None:
    """As is one that was cut, and each byte is asked for about once."""
    await _cancelled(slow, 0.2, resume=True)
    slow.storage.requests.clear()
    file = await _gone_on(slow, segments=4)
    assert (file.resumed, slow.connector.max_busy > 1) == (True, True)
    assert slow.storage.requested_ranges.count(None) == 0


async def _gone_on(slow: SlowDownloadScenario, *, segments: int) -> DownloadedFile:
    """What the next run makes of what a run has left."""
    async with slow.client() as px:
        report = await px.exports.download(
            slow.export_id, slow.folder, resume=True, segments=segments, digest="sha256"
        )
    slow.check({})
    assert names(slow.folder) == [slow.path().name]
    return report.files["csv"]


async def test_connections_that_add_no_speed_are_closed(
    slow: SlowDownloadScenario, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One connection transfers the rest, long before there is nothing left to divide."""
    monkeypatch.setattr(throughput, "SETTLING", 0.1)
    monkeypatch.setattr(throughput, "GAIN", math.inf)
    slow.replace_object(CONTENT * 5)
    early: list[int] = []

    def count(event: ProgressEvent) -> None:
        if event.received < 4 * SIZE:
            early.append(slow.connector.busy)

    await slow.download(segments=3, on_progress=count)
    assert slow.connector.max_busy in (2, 3)
    several = next(index for index, busy in enumerate(early) if busy > 1)
    assert 1 in early[several:]


async def test_one_that_is_the_fastest_stays_alone(
    server: Emulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By an honest clock, 16 MiB over the loopback are one request."""
    monkeypatch.undo()
    content = random.Random(16).randbytes(throughput.LARGE)
    export = server.add_export(content={"csv": content})
    async with server.client(retry=AT_ONCE) as px:
        report = await px.exports.download(export.id, tmp_path)
    assert report.files["csv"].path.read_bytes() == content
    assert [request.headers.get("Range") for request in server.requests if request.host == "storage"] == [
        None
    ]


SUICIDE = """
import asyncio, math, os, signal, sys
from packagex_async import AsyncPackageX
from packagex_async._download import artifact, segment_workers, segments, throughput
from packagex_async._partials import partial_writer
from packagex_async._transport import body_reader, storage_response

artifact.LARGE, segments.MIN_SEGMENT_SIZE, throughput.SETTLING = 1, 10_000, math.inf
throughput.PROBE, throughput.WORTH, throughput.FAST = 1e-9, 0, math.inf
storage_response._WORTH_A_CONNECTION, body_reader.BUFFER_SIZE, partial_writer._WORTH_A_WRITE = 1, 20_000, 1
url, key, export_id, folder, last = sys.argv[1:]

def die(event):
    if event.received > int(last):
        os.kill(os.getpid(), signal.SIGKILL)

async def main():
    async with AsyncPackageX(key, base_url=url) as px:
        await px.exports.download(export_id, folder, resume=True, segments=4, on_progress=die)

asyncio.run(main())
"""


@pytest.mark.parametrize("share", [0.3, 0.6, 0.9])
async def test_killed_amid_and_gone_on_with(
    packagex_emulator: Emulator, tmp_path: Path, share: float
) -> None:
    """SIGKILL leaves no time to tell of anything: what the memo tells is true all the same."""
    server = packagex_emulator
    content = CONTENT * 5
    export_id = server.add_export(content={"csv": content}).id
    last = str(int(share * len(content)))
    command = [sys.executable, "-c", SUICIDE, server.base_url, server.api_key, export_id, str(tmp_path), last]
    killed = await asyncio.create_subprocess_exec(*command)
    assert await killed.wait() == -signal.SIGKILL
    assert not (tmp_path / f"{export_id}.csv").exists()
    async with server.client(retry=AT_ONCE) as px:
        report = await px.exports.download(export_id, tmp_path, resume=True, segments=1, digest="sha256")
    file = report.files["csv"]
    assert file.path.read_bytes() == content
    assert file.sha256 == hashlib.sha256(content).hexdigest()
    assert names(tmp_path) == [file.path.name]
