"""The guarantees of a download, tested against nginx."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path

import aiohttp
import pytest

from packagex_async import (
    DownloadedFile,
    DownloadGroupError,
    LinkExpiredError,
    ProgressEvent,
    ProgressKind,
    RetryPolicy,
    StorageError,
)
from tests.nginx.environment import Environment, environment
from tests.nginx.proxy import Cut
from tests.nginx.server import RATE, Nginx

pytestmark = pytest.mark.nginx


def random_bytes(size: int, seed: int = 3) -> bytes:
    """Return the same bytes for the same seed."""
    return random.Random(seed).randbytes(size)


def random_cuts(seed: int) -> Iterator[Cut]:
    """Yield cuts between the head of the response and some megabytes of the body; every fourth is an RST."""
    generator = random.Random(seed)
    while True:
        yield Cut(
            generator.choice((generator.randrange(400), generator.randrange(4_000_000))),
            rst=generator.random() < 0.25,
        )


async def download(env: Environment, export_id: str, folder: Path) -> DownloadedFile:
    return (await env.px.exports.download(export_id, folder)).files["csv"]


@pytest.mark.parametrize("seed", range(3))
async def test_large_file_with_many_interruptions(nginx: Nginx, tmp_path: Path, seed: int) -> None:
    """Each attempt requests the missing bytes only."""
    content = random_bytes(40_000_000)
    async with environment(nginx, random_cuts(seed)) as env:
        # Interruptions within the head receive no byte, and several may follow each other.
        async with env.api.client(retry=RetryPolicy(attempts=50, wait_initial=0)) as px:
            export_id = env.api.add_to_nginx({"csv": content})
            # On a slow machine, further connections would request later ranges first.
            report = await px.exports.download(export_id, tmp_path, segments=1)
    file = report.files["csv"]
    assert file.path.read_bytes() == content
    assert (file.resumed, file.verified) == (True, "length")
    starts = [start or 0 for start in env.proxy.starts]
    assert starts == sorted(starts)
    assert len([start for start in starts if start]) > 8


async def test_four_artifacts_with_interruptions(nginx: Nginx, tmp_path: Path) -> None:
    """An interruption of one connection does not affect the other transfers."""
    names = ("json", "csv", "csv_error", "csv_sanitized")
    content = {name: random_bytes(5_000_000 + index, index) for index, name in enumerate(names)}
    cuts = [Cut(700_000 * (index + 1), rst=index % 3 == 0) for index in range(8)]
    async with environment(nginx, cuts) as env:
        report = await env.px.exports.download(env.api.add_to_nginx(content), tmp_path)
    assert {file.artifact: file.path.read_bytes() for file in report.files} == content
    assert all(file.verified == "length" for file in report.files)


async def test_if_range_contains_strong_etag(nginx: Nginx, tmp_path: Path) -> None:
    """nginx sends a strong ETag for a static file, and `If-Range` returns it unchanged."""
    async with environment(nginx, [None, Cut(2_000_000)]) as env:
        export_id = env.api.add_to_nginx({"csv": random_bytes(3_000_000)})
        async with aiohttp.ClientSession(headers={"Accept-Encoding": "identity"}) as session:
            async with session.get(env.api.url_for(export_id, "csv")) as response:
                etag = response.headers["ETag"]
        file = await download(env, export_id, tmp_path)
    assert file.resumed
    assert etag.startswith('"')
    assert env.proxy.requests[-1].etag == etag


async def test_next_run_resumes(nginx: Nginx, tmp_path: Path) -> None:
    """The next run requests only the missing bytes, with `If-Range`."""
    content = random_bytes(6_000_000)
    async with environment(nginx, [Cut(4_500_000)]) as env:
        export_id = env.api.add_to_nginx({"csv": content})
        async with env.api.client(retry=RetryPolicy(attempts=1)) as px:
            with pytest.raises(DownloadGroupError):
                await px.exports.download(export_id, tmp_path / "out", resume=True, segments=1)
        assert not (tmp_path / "out" / f"{export_id}.csv").exists()
        report = await env.px.exports.download(export_id, tmp_path / "out", resume=True, segments=1)
    file = report.files["csv"]
    assert file.path.read_bytes() == content
    assert (file.resumed, file.attempts) == (True, 1)
    first, rest = env.proxy.starts
    assert first is None
    assert rest is not None
    assert rest > 3_000_000
    assert [path.name for path in (tmp_path / "out").iterdir()] == [file.path.name]


@pytest.mark.parametrize("location", ["slow", "plain"])
async def test_url_expires_during_transfer(nginx: Nginx, tmp_path: Path, location: str) -> None:
    """nginx reports the expiry with 410 or with 403; a new URL continues from the last byte."""
    # Each connection takes more than a second, and no URL is valid for longer than two seconds.
    size, cuts = 5 * RATE, [Cut(RATE * 3 // 2)] * 9
    content = random_bytes(size)
    events: list[ProgressEvent] = []
    async with environment(nginx, cuts) as env:
        env.api.location, env.api.lifetime = location, 1
        export_id = env.api.add_to_nginx({"csv": content})
        # Further connections would end the transfer before its URL expires.
        report = await env.px.exports.download(export_id, tmp_path, on_progress=events.append, segments=1)
    file = report.files["csv"]
    assert file.path.read_bytes() == content
    assert file.resumed
    retries = [event for event in events if event.kind is ProgressKind.RETRYING]
    expiries = [event for event in retries if isinstance(event.error, LinkExpiredError)]
    assert expiries
    assert all(event.received for event in expiries)
    api_requests = [request for request in env.api.requests if request.host == "api"]
    assert len(api_requests) == 1 + len(expiries)
    assert env.proxy.starts.count(None) == 1


async def test_new_url_is_expired_too(nginx: Nginx, tmp_path: Path) -> None:
    """One renewal is attempted; a second refusal is final."""
    async with environment(nginx) as env:
        env.api.lifetime = -60
        export_id = env.api.add_to_nginx({"csv": b"never seen"})
        with pytest.raises(DownloadGroupError) as caught:
            await env.px.exports.download(export_id, tmp_path / "out")
    assert isinstance(caught.value.report.failures["csv"], LinkExpiredError)
    assert len(env.proxy.requests) == 2


async def test_wrong_signature_is_final(nginx: Nginx, tmp_path: Path) -> None:
    """A 403 before the expiry time is not reported as expiry."""
    async with environment(nginx) as env:
        export_id = env.api.add_to_nginx({"csv": b"never seen"})
        nginx.forget_secret()
        with pytest.raises(DownloadGroupError) as caught:
            await env.px.exports.download(export_id, tmp_path / "out")
    failure = caught.value.report.failures["csv"]
    assert isinstance(failure, StorageError)
    assert failure.status == 403
    assert len(env.proxy.requests) == 1


async def test_existing_file_is_kept(nginx: Nginx, tmp_path: Path) -> None:
    """nginx declares the length of the file, which equals that of the file on disk."""
    async with environment(nginx) as env:
        export_id = env.api.add_to_nginx({"csv": random_bytes(2_000_000)})
        first = await download(env, export_id, tmp_path / "out")
        written = first.path.stat().st_mtime_ns
        second = await download(env, export_id, tmp_path / "out")
    assert (first.kept, second.kept) == (False, True)
    assert first.path.stat().st_mtime_ns == written


async def test_identity_encoding_is_requested(nginx: Nginx, tmp_path: Path) -> None:
    """Other clients get gzip without a length; this one gets the length and a strong ETag."""
    content = b"id,name\n" + b"1,Ada Abara\n" * 200_000
    async with environment(nginx, [None, Cut(1_000_000)]) as env:
        export_id = env.api.add_to_nginx({"csv": content})
        async with aiohttp.ClientSession() as session:
            async with session.get(env.api.url_for(export_id, "csv")) as response:
                assert response.headers["Content-Encoding"] == "gzip"
                assert await response.read() == content
        file = await download(env, export_id, tmp_path)
    assert file.path.read_bytes() == content
    assert (file.resumed, file.verified) == (True, "length")


@pytest.mark.parametrize("size", [2_000_000, 3_000_000, 4_000_000])
async def test_file_replaced_between_attempts(nginx: Nginx, tmp_path: Path, size: int) -> None:
    """The file is the new one, whether it is shorter, longer or of equal length."""
    replacement = random_bytes(size, seed=4)

    def replace_after_cut() -> Iterator[Cut | None]:
        yield Cut(2_500_000)
        nginx.put(f"{export_id}.csv", replacement)
        yield None

    async with environment(nginx, replace_after_cut()) as env:
        export_id = env.api.add_to_nginx({"csv": random_bytes(3_000_000)})
        nginx.backdate(f"{export_id}.csv")
        file = await download(env, export_id, tmp_path)
    assert file.path.read_bytes() == replacement
    assert not file.resumed


async def test_missing_file(nginx: Nginx, tmp_path: Path) -> None:
    """A 404 is final after one renewal, and the other artifact arrives."""
    async with environment(nginx) as env:
        export_id = env.api.add_to_nginx({"json": b"[]", "csv": b"id,name\n"})
        nginx.path(f"{export_id}.json").unlink()
        with pytest.raises(DownloadGroupError) as caught:
            await env.px.exports.download(export_id, tmp_path / "out")
    report = caught.value.report
    failure = report.failures["json"]
    assert isinstance(failure, StorageError)
    assert failure.status == 404
    assert report.files["csv"].path.read_bytes() == b"id,name\n"
    assert [path.name for path in (tmp_path / "out").iterdir()] == [f"{export_id}.csv"]
