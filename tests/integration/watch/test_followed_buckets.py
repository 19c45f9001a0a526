"""`download_all(follow=True)` into a bucket."""

from __future__ import annotations

import pytest

pytest.importorskip("obstore")

from obstore.store import MemoryStore

from packagex_async import Bucket, BucketFile, RetryPolicy
from packagex_async.testing.faults import Status
from tests.watching import Watched, open_watched


def content(store: MemoryStore, name: str) -> bytes:
    """Return the content of an object."""
    return bytes(store.get(name).bytes())


def keys(store: MemoryStore) -> set[str]:
    """Return the keys of all objects."""
    return {item["path"] for batch in store.list() for item in batch}


async def test_exports_that_become_final(watched: Watched) -> None:
    """Each of them is uploaded once."""
    server, store = watched.server, MemoryStore()
    first, second = (server.add_export(rows=5).id for _ in range(2))
    server.update_export(second, status="processing")

    async def change(number: int) -> None:
        if number == 2:
            server.update_export(second, status="completed")
        await watched.reported(1 if number < 3 else 2)

    await watched.follow(4, Bucket(store, prefix="in/"), change)
    assert [report.export_id for report in watched.reports] == [first, second]
    for export_id in (first, second):
        assert content(store, f"in/{export_id}.csv") == server.content(export_id, "csv")
    assert len(keys(store)) == 2 * 3


@pytest.mark.parametrize("layout", ["flat", "folders", "{resource}/{created:%Y}/{id}"])
async def test_failed_artifact_is_retried(layout: str) -> None:
    """Objects of the first attempt are kept."""
    store = MemoryStore()
    async with open_watched(policy=RetryPolicy(attempts=1)) as watched:
        watched.server.add_export(rows=5)
        watched.server.inject(Status(500, on="storage", artifact="csv"), times=2)

        async def change(number: int) -> None:
            await watched.reported(min(number, 3))

        await watched.follow(4, Bucket(store), change, layout=layout)
        assert [[error.artifact for error in report.failures] for report in watched.reports] == [
            ["csv"], ["csv"], [],
        ]  # fmt: skip
        kept = [[file.artifact for file in report.files if file.kept] for report in watched.reports]
        assert kept == [[], ["json"], ["json"]]
        requested = [request.artifact for request in watched.server.requests if request.host == "storage"]
        assert (requested.count("csv"), requested.count("json")) == (3, 1)


async def test_second_run_keeps_the_objects(watched: Watched) -> None:
    """A new run reports the objects of earlier runs, and requests nothing from storage."""
    watched.server.add_export(rows=5)
    bucket = Bucket(MemoryStore())

    async def change(number: int) -> None:
        await watched.reported(1)

    await watched.follow(2, bucket, change)
    watched.reports.clear()
    watched.clock.polls = 0
    sent = len(watched.server.requests)
    await watched.follow(2, bucket, change)
    assert all(isinstance(file, BucketFile) and file.kept for file in watched.reports[0].files)
    assert {request.host for request in watched.server.requests[sent:]} == {"api"}


async def test_parquet(watched: Watched) -> None:
    """CSV artifacts are converted, also those that are found by later polls."""
    pytest.importorskip("pyarrow")
    store = MemoryStore()

    async def change(number: int) -> None:
        if number < 3:
            watched.server.add_export(rows=5)
        await watched.reported(min(number - 1, 2))

    await watched.follow(5, Bucket(store), change, format="parquet")
    assert [report.files["csv"].rows for report in watched.reports] == [5, 5]
    assert sum(key.endswith(".parquet") for key in keys(store)) == 2
