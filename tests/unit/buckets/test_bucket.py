"""The public class `Bucket`."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from obstore.store import AzureStore, HTTPStore, LocalStore, MemoryStore, S3Store

from packagex_async import Bucket, ConfigurationError


@pytest.mark.parametrize(
    ("destination", "prefix", "url"),
    [
        ("s3://b/x/", "y-", "s3://b/x/y-"),
        ("az://c", "", "az://c/"),
        (S3Store("b", prefix="p"), "y/", "s3://b/p/y/"),
        (AzureStore("c", account_name="a"), "", "az://c/"),
        (MemoryStore(), "/x/", "memory:///x/"),
    ],
)
def test_urls(monkeypatch: pytest.MonkeyPatch, destination: Any, prefix: str, url: str) -> None:
    """The URL has the bucket and the start of all keys."""
    monkeypatch.setenv("AZURE_STORAGE_ACCOUNT_NAME", "acct")
    bucket = Bucket(destination, prefix=prefix)
    assert bucket.url == url
    assert repr(bucket) == f"Bucket({url!r})"


def test_local_store(tmp_path: Path) -> None:
    """Its URL is the path of the folder."""
    assert Bucket(LocalStore(tmp_path)).url == f"file://{tmp_path}/"
    assert Bucket(LocalStore()).url == "file:///"


async def asynchronous_provider() -> Any:
    """Return no credentials."""


class AsynchronousProvider:
    async def __call__(self) -> Any:
        """Return no credentials."""


@pytest.mark.parametrize(
    ("destination", "options"),
    [
        ("", {}),
        ("s3://", {}),
        ("ftp://x", {}),
        (Path("exports"), {}),
        (HTTPStore("http://127.0.0.1/x"), {}),
        ("memory://", {"chunk_size": 0}),
        ("memory://", {"chunk_size": 1.5}),
        ("memory://", {"max_concurrency": True}),
        ("memory://", {"prefix": "../x"}),
        ("memory://", {"region": "x"}),
        ("s3://b", {"chunk_size": 1000}),
        (MemoryStore(), {"region": "x"}),
        ("s3://b", {"client_options": 1}),
        ("s3://b", {"credential_provider": asynchronous_provider}),
        (S3Store("b", credential_provider=AsynchronousProvider()), {}),
    ],
)
def test_invalid_arguments(destination: Any, options: dict[str, Any]) -> None:
    """All errors are raised when the bucket is created."""
    with pytest.raises(ConfigurationError):
        Bucket(destination, **options)


def test_imports() -> None:
    """Neither the package nor the class imports obstore; a bucket does."""
    script = "import sys; from packagex_async import Bucket; print('obstore' in sys.modules)"
    result = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "False"
