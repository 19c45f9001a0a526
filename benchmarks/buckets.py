"""The workloads that write artifacts into a bucket of a local server for S3 (moto)."""

from __future__ import annotations

import os
import shlex
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPConnection
from pathlib import Path

import attrs
from commands import JobCommands
from environment import BUCKET, BUCKET_MANY, TRANSFER, WALL, Environment, Outcome, raw
from job import File
from objects import ARTIFACTS, KIB, MIB
from rounds import Contender, ratios
from table import Row

_CREDENTIALS = {
    "AWS_ACCESS_KEY_ID": "bench",
    "AWS_SECRET_ACCESS_KEY": "bench",
    "AWS_DEFAULT_REGION": "us-east-1",
    "AWS_ALLOW_HTTP": "true",
}
_START_SECONDS = 30


def buckets(environment: Environment) -> Outcome:
    """Measure one large artifact, and many small ones, on their way into a bucket."""
    scale = environment.scale
    large = environment.objects.file(environment.origin, "exp_bucket", "csv", scale.quarter)
    idle = environment.objects.file(environment.origin, "exp_bucket_idle", "csv", KIB)
    small = _small_files(environment)
    with _s3_server() as endpoint:
        os.environ |= _CREDENTIALS | {"AWS_ENDPOINT_URL": endpoint}
        runs = environment.run(
            _python(environment, "ours", "ours_bucket", large),
            _python(environment, "idle", "ours_bucket", idle),
            _python(environment, "obstore", "with_obstore_put", large),
            _curl_and_aws(large, endpoint),
        )
    many = environment.run(
        small.python("into a directory", "ours", "bulk"),
        attrs.evolve(small.python("into a bucket", "ours_bucket", "bulk"), files={}),
    )
    rows = [
        Row(BUCKET, "time vs obstore", ratios(runs, "ours", "obstore", WALL), 1.1, 1.02),
        Row(BUCKET, "time vs curl and aws s3 cp", ratios(runs, "ours", "curl, aws", WALL), 0.85, 0.7),
        Row(
            BUCKET,
            "peak memory above a file of 1 KiB",
            [(a.peak - b.peak) / MIB for a, b in zip(runs["ours"], runs["idle"], strict=True)],
            64,
            40,
            " MiB",
        ),
        Row(
            BUCKET_MANY,
            "time in memory vs a directory",
            ratios(many, "into a bucket", "into a directory", TRANSFER),
            2.0,
            1.3,
        ),
    ]
    return Outcome(rows, raw({**runs, **many}))


def _small_files(environment: Environment) -> JobCommands:
    sizes = [20 * KIB] * len(ARTIFACTS)
    names = [f"exp_{number:04}" for number in range(environment.scale.exports)]
    files = [file for name in names for file in environment.objects.export(environment.origin, name, sizes)]
    environment.objects.listing(files)
    return environment.commands("bucket-many", files, 16)


def _python(environment: Environment, name: str, peer: str, file: File) -> Contender:
    command = environment.commands(f"bucket-{name}", [file], 1).python(name, peer)
    # The result is not on this disk.
    return Contender(name, command.command, {}, ours=peer.startswith("ours"))


def _curl_and_aws(file: File, endpoint: str) -> Contender:
    def command(folder: Path) -> list[str]:
        target = f"s3://bench/{folder.name}.csv"
        upload = [
            str(Path(sys.executable).with_name("aws")),
            "--endpoint-url",
            endpoint,
            "s3",
            "cp",
            "-",
            target,
        ]
        return ["sh", "-c", f"curl -sS -f {shlex.quote(file.url)} | {shlex.join(upload)}"]

    return Contender("curl, aws", command, {})


@contextmanager
def _s3_server() -> Iterator[str]:
    """Run moto with the bucket `bench`; yield its address."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    endpoint = f"http://127.0.0.1:{port}"
    command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    server = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        _create_bucket(port)
        yield endpoint
    finally:
        server.terminate()
        server.wait()


def _create_bucket(port: int) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while True:
        try:
            connection = HTTPConnection("127.0.0.1", port)
            connection.request("PUT", "/bench")
            connection.getresponse().read()
            connection.close()
            return
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)
