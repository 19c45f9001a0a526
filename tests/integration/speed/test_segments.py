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
from tests.faults.host import Ending, Host, Play, Request, Sent, Stored
from tests.faults.invariant import held
from tests.faults.plays import NO_NAME, but, honest, part, says, whole
from tests.faults.test_expiry import S3
from tests.faults.trial import PATIENCE, Pointing, Raw
from tests.support import AT_ONCE, FakeClock, exports_on, names
from tests.ways import force

SIZE = 400_000
CONTENT = random.Random("segments").randbytes(SIZE)
OTHER = random.Random("others").randbytes(SIZE)


class Ticking(FakeClock):
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

    most = 0

    @property
    def busy(self) -> int:
        return len(self._acquired)

    async def connect(self, *args: Any, **kwargs: Any) -> Connection:
        connection = await super().connect(*args, **kwargs)
        self.most = max(self.most, self.busy)
        return connection


@attrs.define(kw_only=True)
class Far(Raw):
    """A raw host that is slow, by the client's clock.

    Attributes:
        connector: What connects the client.
        patience: Seconds it may keep silent.
    """

    connector: Connector = attrs.field(init=False)
    patience: float = PATIENCE

    @asynccontextmanager
    async def client(self) -> AsyncIterator[AsyncPackageX]:
        self.connector = Connector()
        async with asyncio.timeout(PATIENCE), self.connector:
            async with exports_on(
                Ticking(), self.server, policy=AT_ONCE, timeout=self.patience, connector=self.connector
            ) as exports:
                yield cast(AsyncPackageX, attrs.make_class("Client", ["exports"])(exports))

    def others(self, *plays: Play) -> None:
        """Answer the first request honestly, and the next ones, of the other connections, like this."""
        self.plays(honest, *plays)

    @property
    def asked(self) -> list[tuple[int, int]]:
        """The first byte and the one after the last of each range that was asked for."""
        size = len(self.host.stored.content)
        return [
            (request.first or 0, size if request.last is None else request.last + 1)
            for request in self.host.requests
        ]


@pytest.fixture(autouse=True)
def _small(monkeypatch: pytest.MonkeyPatch) -> None:
    force("intake", monkeypatch)
    monkeypatch.setattr(artifact, "LARGE", SIZE)
    monkeypatch.setattr(segments, "MIN_SEGMENT_SIZE", 10_000)
    monkeypatch.setattr(segment_workers, "_PROGRESS", 1_000)
    monkeypatch.setattr(throughput, "SETTLING", math.inf)


@pytest.fixture
async def far(tmp_path: Path) -> AsyncIterator[Far]:
    """An export whose CSV lies on a slow host."""
    async with Host(Stored.of(CONTENT), honest) as host, Pointing(host) as server:
        export = server.add_export(content={"csv": CONTENT})
        yield Far(server=server, folder=tmp_path, export_id=export.id, wholes={"csv": [CONTENT]}, host=host)


@pytest.mark.parametrize("segments", [2, 3, 8])
async def test_several_connections_bring_one_artifact(far: Far, segments: int) -> None:
    """As many as are allowed, each a part of its own; in one try, verified, and nothing of it resumed."""
    file = await far.arrives(segments=segments)
    assert (file.attempts, file.resumed, file.verified) == (1, False, "checksum")
    assert far.connector.most == segments
    assert far.host.ranges[0] is None
    assert all(request.headers["If-Range"] for request in far.host.requests[1:])
    assert len({start for start, _ in far.asked}) == len(far.asked)


async def test_segments_1_is_one_request(far: Far) -> None:
    """It turns the rest off."""
    await far.arrives(segments=1)
    assert far.host.ranges == [None]


@pytest.mark.parametrize("bad", [0, -1, 9, 10**9])
async def test_segments_that_cannot_be_are_refused(far: Far, bad: int) -> None:
    """At the call, and nothing is asked for."""
    async with far.client() as px:
        with pytest.raises(ConfigurationError, match="segments must be"):
            await px.exports.download(far.export_id, far.folder, segments=bad)
    assert far.host.requests == []


async def test_what_is_not_large_comes_over_one(far: Far, monkeypatch: pytest.MonkeyPatch) -> None:
    """Others would cost more than they bring."""
    monkeypatch.setattr(artifact, "LARGE", SIZE + 1)
    await far.arrives()
    assert far.host.ranges == [None]


