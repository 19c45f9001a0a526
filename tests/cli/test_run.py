"""Errors of a running command become messages and exit codes."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from packagex_async.cli.exit_codes import ExitCode
from packagex_async.testing import Emulator
from tests.cli.support import Cli


@pytest.mark.parametrize("options", [[], ["--json"]])
def test_broken_pipe_ends_quietly(
    options: list[str], server: Emulator, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The reader of stdout may close it early, such as `head`."""
    read, write = os.pipe()
    os.close(read)
    with os.fdopen(write, "w") as pipe:
        monkeypatch.setattr(sys, "stdout", pipe)
        result = cli("list", *options)
    assert result == (ExitCode.BROKEN_PIPE, "", "")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
def test_full_disk_under_stdout(server: Emulator, cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    """An error of the operating system is one line on stderr."""
    with open("/dev/full", "w") as full:
        monkeypatch.setattr(sys, "stdout", full)
        result = cli("list")
    assert result.code == ExitCode.ERROR
    assert "No space left" in result.err
    assert len(result.messages) == 1
