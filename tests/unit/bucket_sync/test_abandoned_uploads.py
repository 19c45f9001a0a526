"""Removal of abandoned uploads, against a small server with the API of S3."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import attrs
import pytest
from obstore.store import MemoryStore, S3Store

from packagex_async._bucket_sync.abandoned_uploads import (
    MAX_AGE,
    bucket_address,
    parse_uploads,
    remove_abandoned_uploads,
)
from packagex_async._buckets.objects import BucketObjects
from tests.unit.buckets.test_objects import new_objects

NOW = 1_800_000_000.0
ITEM = "<Upload><Key>{}</Key><UploadId>{}</UploadId><Initiated>{}</Initiated></Upload>"
OLD, NEW = "2020-01-01T00:00:00.000Z", "2099-01-01T00:00:00.000Z"


@attrs.define
class Server:
    """A server that lists uploads in two pages."""

    port: int = 0
    pages: list[str] = attrs.field(factory=list)
    requests: list[str] = attrs.field(factory=list)
    delete_status: int = 204


@pytest.fixture
def server() -> Iterator[Server]:
    state = Server()

    class Handler(BaseHTTPRequestHandler):
        def reply(self, status: int, text: str) -> None:
            state.requests.append(f"{self.command} {self.path}")
            self.send_response(status)
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text.encode())

        def do_GET(self) -> None:
            self.reply(200 if state.pages else 403, state.pages.pop(0) if state.pages else "")

        def do_DELETE(self) -> None:
            self.reply(state.delete_status, "")

        def log_message(self, format: str, *args: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as http:
        state.port = http.server_address[1]
        thread = threading.Thread(target=http.serve_forever, args=(0.01,))
        thread.start()
        yield state
        http.shutdown()
        thread.join()


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [*os.environ]:
        if name.startswith("AWS_"):
            monkeypatch.delenv(name)


def s3_objects(**options: Any) -> BucketObjects:
    return BucketObjects(
        S3Store("b", **options), url="s3://b", base="", prefix="x/", chunk_size=9, max_concurrency=1
    )


def key(server: Server) -> dict[str, Any]:
    return {
        "endpoint": f"http://127.0.0.1:{server.port}",
        "access_key_id": "k",
        "secret_access_key": "s",
        "session_token": "t",
    }


def test_old_uploads_are_removed(server: Server) -> None:
    """Recent uploads and other keys stay; a second call sends nothing."""
    server.pages = [
        "<IsTruncated>true</IsTruncated><NextKeyMarker>m</NextKeyMarker>"
        + ITEM.format("x/a&amp;b.csv", "1", OLD) + ITEM.format("x/new.csv", "2", NEW),
        "<IsTruncated>false</IsTruncated>" + ITEM.format("x/other.bin", "3", OLD),
    ]  # fmt: skip
    objects = s3_objects(**key(server))
    remove_abandoned_uploads(objects, NOW)
    remove_abandoned_uploads(objects, NOW)
    assert server.requests == [
        "GET /b?prefix=x%2F&uploads=",
        "GET /b?key-marker=m&prefix=x%2F&upload-id-marker=&uploads=",
        "DELETE /b/x/a%26b.csv?uploadId=1",
    ]


@pytest.mark.parametrize("status", [404, 500])
def test_failures_do_not_matter(server: Server, status: int, caplog: pytest.LogCaptureFixture) -> None:
    """Another process may remove the upload first; other failures are logged."""
    server.pages = [ITEM.format("x/a.csv", "1", OLD)]
    server.delete_status = status
    remove_abandoned_uploads(s3_objects(**key(server)), NOW)
    assert ("500" in caplog.text) is (status == 500)


def test_refused_listing(server: Server, caplog: pytest.LogCaptureFixture) -> None:
    """A missing permission is logged."""
    remove_abandoned_uploads(s3_objects(**key(server)), NOW)
    assert "s3://b: abandoned uploads were not removed: 403" in caplog.text


def test_endless_pages(server: Server) -> None:
    """The number of pages is limited."""
    server.pages = ["<IsTruncated>true</IsTruncated><NextKeyMarker>m</NextKeyMarker>"] * 200
    remove_abandoned_uploads(s3_objects(**key(server)), NOW)
    assert len(server.requests) == 100


def test_key_in_the_environment(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """Key, region and endpoint are read from the variables of S3 tools."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "k")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "s")
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{server.port}")
    monkeypatch.setenv("AWS_REGION", "eu-west-1")
    server.pages = [""]
    remove_abandoned_uploads(s3_objects(), NOW)
    assert len(server.requests) == 1


def test_credential_provider(server: Server) -> None:
    """The key of a provider is used, with an endpoint that contains the bucket."""
    server.pages = [""]
    provider = lambda: {"access_key_id": "k", "secret_access_key": "s", "expires_at": None}  # noqa: E731
    options: dict[str, Any] = {"credential_provider": provider, "virtual_hosted_style_request": True}
    remove_abandoned_uploads(s3_objects(endpoint=f"http://127.0.0.1:{server.port}", **options), NOW)
    assert server.requests == ["GET /?prefix=x%2F&uploads="]


def test_nothing_without_a_key(server: Server) -> None:
    """In a public bucket, and in other stores, no request is sent."""
    options: dict[str, Any] = {"skip_signature": True}
    remove_abandoned_uploads(s3_objects(endpoint=f"http://127.0.0.1:{server.port}", **options), NOW)
    remove_abandoned_uploads(new_objects(MemoryStore()), NOW)
    assert server.requests == []


def test_addresses() -> None:
    """The bucket is a part of the path, or of the host."""
    settings = {"bucket": "b"}
    assert bucket_address(settings, "eu-west-1") == "https://s3.eu-west-1.amazonaws.com/b"
    settings["virtual_hosted_style_request"] = "true"
    assert bucket_address(settings, "eu-west-1") == "https://b.s3.eu-west-1.amazonaws.com"


def test_failing_provider(caplog: pytest.LogCaptureFixture) -> None:
    """An error of the provider is logged without its text."""

    def fail() -> Any:
        raise RuntimeError("s3cr3t")

    remove_abandoned_uploads(s3_objects(credential_provider=fail), NOW)
    assert "were not removed: RuntimeError" in caplog.text
    assert "s3cr3t" not in caplog.text


def test_other_schemes(caplog: pytest.LogCaptureFixture) -> None:
    """Only http and https are used."""
    options = {"endpoint": "file:///etc", "access_key_id": "k", "secret_access_key": "s"}
    remove_abandoned_uploads(s3_objects(**options), NOW)
    assert "ValueError" in caplog.text


def test_age() -> None:
    """Dates are in seconds since the epoch."""
    (upload,), marker = parse_uploads(ITEM.format("x", "1", "1970-01-02T00:00:00.000Z"))
    assert (upload.initiated, marker) == (MAX_AGE, {})
