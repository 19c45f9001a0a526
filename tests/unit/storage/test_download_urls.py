"""Expired links are retrieved again once, for all artifacts of their export."""

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
from packagex_async._storage.download_urls import DownloadUrls
from packagex_async._storage.storage_errors import DownloadUrl

OLD = Export(id="exp_1", json_url="https://s.example/j?old", csv_url="https://s.example/c?old")
NEW = Export(id="exp_1", json_url="https://s.example/j?new", csv_url="https://s.example/c?new")


class Api:
    """The far side of a retrieve: answers with what it is given."""

    def __init__(self, answer: Export | Exception) -> None:
        self.answer = answer
        self.asked = 0

    async def retrieve(self) -> Export:
        self.asked += 1
        await asyncio.sleep(0)
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


def stale(links: DownloadUrls, artifact: Artifact) -> DownloadUrl:
    link = links.link(artifact)
    assert link is not None
    return link


async def test_trap_13_all_artifacts_share_one_refresh() -> None:
    """Whoever comes first asks; the others get what came."""
    api = Api(NEW)
    links = DownloadUrls(OLD, api.retrieve)
    before = [stale(links, artifact) for artifact in (Artifact.JSON, Artifact.CSV)] * 3
    after = await asyncio.gather(*(links.fresh(link) for link in before))
    assert api.asked == 1
    assert {link.url for link in after} == {NEW.json_url, NEW.csv_url}
    await links.fresh(after[0])
    assert api.asked == 2


@pytest.mark.parametrize("status", [404, 410])
async def test_trap_13_a_deleted_export_is_told_apart(status: int) -> None:
    """It is gone, not expired."""
    links = DownloadUrls(OLD, Api(NotFoundError("no such export", status=status)).retrieve)
    with pytest.raises(ExportGoneError, match="export exp_1 is gone"):
        await links.fresh(stale(links, Artifact.CSV))


@pytest.mark.parametrize("error", [ServerError("oops", status=500), RequestTimeoutError("late")])
async def test_a_refresh_that_fails_says_why(error: Exception) -> None:
    """The link is still the reason, the cause is beside it; and it is not tried for each artifact again."""
    api = Api(error)
    links = DownloadUrls(OLD, api.retrieve)
    for artifact in (Artifact.CSV, Artifact.JSON):
        with pytest.raises(LinkExpiredError, match="a fresh one could not be had") as caught:
            await links.fresh(stale(links, artifact))
        assert caught.value.__cause__ is error
        assert caught.value.artifact is artifact
    assert api.asked == 1


async def test_an_artifact_that_is_offered_no_longer_is_final() -> None:
    """The export is there, its file is not."""
    links = DownloadUrls(OLD, Api(Export(id="exp_1")).retrieve)
    with pytest.raises(LinkExpiredError, match="offers the artifact no longer"):
        await links.fresh(stale(links, Artifact.CSV))
    assert links.link(Artifact.CSV) is None
