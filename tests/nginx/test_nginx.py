"""The promises of a download, kept before nginx."""

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
from tests.nginx.far_side import FarSide, far_side
from tests.nginx.proxy import Cut
from tests.nginx.server import RATE, Nginx

pytestmark = pytest.mark.nginx


def noise(size: int, seed: int = 3) -> bytes:
    return random.Random(seed).randbytes(size)


def random_cuts(seed: int) -> Iterator[Cut]:
    """Ends anywhere from within the answer's head to some megabytes on; every fourth is an RST."""
    dice = random.Random(seed)
    while True:
        yield Cut(dice.choice((dice.randrange(400), dice.randrange(4_000_000))), rst=dice.random() < 0.25)


async def bring(far: FarSide, export_id: str, folder: Path) -> DownloadedFile:
    return (await far.px.exports.download(export_id, folder)).files["csv"]


@pytest.mark.parametrize("seed", range(3))
async def test_a_big_file_arrives_over_many_cuts(nginx: Nginx, tmp_path: Path, seed: int) -> None:
    """Each try asks for what is still missing, and no byte that has arrived is asked for again."""
    content = noise(40_000_000)
    async with far_side(nginx, random_cuts(seed)) as far:
        # Cuts in the head bring nothing, and several may come in a row.
        async with far.api.client(retry=RetryPolicy(attempts=50, wait_initial=0)) as px:
            report = await px.exports.download(far.api.offer({"csv": content}), tmp_path)
    file = report.files["csv"]
    assert file.path.read_bytes() == content
    assert (file.resumed, file.verified) == (True, "length")
    starts = [start or 0 for start in far.proxy.starts]
    assert starts == sorted(starts)
    assert len([start for start in starts if start]) > 8


async def test_four_artifacts_arrive_side_by_side_over_cuts(nginx: Nginx, tmp_path: Path) -> None:
    """What cuts one connection leaves the other transfers alone."""
    names = ("json", "csv", "csv_error", "csv_sanitized")
    content = {name: noise(5_000_000 + place, place) for place, name in enumerate(names)}
    cuts = [Cut(700_000 * (place + 1), rst=place % 3 == 0) for place in range(8)]
    async with far_side(nginx, cuts) as far:
        report = await far.px.exports.download(far.api.offer(content), tmp_path)
    assert {file.artifact: file.path.read_bytes() for file in report.files} == content
    assert all(file.verified == "length" for file in report.files)


async def test_the_range_hangs_on_the_strong_etag(nginx: Nginx, tmp_path: Path) -> None:
    """nginx names a static file by a strong ETag, which If-Range sends back as it came."""
    async with far_side(nginx, [None, Cut(2_000_000)]) as far:
        export_id = far.api.offer({"csv": noise(3_000_000)})
        async with aiohttp.ClientSession(headers={"Accept-Encoding": "identity"}) as session:
            async with session.get(far.api.url_for(export_id, "csv")) as answer:
                tag = answer.headers["ETag"]
        file = await bring(far, export_id, tmp_path)
    assert file.resumed
    assert tag.startswith('"')
    assert far.proxy.asked[-1].tag == tag


async def test_the_next_run_takes_up_what_the_last_one_left(nginx: Nginx, tmp_path: Path) -> None:
    """Across runs, too, only what is missing is asked for, on the condition that nothing has changed."""
    content = noise(6_000_000)
    async with far_side(nginx, [Cut(4_500_000)]) as far:
        export_id = far.api.offer({"csv": content})
        async with far.api.client(retry=RetryPolicy(attempts=1)) as px:
            with pytest.raises(DownloadGroupError):
                await px.exports.download(export_id, tmp_path / "out", resume=True)
        assert not (tmp_path / "out" / f"{export_id}.csv").exists()
        report = await far.px.exports.download(export_id, tmp_path / "out", resume=True)
    file = report.files["csv"]
    assert file.path.read_bytes() == content
    assert (file.resumed, file.attempts) == (True, 1)
    whole, rest = far.proxy.starts
    assert whole is None
    assert rest is not None
    assert rest > 3_000_000
    assert [path.name for path in (tmp_path / "out").iterdir()] == [file.path.name]


