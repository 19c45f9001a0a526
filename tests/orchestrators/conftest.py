"""A bucket on a server of moto, and an emulator with a known key."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from packagex_async.testing import Emulator, serve_in_thread
from tests.buckets.conftest import KEY as ACCESS_KEY
from tests.buckets.conftest import SECRET, S3Server, moto
from tests.orchestrators.orchestrator import KEY

__all__ = ["moto"]

BUCKET = "my-data"
"""The bucket of the how-tos."""


@pytest.fixture(scope="session")
def bucket_environment(moto: S3Server) -> dict[str, str]:
    """Provide the environment variables for the bucket."""
    return {
        "AWS_ENDPOINT_URL": moto.endpoint,
        "AWS_ALLOW_HTTP": "true",
        "AWS_ACCESS_KEY_ID": ACCESS_KEY,
        "AWS_SECRET_ACCESS_KEY": SECRET,
        "AWS_REGION": "us-east-1",
    }


@pytest.fixture
def bucket(moto: S3Server) -> str:
    """Provide the name of an empty bucket."""
    moto.request("POST", "/moto-api/reset")
    moto.request("PUT", f"/{BUCKET}")
    return BUCKET


@pytest.fixture
def server() -> Iterator[Emulator]:
    """Provide an empty emulator."""
    with serve_in_thread(Emulator(populate=False, api_key=KEY)) as server:
        yield server
