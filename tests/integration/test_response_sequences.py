"""Any sequence of responses about an object: the object is published, or nothing is."""

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
TIMEOUT_SECONDS = 20.0

positions = st.integers(0, SIZE)
VALIDATORS: list[dict[str, str]] = [TAG, {**TAG, **DATE}, {}, DATE, {"ETag": 'W/"1"'}, {"ETag": '"1'}]


@attrs.frozen
class Response:
    """One response that may lie about everything but the strong validator.

    Attributes:
        status: Its status.
        start: Where its body starts in the object.
        end: Where its body ends.
        span: The `Content-Range`, if any.
        length: The declared length; `None` for chunks.
        headers: Validators, hashes and media type.
        cut: How many bytes of the body arrive before the connection ends; `None` for all.
    """

    status: int
    start: int
    end: int
    span: str | None
    length: int | None
    headers: dict[str, str]
    cut: int | None

    def sent(self) -> ServerAction:
        """The response as it leaves."""
        body = CONTENT[self.start : self.end]
        headers = {**self.headers, **({} if self.span is None else {"Content-Range": self.span})}
        if self.length is None:
            headers["Transfer-Encoding"] = "chunked"
            body = encode_chunks(body, 500)
        else:
            headers["Content-Length"] = str(self.length)
        ending = (
            ConnectionEnd.KEEP_ALIVE
            if self.cut is None and self.length in (None, len(body))
            else ConnectionEnd.FIN
        )
        return RawResponse(status=f"{self.status} Any", headers=headers, body=body[: self.cut], ending=ending)

    def is_undetectable(self, hashed: bool) -> bool:
        """Whether the head is right and only the bytes are wrong, which only a hash can tell."""
        if hashed:
            return False
        if self.status == 206:
            return self.span is not None and self.span.startswith("bytes ")
        return self.status == 200 and self.length == SIZE and self.start > 0


@st.composite
def responses(draw: st.DrawFn) -> Response:
    start, end = sorted((draw(positions), draw(positions)))
    spans = [
        None,
        None,
        f"bytes {start}-{end - 1}/{SIZE}",
        f"bytes 0-{end - start - 1}/{end - start}",
        f"bytes */{SIZE}",
        "x",
    ]
    media_types: list[dict[str, str]] = [{}, {"Content-Type": "text/csv"}, {"Content-Type": "text/html"}]
    hashes: list[dict[str, str]] = [{}, {}, MD5]
    return Response(
        status=draw(st.sampled_from([200, 200, 206, 416, 204, 503])),
        start=start,
        end=end,
        span=draw(st.sampled_from(spans)),
        length=draw(st.sampled_from([end - start, end - start, SIZE, None])),
        headers={
            **draw(st.sampled_from(VALIDATORS)),
            **draw(st.sampled_from(media_types)),
            **draw(st.sampled_from(hashes)),
        },
        cut=draw(st.none() | st.integers(0, SIZE)),
    )


@attrs.define
class Script:
    """The object, and how the requests for it are answered."""

    first_cut: int
    hashed: bool
    lies: list[Response]

    def plays(self) -> Iterator[ServerAction]:
        """Honest about the object once, and cut; then the lies that a client can detect."""
        headers = {**TAG, **DATE, **(MD5 if self.hashed else {}), "Content-Length": str(SIZE)}
        yield RawResponse(
            status="200 OK", headers=headers, body=CONTENT[: self.first_cut], ending=ConnectionEnd.FIN
        )
        for lie in self.lies:
            if not lie.is_undetectable(self.hashed):
                yield lie.sent()


# Without a byte, no partial file tells the next run what the first one knew.
scripts = st.builds(Script, st.integers(1, SIZE - 1), st.booleans(), st.lists(responses(), max_size=5))


def object_of(script: Script) -> StoredObject:
    return StoredObject(content=CONTENT, headers={**TAG, **DATE, **(MD5 if script.hashed else {})})


async def published(script: Script, folder: Path, *, runs: int, ends_honestly: bool) -> bytes | None:
    """Download under the script, run after run, and return what is at the target in the end."""
    sequence = script.plays()

    def play(request: Request, stored: StoredObject) -> ServerAction:
        sent = next(sequence, None)
        return (
            sent
            if sent is not None
            else correct_response(request, stored)
            if ends_honestly
            else ConnectionEnd.RST
        )

    async with (
        asyncio.timeout(TIMEOUT_SECONDS),
        RawStorageServer(object_of(script), play) as host,
        RawStorageEmulator(host) as server,
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


async def streamed(script: Script) -> bytes | None:
    """Stream under the script; return the bytes if their end was reached."""
    sequence = script.plays()

    def play(_: Request, __: StoredObject) -> ServerAction:
        return next(sequence, ConnectionEnd.RST)

    async with (
        asyncio.timeout(TIMEOUT_SECONDS),
        RawStorageServer(object_of(script), play) as host,
        RawStorageEmulator(host) as server,
    ):
        export = server.add_export(content={"csv": CONTENT})
        async with server.client(retry=RetryPolicy(attempts=3, wait_initial=0)) as px:
            handed_out = b""
            try:
                async with px.exports.stream(export.id, "csv") as body:
                    async for block in body:
                        handed_out += block
            except PackageXError as error:
                assert SECRET not in f"{error!r} {error.__cause__!r} {error.__context__!r}"
                return None
            return handed_out


def sync_settings() -> settings:
    return settings(deadline=None, max_examples=examples(100), suppress_health_check=[HealthCheck.too_slow])


@sync_settings()
@given(scripts, st.integers(1, 2), st.booleans())
def test_a_download_publishes_the_object_or_nothing(script: Script, runs: int, ends_honestly: bool) -> None:
    """Whatever later responses say, one honest response is enough to detect every detectable lie."""
    with tempfile.TemporaryDirectory() as folder:
        found = asyncio.run(published(script, Path(folder), runs=runs, ends_honestly=ends_honestly))
    assert found in (None, CONTENT)


@sync_settings()
@given(scripts)
def test_a_stream_ends_with_the_object_or_with_an_error(script: Script) -> None:
    """The end of the iteration means that every byte was right."""
    assert asyncio.run(streamed(script)) in (None, CONTENT)
