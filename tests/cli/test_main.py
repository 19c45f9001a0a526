"""The entry points: `main` and `python -m packagex_async.cli`."""

from __future__ import annotations

import runpy
import subprocess
import sys
from pathlib import Path

import pytest

import packagex_async as package
from packagex_async import cli as cli_package
from packagex_async.cli import main
from packagex_async.cli.exit_codes import ExitCode
from packagex_async.testing import Emulator
from tests.cli.support import COMMAND


def test_missing_extra_is_named(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """Without rich and cyclopts, the command prints how to install the extra."""
    monkeypatch.setitem(sys.modules, "rich", None)
    assert main(["list"]) == ExitCode.USAGE
    assert "the extra cli: pip install 'packagex-async[cli]' adds it" in capsys.readouterr().err


def test_python_m_runs_the_command(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """`python -m packagex_async.cli` reads its arguments from `sys.argv`."""
    monkeypatch.setattr(sys, "argv", ["packagex-exports", "--version"])
    with pytest.raises(SystemExit) as exit_info:
        runpy.run_path(str(Path(cli_package.__file__).with_name("__main__.py")), run_name="__main__")
    assert exit_info.value.code == 0
    assert capsys.readouterr().out


def test_python_m_runs_the_command_by_the_name_of_the_package(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """`python -m packagex_async` is the same command."""
    monkeypatch.setattr(sys, "argv", ["packagex-exports", "--version"])
    with pytest.raises(SystemExit) as exit_info:
        runpy.run_path(str(Path(package.__file__).with_name("__main__.py")), run_name="__main__")
    assert exit_info.value.code == 0
    assert capsys.readouterr().out


def test_process_emits_no_warning(server: Emulator) -> None:
    """The process turns warnings into errors."""
    command = [*COMMAND, "list", "--json", "--base-url", server.base_url]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert len(done.stdout.splitlines()) == len(server.exports)


def test_package_does_not_import_the_extra() -> None:
    """Importing the package, the client and `main` imports neither rich nor cyclopts."""
    code = (
        "import sys, packagex_async, packagex_async.cli; packagex_async.AsyncPackageX; "
        "sys.exit(any(name in sys.modules for name in ('rich', 'cyclopts')))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
