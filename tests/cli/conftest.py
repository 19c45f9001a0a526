"""Fixtures: an emulator, and commands that run against it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from packagex_async.cli import main
from packagex_async.testing import Dialect, Emulator, serve_in_thread
from tests.cli.support import CANARY, Cli, Clock, Result


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Set the API key, and make the output independent of the machine's settings."""
    for name in ("NO_COLOR", "FORCE_COLOR", "TTY_COMPATIBLE", "TTY_INTERACTIVE", "COLUMNS"):
        monkeypatch.delenv(name, raising=False)
    for name in ("PX_BASE_URL", "PX_CONFIG", "PX_ENVIRONMENT", "PX_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path_factory.getbasetemp() / "no-configuration"))
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("PX_API_KEY", CANARY)


@pytest.fixture
def server() -> Iterator[Emulator]:
    """An emulator with sample exports that accepts the canary key. Pending exports stay pending."""
    dialect = Dialect(urls_in_list=True)
    with serve_in_thread(Emulator(api_key=CANARY, dialect=dialect, pending=None)) as server:
        yield server


@pytest.fixture
def clock() -> Clock:
    """The clock of `empty`."""
    return Clock()


@pytest.fixture
def empty(clock: Clock) -> Iterator[Emulator]:
    """The same emulator without exports."""
    dialect = Dialect(urls_in_list=True)
    server = Emulator(populate=False, api_key=CANARY, dialect=dialect, now=clock, pending=None)
    with serve_in_thread(server):
        yield server


@pytest.fixture
def cli(request: pytest.FixtureRequest, capsys: pytest.CaptureFixture[str]) -> Cli:
    """Run a command against the emulator of the test, and check that its output contains no secret."""
    server = request.getfixturevalue("empty" if "empty" in request.fixturenames else "server")

    def run(*arguments: str | Path) -> Result:
        uses_api = arguments[0] not in ("verify", "demo", "emulator")
        options = ["--base-url", server.base_url, "--attempts", "1"] if uses_api else []
        code = main([*map(str, arguments), *options])
        out, err = capsys.readouterr()
        return Result(code, out, err).check_secrets()

    return run
