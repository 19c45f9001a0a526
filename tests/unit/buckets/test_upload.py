"""Uploads: complete and checked, or nothing."""

from __future__ import annotations

import gzip
import hashlib
import threading
from collections.abc import Iterable
from pathlib import Path
from types import SimpleNamespace

import obstore
import pytest
from obstore.store import LocalStore, MemoryStore

from packagex_async._buckets.bucket_error import BucketError, ObjectChangedError, UploadLostError
from packagex_async._buckets.objects import BucketObjects
from packagex_async._buckets.upload import ObjectUpload
from packagex_async._utils.decompression import Decompressor
from tests.unit.buckets.test_objects import new_objects

SMALL, LARGE = b"x" * 10, bytes(range(256)) * 20


@pytest.fixture(params=["memory", "local"])
def objects(request: pytest.FixtureRequest, tmp_path: Path) -> BucketObjects:
    return new_objects(MemoryStore() if request.param == "memory" else LocalStore(tmp_path))


def blocks(content: bytes) -> list[bytes]:
    return [content[start : start + 700] for start in range(0, len(content), 700)]


@pytest.mark.parametrize("length", [None, "known"])
@pytest.mark.parametrize("content", [b"", SMALL, LARGE])
def test_content(objects: BucketObjects, content: bytes, length: str | None) -> None:
    """Small and large objects appear with their content, and have an entity tag."""
    upload = ObjectUpload(objects, "a", length=len(content) if length else None)
    upload.write(blocks(content))
    assert objects.find("a") is None
    digest, result = upload.publish(lambda found: found.size, overwrite=False)
    assert result == len(content)
    assert digest.digests["sha256"] == hashlib.sha256(content).digest()
    assert digest.start == content[:1024]
    assert objects.read("a", 10_000) == (content, upload.e_tag)
    upload.discard()
    assert objects.find("a") is not None


@pytest.mark.parametrize("content", [SMALL, LARGE])
def test_rejected_content(objects: BucketObjects, content: bytes) -> None:
    """A failed check leaves neither an object nor a thread."""

    def reject(_: object) -> None:
        raise ValueError("wrong hash")

    upload = ObjectUpload(objects, "a")
    upload.write(blocks(content))
    with pytest.raises(ValueError, match="wrong hash"):
        upload.publish(reject, overwrite=True)
    upload.discard()
    assert obstore.list(objects.store).collect() == []
    assert "packagex-upload" not in [thread.name for thread in threading.enumerate()]


@pytest.mark.parametrize("content", [SMALL, LARGE])
def test_object_that_appears_meanwhile(objects: BucketObjects, content: bytes) -> None:
    """The same object of another process is kept, and a different one is an error."""
    upload = ObjectUpload(objects, "a")
    upload.write(blocks(content))
    e_tag = objects.put("a", content)
    upload.publish(lambda _: None, overwrite=False)
    assert upload.e_tag == e_tag
    upload.discard()
    objects.put("a", content[::-1] + b"!")
    upload = ObjectUpload(objects, "a")
    upload.write(blocks(content))
    with pytest.raises(ObjectChangedError, match="another object"):
        upload.publish(lambda _: None, overwrite=False)
    upload.discard()


def test_compressed_body(objects: BucketObjects) -> None:
    """The object is decompressed; hashes of both forms are known."""
    body = gzip.compress(LARGE)
    upload = ObjectUpload(objects, "a", algorithms=["md5"], decompressor=Decompressor("gzip"))
    upload.write(blocks(body))
    digest, _ = upload.publish(lambda _: None, overwrite=True)
    assert digest.for_algorithm("md5") == {hashlib.md5(LARGE).digest(), hashlib.md5(body).digest()}
    assert objects.read("a", 10_000) == (LARGE, upload.e_tag)


def test_refused_upload(objects: BucketObjects, monkeypatch: pytest.MonkeyPatch) -> None:
    """The error of the store is raised by the next call, and no call waits for ever."""

    def refuse(_name: str, _blocks: object, _length: int) -> None:
        raise OSError("refused")

    monkeypatch.setattr(objects, "put_blocks", refuse)
    upload = ObjectUpload(objects, "a", length=100_000)
    with pytest.raises(BucketError):
        upload.write([LARGE] * 5)
        upload.publish(lambda _: None, overwrite=True)
    upload.discard()


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (OSError("refused"), BucketError),
        (BaseException("panic"), BucketError),
        (FileNotFoundError("<Code>NoSuchUpload</Code>"), UploadLostError),
    ],
)
def test_upload_that_fails_at_its_end(
    objects: BucketObjects, monkeypatch: pytest.MonkeyPatch, error: BaseException, kind: type
) -> None:
    """The error of the store is raised, although it has taken all blocks."""

    def refuse(_name: str, taken: Iterable[object], _length: int) -> None:
        list(taken)
        raise error

    monkeypatch.setattr(objects, "put_blocks", refuse)
    upload = ObjectUpload(objects, "a", length=100_000)
    upload.write([LARGE])
    with pytest.raises(BucketError) as caught:
        upload.publish(lambda _: None, overwrite=True)
    assert type(caught.value) is kind
    upload.discard()


def test_parts_of_long_objects(objects: BucketObjects, monkeypatch: pytest.MonkeyPatch) -> None:
    """They are larger, because an upload has at most 10,000 parts."""
    sizes: list[int] = []
    monkeypatch.setattr(
        objects, "_obstore", SimpleNamespace(put=lambda *_, **options: sizes.append(options["chunk_size"]))
    )
    for length in (0, 10_000_000, 10_000_001, 25_000_000):
        with pytest.raises(TypeError):
            objects.put_blocks("a", iter([]), length)
    assert sizes == [1000, 1000, 1001, 2500]


def test_object_that_appears_and_disappears(objects: BucketObjects, monkeypatch: pytest.MonkeyPatch) -> None:
    """The object is not written, because another process works on it."""
    objects.put("a", LARGE, create=True)
    monkeypatch.setattr(objects, "find", lambda _: None)
    upload = ObjectUpload(objects, "a")
    upload.write([SMALL])
    with pytest.raises(ObjectChangedError):
        upload.publish(lambda _: None, overwrite=False)


def test_no_thread(objects: BucketObjects, monkeypatch: pytest.MonkeyPatch) -> None:
    """A process without free threads gets an error."""

    def refuse(_self: object) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", refuse)
    with pytest.raises(OSError, match="no thread"):
        ObjectUpload(objects, "a", length=100_000).write([SMALL])
