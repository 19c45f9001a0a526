"""Downloads over several connections are faster where that helps, and a failed connection loses no byte."""

from __future__ import annotations

import errno
import math
import random
from pathlib import Path
from typing import Any

import attrs
import pytest

from packagex_async import ConfigurationError, DestinationError, ProgressEvent
from packagex_async._concurrency.tuning import TransferTuning
from packagex_async._files.operations import write_all
from packagex_async._partials import partial_file
from packagex_async.testing import Emulator
from tests.faults.responses import (
    NO_VALIDATORS,
    altered_response,
    correct_response,
    full_response,
    partial_response,
    text_response,
)
from tests.faults.storage_server import (
    ConnectionEnd,
    Request,
    Responder,
    ServerAction,
    StoredObject,
)
from tests.faults.test_expiry import S3
from tests.integration.speed.slow_storage import CONTENT, SIZE, SlowDownloadScenario
from tests.support import NO_BACKOFF, names
from tests.transfer_modes import tune

OTHER = random.Random("others").randbytes(SIZE)


@pytest.mark.parametrize("segments", [2, 3, 16])
async def test_several_connections_download_one_artifact(slow: SlowDownloadScenario, segments: int) -> None:
    """Each connection requests its own ranges; one attempt, verified, and not reported as resumed."""
    file = await slow.download(segments=segments)
    assert (file.attempts, file.resumed, file.verified) == (1, False, "checksum")
    assert slow.connector.max_busy == segments
    assert slow.storage.requested_ranges[0] is None
    assert all(request.headers["If-Range"] for request in slow.storage.requests[1:])
    assert len({start for start, _ in slow.requested_segments}) == len(slow.requested_segments)


async def test_segments_1_uses_one_request(slow: SlowDownloadScenario) -> None:
    """`segments=1` disables further connections."""
    await slow.download(segments=1)
    assert slow.storage.requested_ranges == [None]


@pytest.mark.parametrize("bad", [0, -1, 17, 10**9])
async def test_invalid_number_of_segments_is_refused(slow: SlowDownloadScenario, bad: int) -> None:
    """The error is raised at the call, and nothing is requested."""
    async with slow.client() as px:
        with pytest.raises(ConfigurationError, match="segments must be"):
            await px.exports.download(slow.export_id, slow.folder, segments=bad)
    assert slow.storage.requests == []


