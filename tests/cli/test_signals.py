"""SIGTERM ends every command within two seconds with exit code 143, after its cleanup if possible."""

from __future__ import annotations

import _thread
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
from packagex_async.cli.signals import SigtermHandler, Terminated
from packagex_async.testing import Emulator, Life, Stall
from tests.cli.support import COMMAND, PATIENT_COMMAND, TIMEOUT, Cli, SignallingStall, add_small_export

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="Windows does not send SIGTERM to a process")

# Scripts that start `command &` and some container entry points ignore SIGINT like this.
WITHOUT_SIGINT = ["sh", "-c", "trap '' INT; exec \"$@\"", "sh"]
Process = subprocess.Popen[str]

CLEAN_EXIT = (143, "packagex-exports: terminated")
"""The exit code and the last line on stderr of a command that was cancelled."""


@contextmanager
def started(
    *arguments: str | Path, program: list[str] = PATIENT_COMMAND, **environment: str
) -> Generator[Process, None, None]:
    """Start a command that ignores SIGINT."""
    command = [*WITHOUT_SIGINT, *program, *map(str, arguments)]
    with subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | environment,
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def read_until(stream: IO[str] | None, text: str) -> None:
    """Read lines until one contains `text`."""
    assert stream is not None
    for line in stream:
        if text in line:
            return
    pytest.fail(f"the command ended without {text!r}")


def terminate(process: Process) -> tuple[int, str]:
    """Send SIGTERM; return the exit code and the last line on stderr."""
    process.send_signal(signal.SIGTERM)
    _, err = process.communicate(timeout=TIMEOUT)
    assert "Traceback" not in err
    return process.returncode, err.splitlines()[-1] if err else ""


@pytest.mark.parametrize("command", ["list", "get", "download", "cat", "sync", "create"])
def test_command_that_waits_for_a_response(command: str, empty: Emulator, tmp_path: Path) -> None:
    """It is cancelled, whatever it waits for."""
    export = add_small_export(empty)
    empty.inject(
        stall := SignallingStall(after=3, on="storage" if command in ("download", "cat", "sync") else "api")
    )
    arguments: dict[str, list[str | Path]]
    arguments = {
        "get": [export.id],
        "cat": [export.id],
        "download": [export.id, "--directory", tmp_path],
        "sync": [tmp_path],
    }
    operands = arguments.get(command) or (["contact"] if command == "create" else [])
    with started(command, *operands, "--base-url", empty.base_url) as process:
        assert stall.started.wait(TIMEOUT)
        assert terminate(process) == CLEAN_EXIT


def test_terminated_download_is_resumed(empty: Emulator, cli: Cli, tmp_path: Path) -> None:
    """The next run requests only the rest of the file."""
    export = add_small_export(empty, content={"csv": bytes(200_000)})
    empty.inject(Stall(after=150_000))
    with started("sync", tmp_path, "--json", "--base-url", empty.base_url) as process:
        read_until(process.stdout, '"advanced"')
        assert terminate(process) == CLEAN_EXIT
    assert cli("sync", tmp_path).code == 0
    assert (tmp_path / f"{export.id}.csv").read_bytes() == empty.content(export.id, "csv")
    assert empty.requests[-1].headers["Range"].startswith("bytes=")


@pytest.mark.parametrize("command", ["wait", "create"])
def test_command_that_waits_for_an_export(command: str, empty: Emulator) -> None:
    """It is cancelled while it sleeps between two polls."""
    empty.life = Life(queued=3600)
    export = empty.add_export()
    empty.update_export(export.id, status="queued")
    arguments = ["wait", export.id] if command == "wait" else ["create", "contact", "--wait"]
    with started(*arguments, "--base-url", empty.base_url) as process:
        read_until(process.stderr, "is queued" if command == "wait" else "is created")
        assert terminate(process) == CLEAN_EXIT


def test_sync_that_waits_for_exports(empty: Emulator, tmp_path: Path) -> None:
    """Files that are complete by then are kept."""
    done, pending = add_small_export(empty), add_small_export(empty)
    empty.update_export(pending.id, status="processing")
    with started("sync", tmp_path, "--wait", "--json", "--base-url", empty.base_url) as process:
        read_until(process.stdout, '"report"')
        assert terminate(process) == CLEAN_EXIT
    assert (tmp_path / f"{done.id}.csv").exists()


def test_emulator_command() -> None:
    """Its connections are closed."""
    with started("emulator") as process:
        read_until(process.stdout, "It stops")
        assert terminate(process) == CLEAN_EXIT


