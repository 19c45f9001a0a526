"""Exports are created once, waited for until they are final, and fetched in one call."""

from __future__ import annotations

import asyncio
import json
import math
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from aioresponses import aioresponses

from packagex_async import (
    ApiError,
    AsyncExports,
    AsyncPackageX,
    BadRequestError,
    ConfigurationError,
    ConnectionFailedError,
    CsvFieldOptions,
    DecodeError,
    Export,
    ExportFailedError,
    ExportGoneError,
    ExportResource,
    ExportStateError,
    ExportStatus,
    ExportTimedOutError,
    NotFoundError,
    PackageXError,
    RequestTimeoutError,
    RetryPolicy,
    ServerError,
    UnconfirmedError,
    WaitTimeoutError,
)
from packagex_async._polling import schedule
from packagex_async.testing import (
    Dialect,
    Emulator,
    Fault,
    Garbage,
    Life,
    Redirect,
    Refuse,
    Reset,
    Stall,
    Status,
)
from tests.support import AT_ONCE, FakeClock, exports_on, names

URL = "https://api.packagex.io/v1/exports"
DAY = 86_400


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock(dice=1.0)


@pytest.fixture
async def server(clock: FakeClock) -> AsyncIterator[Emulator]:
    """An empty emulator on the clock that the client sleeps by."""
    life = Life(queued=3, processing=20, rows=40)
    async with Emulator(populate=False, now=clock.time, life=life) as server:
        yield server


@pytest.fixture
async def exports(clock: FakeClock, server: Emulator) -> AsyncIterator[AsyncExports]:
    async with exports_on(clock, server) as exports:
        yield exports


def posts(server: Emulator) -> int:
    return sum(request.method == "POST" for request in server.requests)


# Creating.


async def test_a_created_export_is_queued(server: Emulator, exports: AsyncExports) -> None:
    """With what was asked for in the body of one POST, and the key in its header."""
    csv = CsvFieldOptions(columns=["id", "name"])
    export = await exports.create("contact", options={"limit": 7}, csv_field_options=csv)
    assert (export.id, export.status) == (server.created[0], ExportStatus.QUEUED)
    assert export.count_total == 7
    (request,) = server.requests
    assert json.loads(request.body) == {
        "resource": "contact",
        "options": {"limit": 7},
        "csv_field_options": {"columns": {"id": True, "name": True}},
    }
    assert request.headers["Content-Type"] == "application/json"
    assert request.headers["PX-API-KEY"] == server.api_key


async def test_a_bare_answer_is_understood() -> None:
    """As everywhere."""
    async with Emulator(populate=False, dialect=Dialect(enveloped=False)) as server, server.client() as px:
        assert (await px.exports.create("item")).id == server.created[0]


async def test_what_the_api_does_not_accept_is_named(server: Emulator, exports: AsyncExports) -> None:
    """Nothing was created, and nothing is sent again."""
    with pytest.raises(BadRequestError) as caught:
        await exports.create(ExportResource("pallet"), csv_field_options={"columns": []})
    assert caught.value.errors == ("resource", "csv_field_options.columns")
    assert (server.created, posts(server)) == ((), 1)


@pytest.mark.parametrize(
    "bad", [{"options": {"limit": -1}}, {"options": "all"}, {"csv_field_options": {"x": object()}}]
)
async def test_what_cannot_work_is_not_sent(
    server: Emulator, exports: AsyncExports, bad: dict[str, Any]
) -> None:
    """It is refused at the call."""
    with pytest.raises(ConfigurationError):
        await exports.create("contact", **bad)
    assert server.requests == []


async def test_trap_15_a_create_that_was_refused_for_now_is_tried_again(
    server: Emulator, exports: AsyncExports, clock: FakeClock
) -> None:
    """A 429 is not done; its Retry-After is waited out, and one export is made."""
    server.inject(Status(429, retry_after="30", on="api"))
    server.inject(Status(429, on="api"))
    export = await exports.create("contact")
    assert (server.created, posts(server), clock.slept) == ((export.id,), 3, [30.5, 1.0])


async def test_trap_15_a_refusal_beyond_the_policy_is_raised_as_it_is(
    server: Emulator, exports: AsyncExports
) -> None:
    """It is certain that nothing was created."""
    server.inject(Status(429, retry_after="1800", on="api"))
    with pytest.raises(ApiError) as caught:
        await exports.create("contact")
    assert (caught.value.status, server.created) == (429, ())


async def test_trap_15_a_create_without_a_connection_is_tried_again(
    server: Emulator, exports: AsyncExports, clock: FakeClock
) -> None:
    """A port that is closed has heard nothing."""
    await server.aclose()
    with pytest.raises(ConnectionFailedError, match="POST /v1/exports: could not connect"):
        await exports.create("contact")
    assert len(clock.slept) == 4


