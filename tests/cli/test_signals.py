"""SIGTERM ends every command within a second, in order if it can, and with exit code 143."""

from __future__ import annotations

import asyncio
import inspect
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Coroutine, Generator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import pytest

from packagex_async.cli import main, signals
from packagex_async.cli.exit_codes import ExitCode
from packagex_async.cli.signals import Terminated, Termination
from packagex_async.testing import Emulator, Life, Stall
from tests.cli.support import COMMAND, PATIENT, Cli, Noticed, small

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="a process cannot be sent SIGTERM there")

# As `command &` in a script, and as some entry points of containers.
WITHOUT_SIGINT = ["sh", "-c", "trap '' INT; exec \"$@\"", "sh"]
PATIENCE = 30
"""Seconds after which a command that does not end fails the test; it should take less than one."""

Process = subprocess.Popen[str]


@contextmanager
def started(
    *arguments: str | Path, program: list[str] = PATIENT, **options: str
) -> Generator[Process, None, None]:
    """Run a command that ignores SIGINT."""
    command = [*WITHOUT_SIGINT, *program, *map(str, arguments)]
    with subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | options,
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def read_until(stream: IO[str] | None, text: str) -> None:
    """Read what a command writes, up to a line with `text`."""
    assert stream is not None
    for line in stream:
        if text in line:
            return
    pytest.fail(f"it has ended without {text!r}")


def terminated(process: Process) -> tuple[int, str]:
    """Send SIGTERM; return the exit code, and the last line on stderr."""
    process.send_signal(signal.SIGTERM)
    _, err = process.communicate(timeout=PATIENCE)
    assert "Traceback" not in err
    return process.returncode, err.splitlines()[-1] if err else ""


IN_ORDER = (143, "packagex-exports: terminated")


@pytest.mark.parametrize("command", ["list", "get", "download", "sync", "create"])
def test_a_command_that_waits_for_an_answer(command: str, empty: Emulator, tmp_path: Path) -> None:
    """It ends in order, whatever it waits for."""
    export = small(empty)
    empty.inject(stall := Noticed(after=3, on="storage" if command in ("download", "sync") else "api"))
    arguments: dict[str, list[str | Path]]
    arguments = {"get": [export.id], "download": [export.id, "--directory", tmp_path], "sync": [tmp_path]}
    operands = arguments.get(command) or (["contact"] if command == "create" else [])
    with started(command, *operands, "--base-url", empty.base_url) as process:
        assert stall.begun.wait(PATIENCE)
        assert terminated(process) == IN_ORDER


def test_an_interrupted_download_is_resumed(empty: Emulator, cli: Cli, tmp_path: Path) -> None:
    """What had arrived before SIGTERM is not fetched again."""
    export = small(empty, content={"csv": bytes(200_000)})
    empty.inject(Stall(after=150_000))
    with started("sync", tmp_path, "--json", "--base-url", empty.base_url) as process:
        read_until(process.stdout, '"advanced"')
        assert terminated(process) == IN_ORDER
    assert cli("sync", tmp_path).code == 0
    assert (tmp_path / f"{export.id}.csv").read_bytes() == empty.content(export.id, "csv")
    assert empty.requests[-1].headers["Range"].startswith("bytes=")


@pytest.mark.parametrize("command", ["wait", "create"])
def test_a_command_that_waits_for_an_export(command: str, empty: Emulator) -> None:
    """It looks again and again, and is asleep in between."""
    empty.life = Life(queued=3600)
    export = empty.add_export()
    empty.update_export(export.id, status="queued")
    arguments = ["wait", export.id] if command == "wait" else ["create", "contact", "--wait"]
    with started(*arguments, "--base-url", empty.base_url) as process:
        read_until(process.stderr, "is queued" if command == "wait" else "is created")
        assert terminated(process) == IN_ORDER


def test_a_sync_that_waits_for_exports(empty: Emulator, tmp_path: Path) -> None:
    """As the nightly job does."""
    done, pending = small(empty), small(empty)
    empty.update_export(pending.id, status="processing")
    with started("sync", tmp_path, "--wait", "--json", "--base-url", empty.base_url) as process:
        read_until(process.stdout, '"report"')
        assert terminated(process) == IN_ORDER
    assert (tmp_path / f"{done.id}.csv").exists()


def test_the_emulator_command() -> None:
    """Its connections are closed."""
    with started("emulator") as process:
        read_until(process.stdout, "It stops")
        assert terminated(process) == IN_ORDER


def test_the_demo_command(tmp_path: Path) -> None:
    """In the middle of its downloads."""
    with started("demo", "--directory", tmp_path / "demo") as process:
        while not (tmp_path / "demo").exists():
            assert process.poll() is None
        assert terminated(process) == IN_ORDER


def test_a_command_that_cannot_end_in_order_ends_all_the_same(
    empty: Emulator, cli: Cli, tmp_path: Path
) -> None:
    """Nobody reads what it writes, so that it never comes to its end."""
    export = small(empty)
    assert cli("sync", tmp_path).code == 0
    for number in range(2_000):
        (tmp_path / f"{export.id}-{number}.txt").touch()
    with started("verify", tmp_path, "--json", program=COMMAND) as process:
        assert process.stdout is not None
        process.stdout.readline()
        process.send_signal(signal.SIGTERM)
        assert process.wait(PATIENCE) == ExitCode.TERMINATED