def test_demo_command(tmp_path: Path) -> None:
    """It is cancelled during its downloads."""
    with started("demo", "--directory", tmp_path / "demo") as process:
        while not (tmp_path / "demo").exists():
            assert process.poll() is None
        assert terminate(process) == CLEAN_EXIT


def test_blocked_command_is_ended_after_the_grace_period(empty: Emulator, cli: Cli, tmp_path: Path) -> None:
    """Its output is not read, so it blocks and cannot be cancelled."""
    export = add_small_export(empty)
    assert cli("sync", tmp_path).code == 0
    for number in range(2_000):
        (tmp_path / f"{export.id}-{number}.txt").touch()
    with started("verify", tmp_path, "--json", program=COMMAND) as process:
        assert process.stdout is not None
        process.stdout.readline()
        process.send_signal(signal.SIGTERM)
        assert process.wait(TIMEOUT) == ExitCode.TERMINATED


def test_command_that_is_still_importing(tmp_path: Path) -> None:
    """Imports may take longer than a second on a busy machine."""
    slow_module = "import sys; print('importing', flush=True); sys.stdin.read()"
    (tmp_path / "rich.py").write_text(slow_module)
    path = os.pathsep.join([str(tmp_path), *filter(None, [os.environ.get("PYTHONPATH")])])
    with started("--help", PYTHONPATH=path) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "importing\n"
        assert terminate(process) == CLEAN_EXIT


# A command that runs until it is cancelled; `cleanup` is the code of its cleanup.
SCRIPT = """\
import asyncio, sys, threading
from packagex_async.cli import signals

signals._GRACE_PERIOD = {grace_period}

async def command():
    print("running", flush=True)
    try:
        await asyncio.Event().wait()
    finally:
        print("cleaning up", flush=True)
        {cleanup}

try:
    with signals.sigterm_handler.installed(process_exits=True):
        signals.sigterm_handler.run(command())
except signals.Terminated:
    print("clean exit", flush=True)
    sys.exit(143)
"""


def run_script(grace_period: float, cleanup: str, *, second_signal: bool) -> tuple[int, str]:
    """Run the script and send SIGTERM once or twice; return its exit code and the rest of its output."""
    script = SCRIPT.format(grace_period=grace_period, cleanup=cleanup)
    command = [sys.executable, "-W", "error", "-c", script]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "running\n"
        process.send_signal(signal.SIGTERM)
        assert process.stdout.readline() == "cleaning up\n"
        if second_signal:
            process.send_signal(signal.SIGTERM)
        # stdin stays open until the process has ended.
        code = process.wait(TIMEOUT)
        return code, process.stdout.read()


def test_second_signal_ends_the_process_at_once() -> None:
    """Its cleanup is interrupted."""
    assert run_script(3600, "await asyncio.Event().wait()", second_signal=True) == (143, "")


@pytest.mark.parametrize("cleanup", ["await asyncio.Event().wait()", "sys.stdin.read()"])
def test_cleanup_is_limited_by_the_grace_period(cleanup: str) -> None:
    """The event loop may be blocked or not."""
    assert run_script(0.1, cleanup, second_signal=False) == (143, "")


def test_threads_do_not_delay_the_exit() -> None:
    """The interpreter waits for threads when it exits, for example for a DNS lookup."""
    cleanup = "threading.Thread(target=sys.stdin.read).start()"
    assert run_script(0.1, cleanup, second_signal=False) == (143, "clean exit\n")


def test_signal_while_the_loop_is_closing() -> None:
    """The command has finished, but the exit code is still that of the signal."""

    async def command() -> None:
        asyncio.get_running_loop().call_soon(signal.raise_signal, signal.SIGTERM)

    previous = signal.getsignal(signal.SIGTERM)
    handler = SigtermHandler()
    with pytest.raises(Terminated), handler.installed(process_exits=False):
        handler.run(command())
    assert handler.exit_code == ExitCode.TERMINATED
    assert signal.getsignal(signal.SIGTERM) is previous


def test_other_cancellation_is_raised_unchanged() -> None:
    """It does not end the process."""

    async def command() -> None:
        raise asyncio.CancelledError

    handler = SigtermHandler()
    with pytest.raises(asyncio.CancelledError), handler.installed(process_exits=False):
        handler.run(command())
    assert handler.exit_code == ExitCode.INTERRUPTED


