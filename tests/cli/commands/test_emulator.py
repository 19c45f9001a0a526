"""The command `emulator`."""

from __future__ import annotations

import io
import json
import re
import signal
import socket
import subprocess
import sys

import pytest

from packagex_async.cli import main
from packagex_async.cli.exit_codes import ExitCode
from tests.cli.support import CANARY, COMMAND


def test_runs_for_the_given_duration(capsys: pytest.CaptureFixture[str]) -> None:
    """The output contains the address and the commands to use it."""
    assert main(["emulator", "--duration", "0", "--seed", "3"]) == 0
    out = capsys.readouterr().out
    usage = r"export PX_BASE_URL=http://127.0.0.1:\d+\n  export PX_API_KEY=\S+\n  packagex-exports list\n"
    assert re.search(usage, out)
    assert "after 0 seconds" in out


class _InterruptingStream(io.StringIO):
    """A stdout that raises SIGINT when a certain line is printed."""

    def write(self, text: str) -> int:
        if "stops on Ctrl-C" in text:
            signal.raise_signal(signal.SIGINT)
        return super().write(text)


def test_ctrl_c_stops_it(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """The exit code is 130, and one line on stderr says so."""
    monkeypatch.setattr(sys, "stdout", _InterruptingStream())
    assert main(["emulator"]) == ExitCode.INTERRUPTED
    assert capsys.readouterr().err == "packagex-exports: interrupted\n"


@pytest.mark.parametrize("value", ["nan", "-1", "-inf", "soon"])
def test_invalid_duration(value: str, capsys: pytest.CaptureFixture[str]) -> None:
    """The message names the option."""
    assert main(["emulator", "--duration", value]) == ExitCode.USAGE
    assert "--duration" in capsys.readouterr().err


def test_port_in_use(capsys: pytest.CaptureFixture[str]) -> None:
    """The message names the port, and a hint the next step."""
    with socket.create_server(("127.0.0.1", 0)) as occupied:
        port = occupied.getsockname()[1]
        assert main(["emulator", "--port", str(port), "--duration", "0"]) == ExitCode.USAGE
    err = capsys.readouterr().err
    assert f"--port {port} cannot be used: " in err
    assert "127.0.0.1" not in err
    assert "hint: choose another port, or omit --port" in err


def test_key_is_quoted(capsys: pytest.CaptureFixture[str]) -> None:
    """The printed line can be copied to a shell."""
    assert main(["emulator", "--key", "a $(b)", "--duration", "0"]) == 0
    assert "export PX_API_KEY='a $(b)'\n" in capsys.readouterr().out


@pytest.mark.parametrize("key", ["", "  ", "schlüssel"])
def test_invalid_key(key: str, capsys: pytest.CaptureFixture[str]) -> None:
    """No server is started."""
    assert main(["emulator", "--key", key, "--duration", "0"]) == ExitCode.USAGE
    assert "--key must consist of printable ASCII characters" in capsys.readouterr().err


@pytest.mark.parametrize("value", ["nan", "0", "-1", "inf", "1000001"])
def test_invalid_speed(value: str, capsys: pytest.CaptureFixture[str]) -> None:
    """The message names the option."""
    assert main(["emulator", "--speed", value, "--duration", "0"]) == ExitCode.USAGE
    assert "--speed" in capsys.readouterr().err


def test_speed_and_log(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """A day passes in 0.1 seconds, so all exports are deleted. `-v` prints a line for each request."""
    arguments = ["emulator", "--json", "--speed", "1000000", "--key", CANARY, "-v"]
    command = [*COMMAND, *arguments]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            monkeypatch.setenv("PX_BASE_URL", json.loads(process.stdout.readline())["base_url"])
            remaining = "exp_"
            while "exp_" in remaining:
                assert main(["list"]) == 0
                remaining = capsys.readouterr().out
        finally:
            process.terminate()
            _, err = process.communicate()
    lines = [line for line in err.splitlines() if "GET /v1/exports" in line]
    assert re.fullmatch(r"[\d:.]+ INFO api GET /v1/exports: 200 in \d+ ms", lines[-1])
    assert CANARY not in err