def test_a_command_that_is_still_starting(tmp_path: Path) -> None:
    """Its imports may take longer than a second on a busy machine."""
    slow = "import sys; print('importing', flush=True); sys.stdin.read()"
    (tmp_path / "rich.py").write_text(slow)
    path = os.pathsep.join([str(tmp_path), *filter(None, [os.environ.get("PYTHONPATH")])])
    with started("--help", PYTHONPATH=path) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "importing\n"
        assert terminated(process) == IN_ORDER


# A command that does not end: `running` and `cleaning` are what it does in the meantime.
SCRIPT = """\
import asyncio, sys, threading
from packagex_async.cli import signals

signals._GRACE = {grace}

async def command():
    print("running", flush=True)
    try:
        await asyncio.Event().wait()
    finally:
        print("cleaning up", flush=True)
        {cleaning}

try:
    with signals.termination.handled(ends_process=True):
        signals.termination.run(command())
except signals.Terminated:
    print("ended in order", flush=True)
    sys.exit(143)
"""


def play(grace: float, cleaning: str, *, twice: bool) -> tuple[int, str]:
    """Run the script, and send it SIGTERM once or twice; return its exit code and the rest of its output."""
    script = SCRIPT.format(grace=grace, cleaning=cleaning)
    command = [sys.executable, "-W", "error", "-c", script]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "running\n"
        process.send_signal(signal.SIGTERM)
        assert process.stdout.readline() == "cleaning up\n"
        if twice:
            process.send_signal(signal.SIGTERM)
        # The pipe to its stdin stays open until it has ended.
        code = process.wait(PATIENCE)
        return code, process.stdout.read()


def test_a_second_signal_ends_it_at_once() -> None:
    """While it cleans up."""
    assert play(3600, "await asyncio.Event().wait()", twice=True) == (143, "")


@pytest.mark.parametrize("cleaning", ["await asyncio.Event().wait()", "sys.stdin.read()"])
def test_cleaning_up_has_a_limit(cleaning: str) -> None:
    """Whether the event loop goes on, or is blocked."""
    assert play(0.1, cleaning, twice=False) == (143, "")


def test_a_thread_does_not_keep_the_process_alive() -> None:
    """The interpreter waits for threads at its end, such as one that looks up a name."""
    cleaning = "threading.Thread(target=sys.stdin.read).start()"
    assert play(0.1, cleaning, twice=False) == (143, "ended in order\n")


def test_a_signal_while_the_loop_is_closed_is_noted() -> None:
    """The command is over, and the exit code says what happened."""

    async def command() -> None:
        asyncio.get_running_loop().call_soon(signal.raise_signal, signal.SIGTERM)

    handler = signal.getsignal(signal.SIGTERM)
    termination = Termination()
    with pytest.raises(Terminated), termination.handled(ends_process=False):
        termination.run(command())
    assert termination.exit_code == ExitCode.TERMINATED
    assert signal.getsignal(signal.SIGTERM) is handler


def test_another_cancellation_is_no_signal() -> None:
    """It leaves as it is, and nothing ends the process."""

    async def command() -> None:
        raise asyncio.CancelledError

    termination = Termination()
    with pytest.raises(asyncio.CancelledError), termination.handled(ends_process=False):
        termination.run(command())
    assert termination.exit_code == ExitCode.INTERRUPTED


@pytest.mark.parametrize("signals_sent", [1, 2])
def test_the_process_ends_with_the_code_of_the_signal(
    signals_sent: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whether the time is over, or a second signal has come."""
    codes: list[int] = []
    ended = threading.Event()

    def end(code: int) -> None:
        codes.append(code)
        ended.set()

    monkeypatch.setattr(os, "_exit", end)
    monkeypatch.setattr(signals, "_GRACE", 0 if signals_sent == 1 else 3600)

    async def command() -> None:
        for _ in range(signals_sent):
            signal.raise_signal(signal.SIGTERM)
        await asyncio.to_thread(ended.wait)

    termination = Termination()
    with pytest.raises(Terminated), termination.handled(ends_process=False):
        termination.run(command())
    assert codes == [ExitCode.TERMINATED]


def test_only_a_command_that_goes_on_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    """The time that it has to end in order is over in either case."""
    codes: list[int] = []
    monkeypatch.setattr(os, "_exit", codes.append)
    monkeypatch.setattr(signals, "_GRACE", 0.001)
    termination = Termination()
    with termination.handled(ends_process=False):
        termination._end_process()
    assert codes == [ExitCode.TERMINATED]
    termination._end_process()
    assert codes == [ExitCode.TERMINATED]


def test_the_handler_of_the_caller_comes_back(capsys: pytest.CaptureFixture[str]) -> None:
    """A program that calls `main` keeps its own."""
    before: Callable[..., object] = lambda *_: None  # noqa: E731
    original = signal.signal(signal.SIGTERM, before)
    try:
        assert main(["--version"]) == 0
        assert signal.getsignal(signal.SIGTERM) is before
    finally:
        signal.signal(signal.SIGTERM, original)
    assert capsys.readouterr().out


def test_a_signal_before_the_command_starts_leaves_nothing_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    """Python would warn, in the output of the command, of a coroutine that was never awaited."""

    async def command() -> None:
        raise AssertionError

    def run(main: Coroutine[object, object, None]) -> None:
        mains.append(main)
        raise Terminated

    mains: list[Coroutine[object, object, None]] = []
    monkeypatch.setattr(asyncio, "run", run)
    coroutine = command()
    with pytest.raises(Terminated):
        Termination().run(coroutine)
    assert [inspect.getcoroutinestate(one) for one in (coroutine, *mains)] == [inspect.CORO_CLOSED] * 2
