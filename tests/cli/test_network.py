"""Proxies and private certificate authorities, for the API and for storage."""

from __future__ import annotations

import asyncio
import ssl
import threading
from base64 import b64encode
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit

import pytest
import trustme

from packagex_async.cli import main
from packagex_async.cli.exit_codes import ExitCode
from packagex_async.testing import Emulator, serve_in_thread
from tests.cli.support import CANARY, Result, add_small_export
from tests.relays import ForwardProxy, TlsProxy
from tests.tcp_server import TcpServer

SECRET = "proxy-password"


class TlsStorageEmulator(Emulator):
    """An emulator whose storage is behind a TLS proxy."""

    storage: TlsProxy

    def url_for(self, *arguments: Any, **options: Any) -> str:
        """Return the URL of an artifact on the proxy."""
        url = urlsplit(super().url_for(*arguments, **options))
        return url._replace(scheme="https", netloc=urlsplit(self.storage.origin).netloc).geturl()


Server = TypeVar("Server", bound=TcpServer)


@contextmanager
def serve(server: Server) -> Iterator[Server]:
    """Run a server on an event loop in a thread."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    try:
        asyncio.run_coroutine_threadsafe(server.__aenter__(), loop).result(10)
        yield server
        asyncio.run_coroutine_threadsafe(server.__aexit__(None, None, None), loop).result(10)
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    """A certificate authority that no system trusts."""
    return trustme.CA()


@pytest.fixture
def ca_file(authority: trustme.CA, tmp_path: Path) -> Path:
    """The certificate of the authority."""
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    return tmp_path / "ca.pem"


def tls_context(authority: trustme.CA) -> ssl.SSLContext:
    """Return the context of a server on this machine."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost", "127.0.0.1").configure_cert(context)
    return context


Run = Callable[..., Result]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    """Run a command."""

    def run(*arguments: str | Path) -> Result:
        code = main([*map(str, arguments), "--attempts", "1"])
        out, err = capsys.readouterr()
        assert SECRET not in out + err
        return Result(code, out, err)

    return run


@pytest.fixture
def tls_emulator(authority: trustme.CA) -> Iterator[tuple[TlsStorageEmulator, str]]:
    """An emulator with one export, and the https URL of its API."""
    server = TlsStorageEmulator(populate=False, api_key=CANARY)
    with serve_in_thread(server):
        storage_url = Emulator.url_for(server, add_small_export(server).id, "csv")
        with (
            serve(TlsProxy(server.base_url, tls_context(authority))) as api,
            serve(TlsProxy(storage_url, tls_context(authority))) as server.storage,
        ):
            yield server, api.origin


def test_private_authority(
    tls_emulator: tuple[TlsStorageEmulator, str], ca_file: Path, run: Run, tmp_path: Path
) -> None:
    """With `--ca-file`, the API and storage are trusted."""
    server, url = tls_emulator
    result = run("sync", tmp_path / "files", "--base-url", url, "--ca-file", ca_file)
    assert (result.code, len(list((tmp_path / "files").glob("exp_*")))) == (0, 2)
    assert {request.host for request in server.requests} == {"api", "storage"}


def test_unknown_authority(tls_emulator: tuple[TlsStorageEmulator, str], run: Run) -> None:
    """The message names the server and the reason, and the hint names the option."""
    result = run("list", "--base-url", tls_emulator[1])
    assert result.code == ExitCode.ERROR
    message, hint = result.err.splitlines()
    assert "the TLS certificate of localhost" in message
    assert "ssl:" not in result.err
    assert "--ca-file" in hint


def test_tunnels_through_a_proxy(
    tls_emulator: tuple[TlsStorageEmulator, str], ca_file: Path, run: Run, tmp_path: Path
) -> None:
    """The proxy connects to the API and to storage, and gets user and password."""
    server, url = tls_emulator
    with serve(ForwardProxy()) as proxy:
        login = proxy.origin.replace("//", f"//me:{SECRET}@")
        arguments = ("--base-url", url, "--ca-file", ca_file, "--proxy", login, "-vv")
        assert run("sync", tmp_path / "files", *arguments).code == 0
    hosts = {urlsplit(url).netloc, urlsplit(server.storage.origin).netloc}
    assert set(proxy.forwarded_requests) == {f"CONNECT {host}" for host in hosts}
    assert set(proxy.credentials) == {f"Basic {b64encode(f'me:{SECRET}'.encode()).decode()}"}


@pytest.mark.parametrize("url", [f"socks5://me:{SECRET}@localhost:1", f"me:{SECRET}@localhost", SECRET])
def test_invalid_proxy(url: str, run: Run) -> None:
    """The message does not contain the URL."""
    result = run("list", "--proxy", url)
    assert result.code == ExitCode.USAGE
    assert result.err.startswith("packagex-exports: --proxy cannot be used: use http://host[:port]")


def test_unreachable_proxy(run: Run) -> None:
    """The message says that the proxy is the reason."""
    result = run("list", "--proxy", f"http://me:{SECRET}@127.0.0.1:9", "--base-url", "https://api.example")
    assert result.code == ExitCode.ERROR
    assert "could not connect to the proxy: connection refused" in result.err


@pytest.mark.parametrize("content", [None, "no certificate"])
def test_invalid_ca_file(content: str | None, run: Run, tmp_path: Path) -> None:
    """The exit code is 2."""
    if content:
        (tmp_path / "ca.pem").write_text(content)
    result = run("list", "--ca-file", tmp_path / "ca.pem")
    assert result.code == ExitCode.USAGE
    assert result.err.startswith(f"packagex-exports: --ca-file: {tmp_path / 'ca.pem'}")