async def test_trap_15_a_handshake_that_never_ends_has_sent_nothing() -> None:
    """The time ran out before there was a connection, so another try is safe."""
    greeted: asyncio.Queue[bytes] = asyncio.Queue()

    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        greeting = await reader.read()
        writer.close()
        await writer.wait_closed()
        greeted.put_nowait(greeting)

    async with await asyncio.start_server(silent, "127.0.0.1", 0) as listener:
        address = f"https://127.0.0.1:{listener.sockets[0].getsockname()[1]}"
        async with AsyncPackageX(
            "px_key", base_url=address, timeout=0.2, retry=RetryPolicy(attempts=2, wait_initial=0)
        ) as px:
            with pytest.raises(RequestTimeoutError):
                await px.exports.create("contact")
        assert [(await greeted.get())[:1] for _ in range(2)] == [b"\x16", b"\x16"]  # of a TLS handshake


UNCERTAIN: list[tuple[Fault, type[PackageXError]]] = [
    (Refuse(on="api"), ConnectionFailedError),
    (Reset(3, on="api"), ConnectionFailedError),
    (Stall(0, on="api"), RequestTimeoutError),
    *((Status(status, on="api", done=True), ServerError) for status in (500, 502, 503, 504)),
    (Status(408, on="api", done=True), ApiError),
    (Status(503, retry_after="1", on="api", done=True), ServerError),
    (Status(201, body=b"{", on="api", done=True), DecodeError),
    (Status(201, body=b'{"data": {"status": "queued"}}', on="api", done=True), DecodeError),
]


@pytest.mark.parametrize(
    ("fault", "kind"), UNCERTAIN, ids=[f"{type(fault).__name__}-{kind.__name__}" for fault, kind in UNCERTAIN]
)
async def test_trap_15_a_create_that_may_have_been_done_is_not_sent_twice(
    server: Emulator, fault: Fault, kind: type[PackageXError]
) -> None:
    """The error says that the export may be there, and it is: once. This holds on a used connection, too."""
    patience = 0.5 if isinstance(fault, Stall) else 60
    async with server.client(retry=AT_ONCE, timeout=patience) as px:
        for count in (1, 2):
            server.inject(fault)
            with pytest.raises(
                UnconfirmedError, match="may have been created all the same: look for it"
            ) as caught:
                await px.exports.create("contact")
            assert isinstance(caught.value.__cause__, kind)
            assert len(server.created) == posts(server) == count
            await px.exports.retrieve(server.created[-1])


async def test_a_redirect_is_a_refusal(server: Emulator, exports: AsyncExports) -> None:
    """It is not followed, so nothing was created."""
    server.inject(Redirect(on="api"))
    with pytest.raises(ApiError, match="redirects are not followed"):
        await exports.create("contact")
    assert (server.created, posts(server)) == ((), 1)


# Waiting.


async def test_a_wait_ends_when_the_export_is_completed(
    server: Emulator, exports: AsyncExports, clock: FakeClock
) -> None:
    """After growing intervals; each change is told once, and the export brings its URLs."""
    created = await exports.create("contact")
    told: list[Export] = []
    export = await exports.wait(created.id, on_change=told.append)
    assert [change.status for change in told] == ["queued", "processing", "completed"]
    assert (export, export.status) == (told[-1], ExportStatus.COMPLETED)
    assert export.csv_url is not None
    assert clock.slept == sorted(clock.slept)
    assert sum(clock.slept) == clock.now - server.exports[0].created_at
    assert len(server.requests) == 2 + len(clock.slept)


async def test_a_status_that_is_known_already_is_no_change(exports: AsyncExports) -> None:
    """Who hands in the export knows where it stood."""
    told: list[Export] = []
    await exports.wait(await exports.create("contact"), on_change=told.append)
    assert [change.status for change in told] == ["processing", "completed"]


async def test_what_is_completed_is_not_waited_for(
    server: Emulator, exports: AsyncExports, clock: FakeClock
) -> None:
    """One look is enough, within any time."""
    stored = server.add_export(rows=1)
    assert (await exports.wait(stored.id, timeout=0.001)).id == stored.id
    assert (clock.slept, len(server.requests)) == ([], 1)


@pytest.mark.parametrize(
    ("outcome", "kind"), [("failed", ExportFailedError), ("timed_out", ExportTimedOutError)]
)
async def test_an_export_that_will_never_be_completed_is_an_error(
    server: Emulator, exports: AsyncExports, outcome: str, kind: type[ExportStateError]
) -> None:
    """Which export, and why; the change is told before."""
    server.life = Life(outcome=outcome)
    told: list[Export] = []
    created = await exports.create("contact")
    with pytest.raises(kind, match=f"export {created.id} is {outcome}") as caught:
        await exports.wait(created, on_change=told.append)
    assert caught.value.export_id == created.id
    assert told[-1].status == outcome


