"""Buckets for other processes."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import pytest
from obstore.store import AzureStore, GCSStore, LocalStore, MemoryStore, S3Store

from packagex_async import Bucket, ConfigurationError
from packagex_async._buckets.bucket import objects_of
from packagex_async._buckets.portable import store_settings

SECRETS: dict[str, Any] = {
    "access_key_id": "canary-id",
    "secret_access_key": "canary-key",
    "session_token": "canary-token",
}
CLIENT_OPTIONS: dict[str, Any] = {
    "allow_http": True,
    "timeout": "7s",
    "default_headers": {"Authorization": "canary-header"},
    "proxy_url": "http://user:canary-password@127.0.0.1:9",
}


def send(bucket: Bucket) -> Bucket:
    """Return the bucket as another process gets it."""
    data = pickle.dumps(bucket)
    assert b"canary" not in data
    restored: Bucket = pickle.loads(data)
    assert restored.url == bucket.url
    return restored


def test_url_with_options() -> None:
    """Options without secrets are kept, and credentials are not."""
    bucket = Bucket(
        "s3://data/exports",
        prefix="eu-",
        chunk_size=6 * 2**20,
        max_concurrency=3,
        endpoint="http://127.0.0.1:9",
        region="eu-1",
        client_options=CLIENT_OPTIONS,
        **SECRETS,
    )
    objects = objects_of(send(bucket))
    assert objects.store.config == {"bucket": "data", "endpoint": "http://127.0.0.1:9", "region": "eu-1"}
    assert objects.store.client_options == {"allow_http": "true", "timeout": "7s"}
    assert (objects.chunk_size, objects.max_concurrency) == (6 * 2**20, 3)
    assert objects.key_of("exp_1.csv") == "exports/eu-exp_1.csv"


@pytest.mark.parametrize(
    "store",
    [
        S3Store("data", prefix="a/b", **SECRETS),
        GCSStore("data", skip_signature=True),
        AzureStore("data", account_name="n", account_key="Y2FuYXJ5"),
    ],
    ids=["s3", "gs", "az"],
)
def test_stores(store: Any) -> None:
    """A store of obstore is restored with its prefix."""
    restored = objects_of(send(Bucket(store, prefix="c/")))
    assert restored.key_of("x").removeprefix("a/b/") == "c/x"
    assert not restored.store.config.keys() & {*SECRETS, "account_key", "service_account_key"}


@pytest.mark.parametrize("has_folder", [True, False])
def test_local_store(has_folder: bool, tmp_path: Path) -> None:
    """Its path is kept."""
    send(Bucket(LocalStore(tmp_path) if has_folder else LocalStore()))


def test_endpoint_with_a_password() -> None:
    """Such an endpoint is a secret."""
    settings = store_settings(objects_of(Bucket("s3://data", endpoint="http://u:canary@127.0.0.1:9")))
    assert "endpoint" not in settings.options


def test_memory() -> None:
    """A bucket in memory cannot be sent."""
    with pytest.raises(ConfigurationError, match="exists in one process only"):
        pickle.dumps(Bucket(MemoryStore()))
