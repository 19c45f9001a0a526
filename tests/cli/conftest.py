"""An emulator, and commands that are run against it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from packagex_async.cli import main
from packagex_async.testing import Dialect, Emulator, serve_in_thread
from tests.cli.support import CANARY, Cli, Clock, Ended


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """The key is set, and no habit of the machine's decides how things look."""
    for name in ("NO_COLOR", "FORCE_COLOR", "TTY_COMPATIBLE", "TTY_INTERACTIVE", "COLUMNS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("PX_API_KEY", CANARY)


@pytest.fixture
def server() -> Iterator[Emulator]:
    """An emulator that knows the canary key, and speaks of URLs often; pending exports stay pending."""
    dialect = Dialect(urls_in_list=True)
    with serve_in_thread(Emulator(api_key=CANARY, dialect=dialect, pending=None)) as server:
        yield server


@pytest.fixture
def clock() -> Clock:
    """What tells `empty` the time."""
    return Clock()


@pytest.fixture
def empty(clock: Clock) -> Iterator[Emulator]:
    """The same without any export."""
    dialect = Dialect(urls_in_list=True)
    server = Emulator(populate=False, api_key=CANARY, dialect=dialect, now=clock, pending=None)
    with serve_in_thread(server):
        yield server


@pytest.fixture
def cli(request: pytest.FixtureRequest, capsys: pytest.CaptureFixture[str]) -> Cli:
    """Runs a command against the emulator; no key and no URL ever comes out of it."""
    server = request.getfixturevalue("empty" if "empty" in request.fixturenames else "server")

    def run(*arguments: str | Path) -> Ended:
        options = ["--base-url", server.base_url, "--attempts", "1"]
        code = main([*map(str, arguments), *options])
        out, err = capsys.readouterr()
        return Ended(code, out, err).without_secrets()

    return run