async def test_a_status_of_tomorrow_is_waited_on(server: Emulator, exports: AsyncExports) -> None:
    """It may well be on the way to the end."""
    server.life = Life(outcome="paused")

    def complete(export: Export) -> None:
        told.append(str(export.status))
        if export.status == ExportStatus("paused"):
            server.update_export(export.id, status="completed")

    told: list[str] = []
    await exports.wait(await exports.create("contact"), on_change=complete)
    assert told == ["processing", "paused", "completed"]


async def test_a_wait_has_an_end(server: Emulator, exports: AsyncExports, clock: FakeClock) -> None:
    """Just when its time is over, after a last look; the error is a TimeoutError, too, and says which."""
    server.life = Life(processing=math.inf)
    created = await exports.create("contact")
    says = f"export {created.id} is still processing after 42.5 seconds"
    with pytest.raises(WaitTimeoutError, match=says) as caught:
        await exports.wait(created, timeout=42.5)
    assert isinstance(caught.value, TimeoutError)
    assert (caught.value.export_id, caught.value.status) == (created.id, "processing")
    assert sum(clock.slept) == pytest.approx(42.5)
    assert server.requests[-1].at == clock.now


@pytest.mark.parametrize("timeout", [math.inf, 1e300, 10**400])
async def test_a_wait_without_end_ends_with_the_export(
    server: Emulator, exports: AsyncExports, clock: FakeClock, timeout: float
) -> None:
    """No export lives longer than 24 hours, so a longer time to wait is no longer wait."""
    created = await exports.create("contact")
    assert (await exports.wait(created, timeout=timeout)).id == created.id
    server.life = Life(processing=math.inf)
    server.now = clock.time
    created = await exports.create("contact")
    with pytest.raises(ExportGoneError):
        await exports.wait(created, timeout=timeout)


async def test_a_request_does_not_outlast_the_wait(server: Emulator, monkeypatch: pytest.MonkeyPatch) -> None:
    """An API that keeps silent for longer than the wait ends with it."""
    monkeypatch.setattr(schedule, "LAST_LOOK", 0.01)
    stored = server.add_export(rows=1)
    server.inject(Stall(0, on="api"), times=None)
    async with server.client() as px:
        with pytest.raises(WaitTimeoutError, match=r"is still without a status after 0\.05 seconds"):
            await px.exports.wait(stored.id, timeout=0.05)


async def test_a_silent_api_within_a_long_wait_is_its_own_error(server: Emulator) -> None:
    """Under the policy, as for any request."""
    stored = server.add_export(rows=1)
    server.inject(Stall(0, on="api"), times=None)
    async with server.client(timeout=0.05, retry=RetryPolicy(attempts=1)) as px:
        with pytest.raises(RequestTimeoutError):
            await px.exports.wait(stored.id, timeout=60)


async def test_trap_14_a_failure_that_passes_is_waited_out(
    server: Emulator, exports: AsyncExports, clock: FakeClock
) -> None:
    """By the one retry policy, with its Retry-After."""
    created = await exports.create("contact")
    server.inject(Status(429, retry_after="7", on="api"))
    server.inject(Refuse(on="api"))
    server.inject(Garbage(b'{"status": 503}'))
    await exports.wait(created)
    assert clock.slept[:3] == [7.5, 1.0, 2.0]


async def test_a_failure_that_stays_is_raised(server: Emulator, exports: AsyncExports) -> None:
    """The export may be waited for again."""
    created = await exports.create("contact")
    server.inject(Status(503, on="api"), times=5)
    with pytest.raises(ServerError):
        await exports.wait(created)
    assert (await exports.wait(created)).status == ExportStatus.COMPLETED


async def test_an_export_that_vanishes_is_gone(server: Emulator, exports: AsyncExports) -> None:
    """It was there, at a look or in the caller's hand."""
    created = await exports.create("contact")
    with pytest.raises(ExportGoneError, match=f"export {created.id} no longer exists"):
        await exports.wait(created.id, on_change=lambda export: server.delete_export(export.id))
    with pytest.raises(ExportGoneError):
        await exports.wait(created)


async def test_an_id_of_nothing_is_not_gone(exports: AsyncExports) -> None:
    """It may never have been."""
    with pytest.raises(NotFoundError):
        await exports.wait("exp_unknown")


