"""The commands with URLs of buckets, on moto."""

from __future__ import annotations

import asyncio
import json
import os

import obstore
import pytest

from packagex_async.testing import Emulator
from tests.buckets.conftest import KEY, SECRET, S3Server

pytestmark = pytest.mark.buckets


async def run(*arguments: str, environment: dict[str, str]) -> tuple[int, str, str]:
    """Run a command; return its exit code and its output."""
    process = await asyncio.create_subprocess_exec(
        "packagex-exports", *arguments, env=environment, stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    out, err = await process.communicate()
    return process.returncode or 0, out.decode(), err.decode()


@pytest.fixture
def environment(moto: S3Server, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """Provide the variables that S3 tools read."""
    return os.environ | {
        "AWS_ACCESS_KEY_ID": KEY,
        "AWS_SECRET_ACCESS_KEY": SECRET,
        "AWS_ENDPOINT_URL": moto.endpoint,
        "AWS_ALLOW_HTTP": "true",
        "AWS_REGION": "us-east-1",
        "PX_API_KEY": "key-of-the-emulator",
    }


async def test_sync_and_verify(moto: S3Server, s3_bucket: str, environment: dict[str, str]) -> None:
    """A flipped bit and a missing object are found, with exit code 5."""
    async with Emulator(populate=False) as server:
        environment |= {"PX_BASE_URL": server.base_url, "PX_API_KEY": server.api_key}
        first, second = (server.add_export(content={"csv": b"a\n1\n", "json": b"[]"}) for _ in range(2))
        url = f"s3://{s3_bucket}/nightly"
        code, out, err = await run("sync", url, "--json", environment=environment)
        assert code == 0, err
        assert f"nightly/{first.id}.csv" in out
        assert SECRET not in out + err
        store = moto.store(s3_bucket)
        obstore.put(store, f"nightly/{first.id}.csv", b"a\n0\n")
        obstore.delete(store, f"nightly/{second.id}.csv")
        code, out, err = await run("verify", url, "--json", environment=environment)
        assert code == 5, err
        records = [json.loads(line) for line in out.splitlines()]
        states = {record["key"]: record["state"] for record in records if record["event"] == "file"}
        assert states[f"nightly/{first.id}.csv"] == "changed"
        assert states[f"nightly/{second.id}.csv"] == "missing"
        assert states[f"nightly/{first.id}.json"] == "exact"
        code, out, err = await run(
            "download", first.id, "--directory", url, "--json", environment=environment
        )
        assert code == 0, err
        code, out, err = await run("verify", url, environment=environment)
        assert f"nightly/{second.id}.csv" in out


@pytest.mark.parametrize(
    ("url", "expected"), [("s3://no-such-bucket-here", 7), ("s3://", 2), ("", 2), ("ftp://x", 2)]
)
async def test_unusable_destinations(environment: dict[str, str], url: str, expected: int) -> None:
    """An absent bucket stops a sync; an invalid URL is a usage error."""
    async with Emulator(populate=False) as server:
        environment |= {"PX_BASE_URL": server.base_url, "PX_API_KEY": server.api_key}
        code, _, err = await run("sync", url, environment=environment)
        assert code == expected, err
