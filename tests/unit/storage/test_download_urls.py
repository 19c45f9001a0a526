"""The download URLs of an export, and their refresh."""

from __future__ import annotations

import asyncio

import pytest

from packagex_async import (
    Artifact,
    Export,
    ExportGoneError,
    LinkExpiredError,
    NotFoundError,
    RequestTimeoutError,
    ServerError,
)
from packagex_async._storage.download_url import DownloadUrl
from packagex_async._storage.download_urls import DownloadUrls

OLD = Export(id="exp_1", json_url="https://s.example/j?old", csv_url="https://s.example/c?old")
NEW = Export(id="exp_1", json_url="https://s.example/j?new", csv_url="https://s.example/c?new")


class Api:
    """Retrieves an export, with a fixed outcome."""

    def __init__(self, outcome: Export | Exception) -> None:
        self.outcome = outcome
        self.calls = 0

    async def retrieve(self) -> Export:
        self.calls += 1
        await asyncio.sleep(0)
        if isinstance(self.outcome, Exception):
            raise self.outcome
        return self.outcome


def expired(urls: DownloadUrls, artifact: Artifact) -> DownloadUrl:
    """Return the present URL of an artifact."""
    url = urls.get(artifact)
    assert url is not None
    return url


async def test_trap_13_all_artifacts_share_one_refresh() -> None:
    """The first one retrieves the export; the others use the result."""
    api = Api(NEW)
    urls = DownloadUrls(OLD, api.retrieve)
    before = [expired(urls, artifact) for artifact in (Artifact.JSON, Artifact.CSV)] * 3
    after = await asyncio.gather(*(urls.refresh(url) for url in before))
    assert api.calls == 1
    assert {url.url for url in after} == {NEW.json_url, NEW.csv_url}
    await urls.refresh(after[0])
    assert api.calls == 2


@pytest.mark.parametrize("status", [404, 410])
async def test_trap_13_deleted_export_is_distinguished(status: int) -> None:
    """Its error is not that of an expired link."""
    urls = DownloadUrls(OLD, Api(NotFoundError("no such export", status=status)).retrieve)
    with pytest.raises(ExportGoneError, match="export exp_1 no longer exists"):
        await urls.refresh(expired(urls, Artifact.CSV))


@pytest.mark.parametrize("error", [ServerError("oops", status=500), RequestTimeoutError("late")])
async def test_failed_refresh_names_its_cause(error: Exception) -> None:
    """The export is not retrieved again for each artifact."""
    api = Api(error)
    urls = DownloadUrls(OLD, api.retrieve)
    for artifact in (Artifact.CSV, Artifact.JSON):
        with pytest.raises(LinkExpiredError, match="the export could not be retrieved again") as caught:
            await urls.refresh(expired(urls, artifact))
        assert caught.value.__cause__ is error
        assert caught.value.artifact is artifact
    assert api.calls == 1


async def test_withdrawn_artifact_is_an_expired_link() -> None:
    """The export still exists, but does not offer the artifact."""
    urls = DownloadUrls(OLD, Api(Export(id="exp_1")).retrieve)
    with pytest.raises(LinkExpiredError, match="no longer offers the artifact"):
        await urls.refresh(expired(urls, Artifact.CSV))
    assert urls.get(Artifact.CSV) is None


async def test_unreadable_url_counts_as_offered() -> None:
    """Its request is refused later, so that the artifact is not reported as missing."""
    urls = DownloadUrls(Export(id="exp_1", unread=("_csv_url",)), Api(NEW).retrieve)
    url = urls.get(Artifact.CSV)
    assert url is not None
    assert url.url == ""
    assert urls.get(Artifact.JSON) is None