async def test_without_a_timeout_the_wait_ends_with_the_export(
    server: Emulator, exports: AsyncExports, clock: FakeClock
) -> None:
    """Its deletion after 24 hours."""
    server.life = Life(queued=math.inf)
    created = await exports.create("contact")
    clock.now += DAY - 100
    with pytest.raises(ExportGoneError):
        await exports.wait(created)
    assert sum(clock.slept) >= 100
    assert clock.now - server.requests[0].at <= DAY + 30


async def test_an_export_that_outlives_its_day_is_given_up(api: aioresponses) -> None:
    """By the clock of the server, whatever ours says, and whatever time was granted."""
    answer = {"id": "exp_1", "status": "queued", "created_at": "2026-01-01T00:00:00Z"}
    headers = {"Date": "Fri, 02 Jan 2026 00:00:00 GMT"}
    api.get(f"{URL}/exp_1?include_csv=true&include_json=true", payload=answer, headers=headers)
    async with AsyncPackageX("px_key") as px:
        with pytest.raises(ExportGoneError, match="export exp_1 is still queued, and its 24 hours are over"):
            await px.exports.wait("exp_1", timeout=60)


async def test_a_server_whose_clock_stands_still_is_not_waited_for_longer_than_a_day(
    clock: FakeClock,
) -> None:
    """Our own clock is the last to say so."""

    def a_day_passes(_: Export) -> None:
        clock.now += DAY

    async with Emulator(populate=False, now=lambda: 1_000_000_000.0) as server:
        stored = server.add_export(status="queued")
        async with exports_on(clock, server) as exports:
            with pytest.raises(ExportGoneError, match="its 24 hours are over"):
                await exports.wait(stored.id, on_change=a_day_passes)
    assert len(server.requests) == 1


@pytest.mark.parametrize("timeout", [0, -1, math.nan, "10", True])
async def test_no_time_to_wait_is_refused(server: Emulator, exports: AsyncExports, timeout: Any) -> None:
    """At the call, and nothing is created for it."""
    says = f"timeout must be more than 0 seconds, or None, not {timeout!r}"
    with pytest.raises(ConfigurationError, match=says):
        await exports.wait("exp_1", timeout=timeout)
    with pytest.raises(ConfigurationError, match=says):
        await exports.export_and_download("contact", "exports", timeout=timeout)
    with pytest.raises(ConfigurationError, match="export_id"):
        await exports.wait("")
    assert server.requests == []


async def test_a_wait_that_is_cancelled_leaves_nothing_behind(packagex_emulator: Emulator) -> None:
    """No task; the far side runs on a loop of its own."""
    stored = packagex_emulator.add_export(status="processing")
    looked = asyncio.Event()
    async with packagex_emulator.client() as px:
        before = asyncio.all_tasks()
        waiting = asyncio.create_task(px.exports.wait(stored.id, on_change=lambda _: looked.set()))
        await looked.wait()
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        assert asyncio.all_tasks() == before


# All of it.


async def test_an_export_is_created_waited_for_and_downloaded(
    server: Emulator, exports: AsyncExports, tmp_path: Path
) -> None:
    """In one call: one POST, every change told, the files whole."""
    told: list[str] = []
    report = await exports.export_and_download(
        "shipment",
        tmp_path,
        options={"limit": 12},
        csv_field_options={"timezone": "UTC"},
        artifacts=["csv"],
        digest="sha256",
        on_change=lambda export: told.append(str(export.status)),
    )
    (created,) = server.created
    assert told == ["queued", "processing", "completed"]
    assert (posts(server), names(tmp_path)) == (1, [f"{created}.csv"])
    assert report.files["csv"].path.read_bytes() == server.content(created, "csv")
    assert report.files["csv"].sha256 is not None
    assert server.exports[0].count_total == 12


@pytest.mark.parametrize(
    "bad", [{"artifacts": ["xlsx"]}, {"concurrency": 0}, {"digest": "md5"}, {"options": {"limit": 0}}]
)
async def test_nothing_is_created_for_a_download_that_cannot_work(
    server: Emulator, exports: AsyncExports, tmp_path: Path, bad: dict[str, Any]
) -> None:
    """The options of all three steps are looked at first."""
    with pytest.raises(ConfigurationError):
        await exports.export_and_download("contact", tmp_path, **bad)
    assert server.requests == []


async def test_a_wait_that_was_too_short_loses_no_export(
    server: Emulator, exports: AsyncExports, tmp_path: Path
) -> None:
    """The error tells its id, to go on with."""
    with pytest.raises(WaitTimeoutError) as caught:
        await exports.export_and_download("contact", tmp_path, timeout=5)
    assert names(tmp_path) == []
    export = await exports.wait(caught.value.export_id)
    assert (await exports.download(export, tmp_path)).ok
    assert posts(server) == 1
