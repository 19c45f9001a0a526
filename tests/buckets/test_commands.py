"""The commands with URLs of buckets, on moto."""

from __future__ import annotations

import asyncio
import http.server
import json
import os
import re
import threading
from pathlib import Path

import obstore
import pytest

from packagex_async.testing import Emulator, Stall
from tests.buckets.conftest import KEY, SECRET, S3Server, keys

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


async def test_only_object_has_changed(moto: S3Server, s3_bucket: str, environment: dict[str, str]) -> None:
    """The exit code of verify is 5, also if no object is exact."""
    async with Emulator(populate=False) as server:
        environment |= {"PX_BASE_URL": server.base_url, "PX_API_KEY": server.api_key}
        export = server.add_export(content={"csv": b"a\n1\n"})
        code, _, err = await run("sync", f"s3://{s3_bucket}", environment=environment)
        assert code == 0, err
    obstore.put(moto.store(s3_bucket), f"{export.id}.csv", b"a\n0\n")
    code, _, err = await run("verify", f"s3://{s3_bucket}", environment=environment)
    assert (code, "1 changed" in err) == (5, True)


@pytest.mark.parametrize(
    ("command", "url", "expected"),
    [
        ("sync", "s3://no-such-bucket-here", 7),
        ("verify", "s3://no-such-bucket-here", 7),
        ("download exp_1 --directory", "s3://no-such-bucket-here", 7),
        ("sync", "s3://", 2),
        ("verify", "", 2),
        ("download exp_1 --directory", "ftp://x", 2),
    ],
)
async def test_unusable_destinations(
    environment: dict[str, str], command: str, url: str, expected: int
) -> None:
    """An absent bucket has its own exit code; an invalid URL is a usage error."""
    async with Emulator(populate=False) as server:
        environment |= {"PX_BASE_URL": server.base_url, "PX_API_KEY": server.api_key}
        server.add_export(export_id="exp_1", content={"csv": b"a\n1\n"})
        code, _, err = await run(*command.split(), url, environment=environment)
    assert code == expected, err
    assert expected == 2 or "check the name of the bucket" in err


async def test_nightly_job(moto: S3Server, s3_bucket: str, environment: dict[str, str]) -> None:
    """The command of the CronJob in the how-to needs no folder; a second run keeps all objects."""
    page = Path(__file__).parents[2] / "docs" / "how-to" / "buckets.md"
    found = re.search(r"command: (\[.*\])\s+args: (\[.*\])", page.read_text(encoding="utf-8"))
    assert found
    _, *arguments = json.loads(found[1]) + json.loads(found[2])
    arguments = [argument.replace("my-data", s3_bucket) for argument in arguments]
    async with Emulator(populate=False) as server:
        environment |= {"PX_BASE_URL": server.base_url, "PX_API_KEY": server.api_key, "HOME": "/nonexistent"}
        export = server.add_export(content={"csv": b"a\n1\n"})
        for outcome in ("files", "kept"):
            code, out, err = await run(*arguments, environment=environment)
            assert code == 0, err
            summary = json.loads(out.splitlines()[-1])
            assert summary[outcome] == 1
    assert keys(moto.store(s3_bucket)) == [f"exports/_packagex/{export.id}.json", f"exports/{export.id}.csv"]


async def test_denied_access(environment: dict[str, str]) -> None:
    """The sync stops, and the message names the bucket and what to check, but no credentials."""

    class Denied(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = b"<Error><Code>AccessDenied</Code><Message>Access Denied</Message></Error>"
            self.send_response(403)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            """Print nothing."""

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Denied) as denied:
        threading.Thread(target=denied.serve_forever).start()
        environment |= {"AWS_ENDPOINT_URL": f"http://127.0.0.1:{denied.server_port}"}
        try:
            async with Emulator(populate=False) as server:
                environment |= {"PX_BASE_URL": server.base_url, "PX_API_KEY": server.api_key}
                code, _, err = await run("sync", "s3://private-bucket/x", environment=environment)
        finally:
            denied.shutdown()
    assert code == 7, err
    assert "access to s3://private-bucket is denied (AccessDenied); check the credentials" in err
    assert SECRET not in err
    assert KEY not in err


async def test_killed_process(moto: S3Server, s3_bucket: str, environment: dict[str, str]) -> None:
    """A killed process leaves at most parts, and the next run downloads the object and removes old parts."""
    async with Emulator(populate=False) as server:
        environment |= {"PX_BASE_URL": server.base_url, "PX_API_KEY": server.api_key}
        export = server.add_export(content={"csv": bytes(20_000_000)})
        server.inject(Stall(after=15_000_000))
        process = await asyncio.create_subprocess_exec(
            "packagex-exports", "sync", f"s3://{s3_bucket}/x", "--quiet", env=environment
        )
        async with asyncio.timeout(60):
            while not moto.uploads(s3_bucket):
                await asyncio.sleep(0)
        process.kill()
        await process.wait()
        assert keys(moto.store(s3_bucket)) == []
        assert f"{export.id}.csv" in moto.uploads(s3_bucket)
        code, _, err = await run("sync", f"s3://{s3_bucket}/x", environment=environment)
        assert code == 0, err
    # Moto dates all uploads to 2010.
    assert moto.uploads(s3_bucket) == ""
    assert f"x/{export.id}.csv" in keys(moto.store(s3_bucket))