@pytest.mark.parametrize(
    "headers",
    [
        {"Accept-Ranges": "none"},
        {"Accept-Ranges": "None "},
        NO_NAME,
        {"ETag": 'W/"1"', "x-goog-generation": None},
    ],
)
async def test_a_host_that_denies_ranges_or_names_nothing_is_not_asked_for_any(
    far: Far, headers: dict[str, str | None]
) -> None:
    """One request brings it all."""
    far.tells(headers)
    await far.arrives()
    assert far.host.ranges == [None]


LIES: dict[str, Play] = {
    "ignores the range": whole(),
    "starts elsewhere": part(0),
    "another total": but(headers={"Content-Range": "bytes 200000-399999/400001"}),
    "another tag": but(headers={"ETag": '"another"'}),
    "says nothing of a range": but(headers={"Content-Range": None}),
    "refuses": says("403 Forbidden"),
    "asks for patience": says("429 Too Many Requests", headers={"Retry-After": "1"}),
    "is out of order": says("503 Service Unavailable"),
    "has nothing there": says("416 Range Not Satisfiable"),
    "hangs up": lambda _, __: Ending.FIN,
    "resets": lambda _, __: Ending.RST,
    "has lost it": says("404 Not Found"),
    "has expired": S3,
}


@pytest.mark.parametrize("lie", LIES)
async def test_a_second_connection_that_is_no_good_is_the_last(far: Far, lie: str) -> None:
    """The first one goes on as if it had never been: nothing is asked for again."""
    far.others(LIES[lie])
    file = await far.arrives()
    assert (file.attempts, file.resumed) == (1, False)
    assert (len(far.asked), far.host.ranges[0], far.retrieved) == (2, None, 1)


@pytest.mark.parametrize("place", [1, 2, 3])
@pytest.mark.parametrize("lie", LIES)
async def test_a_later_connection_that_is_no_good_costs_no_byte(far: Far, lie: str, place: int) -> None:
    """Whoever is left brings its part, and the file is the whole."""
    far.others(*[honest] * place, LIES[lie])
    await far.arrives()


async def test_all_but_two_connections_are_no_good(far: Far) -> None:
    """What the others leave goes back to those two, who bring it with the answers they have."""
    far.others(honest, *[LIES["is out of order"]] * 6)
    assert (await far.arrives(segments=8)).attempts <= 2


async def test_wrong_bytes_under_right_heads(far: Far) -> None:
    """The hash of the whole finds them: one restart, from zero and alone."""
    far.others(honest, _lying_bytes)
    file = await far.arrives()
    assert (file.attempts, file.resumed, file.verified) == (2, False, "checksum")
    assert far.host.ranges.count(None) == 2
    assert far.host.ranges[-1] is None


def _lying_bytes(request: Request, stored: Stored) -> Sent:
    answer = honest(request, stored)
    return attrs.evolve(answer, body=bytes(len(answer.body)))


async def test_each_of_them_is_cut(far: Far) -> None:
    """Each goes on from its own last byte; the first one, should it be cut as well, at a second try."""
    cut: set[int] = set()

    def once(request: Request, stored: Stored) -> Sent:
        fresh = len(cut) < 6
        cut.add(request.first or 0)
        return but(cut=12_000)(request, stored) if fresh else honest(request, stored)

    far.others()
    far.always(once)
    file = await far.arrives(segments=4)
    assert (file.attempts <= 2, file.verified) == (True, "checksum")
    assert len(cut) > 6


async def test_the_first_one_is_cut(far: Far) -> None:
    """The others go on meanwhile."""
    far.plays(but(cut=60_000))
    file = await far.arrives(segments=4)
    assert (file.attempts, file.resumed) == (2, True)
    assert far.host.ranges.count(None) == 1


async def test_one_stands_still(far: Far) -> None:
    """Its part is brought by another, or by itself at a second try."""
    far.patience = 0.2
    far.others(honest, but(cut=5_000, ending=Ending.HOLD), but(cut=0, ending=Ending.HOLD))
    await far.arrives(segments=4)


async def test_the_link_expires_amid(far: Far) -> None:
    """For all connections at once: it is renewed once, and nothing that came is asked for again."""
    far.always(
        lambda request, stored: (S3 if request.link == 1 and request.first else honest)(request, stored)
    )
    far.plays(but(cut=60_000))
    file = await far.arrives(segments=4)
    assert (far.retrieved, file.resumed) == (2, True)
    assert [request.link for request in far.host.requests if request.headers.get("Range") is None] == [1]


