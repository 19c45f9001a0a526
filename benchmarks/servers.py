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

import attrs
import trustme

HERE = Path(__file__).parent

ONE_WAY = 0.04
"""Seconds from one end of the relay to the other."""

RATE = 4 * 1024 * 1024
"""Bytes a second that the relay carries towards each client's connection."""

_TIMEOUT_SECONDS = 7200
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
        listen 127.0.0.1:{tls_port} ssl;
        ssl_certificate server.pem;
        ssl_certificate_key server.pem;
        root .;
        location /objects/ {{ add_header x-goog-hash $arg_hash; }}
        location = /v1/exports {{ default_type application/json; try_files /pages/$arg_page.json =404; }}
    }}
}}
"""


@attrs.frozen
class Server:
    """Where nginx listens.

    Attributes:
        port: Its port on 127.0.0.1.
        tls_port: The one where it speaks TLS.
        authority: The file of the certificate that its own is signed with.
    """

    port: int
    tls_port: int
    authority: Path


@contextmanager
def nginx(folder: Path) -> Iterator[Server]:
    """Serve `objects/`, and `pages/` as the listing, from `folder`."""
    # Debian keeps it where the path of an ordinary user does not lead.
    program = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin")
    if program is None:
        raise SystemExit("there is no nginx: `nox -s bench` installs it")
    # It takes over sockets that listen already: no port is guessed, and who comes early waits in line.
    with socket.create_server(("127.0.0.1", 0)) as plain, socket.create_server(("127.0.0.1", 0)) as tls:
        server = Server(plain.getsockname()[1], tls.getsockname()[1], _create_certificate(folder))
        # What root starts would otherwise serve as nobody, who may not look into the folder.
        user = "user root;" if os.geteuid() == 0 else ""
        configuration = _CONFIGURATION.format(user=user, port=server.port, tls_port=server.tls_port)
        (folder / "nginx.conf").write_text(configuration)
        process = subprocess.Popen(
            [
                "timeout",
                str(_TIMEOUT_SECONDS),
                program,
                "-p",
                str(folder),
                "-c",
                "nginx.conf",
                "-e",
                "error.log",
            ],
            env={**os.environ, "NGINX": f"{plain.fileno()};{tls.fileno()};"},
            pass_fds=[plain.fileno(), tls.fileno()],
            stderr=subprocess.DEVNULL,
        )
    try:
        yield server
    finally:
        _stop(process)


@contextmanager
def relay(port: int) -> Iterator[int]:
    """What is served at `port`, a round trip of two `ONE_WAY` away, at the port that is yielded."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        relay_port: int = listener.getsockname()[1]
        arguments = map(str, (listener.fileno(), port, ONE_WAY, RATE))
        process = subprocess.Popen(
            [sys.executable, str(HERE / "relay.py"), *arguments],
            stdin=subprocess.PIPE,
            pass_fds=[listener.fileno()],
            process_group=0,
        )
    try:
        yield relay_port
    finally:
        _stop(process)


def _create_certificate(folder: Path) -> Path:
    """The certificate of an authority, which has signed one for nginx in `folder`."""
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
