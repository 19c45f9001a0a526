"""The reporters of `sync`."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from packagex_async.cli.display.dashboard import Dashboard
from packagex_async.cli.display.reporters import JsonReporter, LineReporter, NullReporter, choose_reporter
from packagex_async.testing import Emulator
from tests.cli.support import Cli, Terminal, add_small_export, summary_counts


@pytest.mark.parametrize(
    ("json", "quiet", "is_terminal", "expected"),
    [
        (True, False, True, JsonReporter),
        (True, True, False, JsonReporter),
        (False, True, True, NullReporter),
        (False, False, True, Dashboard),
        (False, False, False, LineReporter),
    ],
)
def test_choice_of_the_reporter(
    json: bool, quiet: bool, is_terminal: bool, expected: type, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It depends on the options and on whether stderr is a terminal."""
    if is_terminal:
        monkeypatch.setattr(sys, "stderr", Terminal())
    assert type(choose_reporter(json=json, quiet=quiet)) is expected


def test_waiting_is_reported_once(empty: Emulator, cli: Cli, tmp_path: Path) -> None:
    """With `--json` it is an event with the ids; with `--quiet` it is not reported."""
    late = [add_small_export(empty, status="processing").id for _ in range(2)]
    records = cli("sync", tmp_path, "--wait-timeout", "0.05", "--json").records
    assert [record for record in records if record["event"] == "waiting"] == [
        {"event": "waiting", "export_ids": late}
    ]
    assert cli("sync", tmp_path, "--wait-timeout", "0.05").err.count("waiting for 2 exports") == 1
    assert cli("sync", tmp_path, "--wait-timeout", "0.05", "--quiet").err == ""


def test_terminal_shows_a_dashboard(
    empty: Emulator, cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its rows disappear in the end. The table of totals is on stdout."""
    add_small_export(empty)
    monkeypatch.setattr(sys, "stderr", terminal := Terminal())
    result = cli("sync", tmp_path)
    assert result.code == 0
    assert "exports" in terminal.getvalue()
    assert "1/1" in terminal.getvalue()
    assert terminal.is_cleared()
    assert summary_counts(result)["files"] == "2"
