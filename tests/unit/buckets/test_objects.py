"""Objects below a prefix, in memory and in a folder."""

from __future__ import annotations

import io
import threading
from pathlib import Path
from traceback import TracebackException
from types import SimpleNamespace
from typing import Any

import obstore
import pytest
from obstore.store import LocalStore, MemoryStore, S3Store

from packagex_async._buckets.bucket_error import BucketError, ObjectChangedError, ObjectNotFoundError
from packagex_async._buckets.objects import BucketObjects


def new_objects(store: Any, prefix: str = "x/y-", **options: int) -> BucketObjects:
    sizes = {"chunk_size": 1000, "max_concurrency": 2} | options
    return BucketObjects(store, url="memory://", base="", prefix=prefix, **sizes)


@pytest.fixture(params=["memory", "local"])
def objects(request: pytest.FixtureRequest, tmp_path: Path) -> BucketObjects:
    return new_objects(MemoryStore() if request.param == "memory" else LocalStore(tmp_path))


def test_names(objects: BucketObjects) -> None:
    """Keys and URLs contain the prefix."""
    assert objects.key_of("a.csv") == "x/y-a.csv"
    assert objects.url_of("a.csv") == "memory:///x/y-a.csv"


def test_listing(objects: BucketObjects) -> None:
    """Only the objects below the prefix are listed."""
    for key in ("x/y-a.csv", "x/y-b.csv", "x/y-_packagex/a.json", "x/z-a.csv", "y-a.csv", "x/y/a.csv"):
        obstore.put(objects.store, key, b"12")
    assert sorted(objects.list()) == ["_packagex/a.json", "a.csv", "b.csv"]
    assert [(name, info.size) for name, info in objects.list("b").items()] == [("b.csv", 2)]


def test_ordered_stores_stop_early(objects: BucketObjects) -> None:
    """The listing of a store with an order starts at the prefix, and ends after it."""
    ordered = new_objects(MemoryStore())
    ordered.kind = "S3Store"
    for key in ("x/a", "x/y-a.csv", "x/y-b.csv", "x/z"):
        obstore.put(ordered.store, key, b"1")
    assert sorted(ordered.list()) == ["a.csv", "b.csv"]


@pytest.mark.parametrize(
    "prefix", ["x/é", "x/y ", "x/0", "x/y0", "0", " ", "x/.0", "x/..", "x/!", "x/y~", "é"]
)
def test_prefixes_of_ordered_stores(prefix: str) -> None:
    """The listing starts at a valid key, whatever the prefix ends with."""
    ordered = new_objects(MemoryStore(), prefix)
    ordered.kind = "S3Store"
    ordered.put("a.csv", b"1")
    assert list(ordered.list()) == ["a.csv"]
    assert list(ordered.list("a")) == ["a.csv"]
    assert ordered.list("b") == {}


def test_long_listings(objects: BucketObjects) -> None:
    """They are given up."""
    for name in ("a.csv", "b.csv"):
        objects.put(name, b"1")
    assert len(objects.list_up_to(2) or ()) == 2
    assert objects.list_up_to(1) is None


@pytest.mark.parametrize("max_listed", [0, 1000])
@pytest.mark.parametrize("kind", ["S3Store", "AzureStore"])
def test_some_objects(monkeypatch: pytest.MonkeyPatch, kind: str, max_listed: int) -> None:
    """They are listed if that needs few requests, and examined one by one otherwise."""
    monkeypatch.setattr("packagex_async._buckets.objects._LIST_SIZE", max_listed or 1)
    objects = new_objects(MemoryStore())
    objects.kind = kind
    for name in ("a.csv", "a.json", "b.csv"):
        obstore.put(objects.store, objects.key_of(name), b"12")
    found = objects.find_all(["a.csv", "a.json", "a.parquet"])
    assert {name: info.size for name, info in found.items()} == {"a.csv": 2, "a.json": 2}
    assert objects.find_all([]) == {}


def test_uploads_share_their_parts(objects: BucketObjects) -> None:
    """Up to four uploads have all their parts; more uploads have less, and at least one."""
    counts: list[int] = []

    def put(*_: object, max_concurrency: int, **__: object) -> Any:
        counts.append(max_concurrency)
        if len(counts) < 10:
            objects.put_blocks("a", iter([]))
        return {"e_tag": None}

    objects.max_concurrency = 2
    objects._obstore = SimpleNamespace(put=put)
    objects.put_blocks("a", iter([]))
    assert counts == [2, 2, 2, 2, 1, 1, 1, 1, 1, 1]
    counts[:] = [0] * 9
    objects.put_blocks("a", iter([]))
    assert counts[9:] == [2]


def test_reading(objects: BucketObjects) -> None:
    """Objects are read completely, in ranges, and up to a maximum size."""
    e_tag = objects.put("a.csv", b"0123456789")
    assert objects.read("a.csv", 100) == (b"0123456789", e_tag)
    assert objects.read("a.csv", 5) == (b"", e_tag)
    assert objects.read("b.csv", 5) is None
    assert objects.find("b.csv") is None
    digest = objects.digest("a.csv", ("sha256",), lambda count: None)
    assert digest is not None
    assert digest.size == 10
    assert objects.digest("b.csv", ()) is None
    with objects.open_key("x/y-a.csv") as file:
        assert file.seek(-3, io.SEEK_END) == 7
        assert (file.read(), file.tell()) == (b"789", 10)
        assert file.read() == b""
        assert file.readable()
        assert file.seekable()
    with pytest.raises(ObjectNotFoundError):
        objects.open("b.csv")


def test_conditions(objects: BucketObjects) -> None:
    """An object is replaced only if it is the expected one; local stores compare before they write."""
    first = objects.put("a", b"1", create=True)
    with pytest.raises(ObjectChangedError):
        objects.put("a", b"2", create=True)
    second = objects.put("a", b"22", expected=first)
    with pytest.raises(ObjectChangedError):
        objects.put("a", b"3", expected="another")
    assert objects.read("a", 9) == (b"22", second)
    objects.put("a", b"4")
    assert objects.read("a", 9) is not None


async def test_calls_run_in_threads(objects: BucketObjects) -> None:
    """The event loop is not blocked."""
    thread = await objects.run(threading.current_thread)
    assert thread.name.startswith("packagex-bucket")


async def test_texts_of_obstore_are_not_kept() -> None:
    """They may contain credentials, also in the context and in the local variables of a traceback."""
    store = S3Store(
        "b", endpoint="http://127.0.0.1:9/s3cr3t", access_key_id="k", secret_access_key="s",
        client_options={"allow_http": True}, retry_config={"max_retries": 0},
    )  # fmt: skip
    objects = new_objects(store)
    with pytest.raises(BucketError) as caught:
        await objects.run(objects.find, "a.csv")
    assert (caught.value.__context__, caught.value.__cause__) == (None, None)
    shown = TracebackException.from_exception(caught.value, capture_locals=True)
    assert "s3cr3t" not in "".join(shown.format())


@pytest.mark.parametrize(
    ("name", "media_type"),
    [
        ("a.csv", "text/csv; charset=utf-8"),
        ("a.json", "application/json"),
        ("a.parquet", "application/vnd.apache.parquet"),
        ("a", "application/octet-stream"),
    ],
)
def test_media_types(name: str, media_type: str) -> None:
    """The object has the media type of its content."""
    objects = new_objects(MemoryStore())
    objects.put(name, b"1")
    assert obstore.get(objects.store, f"x/y-{name}").attributes["Content-Type"] == media_type
