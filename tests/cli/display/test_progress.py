"""Progress bars and indicators on stderr."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any

import pytest

from packagex_async import Artifact, ProgressEvent, ProgressKind
from packagex_async.cli.display.dashboard import Dashboard
from packagex_async.cli.display.progress import ArtifactBars, ByteBar, WaitIndicator, retry_note
from packagex_async.testing import Emulator
from tests.cli.support import Cli, Terminal, add_small_export


def event(kind: ProgressKind = ProgressKind.STARTED, **fields: Any) -> ProgressEvent:
    """Return an event of a file of 10 bytes."""
    return ProgressEvent(kind=kind, export_id="exp_1", artifact=Artifact.CSV, total=10, **fields)


def test_bars_follow_the_progress_and_disappear(monkeypatch: pytest.MonkeyPatch) -> None:
    """They show delays and the number of the attempt."""
    monkeypatch.setattr(sys, "stderr", terminal := Terminal())
    events = [
        event(ProgressKind.STARTED),
        event(ProgressKind.RETRYING, delay=2.5),
        event(ProgressKind.ADVANCED, received=5, attempt=2),
        event(ProgressKind.FINISHED, received=10, attempt=2),
    ]
    screens = []
    with ArtifactBars(quiet=False) as bars:
        for each in events:
            bars(each)
            bars._progress.refresh()
            screens.append(terminal.getvalue())
    assert "exp_1 csv" in screens[0]
    assert "retry in 2.5 s" in screens[1]
    assert "attempt 2" in screens[2]
    assert "10/10 bytes" in screens[3]
    assert terminal.is_cleared()


def test_bars_are_shown_on_terminals_only(
    server: Emulator, cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`--quiet` disables them."""
    arguments = ("download", add_small_export(server).id, "--directory", tmp_path)
    assert cli(*arguments).err == ""
    monkeypatch.setattr(sys, "stderr", terminal := Terminal())
    assert cli(*arguments, "--quiet").code == 0
    assert terminal.getvalue() == ""
    assert cli(*arguments).code == 0
    assert terminal.getvalue() != ""


@pytest.mark.parametrize(("no_color", "has_color"), [(None, True), ("1", False)])
def test_no_color(no_color: str | None, has_color: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """A terminal shows colors unless the variable is set."""
    if no_color is not None:
        monkeypatch.setenv("NO_COLOR", no_color)
    monkeypatch.setattr(sys, "stderr", terminal := Terminal())
    with ArtifactBars(quiet=False) as bars:
        bars(event())
    assert bool(re.search(r"\x1b\[[0-9;]*3\d[;m]", terminal.getvalue())) is has_color


def test_byte_bar_shows_the_progress(monkeypatch: pytest.MonkeyPatch) -> None:
    """It disappears in the end."""
    monkeypatch.setattr(sys, "stderr", terminal := Terminal())
    with ByteBar("verifying", quiet=False) as bar:
        bar(5, 10)
        bar._progress.refresh()
        assert "verifying" in terminal.getvalue()
        assert "5/10 bytes" in terminal.getvalue()
    assert terminal.is_cleared()


@pytest.mark.parametrize(("quiet", "expected"), [(False, "packagex-exports: now\n"), (True, "")])
def test_wait_indicator_without_a_terminal(
    quiet: bool, expected: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Each update is a line on stderr, unless it is quiet."""
    with WaitIndicator("export exp_1", quiet=quiet) as indicator:
        indicator.update("now")
    assert capsys.readouterr().err == expected


def test_retry_note() -> None:
    """The first attempt has none."""
    assert retry_note(event()) == ""
    assert retry_note(event(attempt=3)) == "attempt 3"
    assert retry_note(event(attempt=3, delay=1.25)) == "retry in 1.2 s"


@pytest.mark.parametrize("total", [10**19, 10**400, -1, 0])
def test_invalid_total_counts_as_unknown(total: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """A server can send any number."""
    monkeypatch.setattr(sys, "stderr", terminal := Terminal())
    with Dashboard() as dashboard, ArtifactBars(quiet=False) as bars:
        dashboard.set_total(total)
        for kind in (ProgressKind.STARTED, ProgressKind.ADVANCED):
            each = ProgressEvent(kind=kind, export_id="exp_1", artifact=Artifact.CSV, received=5, total=total)
            dashboard.on_progress(each)
            bars(each)
        dashboard._progress.refresh()
        bars._progress.refresh()
    assert "exp_1 csv" in terminal.getvalue()
