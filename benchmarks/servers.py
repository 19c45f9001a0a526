"""What stands on the far side: nginx on loopback, and a relay that makes it far away."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

HERE = Path(__file__).parent

ONE_WAY = 0.04
"""Seconds from one end of the relay to the other."""

RATE = 4 * 1024 * 1024
"""Bytes a second that the relay carries towards each client's connection."""

_LONGEST = 7200
"""Seconds after which nginx is ended, should this process be killed before it could."""

_STOP_SECONDS = 10

# One worker, as a far side that is never the one to be measured; `hash` in a link says what to declare of it.
_CONFIGURATION = """
{user}
daemon off;
worker_processes 1;
pid nginx.pid;
events {{ worker_connections 256; }}
http {{
    access_log off;
    sendfile on;
    default_type application/octet-stream;
    client_body_temp_path temporary;
    proxy_temp_path temporary;
    fastcgi_temp_path temporary;
    uwsgi_temp_path temporary;
    scgi_temp_path temporary;
    server {{
        listen 127.0.0.1:{port};
        root .;
        location /objects/ {{ add_header x-goog-hash $arg_hash; }}
        location = /v1/exports {{ default_type application/json; try_files /pages/$arg_page.json =404; }}
    }}
}}
"""


@contextmanager
def nginx(folder: Path) -> Iterator[int]:
    """Serve `objects/`, and `pages/` as the listing, from `folder`, at the port that is yielded."""
    # Debian keeps it where the path of an ordinary user does not lead.
    program = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin")
    if program is None:
        raise SystemExit("there is no nginx: `nox -s bench` installs it")
    # It takes over a socket that listens already: no port is guessed, and who comes early waits in line.
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port: int = listening.getsockname()[1]
        # What root starts would otherwise serve as nobody, who may not look into the folder.
        user = "user root;" if os.geteuid() == 0 else ""
        (folder / "nginx.conf").write_text(_CONFIGURATION.format(user=user, port=port))
        process = subprocess.Popen(
            ["timeout", str(_LONGEST), program, "-p", str(folder), "-c", "nginx.conf", "-e", "error.log"],
            env={**os.environ, "NGINX": f"{listening.fileno()};"},
            pass_fds=[listening.fileno()],
            stderr=subprocess.DEVNULL,
        )
    try:
        yield port
    finally:
        _stop(process)


@contextmanager
def relay(port: int) -> Iterator[int]:
    """What is served at `port`, a round trip of two `ONE_WAY` away, at the port that is yielded."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        near: int = listening.getsockname()[1]
        given = map(str, (listening.fileno(), port, ONE_WAY, RATE))
        process = subprocess.Popen(
            [sys.executable, str(HERE / "relay.py"), *given],
            stdin=subprocess.PIPE,
            pass_fds=[listening.fileno()],
            process_group=0,
        )
    try:
        yield near
    finally:
        _stop(process)


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.communicate(timeout=_STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
