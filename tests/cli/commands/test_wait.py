"""The command `wait`."""

from __future__ import annotations

import sys

import pytest

from packagex_async.cli.exit_codes import ExitCode
from packagex_async.testing import Emulator
from tests.cli.support import Cli, Terminal


@pytest.mark.parametrize(
    ("status", "code"),
    [("completed", 0), ("failed", ExitCode.FAILED), ("timed_out", ExitCode.TIMED_OUT)],
)
def test_exit_code_depends_on_the_final_status(status: str, code: int, empty: Emulator, cli: Cli) -> None:
    """The table is printed for a completed export only."""
    export = empty.add_export(status=status, rows=1)
    result = cli("wait", export.id, "--quiet")
    assert result.code == code
    assert ("completed" in result.out, result.out == "") == (code == 0, code != 0)
    assert len(result.messages) == bool(code)


def test_unknown_export(empty: Emulator, cli: Cli) -> None:
    """The exit code is 4."""
    assert cli("wait", "exp_gone").code == ExitCode.NOT_FOUND


def test_timeout(empty: Emulator, cli: Cli) -> None:
    """The exit code is 10. With `--json`, each status is a line."""
    slow = empty.add_export(status="processing")
    result = cli("wait", slow.id, "--timeout", "0.01", "--json")
    assert result.code == ExitCode.NOT_READY
    assert "after 0.01 seconds" in result.err
    assert [record["status"] for record in result.records] == ["processing"]


def test_terminal_shows_one_line(empty: Emulator, cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    """It disappears in the end."""
    export = empty.add_export(rows=1)
    monkeypatch.setattr(sys, "stderr", terminal := Terminal())
    assert cli("wait", export.id).code == 0
    assert f"export {export.id}" in terminal.getvalue()
    assert "packagex-exports:" not in terminal.getvalue()
    assert terminal.is_cleared()
