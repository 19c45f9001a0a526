"""The servers: nginx on loopback, and a relay that simulates a distant server."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import attrs
import trustme

HERE = Path(__file__).parent

ONE_WAY = 0.04
"""Seconds from one end of the relay to the other."""

RATE = 4 * 1024 * 1024
"""Bytes per second of the relay for each client connection."""

_LONGEST = 7200
"""Seconds after which nginx is terminated if this process is killed."""

_STOP_SECONDS = 10

# One worker, fast enough not to limit a client; `hash` in a URL selects the hash to declare.
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
        listen 127.0.0.1:{tls_port} ssl;
        ssl_certificate server.pem;
        ssl_certificate_key server.pem;
        root .;
        location /objects/ {{ add_header x-goog-hash $arg_hash; }}
        location = /v1/exports {{ default_type application/json; try_files /pages/$arg_page.json =404; }}
        location /v1/exports/ {{ default_type application/json; try_files $uri.json =404; }}
    }}
}}
"""


@attrs.frozen
class Server:
    """The addresses of nginx.

    Attributes:
        port: The http port on 127.0.0.1.
        tls_port: The https port on 127.0.0.1.
        authority: The file of the CA certificate.
    """

    port: int
    tls_port: int
    authority: Path


@contextmanager
def nginx(folder: Path) -> Iterator[Server]:
    """Serve `objects/`, `pages/` as the listing, and `v1/exports/` as its exports, from `folder`."""
    # Debian installs nginx in a folder that is not on the PATH of ordinary users.
    program = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin")
    if program is None:
        raise SystemExit("nginx is not installed: run `nox -s bench`, which installs it")
    # nginx inherits listening sockets: no port is guessed, and early connections wait in the queue.
    with socket.create_server(("127.0.0.1", 0)) as plain, socket.create_server(("127.0.0.1", 0)) as tls:
        server = Server(plain.getsockname()[1], tls.getsockname()[1], _certified(folder))
        # Started by root, nginx would serve as `nobody`, who cannot read the folder.
        user = "user root;" if os.geteuid() == 0 else ""
        configuration = _CONFIGURATION.format(user=user, port=server.port, tls_port=server.tls_port)
        (folder / "nginx.conf").write_text(configuration)
        process = subprocess.Popen(
            ["timeout", str(_LONGEST), program, "-p", str(folder), "-c", "nginx.conf", "-e", "error.log"],
            env={**os.environ, "NGINX": f"{plain.fileno()};{tls.fileno()};"},
            pass_fds=[plain.fileno(), tls.fileno()],
            stderr=subprocess.DEVNULL,
        )
    try:
        yield server
    finally:
        _stop(process)


@contextmanager
def relay(port: int, *, one_way: float = ONE_WAY, rate: int = RATE, loss: float = 0) -> Iterator[int]:
    """Serve `port` through the relay; yield the port of the relay.

    Args:
        port: The port of the server.
        one_way: Seconds from one end of the relay to the other.
        rate: Bytes per second for each client connection.
        loss: The probability that a segment is lost. If it is above 0, it determines the rate instead.
    """
    with socket.create_server(("127.0.0.1", 0)) as listening:
        near: int = listening.getsockname()[1]
        given = map(str, (listening.fileno(), port, one_way, rate, loss))
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


def _certified(folder: Path) -> Path:
    """Create a CA in `folder`, and a certificate for nginx that it has signed."""
    authority = trustme.CA()
    authority.issue_cert("127.0.0.1").private_key_and_cert_chain_pem.write_to_path(str(folder / "server.pem"))
    authority.cert_pem.write_to_path(str(folder / "authority.pem"))
    return folder / "authority.pem"


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.communicate(timeout=_STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