@pytest.mark.parametrize("signals_sent", [1, 2])
def test_process_exits_with_the_code_of_the_signal(
    signals_sent: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It exits after the grace period, or at the second signal."""
    codes: list[int] = []
    exited = threading.Event()

    def fake_exit(code: int) -> None:
        codes.append(code)
        exited.set()

    def start_new_thread(function: Callable[..., object], arguments: tuple[object, ...]) -> int:
        started.append(function)
        return start(function, arguments)

    started: list[Callable[..., object]] = []
    start = _thread.start_new_thread
    monkeypatch.setattr(_thread, "start_new_thread", start_new_thread)
    monkeypatch.setattr(os, "_exit", fake_exit)
    monkeypatch.setattr(signals, "_GRACE_PERIOD", 0 if signals_sent == 1 else 3600)

    async def command() -> None:
        for _ in range(signals_sent):
            signal.raise_signal(signal.SIGTERM)
        await asyncio.to_thread(exited.wait)

    handler = SigtermHandler()
    with pytest.raises(Terminated), handler.installed(process_exits=False):
        handler.run(command())
    assert codes == [ExitCode.TERMINATED]
    # The end of the command ends the wait of one thread. Another one would end the process later.
    assert started.count(handler._exit_after_grace_period) == 1


@pytest.mark.parametrize("is_blocked", [False, True])
def test_results_are_printed_before_the_exit(is_blocked: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """The exit waits only a short time for them, because stdout may have no reader."""
    calls: list[object] = []
    unblocked, has_printed = threading.Event(), threading.Event()
    monkeypatch.setattr(os, "_exit", calls.append)
    monkeypatch.setattr(signals, "_GRACE_PERIOD", 0)
    monkeypatch.setattr(signals, "_REPORT_PERIOD", 0.001 if is_blocked else 3600)

    def print_results() -> None:
        if is_blocked:
            unblocked.wait()
        calls.append("results")
        has_printed.set()

    handler = SigtermHandler()
    with handler.installed(process_exits=True), handler.before_exit(print_results):
        handler._exit_after_grace_period(handler._running)
    unblocked.set()
    has_printed.wait()
    results, code = ("results", ExitCode.TERMINATED)
    assert calls == ([code, results] if is_blocked else [results, code])


def test_failure_to_print_the_results() -> None:
    """It is ignored, because the process exits."""
    calls: list[str] = []

    def print_results() -> None:
        calls.append("results")
        raise BrokenPipeError

    signals._act_before_exit(print_results, lambda: calls.append("end"))
    assert calls == ["results", "end"]


def test_finished_command_is_not_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    """The end of the grace period ends the process only while the command runs."""
    codes: list[int] = []
    monkeypatch.setattr(os, "_exit", codes.append)
    monkeypatch.setattr(signals, "_GRACE_PERIOD", 0.001)
    handler = SigtermHandler()
    with handler.installed(process_exits=False):
        handler._exit_after_grace_period(handler._running)
    assert codes == [ExitCode.TERMINATED]
    handler._exit_after_grace_period(handler._running)
    assert codes == [ExitCode.TERMINATED]


def test_previous_handler_is_restored(capsys: pytest.CaptureFixture[str]) -> None:
    """A program that calls `main` keeps its handler."""
    handler: Callable[..., object] = lambda *_: None  # noqa: E731
    original = signal.signal(signal.SIGTERM, handler)
    try:
        assert main(["--version"]) == 0
        assert signal.getsignal(signal.SIGTERM) is handler
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
        SigtermHandler().run(coroutine)
    assert [inspect.getcoroutinestate(one) for one in (coroutine, *mains)] == [inspect.CORO_CLOSED] * 2


@pytest.mark.parametrize(
    ("number", "error"), [(signal.SIGINT, KeyboardInterrupt), (signal.SIGTERM, Terminated)]
)
def test_blocking_call_is_interrupted(number: signal.Signals, error: type[BaseException]) -> None:
    """A signal ends a blocking call, such as that of a command which prints the key."""
    handler = SigtermHandler()

    async def command() -> None:
        with handler.interrupting():
            signal.raise_signal(number)
            pytest.fail("the signal has not interrupted the block")

    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(error), handler.installed(process_exits=False):
        handler.run(command())
    assert signal.getsignal(signal.SIGINT) is before


def test_ignored_signal_is_not_handled() -> None:
    """A script that ignores SIGINT expects that it stays ignored."""
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with SigtermHandler().interrupting():
            signal.raise_signal(signal.SIGINT)
        assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGINT, before)
