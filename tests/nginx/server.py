"""nginx on a loopback port of its own, serving files to whoever holds a link that expires."""

from __future__ import annotations

import base64
import hashlib
import os
import secrets
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

# Debian keeps it where the path of an ordinary user does not lead.
PROGRAM = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin")

RATE = 1_000_000
"""Bytes a second that nginx sends from `/slow/`; the first second's come at once."""

_STOP_SECONDS = 10

# Two ways to tell of an expired link: the 410 of nginx's own example, and the 403 of a plainer configuration.
_CONFIGURATION = """
{user}
daemon off;
worker_processes 1;
pid nginx.pid;
events {{ worker_connections 64; }}
http {{
    access_log off;
    client_body_temp_path temporary;
    proxy_temp_path temporary;
    fastcgi_temp_path temporary;
    uwsgi_temp_path temporary;
    scgi_temp_path temporary;
    gzip on;
    gzip_types *;
    gzip_min_length 1;
    secure_link $arg_md5,$arg_expires;
    secure_link_md5 "$secure_link_expires$uri {secret}";
    server {{
        listen 127.0.0.1:{port};
        if ($secure_link = "") {{ return 403; }}
        location /plain/ {{
            if ($secure_link = "0") {{ return 403; }}
            limit_rate {rate};
            alias objects/;
        }}
        location /slow/ {{
            if ($secure_link = "0") {{ return 410; }}
            limit_rate {rate};
            alias objects/;
        }}
        location /fast/ {{
            if ($secure_link = "0") {{ return 410; }}
            alias objects/;
        }}
    }}
}}
"""


class Nginx:
    """What nginx serves, and the links to it.

    Args:
        folder: Its configuration, its logs and its objects are here.
        port: Where it listens.

    Attributes:
        port: Where it listens.
    """

    def __init__(self, folder: Path, port: int) -> None:
        self.port = port
        self._folder = folder
        self._secret = secrets.token_hex(16)

    def configure(self) -> None:
        """Write the configuration, and make the folder of the objects."""
        (self._folder / "objects").mkdir()
        # What root starts would otherwise serve as nobody, who may not look into the folder.
        user = "user root;" if os.geteuid() == 0 else ""
        text = _CONFIGURATION.format(user=user, port=self.port, rate=RATE, secret=self._secret)
        (self._folder / "nginx.conf").write_text(text)

    def path(self, name: str) -> Path:
        """Where the object `name` is on disk."""
        return self._folder / "objects" / name

    def put(self, name: str, content: bytes) -> None:
        """Serve `content` under `name` from now on, in one step, as another file than before."""
        fresh = self.path(f"{name}.new")
        fresh.write_bytes(content)
        fresh.replace(self.path(name))

    def backdate(self, name: str) -> None:
        """Let the object `name` be an hour old; nginx's ETag is no finer than a second."""
        hour_ago = time.time() - 3600
        os.utime(self.path(name), (hour_ago, hour_ago))

    def forget_secret(self) -> None:
        """Sign with another secret than nginx checks by."""
        self._secret = secrets.token_hex(16)

    def target(self, place: str, name: str, lifetime: float) -> str:
        """Path and query that fetch an object for `lifetime` seconds, rounded up to whole ones.

        Args:
            place: Which location of the configuration: `fast`, `slow`, or `plain`.
            name: Which object.
            lifetime: Seconds.
        """
        path = f"/{place}/{name}"
        expires = int(time.time() + lifetime)
        digest = hashlib.md5(f"{expires}{path} {self._secret}".encode(), usedforsecurity=False).digest()
        signature = base64.urlsafe_b64encode(digest).decode().rstrip("=")
        return f"{path}?md5={signature}&expires={expires}"


@contextmanager
def running(folder: Path) -> Iterator[Nginx]:
    """Run nginx in `folder`, and stop it at the end."""
    assert PROGRAM, "there is no nginx: `nox -s nginx` installs it"
    # It takes over a socket that listens already: no port is guessed, and who comes early waits in line.
    with socket.create_server(("127.0.0.1", 0)) as listening:
        nginx = Nginx(folder, listening.getsockname()[1])
        nginx.configure()
        process = subprocess.Popen(
            [PROGRAM, "-p", str(folder), "-c", "nginx.conf", "-e", "error.log"],
            env={**os.environ, "NGINX": f"{listening.fileno()};"},
            pass_fds=[listening.fileno()],
            start_new_session=True,
        )
    try:
        yield nginx
        assert process.poll() is None, (folder / "error.log").read_text()
    finally:
        _stop(process)


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(_STOP_SECONDS)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