@pytest.mark.parametrize("place", ["slow", "plain"])
async def test_a_link_that_expires_on_the_way_is_replaced(nginx: Nginx, tmp_path: Path, place: str) -> None:
    """Whether nginx tells of it by 410 or by 403, a fresh link goes on from the byte reached."""
    # nginx sends so slowly that seconds pass between the connections, while no link outlives two.
    size, cuts = 5 * RATE, [Cut(RATE * 3 // 2)] * 9
    content = noise(size)
    events: list[ProgressEvent] = []
    async with far_side(nginx, cuts) as far:
        far.api.place, far.api.lifetime = place, 1
        export_id = far.api.offer({"csv": content})
        report = await far.px.exports.download(export_id, tmp_path, on_progress=events.append)
    file = report.files["csv"]
    assert file.path.read_bytes() == content
    assert file.resumed
    retries = [event for event in events if event.kind is ProgressKind.RETRYING]
    expiries = [event for event in retries if isinstance(event.error, LinkExpiredError)]
    assert expiries
    assert all(event.received for event in expiries)
    retrieved = [request for request in far.api.requests if request.host == "api"]
    assert len(retrieved) == 1 + len(expiries)
    assert far.proxy.starts.count(None) == 1


async def test_a_link_that_is_dead_at_once_every_time_is_given_up(nginx: Nginx, tmp_path: Path) -> None:
    """One fresh link is tried; when that is refused as well, the caller is told."""
    async with far_side(nginx) as far:
        far.api.lifetime = -60
        export_id = far.api.offer({"csv": b"never seen"})
        with pytest.raises(DownloadGroupError) as caught:
            await far.px.exports.download(export_id, tmp_path / "out")
    assert isinstance(caught.value.report.failures["csv"], LinkExpiredError)
    assert len(far.proxy.asked) == 2


async def test_a_link_that_was_never_signed_is_refused_for_good(nginx: Nginx, tmp_path: Path) -> None:
    """nginx's 403 is no expiry while the link says that it lives."""
    async with far_side(nginx) as far:
        export_id = far.api.offer({"csv": b"never seen"})
        nginx.forget_secret()
        with pytest.raises(DownloadGroupError) as caught:
            await far.px.exports.download(export_id, tmp_path / "out")
    failure = caught.value.report.failures["csv"]
    assert isinstance(failure, StorageError)
    assert failure.status == 403
    assert len(far.proxy.asked) == 1


async def test_a_file_that_is_there_is_kept(nginx: Nginx, tmp_path: Path) -> None:
    """nginx declares the length of the file, which is that of the one on disk."""
    async with far_side(nginx) as far:
        export_id = far.api.offer({"csv": noise(2_000_000)})
        first = await bring(far, export_id, tmp_path / "out")
        written = first.path.stat().st_mtime_ns
        second = await bring(far, export_id, tmp_path / "out")
    assert (first.kept, second.kept) == (False, True)
    assert first.path.stat().st_mtime_ns == written


async def test_what_nginx_would_compress_arrives_as_it_is(nginx: Nginx, tmp_path: Path) -> None:
    """Identity is asked for, so that length and strong ETag are told where others get gzip in chunks."""
    content = b"id,name\n" + b"1,Ada Abara\n" * 200_000
    async with far_side(nginx, [None, Cut(1_000_000)]) as far:
        export_id = far.api.offer({"csv": content})
        async with aiohttp.ClientSession() as session:
            async with session.get(far.api.url_for(export_id, "csv")) as answer:
                assert answer.headers["Content-Encoding"] == "gzip"
                assert await answer.read() == content
        file = await bring(far, export_id, tmp_path)
    assert file.path.read_bytes() == content
    assert (file.resumed, file.verified) == (True, "length")


@pytest.mark.parametrize("size", [2_000_000, 3_000_000, 4_000_000])
async def test_a_file_replaced_between_tries_arrives_whole_and_new(
    nginx: Nginx, tmp_path: Path, size: int
) -> None:
    """Shorter, as long, or longer: nothing of the old is left in it."""
    replacement = noise(size, seed=4)

    def replacing() -> Iterator[Cut | None]:
        yield Cut(2_500_000)
        nginx.put(f"{export_id}.csv", replacement)
        yield None

    async with far_side(nginx, replacing()) as far:
        export_id = far.api.offer({"csv": noise(3_000_000)})
        nginx.backdate(f"{export_id}.csv")
        file = await bring(far, export_id, tmp_path)
    assert file.path.read_bytes() == replacement
    assert not file.resumed


async def test_a_missing_file_fails_and_spares_the_others(nginx: Nginx, tmp_path: Path) -> None:
    """nginx's 404 is final after one fresh link, and the other artifact is there."""
    async with far_side(nginx) as far:
        export_id = far.api.offer({"json": b"[]", "csv": b"id,name\n"})
        nginx.path(f"{export_id}.json").unlink()
        with pytest.raises(DownloadGroupError) as caught:
            await far.px.exports.download(export_id, tmp_path / "out")
    report = caught.value.report
    failure = report.failures["json"]
    assert isinstance(failure, StorageError)
    assert failure.status == 404
    assert report.files["csv"].path.read_bytes() == b"id,name\n"
    assert [path.name for path in (tmp_path / "out").iterdir()] == [f"{export_id}.csv"]