async def test_small_object_uses_one_connection(
    slow: SlowDownloadScenario, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Objects below the threshold use one request."""
    tune(monkeypatch, parallel_min_size=SIZE + 1)
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
async def test_no_segments_without_ranges_or_validators(
    slow: SlowDownloadScenario, headers: dict[str, str | None]
) -> None:
    """Without support for ranges, or without a strong validator, one request is sent."""
    slow.set_headers(headers)
    await slow.download()
    assert slow.storage.requested_ranges == [None]


WRONG_RESPONSES: dict[str, Responder] = {
    "full response": full_response(),
    "other start": partial_response(0),
    "other total": altered_response(headers={"Content-Range": "bytes 200000-399999/400001"}),
    "other ETag": altered_response(headers={"ETag": '"another"'}),
    "no Content-Range": altered_response(headers={"Content-Range": None}),
    "403": text_response("403 Forbidden"),
    "429": text_response("429 Too Many Requests", headers={"Retry-After": "1"}),
    "503": text_response("503 Service Unavailable"),
    "416": text_response("416 Range Not Satisfiable"),
    "closed": lambda _, __: ConnectionEnd.FIN,
    "reset": lambda _, __: ConnectionEnd.RST,
    "404": text_response("404 Not Found"),
    "expired": S3,
}


@pytest.mark.parametrize("name", WRONG_RESPONSES)
async def test_wrong_response_on_second_connection_disables_segments(
    slow: SlowDownloadScenario, name: str
) -> None:
    """The first connection continues, and no byte is requested again."""
    slow.respond_to_others(WRONG_RESPONSES[name])
    slow.storage.hold_first_response()
    file = await slow.download()
    assert (file.attempts, file.resumed) == (1, False)
    assert (len(slow.requested_segments), slow.storage.requested_ranges[0], slow.retrieve_count) == (
        2,
        None,
        1,
    )


@pytest.mark.parametrize("index", [1, 2, 3])
@pytest.mark.parametrize("name", WRONG_RESPONSES)
async def test_wrong_response_on_later_connection(slow: SlowDownloadScenario, name: str, index: int) -> None:
    """The other connections download the segment, and the file is complete."""
    slow.respond_to_others(*[correct_response] * index, WRONG_RESPONSES[name])
    await slow.download()


async def test_only_two_of_eight_connections_work(slow: SlowDownloadScenario) -> None:
    """Two connections download the segments of the others within their running responses."""
    slow.respond_to_others(correct_response, *[WRONG_RESPONSES["503"]] * 6)
    assert (await slow.download(segments=8)).attempts <= 2


async def test_wrong_bytes_with_correct_headers(slow: SlowDownloadScenario) -> None:
    """The hash of the file reveals wrong bytes: one restart from zero with one connection."""
    slow.respond_to_others(correct_response, _wrong_bytes)
    file = await slow.download()
    assert (file.attempts, file.resumed, file.verified) == (2, False, "checksum")
    assert slow.storage.requested_ranges.count(None) == 2
    assert slow.storage.requested_ranges[-1] is None


def _wrong_bytes(request: Request, stored: StoredObject) -> ServerAction:
    """Respond with zeros instead of the bytes of the object."""
    answer = correct_response(request, stored)
    return attrs.evolve(answer, body=bytes(len(answer.body)))


async def test_every_connection_is_interrupted(slow: SlowDownloadScenario) -> None:
    """Each connection resumes from its own last byte; an interrupted first one costs a second attempt."""
    starts: set[int] = set()

    def interrupt_first_six(request: Request, stored: StoredObject) -> ServerAction:
        interrupt = len(starts) < 6
        starts.add(request.range_start or 0)
        return (
            altered_response(truncate_at=12_000)(request, stored)
            if interrupt
            else correct_response(request, stored)
        )

    slow.respond_to_others()
    slow.always_respond_with(interrupt_first_six)
    file = await slow.download(segments=4)
    assert (file.attempts <= 2, file.verified) == (True, "checksum")
    assert len(starts) > 6


async def test_first_connection_is_interrupted(slow: SlowDownloadScenario) -> None:
    """The other connections continue meanwhile."""
    slow.respond_with(altered_response(truncate_at=60_000))
    file = await slow.download(segments=4)
    assert (file.attempts, file.resumed) == (2, True)
    assert slow.storage.requested_ranges.count(None) == 1


async def test_one_stalled_connection(slow: SlowDownloadScenario) -> None:
    """Another connection downloads the segment, or the same one in a second attempt."""
    slow.stall_timeout = 0.2
    slow.respond_to_others(
        correct_response,
        altered_response(truncate_at=5_000, ending=ConnectionEnd.STALL),
        altered_response(truncate_at=0, ending=ConnectionEnd.STALL),
    )
    await slow.download(segments=4)


async def test_url_expires_during_transfer(slow: SlowDownloadScenario) -> None:
    """The URL is renewed once for all connections, and no received byte is requested again."""
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
async def test_object_replaced_during_transfer(slow: SlowDownloadScenario, after: int) -> None:
    """The file is the complete old or the complete new object, never a mixture."""
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
async def test_disk_full_during_transfer(
    slow: SlowDownloadScenario, monkeypatch: pytest.MonkeyPatch, writes: int
) -> None:
    """All connections end, the error contains the cause, and no file remains."""
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


async def test_connections_that_add_no_speed_are_closed(
    slow: SlowDownloadScenario, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One connection transfers the rest, long before the remaining segment becomes too small."""
    tune(monkeypatch, settling_time=0.1, min_gain=math.inf)
    slow.replace_object(CONTENT * 5)
    early: list[int] = []

    def count(event: ProgressEvent) -> None:
        if event.received < 4 * SIZE:
            early.append(slow.connector.busy)

    await slow.download(segments=3, on_progress=count)
    assert slow.connector.max_busy in (2, 3)
    several = next(index for index, busy in enumerate(early) if busy > 1)
    assert 1 in early[several:]


async def test_fast_connection_stays_alone(
    server: Emulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the real clock, 16 MiB over the loopback are one request."""
    monkeypatch.undo()
    content = random.Random(16).randbytes(TransferTuning().direct_read_min_size)
    export = server.add_export(content={"csv": content})
    async with server.client(retry=NO_BACKOFF) as px:
        report = await px.exports.download(export.id, tmp_path)
    assert report.files["csv"].path.read_bytes() == content
    assert [request.headers.get("Range") for request in server.requests if request.host == "storage"] == [
        None
    ]
