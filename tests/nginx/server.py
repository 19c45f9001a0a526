"""nginx on a loopback port, which serves files under signed URLs with an expiry time."""

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

# On Debian it is in a folder that is not in the path of ordinary users.
PROGRAM = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin")

RATE = 1_000_000
"""Bytes per second from `/slow/`; nginx sends those of the first second at once."""

_STOP_SECONDS = 10

# Expired URLs are refused with 410, as in the documentation of nginx, or with 403.
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
    """The files that nginx serves, and their URLs.

    Args:
        folder: The folder of configuration, logs and files.
        port: The port that nginx listens on.

    Attributes:
        port: The port that nginx listens on.
    """

    def __init__(self, folder: Path, port: int) -> None:
        self.port = port
        self._folder = folder
        self._secret = secrets.token_hex(16)

    def configure(self) -> None:
        """Write the configuration, and create the folder of the files."""
        (self._folder / "objects").mkdir()
        # Started by root, nginx would drop to a user without access to the folder.
        user = "user root;" if os.geteuid() == 0 else ""
        text = _CONFIGURATION.format(user=user, port=self.port, rate=RATE, secret=self._secret)
        (self._folder / "nginx.conf").write_text(text)

    def path(self, name: str) -> Path:
        """Return the path of the file `name`."""
        return self._folder / "objects" / name

    def put(self, name: str, content: bytes) -> None:
        """Serve `content` under `name`, and replace the file atomically."""
        new = self.path(f"{name}.new")
        new.write_bytes(content)
        new.replace(self.path(name))

    def backdate(self, name: str) -> None:
        """Set the date of the file one hour back; the ETag of nginx has a resolution of one second."""
        hour_ago = time.time() - 3600
        os.utime(self.path(name), (hour_ago, hour_ago))

    def forget_secret(self) -> None:
        """Sign new URLs with a wrong secret."""
        self._secret = secrets.token_hex(16)

    def target(self, location: str, name: str, lifetime: float) -> str:
        """Return path and query of a signed URL.

        Args:
            location: A location of the configuration: `fast`, `slow` or `plain`.
            name: The name of the file.
            lifetime: Seconds until the URL expires, rounded up.
        """
        path = f"/{location}/{name}"
        expires = int(time.time() + lifetime)
        digest = hashlib.md5(f"{expires}{path} {self._secret}".encode(), usedforsecurity=False).digest()
        signature = base64.urlsafe_b64encode(digest).decode().rstrip("=")
        return f"{path}?md5={signature}&expires={expires}"


@contextmanager
def running(folder: Path) -> Iterator[Nginx]:
    """Run nginx in `folder`, and stop it at the end."""
    assert PROGRAM, "nginx is not installed; `nox -s nginx` installs it"
    # nginx inherits a listening socket, so that no port has to be guessed and no connection is refused.
    with socket.create_server(("127.0.0.1", 0)) as listener:
        nginx = Nginx(folder, listener.getsockname()[1])
        nginx.configure()
        process = subprocess.Popen(
            [PROGRAM, "-p", str(folder), "-c", "nginx.conf", "-e", "error.log"],
            env={**os.environ, "NGINX": f"{listener.fileno()};"},
            pass_fds=[listener.fileno()],
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
