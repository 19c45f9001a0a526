"""Create an export, and create, wait and download in one call."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from packagex_async import (
    ApiError,
    AsyncExports,
    AsyncPackageX,
    BadRequestError,
    ConfigurationError,
    ConnectionFailedError,
    CsvFieldOptions,
    DecodeError,
    ExportResource,
    ExportStatus,
    PackageXError,
    RequestTimeoutError,
    RetryPolicy,
    ServerError,
    UnconfirmedError,
    WaitTimeoutError,
)
from packagex_async.testing import (
    Dialect,
    Emulator,
    Fault,
    Redirect,
    Refuse,
    Reset,
    Stall,
    Status,
)
from tests.fake_time import clock, exports, server
from tests.support import FakeClock, names, open_exports
from tests.time_limits import LIMIT, LIMITED, TimeLimits

__all__ = ["clock", "exports", "server"]

URL = "https://api.packagex.io/v1/exports"
DAY = 86_400


def posts(server: Emulator) -> int:
    return sum(request.method == "POST" for request in server.requests)


# Create.


async def test_a_created_export_is_queued(server: Emulator, exports: AsyncExports) -> None:
    """One POST with the options in its body and the key in a header creates it."""
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


async def test_created_export_without_envelope() -> None:
    """A response without the `data` envelope is decoded."""
    async with Emulator(populate=False, dialect=Dialect(enveloped=False)) as server, server.client() as px:
        assert (await px.exports.create("item")).id == server.created[0]


async def test_bad_request_names_the_invalid_fields(server: Emulator, exports: AsyncExports) -> None:
    """Nothing was created, and the request is not repeated."""
    with pytest.raises(BadRequestError) as caught:
        await exports.create(ExportResource("pallet"), csv_field_options={"columns": []})
    assert caught.value.errors == ("resource", "csv_field_options.columns")
    assert (server.created, posts(server)) == ((), 1)


@pytest.mark.parametrize(
    "bad", [{"options": {"limit": -1}}, {"options": "all"}, {"csv_field_options": {"x": object()}}]
)
async def test_invalid_options_are_not_sent(
    server: Emulator, exports: AsyncExports, bad: dict[str, Any]
) -> None:
    """The call raises a ConfigurationError."""
    with pytest.raises(ConfigurationError):
        await exports.create("contact", **bad)
    assert server.requests == []


async def test_trap_15_create_is_repeated_after_429(
    server: Emulator, exports: AsyncExports, clock: FakeClock
) -> None:
    """`Retry-After` is respected, and one export is created."""
    server.inject(Status(429, retry_after="30", on="api"))
    server.inject(Status(429, on="api"))
    export = await exports.create("contact")
    assert (server.created, posts(server), clock.sleeps) == ((export.id,), 3, [30.5, 1.0])


async def test_trap_15_long_retry_after_is_raised(server: Emulator, exports: AsyncExports) -> None:
    """The original error shows that nothing was created."""
    server.inject(Status(429, retry_after="1800", on="api"))
    with pytest.raises(ApiError) as caught:
        await exports.create("contact")
    assert (caught.value.status, server.created) == (429, ())


async def test_trap_15_create_is_repeated_if_not_connected(
    server: Emulator, exports: AsyncExports, clock: FakeClock
) -> None:
    """A closed port has received no request."""
    await server.aclose()
    with pytest.raises(ConnectionFailedError, match="POST /v1/exports: could not connect"):
        await exports.create("contact")
    assert len(clock.sleeps) == 4


async def test_trap_15_create_is_repeated_after_handshake_timeout(limits: TimeLimits) -> None:
    """The request was not sent before the TLS connection was ready."""
    greeted: asyncio.Queue[bytes] = asyncio.Queue()

    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        greeting = await reader.read(1)
        await limits.end_while_silent(reader.read())
        writer.close()
        await writer.wait_closed()
        greeted.put_nowait(greeting)

    async with await asyncio.start_server(silent, "127.0.0.1", 0) as listener:
        address = f"https://127.0.0.1:{listener.sockets[0].getsockname()[1]}"
        async with AsyncPackageX(
            "px_key", base_url=address, retry=RetryPolicy(attempts=2, wait_initial=0), **LIMITED
        ) as px:
            with pytest.raises(RequestTimeoutError):
                await px.exports.create("contact")
        assert [await greeted.get() for _ in range(2)] == [b"\x16", b"\x16"]  # of a TLS handshake


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
@pytest.mark.usefixtures("limits")
async def test_trap_15_uncertain_create_is_not_repeated(
    server: Emulator, clock: FakeClock, fault: Fault, kind: type[PackageXError]
) -> None:
    """The error says that the export may exist, also on a reused connection. It exists once."""
    async with open_exports(clock, server, timeout=LIMIT) as exports:
        for count in (1, 2):
            server.inject(fault)
            with pytest.raises(
                UnconfirmedError, match="may have been created nevertheless: look for it"
            ) as caught:
                await exports.create("contact")
            assert isinstance(caught.value.__cause__, kind)
            assert len(server.created) == posts(server) == count
            await exports.retrieve(server.created[-1])


async def test_redirect_of_create_is_an_error(server: Emulator, exports: AsyncExports) -> None:
    """It is not followed, so nothing was created."""
    server.inject(Redirect(on="api"))
    with pytest.raises(ApiError, match="redirects are not followed"):
        await exports.create("contact")
    assert (server.created, posts(server)) == ((), 1)


# Create, wait and download.


async def test_export_and_download(server: Emulator, exports: AsyncExports, tmp_path: Path) -> None:
    """One POST is sent, every status change is reported, and the files are complete."""
    statuses: list[str] = []
    report = await exports.export_and_download(
        "shipment",
        tmp_path,
        options={"limit": 12},
        csv_field_options={"timezone": "UTC"},
        artifacts=["csv"],
        digest="sha256",
        on_change=lambda export: statuses.append(str(export.status)),
    )
    (created,) = server.created
    assert statuses == ["queued", "processing", "completed"]
    assert (posts(server), names(tmp_path)) == (1, [f"{created}.csv"])
    assert report.files["csv"].path.read_bytes() == server.content(created, "csv")
    assert report.files["csv"].sha256 is not None
    assert server.exports[0].count_total == 12


@pytest.mark.parametrize(
    "bad", [{"artifacts": ["xlsx"]}, {"concurrency": 0}, {"digest": "md5"}, {"options": {"limit": 0}}]
)
async def test_invalid_download_options_create_nothing(
    server: Emulator, exports: AsyncExports, tmp_path: Path, bad: dict[str, Any]
) -> None:
    """All options are validated before the first request."""
    with pytest.raises(ConfigurationError):
        await exports.export_and_download("contact", tmp_path, **bad)
    assert server.requests == []


async def test_timeout_of_the_wait_keeps_the_export(
    server: Emulator, exports: AsyncExports, tmp_path: Path
) -> None:
    """The error has the id of the export, so the caller can wait and download."""
    with pytest.raises(WaitTimeoutError) as caught:
        await exports.export_and_download("contact", tmp_path, timeout=5)
    assert names(tmp_path) == []
    export = await exports.wait(caught.value.export_id)
    assert (await exports.download(export, tmp_path)).ok
    assert posts(server) == 1
