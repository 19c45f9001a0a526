"""Any sequence of responses about an object: the file is the object, or no file is download."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import random
import tempfile
from collections.abc import Iterator
from pathlib import Path

import attrs
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from packagex_async import PackageXError, RetryPolicy
from tests.faults.invariant import SECRET
from tests.faults.responses import correct_response, encode_chunks
from tests.faults.scenario import RawStorageEmulator
from tests.faults.storage_server import (
    ConnectionEnd,
    RawResponse,
    RawStorageServer,
    Request,
    ServerAction,
    StoredObject,
)
from tests.support import examples

SIZE = 3_000
CONTENT = random.Random("sequences").randbytes(SIZE)
MD5 = {"x-goog-hash": f"md5={base64.b64encode(hashlib.md5(CONTENT).digest()).decode()}"}
TAG = {"ETag": '"1"'}
DATE = {"Last-Modified": "Wed, 01 May 2024 12:00:00 GMT"}
TIMEOUT_SECONDS = 120.0

positions = st.integers(0, SIZE)
VALIDATORS: list[dict[str, str]] = [TAG, {**TAG, **DATE}, {}, DATE, {"ETag": 'W/"1"'}, {"ETag": '"1'}]


@attrs.frozen
class WrongResponse:
    """A response in which everything but the strong validator may be wrong.

    Attributes:
        status: The status code.
        start: Offset in the object at which the body starts.
        end: Offset in the object at which the body ends.
        content_range: The `Content-Range`, if any.
        length: The declared length in bytes; `None` for a chunked body.
        headers: Validators, hashes and media type.
        truncate_at: Bytes of the body that are sent before the connection ends; `None` for all.
    """

    status: int
    start: int
    end: int
    content_range: str | None
    length: int | None
    headers: dict[str, str]
    truncate_at: int | None

    def to_action(self) -> ServerAction:
        """Return the response as an action of the server."""
        body = CONTENT[self.start : self.end]
        headers = {
            **self.headers,
            **({} if self.content_range is None else {"Content-Range": self.content_range}),
        }
        if self.length is None:
            headers["Transfer-Encoding"] = "chunked"
            body = encode_chunks(body, 500)
        else:
            headers["Content-Length"] = str(self.length)
        ending = (
            ConnectionEnd.KEEP_ALIVE
            if self.truncate_at is None and self.length in (None, len(body))
            else ConnectionEnd.FIN
        )
        return RawResponse(
            status=f"{self.status} Any", headers=headers, body=body[: self.truncate_at], ending=ending
        )

    def is_undetectable(self, has_hash: bool) -> bool:
        """Return whether the headers are correct and only the bytes are wrong; only a hash detects this."""
        if has_hash:
            return False
        if self.status == 206:
            return self.content_range is not None and self.content_range.startswith("bytes ")
        return self.status == 200 and self.length == SIZE and self.start > 0


@st.composite
def responses(draw: st.DrawFn) -> WrongResponse:
    start, end = sorted((draw(positions), draw(positions)))
    content_ranges = [
        None,
        None,
        f"bytes {start}-{end - 1}/{SIZE}",
        f"bytes 0-{end - start - 1}/{end - start}",
        f"bytes */{SIZE}",
        "x",
    ]
    media_types: list[dict[str, str]] = [{}, {"Content-Type": "text/csv"}, {"Content-Type": "text/html"}]
    hashes: list[dict[str, str]] = [{}, {}, MD5]
    return WrongResponse(
        status=draw(st.sampled_from([200, 200, 206, 416, 204, 503])),
        start=start,
        end=end,
        content_range=draw(st.sampled_from(content_ranges)),
        length=draw(st.sampled_from([end - start, end - start, SIZE, None])),
        headers={
            **draw(st.sampled_from(VALIDATORS)),
            **draw(st.sampled_from(media_types)),
            **draw(st.sampled_from(hashes)),
        },
        truncate_at=draw(st.none() | st.integers(0, SIZE)),
    )


@attrs.define
class Scenario:
    """The object, and the responses to the requests for it."""

    first_size: int
    has_hash: bool
    wrong_responses: list[WrongResponse]

    def actions(self) -> Iterator[ServerAction]:
        """Yield a truncated correct response, then the wrong responses that a client can detect."""
        headers = {**TAG, **DATE, **(MD5 if self.has_hash else {}), "Content-Length": str(SIZE)}
        yield RawResponse(
            status="200 OK", headers=headers, body=CONTENT[: self.first_size], ending=ConnectionEnd.FIN
        )
        for wrong in self.wrong_responses:
            if not wrong.is_undetectable(self.has_hash):
                yield wrong.to_action()


# Without a received byte there is no partial file, so the next run could not detect a wrong response.
scenarios = st.builds(Scenario, st.integers(1, SIZE - 1), st.booleans(), st.lists(responses(), max_size=5))


def stored_object(scenario: Scenario) -> StoredObject:
    return StoredObject(content=CONTENT, headers={**TAG, **DATE, **(MD5 if scenario.has_hash else {})})


async def download(scenario: Scenario, folder: Path, *, runs: int, ends_correctly: bool) -> bytes | None:
    """Download in `runs` runs; return the content of the target."""
    actions = scenario.actions()

    def respond(request: Request, stored: StoredObject) -> ServerAction:
        to_action = next(actions, None)
        return (
            to_action
            if to_action is not None
            else correct_response(request, stored)
            if ends_correctly
            else ConnectionEnd.RST
        )

    async with (
        asyncio.timeout(TIMEOUT_SECONDS),
        RawStorageServer(stored_object(scenario), respond) as storage,
        RawStorageEmulator(storage) as server,
    ):
        export = server.add_export(content={"csv": CONTENT})
        for _ in range(runs):
            policy = RetryPolicy(attempts=3, wait_initial=0)
            async with server.client(retry=policy) as px:
                try:
                    await px.exports.download(export.id, folder, artifacts="csv", resume=runs > 1)
                except PackageXError as error:
                    assert SECRET not in f"{error!r} {error.__cause__!r} {error.__context__!r}"
        target = folder / f"{export.id}.csv"
        return target.read_bytes() if target.exists() else None


async def read_stream(scenario: Scenario) -> bytes | None:
    """Stream the object; return the bytes if the end was reached."""
    actions = scenario.actions()

    def respond(_: Request, __: StoredObject) -> ServerAction:
        return next(actions, ConnectionEnd.RST)

    async with (
        asyncio.timeout(TIMEOUT_SECONDS),
        RawStorageServer(stored_object(scenario), respond) as storage,
        RawStorageEmulator(storage) as server,
    ):
        export = server.add_export(content={"csv": CONTENT})
        async with server.client(retry=RetryPolicy(attempts=3, wait_initial=0)) as px:
            received = b""
            try:
                async with px.exports.stream(export.id, "csv") as body:
                    async for block in body:
                        received += block
            except PackageXError as error:
                assert SECRET not in f"{error!r} {error.__cause__!r} {error.__context__!r}"
                return None
            return received


def property_settings() -> settings:
    return settings(deadline=None, max_examples=examples(40), suppress_health_check=[HealthCheck.too_slow])


@property_settings()
@given(scenarios, st.integers(1, 2), st.booleans())
def test_download_publishes_the_object_or_nothing(
    scenario: Scenario, runs: int, ends_correctly: bool
) -> None:
    """One correct response is enough to detect every detectable wrong response after it."""
    with tempfile.TemporaryDirectory() as folder:
        content = asyncio.run(download(scenario, Path(folder), runs=runs, ends_correctly=ends_correctly))
    assert content in (None, CONTENT)


@property_settings()
@given(scenarios)
def test_stream_ends_with_the_object_or_an_error(scenario: Scenario) -> None:
    """The iteration ends normally only if every byte was correct."""
    assert asyncio.run(read_stream(scenario)) in (None, CONTENT)
