"""Servers for object storage, and buckets on them."""

from __future__ import annotations

import sys
import urllib.request
import uuid
from collections.abc import Iterator
from typing import Any

import attrs
import obstore
import pytest
from obstore.store import S3Store

from tests.servers import running_server

KEY, SECRET = "AKIATESTKEY0", "s3cr3t-n0t-t0-b3-shown"
AZURE_KEY = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="
"""The public key of the account of Azurite."""


@attrs.frozen
class S3Server:
    """A server for S3.

    Attributes:
        endpoint: Its URL.
    """

    endpoint: str

    def options(self) -> dict[str, Any]:
        """Return the keyword arguments of a store."""
        return {
            "endpoint": self.endpoint,
            "access_key_id": KEY,
            "secret_access_key": SECRET,
            "region": "us-east-1",
            "client_options": {"allow_http": True},
            "retry_config": {"max_retries": 1},
        }

    def store(self, bucket: str) -> S3Store:
        return S3Store(bucket, **self.options())

    def new_bucket(self) -> str:
        """Create a bucket; return its name."""
        name = f"bucket-{uuid.uuid4().hex[:12]}"
        self.request("PUT", f"/{name}")
        return name

    def request(self, method: str, target: str) -> str:
        """Send a request without a signature; return the content of the response."""
        authorization = (
            f"AWS4-HMAC-SHA256 Credential={KEY}/20270101/us-east-1/s3/aws4_request, SignedHeaders=host"
        )
        headers = {"authorization": authorization, "content-length": "0"}
        request = urllib.request.Request(self.endpoint + target, method=method, headers=headers)
        with urllib.request.urlopen(request, timeout=10) as response:
            return str(response.read().decode())

    def uploads(self, bucket: str) -> str:
        """Return the list of unfinished multipart uploads."""
        text = self.request("GET", f"/{bucket}?uploads")
        return text if "<Upload>" in text else ""


@pytest.fixture(scope="session")
def moto() -> Iterator[S3Server]:
    """Provide a server of moto."""
    command = [sys.executable, "-W", "ignore", "-m", "moto.server", "-H", "127.0.0.1", "-p", "0"]
    with running_server(command, ready="Running on ") as url:
        yield S3Server(url)


@pytest.fixture(scope="session")
def azurite(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Any]]:
    """Provide the keyword arguments of a store on a server of Azurite."""
    folder = str(tmp_path_factory.mktemp("azurite"))
    command = ["azurite-blob", "--blobPort", "0", "--location", folder]
    options = ["--skipApiVersionCheck", "--disableTelemetry"]
    with running_server([*command, *options], ready="successfully listens on ") as url:
        yield {
            "account_name": "devstoreaccount1",
            "account_key": AZURE_KEY,
            "endpoint": f"{url}/devstoreaccount1",
            "client_options": {"allow_http": True},
            "retry_config": {"max_retries": 1},
        }


@pytest.fixture
def s3_bucket(moto: S3Server) -> str:
    """Provide the name of a new bucket."""
    return moto.new_bucket()


def keys(store: Any) -> list[str]:
    """Return all keys of a store."""
    return sorted(item["path"] for item in obstore.list(store).collect())