@pytest.mark.parametrize("after", [1, 2, 3, 4])
async def test_the_object_is_replaced_amid(far: Far, after: int) -> None:
    """The old one is no more than an old one, the new one is whole; no byte of one is in the other."""
    far.plays(honest, *[honest] * after, but(cut=0))
    requests = 0

    def replacing(request: Request, stored: Stored) -> Sent:
        nonlocal requests
        requests += 1
        if requests == 1:
            far.stores(OTHER, version=2)
        return honest(request, far.host.stored)

    far.always(replacing)
    file = await far.arrives(segments=4)
    assert file.path.read_bytes() in (CONTENT, OTHER)


@pytest.mark.parametrize("writes", [1, 5, 20])
async def test_the_disk_is_full_amid(far: Far, monkeypatch: pytest.MonkeyPatch, writes: int) -> None:
    """All connections end, the error says why, and nothing is left."""
    left = [writes]

    def fill(file: int, block: Any) -> None:
        left[0] -= 1
        if left[0] < 0:
            raise OSError(errno.ENOSPC, "full")
        write_all(file, block)

    monkeypatch.setattr(partial_file, "write_all", fill)
    error = await far.fails(DestinationError, segments=4)
    assert error.errno == errno.ENOSPC
    assert names(far.folder) == []


async def test_an_error_of_the_callers_own_amid(far: Far) -> None:
    """It is raised, whichever connection meets it."""

    def fail(event: ProgressEvent) -> None:
        if event.received > SIZE // 2:
            raise LookupError("mine")

    async with far.client() as px:
        with pytest.raises(ExceptionGroup) as caught:
            await px.exports.download(far.export_id, far.folder, segments=4, on_progress=fail)
    assert caught.group_contains(LookupError)
    far.check({})


@pytest.mark.parametrize("share", [0.3, 0.6, 0.9])
async def test_cancelled_amid(far: Far, share: float) -> None:
    """Nothing is left."""
    await _cancelled(far, share)
    assert held(far.folder) == {}


@pytest.mark.parametrize("share", [0.3, 0.6, 0.9])
async def test_cancelled_amid_and_gone_on_with(far: Far, share: float) -> None:
    """The next run asks for the gaps, and for nothing else."""
    received = await _cancelled(far, share, resume=True)
    (memo,) = far.folder.glob(".*.part.json")
    gaps = [(start, end) for start, end in json.loads(memo.read_text())["gaps"]]
    assert sum(end - start for start, end in gaps) <= SIZE - received
    far.host.requests.clear()
    file = await _gone_on(far, segments=1)
    assert far.asked == gaps
    assert (file.attempts, file.resumed, far.connector.most) == (1, True, 1)


async def _cancelled(far: Far, share: float, **options: Any) -> int:
    """A download that is cancelled when `share` of it is there; how many bytes it had told of."""
    reached, told = asyncio.Event(), 0

    def watch(event: ProgressEvent) -> None:
        nonlocal told
        told = event.received
        if event.received > share * SIZE:
            reached.set()

    async with far.client() as px:
        work = px.exports.download(far.export_id, far.folder, segments=4, on_progress=watch, **options)
        task = asyncio.create_task(work)
        await reached.wait()
        several = far.connector.most
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    assert several > 1
    assert not far.path().exists()
    return told


async def test_a_partial_with_gaps_is_gone_on_with_by_several(far: Far) -> None:
    """As is one that was cut, and each byte is asked for about once."""
    await _cancelled(far, 0.2, resume=True)
    far.host.requests.clear()
    file = await _gone_on(far, segments=4)
    assert (file.resumed, far.connector.most > 1) == (True, True)
    assert far.host.ranges.count(None) == 0


async def _gone_on(far: Far, *, segments: int) -> DownloadedFile:
    """What the next run makes of what a run has left."""
    async with far.client() as px:
        report = await px.exports.download(
            far.export_id, far.folder, resume=True, segments=segments, digest="sha256"
        )
    far.check({})
    assert names(far.folder) == [far.path().name]
    return report.files["csv"]


async def test_connections_that_add_no_speed_are_closed(far: Far, monkeypatch: pytest.MonkeyPatch) -> None:
    """One connection transfers the rest, long before there is nothing left to divide."""
    monkeypatch.setattr(throughput, "SETTLING", 0.1)
    monkeypatch.setattr(throughput, "GAIN", math.inf)
    far.stores(CONTENT * 5)
    early: list[int] = []

    def count(event: ProgressEvent) -> None:
        if event.received < 4 * SIZE:
            early.append(far.connector.busy)

    await far.arrives(segments=3, on_progress=count)
    assert far.connector.most in (2, 3)
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
storage_response._DIRECT_READ_SIZE, body_reader.BUFFER_SIZE, partial_writer._WORTH_A_WRITE = 1, 20_000, 1
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
